"""GPTQ weights unpacked on a CPU, without the library that packed them: its import takes longer than everything else.

    network = unpacked(Path("artifacts/quantize/quantized"))

A module of `in` inputs and `out` outputs is stored as codes of few bits, several in a 32-bit integer along the inputs
(qweight) or the outputs (qzeros), with a scale and a zero per group of inputs: weight = scale · (code - zero), rounded
to the scale's precision (Frantar et al. 2022; the layout is that of AutoGPTQ, in whose first format a stored zero is
one too low). tests/release/test_quantize.py holds it to what GPTQModel computes with, number by number.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

WORD = 32
"""Bits of an integer that codes are stored in."""
ZEROS_TOO_LOW_BY = {"gptq": 1, "gptq_v2": 0}
"""By the format of the file."""
PARTS = ("qweight", "qzeros", "scales", "g_idx")
"""Of a packed module."""


def readable(packed: dict[str, Any]) -> bool:
    """Whether weights that are packed like this can be read here: no code reaches over two integers."""
    return (
        packed.get("quant_method") == "gptq"
        and packed.get("checkpoint_format") in ZEROS_TOO_LOW_BY
        and WORD % packed["bits"] == 0
    )


def unpacked(folder: Path) -> Any:
    """The model of `folder` in float32, with the weights that its packed ones stand for."""
    import torch
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, GenerationConfig

    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    packed = config.quantization_config
    del config.quantization_config
    state = _stored(folder)
    for name in [name.removesuffix(".qweight") for name in state if name.endswith(".qweight")]:
        weight = _weight(
            *(state.pop(f"{name}.{part}") for part in PARTS),
            bits=packed["bits"],
            too_low_by=ZEROS_TOO_LOW_BY[packed["checkpoint_format"]],
        )
        state[f"{name}.weight"] = weight
    network = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)].from_pretrained(
        None, config=config, state_dict=state, dtype=torch.float32
    )
    if (folder / "generation_config.json").exists():
        network.generation_config = GenerationConfig.from_pretrained(folder, local_files_only=True)
    return network


def _stored(folder: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    state: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        state |= load_file(path)
    return state


def _weight(qweight: Tensor, qzeros: Tensor, scales: Tensor, g_idx: Tensor, *, bits: int, too_low_by: int) -> Tensor:
    """[out, in], of qweight [in · bits / 32, out], qzeros [groups, out · bits / 32], scales [groups, out]."""
    codes = _codes(qweight.T, bits).T  # [in, out]
    zeros = (_codes(qzeros, bits) + too_low_by)[:, : scales.shape[1]]
    group = g_idx.long()
    weight: Tensor = scales[group] * (codes - zeros[group]).to(scales.dtype)
    return weight.T.float().contiguous()


def _codes(words: Tensor, bits: int) -> Tensor:
    """The codes in the words of each row, the lowest bits first; [rows, words · 32 / bits]."""
    import torch

    shifts = torch.arange(0, WORD, bits, dtype=torch.int32)
    codes = (words.unsqueeze(-1) >> shifts) & ((1 << bits) - 1)
    return codes.reshape(words.shape[0], -1)


def packing(folder: Path) -> dict[str, Any] | None:
    """How the weights of the model in `folder` are packed, or None where they are plain."""
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config.get("quantization_config")

"""Rounding a model's weights to few bits with GPTQ, calibrated on texts of the domain.

    log = gptq(merged, quantized, calibration_texts(dataset, 128), bits=4, params=params.quantize)
    layer_errors(log)     # [LayerError(layer=0, mean=1.2e-06, worst=2.1e-05, worst_module='mlp.down_proj'), …]

GPTQ (Frantar et al. 2022) rounds each layer so that its outputs on calibration texts change least; the texts come from
the domain the model will be asked about.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections import defaultdict
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, write_json

if TYPE_CHECKING:
    from acclimate.core.params import QuantizeParams

BATCH_TEXTS = 8
LEAST_WORKERS = 2
"""Threads that GPTQModel's own pools need to exist."""
KEPT = ("config.json", "generation_config.json", "quantize_config.json", "tokenizer.json", "tokenizer_config.json")
"""What GPTQModel writes besides *.safetensors and is needed; its log holds times and goes."""


@dataclass(frozen=True)
class LayerError:
    """What rounding changed in one layer: GPTQ's loss per linear module, a squared error per calibration token."""

    layer: int
    mean: float
    worst: float
    worst_module: str


def leave_it_threads(threads: int) -> None:
    """Say how many threads GPTQModel may start; left alone it wants one more than the machine has.

    It reads this when it is imported or starts its pools, so it is said first of all.
    """
    os.environ["GPTQMODEL_CPU_WORKERS"] = str(max(threads, LEAST_WORKERS))


def calibration_texts(dataset: Path, count: int) -> list[str]:
    """The first `count` domain texts of the training set, whose order is random already.

    Raises:
        UserError: if there is none.
    """
    texts = [row["text"] for row in read_jsonl(dataset) if row["kind"].startswith("domain_")]
    if not texts:
        raise UserError(
            f"{dataset} holds no domain text",
            why="GPTQ rounds so that outputs on such texts change least",
            fix="raise mix.domain_documents or mix.domain_questions in params.yaml",
        )
    return texts[:count]


def require_divisible(widths: dict[str, int], group_size: int) -> None:
    """Raise UserError if a linear module's input width is not a multiple of `group_size`.

    GPTQModel quantises such a model, and its 4-bit kernels fail when it is first asked something.
    """
    odd = {name: width for name, width in widths.items() if width % group_size}
    if odd:
        name, width = next(iter(odd.items()))
        raise UserError(
            f"{len(odd)} layers cannot be cut into groups of {group_size} weights, e.g. {name} with {width} inputs",
            why="the 4-bit kernels need whole groups",
            fix="set quantize.group_size in params.yaml to 64 or 32, or package.weights to merged",
        )


def gptq(merged: Path, quantized: Path, texts: list[str], *, bits: int, params: QuantizeParams) -> list[dict[str, str]]:
    """Write the model of the folder `merged` in `bits` bits to `quantized`.

    Returns the log, a row per linear module.
    """
    # Two hundred lines of progress and tables; what they say of the model is in the log it returns.
    with redirect_stdout(io.StringIO()), tempfile.TemporaryDirectory() as scratch:
        merged, quantized = merged.resolve(), quantized.resolve()
        with chdir(scratch):  # GPTQModel keeps a log of every run in a folder "logs" where it is called
            return _quantize(merged, quantized, texts, bits, params)


def layer_errors(log: list[dict[str, str]]) -> list[LayerError]:
    """Summarise GPTQModel's log (one row per module) by layer."""
    losses: dict[int, list[tuple[float, str]]] = defaultdict(list)
    for row in log:
        losses[int(row["layer"])].append((float(row["loss"]), row["module"]))
    return [
        LayerError(
            layer=layer,
            mean=float(f"{sum(loss for loss, _ in sorted(modules)) / len(modules):.3e}"),
            worst=max(modules)[0],
            worst_module=max(modules)[1],
        )
        for layer, modules in sorted(losses.items())
    ]


def linears(model: Any) -> list[tuple[str, Any]]:
    """The linear modules that are quantised: all but the output layer."""
    import torch

    return [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and not name.endswith("lm_head")
    ]


def _quantize(
    merged: Path, quantized: Path, texts: list[str], bits: int, params: QuantizeParams
) -> list[dict[str, str]]:
    import torch
    from gptqmodel import GPTQModel, QuantizeConfig

    # offload_to_disk would write a temporary path into the model's config.
    config = QuantizeConfig(bits=bits, group_size=params.group_size, desc_act=False, offload_to_disk=False)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = GPTQModel.load(str(merged), config, device=device, dtype=torch.float32)
    tokens = [
        {name: values[0] for name, values in encoded.items() if name != "token_type_ids"}
        for encoded in (
            model.tokenizer(text, truncation=True, max_length=params.calibration_tokens, return_tensors="pt")
            for text in texts
        )
    ]
    log: dict[str, list[dict[str, str]]] = model.quantize(tokens, batch_size=BATCH_TEXTS)
    model.save(str(quantized))
    _keep_only_needed(quantized)
    return log["gptq"]


def _keep_only_needed(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name not in KEPT and path.suffix != ".safetensors" and not path.name.endswith(".index.json"):
            path.unlink()
    # Rewritten so that the bytes do not depend on the order in which the library met its settings.
    for name in ("config.json", "quantize_config.json"):
        write_json(folder / name, dict(sorted(read_json(folder / name).items())))

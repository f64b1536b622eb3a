"""A folder with a model: what identifies it, and how it is loaded, in training checkout and Bento alike.

    folder_sha256(Path("artifacts/quantize/quantized"))
    model, tokenizer = load_model(Path("artifacts/quantize/quantized"))

The Bento carries a copy of this file, so it imports next to nothing of Acclimate: what is served is loaded
by the lines that loaded it for the gate.
"""

from __future__ import annotations

import gc
import hashlib
import os
import warnings
from functools import cache
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.release.unpacking import packing, readable, unpacked

PLAIN = (".safetensors", ".gguf", ".json", ".jinja", ".txt", ".md")
"""Endings of files that are data however they are opened."""
GGUF = "model.gguf"
"""The file with the weights, in a folder that llama.cpp reads; what tokenizer and shape are is in files beside it."""
VOCABULARIES = ("tokenizer.model", "spiece.model")
"""SentencePiece's: a protocol buffer."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes (hex)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """SHA-256 (hex) over the names and contents of all files below `folder`; times and modes do not count."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def weight_bytes(folder: Path) -> int:
    """Bytes of the weights on disk; a GGUF file holds its tokenizer too."""
    return sum(path.stat().st_size for pattern in ("*.safetensors", "*.gguf") for path in folder.glob(pattern))


def require_plain(folder: Path) -> None:
    """Raise UserError if a file of the model in `folder` could run code when it is opened.

    Pickles can (.bin, .pt, .pth, .ckpt, .pkl), Python files are code: so only what is known to be data passes.
    """
    files = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if not path.is_dir())
    odd = [str(path) for path in files if path.suffix not in PLAIN and path.name not in VOCABULARIES]
    if odd:
        raise UserError(
            f"{folder} holds {', '.join(odd)}",
            why="weights that are pickled, and code beside weights, can do anything when they are opened",
            fix=f"leave only {', '.join(PLAIN)} files there; weights are converted with safetensors.torch.save_file",
        )


def load_model(folder: Path) -> tuple[Any, Any]:
    """The model of `folder` ready for inference, and its tokenizer; nothing is looked up on a network.

    On a GPU in bfloat16, packed weights by their own kernels. On a CPU in float32, packed weights unpacked once: what
    they stand for is exactly what the packed layers compute with, in little more than half the time (see `_unpack`).
    Those of 3 bits, whose codes reach from one integer into the next, are unpacked by the library that packed them.

    Raises:
        UserError: if there is a file in it that could run code.
    """
    tokenizer = load_tokenizer(folder)
    import torch
    from transformers import AutoModelForCausalLM

    cuda = torch.cuda.is_available()
    packed = packing(folder)
    if packed is not None and not cuda and readable(packed):
        return unpacked(folder).eval(), tokenizer
    # transformers warns that of what is passed only the backend counts, which is what is meant.
    warnings.filterwarnings("ignore", message="You passed `quantization_config`", category=UserWarning)
    model = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=torch.bfloat16 if cuda else torch.float32,
        device_map="cuda" if cuda else "cpu",
        use_safetensors=True,
        local_files_only=True,
        **({} if cuda or packed is None else {"quantization_config": _unoptimised(packed)}),
    )
    if packed is not None and not cuda:
        _unpack(model)
    return model.eval(), tokenizer


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of the model in `folder`, whatever its weights are stored in; nothing is looked up on a network.

    Raises:
        UserError: if there is a file in it that could run code.
    """
    require_plain(folder)
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(folder, padding_side="left", local_files_only=True)


@cache
def import_libraries() -> None:
    """Import what `load_model` needs, most of the time that the first model takes; before any model is in memory.

    What is imported stays, and the garbage collector is told so (gc.freeze): it goes through everything only when
    a quarter has been added to what it saw last (CPython 3.11, gcmodule.c), and a quarter of these libraries is a
    hundred megabytes of requests that were over long ago. A model is not frozen: it is to be collected when it leaves.
    """
    gc.disable()
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer, modeling_utils  # noqa: F401
    finally:
        gc.freeze()
        gc.enable()


def _unoptimised(packed: dict[str, Any]) -> Any:
    """Ask for layers that still know their weights; the CPU kernel chosen otherwise has repacked them for itself."""
    from transformers import GPTQConfig

    return GPTQConfig(bits=packed["bits"], backend="torch")


def _unpack(model: Any) -> None:
    """Put an ordinary linear layer in place of every packed one, with the weights that it stands for.

    On CPUs without bfloat16 instructions the packed kernel takes 1.8 times as long per token and rounds its inputs to
    bfloat16 (GPTQModel 7, torch 2.13, measured 2026-11-21); the file stays at 4 bits, the memory does not.
    """
    import torch

    packed = [(name, layer) for name, layer in model.named_modules() if hasattr(layer, "qweight")]
    assert packed, "config.json names a quantisation, and no layer is packed"
    for name, layer in packed:
        plain = torch.nn.Linear(layer.in_features, layer.out_features, bias=layer.bias is not None)
        plain.weight.data = layer.dequantize_weight().T.to(torch.float32).contiguous()
        if layer.bias is not None:
            plain.bias.data = layer.bias.to(torch.float32)
        model.set_submodule(name, plain.requires_grad_(False))

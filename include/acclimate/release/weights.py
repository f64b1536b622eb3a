"""A folder with a model: what identifies it, and how it is loaded, in training checkout and Bento alike.

    folder_sha256(Path("artifacts/quantize/quantized"))
    model, tokenizer = load_model(Path("artifacts/quantize/quantized"))

The Bento carries a copy of this file, so it imports nothing of Acclimate: what is served is loaded
by the lines that loaded it for the gate.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes (hex)."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """SHA-256 (hex) over the names and contents of all files below `folder`; times and modes do not count."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n" for path in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def load_model(folder: Path) -> tuple[Any, Any]:
    """The model of `folder` ready for inference, and its tokenizer; nothing is looked up on a network.

    On a CPU in float32, where the 4-bit kernel is then as fast as the merged model; on a GPU in bfloat16.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    cuda = torch.cuda.is_available()
    dtype = torch.bfloat16 if cuda else torch.float32
    device = "cuda" if cuda else "cpu"
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left", local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, device_map=device, use_safetensors=True, local_files_only=True
    )
    return model.eval(), tokenizer

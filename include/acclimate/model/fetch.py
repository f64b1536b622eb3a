"""A base model from a folder or from the hub: weights as safetensors only, no code, pinned to a commit.

Pickled weights can run anything when they are opened (transformers would open them too), and a
repository's own Python files even more so: neither is copied.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.model.licence import CARD

PATTERNS = (
    "config.json",
    "generation_config.json",
    "*.safetensors",
    "model.safetensors.index.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    CARD,
)
"""What a model folder is made of; everything else stays where it is."""


def fetch(model: str, revision: str | None, out: Path) -> str:
    """Put the model called `model` into `out` and say where it came from.

    Args:
        model: a folder, or a hub id ("owner/name").
        revision: the commit a hub id is pinned to, 40 hex digits.
        out: an empty directory.

    Raises:
        UserError: if it cannot be had, or not in a form that is safe to load.
    """
    source, origin = located(model, revision, PATTERNS)
    _copy(source, out)
    _require_loadable(model, out)
    return origin


def located(model: str, revision: str | None, patterns: Sequence[str]) -> tuple[Path, str]:
    """The folder that holds the model called `model`, and where it came from in words.

    Args:
        model: a folder, or a hub id ("owner/name").
        revision: the commit a hub id is pinned to, 40 hex digits.
        patterns: of a hub repository, the files to download.

    Raises:
        UserError: if there is no such model, or it cannot be had.
    """
    if Path(model).is_dir():
        return Path(model), f"copied from the folder {Path(model).resolve().name}"
    if re.fullmatch(r"[\w.-]+/[\w.-]+", model) and not model.startswith("."):
        return _download(model, revision, patterns), f"downloaded from the hub, commit {revision}"
    raise UserError(
        f"base.model is {model!r}: no such folder, and not a hub id",
        why="there is no model to adapt",
        fix="write local:tiny, the path of a folder, or owner/name in params.yaml",
    )


def parameters(folder: Path) -> int:
    """Numbers stored in the folder's safetensors files, from their headers alone."""
    total = 0
    for path in folder.glob("*.safetensors"):
        # The format: 8 bytes of little-endian header length, then JSON (safetensors documentation, "Format").
        with path.open("rb") as content:
            header = json.loads(content.read(int.from_bytes(content.read(8), "little")))
        total += sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")
    return total


def _download(model: str, revision: str | None, patterns: Sequence[str]) -> Path:
    """The local snapshot of a hub repository at one commit, downloaded if it is not in the cache yet."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if revision is None or not re.fullmatch(r"[0-9a-f]{40}", revision):
        raise UserError(
            f"base.model is the hub id {model!r} and base.revision is {revision!r}",
            why="a branch or tag can move, and the same params would then give another base",
            fix="set base.revision to a commit hash of 40 hex digits, from the repository's history",
        )
    try:
        return Path(snapshot_download(model, revision=revision, allow_patterns=list(patterns)))
    except LocalEntryNotFoundError:
        raise UserError(
            f"the hub could not be reached for {model}, and this commit is not in the local cache",
            why="there is no model to adapt",
            fix="connect to the network, or download it elsewhere and set base.model to the folder; "
            "local:tiny needs no network",
        ) from None
    except HfHubHTTPError as fault:
        raise UserError(
            f"the hub refused {model} at {revision}: {' '.join(str(fault).split())}",
            why="there is no model to adapt",
            fix="check the id and the commit; for a gated model accept its terms there and set HF_TOKEN",
        ) from None


def _copy(source: Path, out: Path) -> None:
    """Copy the files of a model from `source`, by hard link where the file system allows."""
    for path in sorted({path for pattern in PATTERNS for path in source.glob(pattern)}):
        original, copy = path.resolve(), out / path.name
        try:
            os.link(original, copy)
        except OSError:  # another file system, or one without hard links
            shutil.copyfile(original, copy)


def _require_loadable(model: str, folder: Path) -> None:
    from transformers import AutoConfig, AutoTokenizer

    if not any(folder.glob("*.safetensors")):
        raise UserError(
            f"{model} has no safetensors weights",
            why="pickled weights (.bin, .pt) can run any code when they are opened, and are never read",
            fix="use a revision with safetensors, or convert the weights with safetensors.torch.save_file",
        )
    try:
        AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError) as fault:
        raise UserError(
            f"{model} cannot be loaded: {' '.join(str(fault).split())}",
            why="it needs a config and a tokenizer that transformers knows; code from the hub is never run",
            fix="name a causal language model whose architecture is part of transformers",
        ) from None

"""What computes: the network of one packaged model behind one interface, whichever library holds it.

    engine, tokenizer = opened(folder / "model", manifest, library, check)
    engine.write(rows, take, more)      # hands every row its tokens one by one, until `take` says that it is complete
    engine.close()

An engine chooses the next token and nothing else. Which tokens a text has, where a completion ends and what it says is
the same for all of them: models.py, generation.py. Another one would be a module beside these, and a library in
`endpoint.engine` or a line in `opened`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from acclimate.release.weights import GGUF, load_tokenizer

if TYPE_CHECKING:
    from acclimate.serving.generation import Row
    from acclimate.serving.shared_base import Base

Take = Callable[["Row", int], bool]
"""Gives a row its next token; whether the row is complete now, or nobody waits for it any more."""
More = Callable[[], "list[Row]"]
"""Rows that have come since it was asked last, to be written beside the others."""
Check = Callable[[], None]
"""Raises EngineError if the files of a package are not what was signed any more."""


class Engine(Protocol):
    """A network in memory."""

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end a text."""

    @property
    def joins(self) -> bool:
        """Whether `write` asks for more rows while it writes; else whoever comes waits until it is done."""

    @property
    def beside(self) -> object:
        """What it shares with other engines, if rows of all of them are written together by any; else itself."""

    def write(self, rows: list[Row], take: Take, more: More) -> None:
        """Write after every row's prompt, as its dials say, until `take` has said of each that it is complete."""

    def close(self) -> None:
        """Let go of the memory; what is not closed lets go of it when nobody refers to it any more."""


class Library(Protocol):
    """What computes with models in safetensors; `check` shows once more that files are what was signed."""

    def open(self, folder: Path, manifest: dict[str, Any], check: Check) -> tuple[Engine, Any]:
        """The engine for a whole model, and its tokenizer (transformers')."""

    def open_base(self, folder: Path, manifest: dict[str, Any], check: Check) -> tuple[Any, Any]:
        """A base that adapters will be beside, as this library has it in memory, and its tokenizer."""

    def on_base(self, base: Base, manifest: dict[str, Any], adapter: Path | None, check: Check) -> Engine:
        """The engine for an adapter beside a base; None: for the base alone."""


def opened(folder: Path, manifest: dict[str, Any], library: Library, check: Check) -> tuple[Engine, Any]:
    """The engine for the whole model in `folder`, and the model's tokenizer (transformers').

    Raises:
        UserError: if there is a file in it that could run code.
        EngineError: if llama.cpp or vLLM cannot load it.
    """
    if not (folder / GGUF).exists():
        return library.open(folder, manifest, check)
    from acclimate.serving.engine_llama import LlamaCpp

    tokenizer = load_tokenizer(folder)
    generation = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
    ends = end_tokens(tokenizer, generation.get("eos_token_id"))
    window = manifest["max_prompt_tokens"] + manifest["max_new_tokens"]
    return LlamaCpp(folder / GGUF, window=window, threads=manifest["threads"], ends=ends, check=check), tokenizer


def end_tokens(tokenizer: Any, configured: int | list[int] | None) -> frozenset[int]:
    """The tokens that end a text: the tokenizer's own, and those of the generation config (one, several, or none)."""
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(int(token) for token in (tokenizer.eos_token_id, *listed) if token is not None)

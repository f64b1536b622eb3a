"""What computes: the network of one packaged model behind one interface, whichever library holds it.

    engine, tokenizer = opened(folder / "model", manifest)
    engine.write(rows, take, more)      # hands every row its tokens one by one, until `take` says that it is complete
    engine.close()

An engine chooses the next token and nothing else. Which tokens a text has, where a completion ends and what it says is
the same for all of them: models.py, generation.py. Another one, say vLLM's for a GPU, would be a module beside these
and a line in `opened`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from acclimate.release.weights import GGUF, import_libraries, load_model, load_tokenizer

if TYPE_CHECKING:
    from acclimate.serving.generation import Row

Take = Callable[["Row", int], bool]
"""Gives a row its next token; whether the row is complete now, or nobody waits for it any more."""
More = Callable[[], "list[Row]"]
"""Rows that have come since it was asked last, to be written beside the others."""


class Engine(Protocol):
    """A network in memory."""

    @property
    def ends(self) -> frozenset[int]:
        """Tokens that end a text."""

    @property
    def joins(self) -> bool:
        """Whether `write` asks for more rows while it writes; else whoever comes waits until it is done."""

    def write(self, rows: list[Row], take: Take, more: More) -> None:
        """Write after every row's prompt, as its dials say, until `take` has said of each that it is complete."""

    def close(self) -> None:
        """Let go of the memory; what is not closed lets go of it when nobody refers to it any more."""


def opened(folder: Path, manifest: dict[str, Any]) -> tuple[Engine, Any]:
    """The engine for the model in `folder`, and the model's tokenizer (transformers').

    Raises:
        UserError: if there is a file in it that could run code.
        EngineError: if llama.cpp cannot load it.
    """
    if (folder / GGUF).exists():
        from acclimate.serving.engine_llama import LlamaCpp

        tokenizer = load_tokenizer(folder)
        generation = json.loads((folder / "generation_config.json").read_text(encoding="utf-8"))
        ends = end_tokens(tokenizer, generation.get("eos_token_id"))
        window = manifest["max_prompt_tokens"] + manifest["max_new_tokens"]
        return LlamaCpp(folder / GGUF, window=window, threads=manifest["threads"], ends=ends), tokenizer
    import_libraries()
    import torch

    from acclimate.serving.engine_transformers import Transformers

    torch.set_num_threads(manifest["threads"])
    network, tokenizer = load_model(folder)
    return Transformers(network, tokenizer), tokenizer


def end_tokens(tokenizer: Any, configured: int | list[int] | None) -> frozenset[int]:
    """The tokens that end a text: the tokenizer's own, and those of the generation config (one, several, or none)."""
    listed = configured if isinstance(configured, list) else [configured]
    return frozenset(int(token) for token in (tokenizer.eos_token_id, *listed) if token is not None)

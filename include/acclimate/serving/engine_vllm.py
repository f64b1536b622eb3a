"""vLLM as an engine, for safetensors: a base and many adapters beside it, in a process of its own (vllm_process.py).

    library = ByVllm(Path(".acclimate/engines/vllm/bin/python"), adapters=8)
    engine = library.on_base(base, manifest, folder / "model/adapter", check)      # base.network is the process

Texts of all adapters on one base are written side by side, each with its own dials. If that process ends, whatever
ended it, those who wait for it are told, the service goes on, and another one is started.
"""

from __future__ import annotations

import json
import os
import secrets
import time
import weakref
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.release.weights import load_tokenizer, require_plain
from acclimate.serving.engine import end_tokens
from acclimate.serving.engine_process import EngineError
from acclimate.serving.vllm_process import Box, Process

if TYPE_CHECKING:
    from acclimate.serving.engine import Check, More, Take
    from acclimate.serving.generation import Prompt, Row
    from acclimate.serving.shared_base import Base

PYTHON = "ACCLIMATE_VLLM_PYTHON"
"""In the environment: the Python that has vLLM."""
WORKER = Path(__file__).with_name("vllm_worker.py")
SEQUENCES = 16
"""Texts written side by side, at most: as many as the endpoint answers together."""
RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""What vLLM can make room for; an adapter takes the first that holds it."""
STUCK_SECONDS = 30.0
"""Without a step, and nobody left of those who waited at the last: then it is ended, so that others are answered."""
SILENT = {
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "VLLM_LOGGING_LEVEL": "ERROR",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",  # one process: what ends it ends all of it
    "VLLM_CPU_OMP_THREADS_BIND": "nobind",  # others compute on this machine too
}


@dataclass(frozen=True)
class ByVllm:
    """vLLM computes with models in safetensors."""

    python: Path
    """Of the environment that has it."""
    adapters: int
    """Beside one base at a time, at most."""

    def open(self, folder: Path, manifest: dict[str, Any], check: Check) -> tuple[Vllm, Any]:
        """The engine for the whole model in `folder`, and its tokenizer.

        Raises:
            UserError: if there is a file in it that could run code, or it is packed in few bits.
            EngineError: if vLLM cannot load it.
        """
        process, tokenizer = self._started(folder, manifest, check, adapters=0, rank=0)
        return Vllm(process), tokenizer

    def open_base(self, folder: Path, manifest: dict[str, Any], check: Check) -> tuple[Process, Any]:
        """The base in `folder`, with room for adapters of the size of the one in the package; raises as `open`."""
        rank = _rank(folder.with_name("adapter"))
        return self._started(folder, manifest, check, adapters=self.adapters, rank=_room(rank))

    def on_base(self, base: Base, manifest: dict[str, Any], adapter: Path | None, check: Check) -> Vllm:
        """The engine for an adapter beside a base, or for the base alone.

        Raises:
            UserError: if it is no plain LoRA adapter, or longer texts are asked of it than of the first on this base.
            EngineError: if vLLM cannot load it.
        """
        process: Process = base.network
        if (window := _window(manifest)) > process.first["window"]:
            raise UserError(
                f"{window} tokens are to be read and written, and vLLM keeps {process.first['window']} a text",
                why="it makes room for the first model on a base, and all others share it",
                fix="package all models on this base with the same max_prompt_tokens and max_new_tokens",
            )
        if adapter is None:
            return Vllm(process)
        require_plain(adapter)
        _rank(adapter)
        engine = Vllm(process, process.load(adapter, check))
        weakref.finalize(engine, process.forget, engine.adapter)
        return engine

    def _started(
        self, folder: Path, manifest: dict[str, Any], check: Check, *, adapters: int, rank: int
    ) -> tuple[Process, Any]:
        tokenizer = load_tokenizer(folder)
        _require_whole(folder)
        generation = folder / "generation_config.json"
        told = json.loads(generation.read_text(encoding="utf-8")) if generation.exists() else {}
        first = {
            "model": str(folder),
            "window": _window(manifest),
            "sequences": SEQUENCES,
            "adapters": adapters,
            "rank": rank,
            "ends": sorted(end_tokens(tokenizer, told.get("eos_token_id"))),
        }
        environment = {**SILENT, "OMP_NUM_THREADS": str(manifest["threads"])}
        return Process([str(self.python), "-I", str(WORKER)], first, environment, check), tokenizer


def python_with_vllm() -> Path:
    """The one that the environment names; raises EngineError if it names none."""
    named = os.environ.get(PYTHON)
    if not named or not Path(named).exists():
        raise EngineError(f"endpoint.engine is vllm, and {PYTHON} names no Python: {named or 'it is not set'}")
    return Path(named)


class Vllm:
    """A base, or an adapter beside it, in the process that holds them."""

    joins = True

    def __init__(self, process: Process, adapter: int = 0) -> None:
        self.process = process
        self.adapter = adapter
        self.ends = frozenset[int](process.first["ends"])

    @property
    def beside(self) -> object:
        """All on one base are written side by side."""
        return self.process

    def write(self, rows: list[Row], take: Take, more: More) -> None:
        """All rows side by side, also those of others on this base; who is complete makes room for the next."""
        waiting: dict[int, Row] = {}
        box: Box = SimpleQueue()
        self._add(rows, waiting, box)
        # As with llama.cpp, who comes later does not count.
        moved, then = time.monotonic(), rows
        try:
            while waiting:
                try:
                    said = box.get(timeout=1.0)
                except Empty:
                    self.process.require_alive()
                    if time.monotonic() - moved > STUCK_SECONDS and all(row.given_up for row in then):
                        self.process.kill()
                    said = []
                if isinstance(said, EngineError):
                    raise said
                self._hand_out(said, waiting, take)
                self._add(more(), waiting, box)
                if said:
                    moved, then = time.monotonic(), list(waiting.values())
        finally:
            if waiting:
                self.process.drop([*waiting])

    def close(self) -> None:
        """End the process, and wait for that; others on the base are ended with it."""
        self.process.close()

    def _add(self, rows: list[Row], waiting: dict[int, Row], box: Box) -> None:
        if rows:
            numbered = {next(self.process.numbers): row for row in rows}
            waiting |= numbered
            self.process.ask([self._asked(number, row) for number, row in numbered.items()], box)

    def _hand_out(self, tokens: list[tuple[int, int]], waiting: dict[int, Row], take: Take) -> None:
        # Of a text that was dropped a last token may be on its way.
        known = [(number, token) for number, token in tokens if number in waiting]
        done = [number for number, token in known if take(waiting[number], token)]
        if done:
            self.process.drop(done)
        for number in done:
            del waiting[number]

    def _asked(self, number: int, row: Row) -> dict[str, Any]:
        """A text as the process is told of it; one without tokens goes on from the end of another."""
        prompt: Prompt = row.prompt
        engine = self if row.model is None else row.model.engine
        assert isinstance(engine, Vllm)
        assert engine.process is self.process
        return {
            "number": number,
            "prompt": prompt.tokens or [min(self.ends, default=0)],
            "most": prompt.max_new_tokens,
            "temperature": prompt.temperature,
            "top_p": prompt.top_p,
            "seed": secrets.randbelow(2**63) if prompt.seed is None else prompt.seed % 2**63,  # to vLLM -1 is any
            "adapter": engine.adapter,
        }


def _window(manifest: dict[str, Any]) -> int:
    return int(manifest["max_prompt_tokens"] + manifest["max_new_tokens"])


def _room(rank: int) -> int:
    return next(room for room in RANKS if room >= rank)


def _require_whole(folder: Path) -> None:
    """Raise UserError if the weights are packed: what that comes to in vLLM nobody has judged."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if "quantization_config" in config:
        raise UserError(
            "the model is packed in few bits, and endpoint.engine is vllm",
            why="vLLM unpacks by kernels of its own, and what was judged is what transformers makes of it",
            fix="set endpoint.engine to transformers, or package.weights to merged or adapter",
        )


def _rank(adapter: Path) -> int:
    """Of a LoRA adapter as vLLM reads it; raises UserError for what it would leave out without a word."""
    config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    odd = [
        name
        for name in ("use_dora", "rank_pattern", "alpha_pattern", "modules_to_save", "lora_bias", "fan_in_fan_out")
        if config.get(name)
    ]
    odd += [] if config.get("bias", "none") == "none" else ["bias"]
    odd += [] if config.get("peft_type") == "LORA" else ["peft_type"]
    odd += [] if config.get("r", 0) in range(1, RANKS[-1] + 1) else ["r"]
    if odd:
        raise UserError(
            f"adapter_config.json has {', '.join(f'{name}: {config.get(name)}' for name in odd)}",
            why="vLLM serves LoRA of one rank up to 512 on linear layers, and nothing else of it",
            fix="set endpoint.engine to transformers, or package.weights to merged",
        )
    return int(config["r"])

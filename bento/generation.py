"""Prompts in, completions out, many at a time: requests that wait together are answered together.

A request never waits for others to arrive: a batch is whoever is waiting when the model becomes free.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from acclimate.release.weights import load_model

BATCH_REQUESTS = 16
"""The most requests answered in one pass: more gain little on a CPU and make the first wait longer."""


@dataclass(frozen=True)
class Prompt:
    """A text to complete, as tokens, and how many tokens may be added."""

    tokens: list[int]
    max_new_tokens: int


@dataclass(frozen=True)
class Completion:
    """What the model added; finish_reason is 'stop' if it ended by itself, 'length' if it was cut."""

    text: str
    new_tokens: int
    finish_reason: Literal["stop", "length"]


class Generator:
    """The model, used by one thread at a time; greedy, so that a question has one answer."""

    def __init__(self, folder: Path, threads: int) -> None:
        import torch

        torch.set_num_threads(threads)
        self._lock = threading.Lock()
        self._model, self._tokenizer = load_model(folder)
        self._stop = self._tokenizer.eos_token_id
        self._pad = self._stop if self._tokenizer.pad_token_id is None else self._tokenizer.pad_token_id

    def tokens(self, text: str) -> list[int]:
        """The token ids of a prompt, special tokens included; nothing is cut."""
        ids: list[int] = self._tokenizer(text, truncation=False, verbose=False)["input_ids"]
        return ids

    def complete(self, prompts: list[Prompt]) -> list[Completion]:
        """Complete all prompts in one batch; each gets at most its own number of new tokens."""
        import torch

        longest = max(len(prompt.tokens) for prompt in prompts)
        padding = [longest - len(prompt.tokens) for prompt in prompts]
        ids = [[self._pad] * pad + prompt.tokens for pad, prompt in zip(padding, prompts, strict=True)]
        mask = [[0] * pad + [1] * len(prompt.tokens) for pad, prompt in zip(padding, prompts, strict=True)]
        with self._lock, torch.inference_mode():
            written = self._model.generate(
                input_ids=torch.tensor(ids, device=self._model.device),
                attention_mask=torch.tensor(mask, device=self._model.device),
                max_new_tokens=max(prompt.max_new_tokens for prompt in prompts),
                do_sample=False,
                eos_token_id=self._stop,
                pad_token_id=self._pad,
            )
        rows: list[list[int]] = written[:, longest:].tolist()
        return [self._completion(row[: prompt.max_new_tokens]) for row, prompt in zip(rows, prompts, strict=True)]

    def _completion(self, tokens: list[int]) -> Completion:
        stopped = self._stop in tokens
        kept = tokens[: tokens.index(self._stop)] if stopped else tokens
        text = self._tokenizer.decode(kept, skip_special_tokens=True)
        return Completion(text, len(kept), "stop" if stopped else "length")


class Batcher:
    """Hands waiting prompts to `complete`, as many as there are up to BATCH_REQUESTS, one batch at a time."""

    def __init__(self, complete: Callable[[list[Prompt]], list[Completion]]) -> None:
        self._complete = complete
        self._waiting: asyncio.Queue[tuple[Prompt, asyncio.Future[Completion]]] = asyncio.Queue()

    async def ask(self, prompt: Prompt) -> Completion:
        """The completion of one prompt; raises what `complete` raised."""
        answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        await self._waiting.put((prompt, answer))
        return await answer

    async def run(self) -> None:
        """Serve until cancelled."""
        while True:
            batch = [await self._waiting.get()]
            while len(batch) < BATCH_REQUESTS and not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            # A client that hung up has cancelled its future.
            batch = [(prompt, answer) for prompt, answer in batch if not answer.done()]
            if batch:
                await self._answer(batch)

    async def _answer(self, batch: list[tuple[Prompt, asyncio.Future[Completion]]]) -> None:
        work = asyncio.to_thread(self._complete, [prompt for prompt, _ in batch])
        # A fault is handed to those who asked, and the next batch gets its turn.
        (outcome,) = await asyncio.gather(work, return_exceptions=True)
        for place, (_, answer) in enumerate(batch):
            if answer.done():
                continue
            if isinstance(outcome, BaseException):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome[place])

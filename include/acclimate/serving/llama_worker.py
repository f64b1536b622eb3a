"""llama.cpp in a process of its own: token ids in, token ids out, several texts side by side.

    python -I llama_worker.py        # started and spoken to by engine_llama.py; one JSON document a line

    in    {"model": "…/model.gguf", "window": 256, "sequences": 16, "threads": 2, "ends": [1]}      first, once
          {"add": [{"number": 7, "prompt": [0, 17, 4], "most": 40, "temperature": 0.8, "top_p": 0.95, "seed": 12}]}
          {"drop": [7]}                   nobody waits for it any more
    out   {"bytes": 2934112}              it is loaded; of its weights
          {"tokens": [[7, 301], …]}       a step: the next token of every text that has one

A text joins those that are being written, and leaves them, between two steps. It is over after a token of `ends`, or
when it has its most tokens. The process ends when its input does. llama.cpp aborts on what it does not expect: it ends
this process then, and not the service. Nothing of Acclimate is imported, so this file runs wherever the package is.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
from collections import deque
from dataclasses import dataclass
from typing import Any

READ_TOKENS = 512
"""Read in one step, at most: who is being answered waits no longer than that for somebody's long prompt."""


@dataclass
class Text:
    """A text while it is being written."""

    number: int
    unread: list[int]
    """Tokens that the network has not seen yet: of the prompt, later the last one written."""
    most: int
    """Tokens still to be written."""
    sampler: Any
    sequence: int = -1
    """Its place among those side by side."""
    position: int = 0
    """Tokens that the network has seen."""


class Inbox:
    """Lines of the standard input, without waiting for one where there is something else to do."""

    def __init__(self) -> None:
        self._bytes = b""
        self.closed = False

    def take(self, *, wait: bool) -> list[dict[str, Any]]:
        """The documents that have come; none if there is none, and `wait` is false or no more will come."""
        while not self.closed and (select.select([0], [], [], 0)[0] or (wait and b"\n" not in self._bytes)):
            more = os.read(0, 1 << 20)
            self.closed = not more
            self._bytes += more
        *lines, self._bytes = self._bytes.split(b"\n")
        return [json.loads(line) for line in lines]


class Writer:
    """A network with room for some texts at a time."""

    def __init__(self, model: str, window: int, sequences: int, threads: int, ends: list[int]) -> None:
        """Load it; `window` is the most tokens of one text, its prompt included."""
        from cyllama.llama import llama_cpp

        llama_cpp.disable_logging()
        self._llama = llama_cpp
        params = llama_cpp.LlamaModelParams()
        params.n_gpu_layers = 0
        self._model = llama_cpp.LlamaModel(model, params)
        context = llama_cpp.LlamaContextParams()
        context.n_ctx = sequences * window
        context.n_batch = READ_TOKENS
        context.n_seq_max = sequences
        context.n_threads = context.n_threads_batch = threads
        self._context = llama_cpp.LlamaContext(self._model, context)
        self._batch = llama_cpp.LlamaBatch(n_tokens=READ_TOKENS, embd=0, n_seq_max=1)
        self._ends = frozenset(ends)
        self._free = list(range(sequences))
        self._waiting: deque[Text] = deque()
        self._writing: list[Text] = []
        self._greedy = self._sampler(0.0, 1.0, 0)

    @property
    def bytes(self) -> int:
        """Of the weights."""
        return int(self._model.size)

    @property
    def idle(self) -> bool:
        """Whether there is nothing to write."""
        return not self._waiting and not self._writing

    def add(self, *, number: int, prompt: list[int], most: int, temperature: float, top_p: float, seed: int) -> None:
        """Write up to `most` tokens after `prompt` as soon as there is room."""
        sampler = self._sampler(temperature, top_p, seed) if temperature > 0 else self._greedy
        self._waiting.append(Text(number, prompt, most, sampler))

    def drop(self, numbers: list[int]) -> None:
        """Write no more of these; those that are over already do not matter."""
        self._waiting = deque(text for text in self._waiting if text.number not in numbers)
        for text in [text for text in self._writing if text.number in numbers]:
            self._leave(text)

    def step(self) -> list[tuple[int, int]]:
        """Read what is unread, or some of it, and write the next token of every text that is read to its end."""
        while self._free and self._waiting:
            text = self._waiting.popleft()
            text.sequence = self._free.pop(0)
            self._writing.append(text)
        self._batch.clear()
        asked, place = [], 0
        # Those that are being written have one token each, which llama.cpp reads at once if they come in the order of
        # their places; long prompts get what room is left.
        for text in sorted(self._writing, key=lambda text: (len(text.unread), text.sequence)):
            piece, text.unread = text.unread[: READ_TOKENS - place], text.unread[READ_TOKENS - place :]
            for index, token in enumerate(piece, start=1):
                self._batch.add(token, text.position, [text.sequence], not text.unread and index == len(piece))
                text.position += 1
            place += len(piece)
            if piece and not text.unread:
                asked.append((text, place - 1))
        self._context.decode(self._batch)
        written = []
        for text, index in asked:
            token = text.sampler.sample(self._context, index)
            written.append((text.number, token))
            text.unread, text.most = [token], text.most - 1
            if not text.most or token in self._ends:
                self._leave(text)
        return written

    def _leave(self, text: Text) -> None:
        self._writing.remove(text)
        self._context.memory_seq_rm(text.sequence, -1, -1)
        # The lowest place is taken first, so that few are empty between others: only neighbours are read at once.
        self._free = sorted([*self._free, text.sequence])

    def _sampler(self, temperature: float, top_p: float, seed: int) -> Any:
        """Greedy at temperature 0; else a draw, by the temperature first and from the nucleus of what that leaves."""
        sampler = self._llama.LlamaSampler(self._llama.LlamaSamplerChainParams())
        if temperature == 0:
            sampler.add_greedy()
        else:
            sampler.add_temp(temperature)
            sampler.add_top_p(top_p, 1)
            sampler.add_dist(seed)
        return sampler


def main() -> int:
    """Write until the input ends."""
    # What ends the service is told to all of its processes: this one is needed until the last answer is written.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    # What a library prints is not taken for an answer.
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(2, 1)
    inbox = Inbox()
    documents = deque(inbox.take(wait=True))
    if not documents:
        return 0
    writer = Writer(**documents.popleft())
    print(json.dumps({"bytes": writer.bytes}), file=answers, flush=True)
    while True:
        for document in documents:
            for text in document.get("add", ()):
                writer.add(**text)
            writer.drop(document.get("drop", ()))
        if inbox.closed:
            return 0
        if not writer.idle:
            print(json.dumps({"tokens": writer.step()}), file=answers, flush=True)
        documents = deque(inbox.take(wait=writer.idle))


if __name__ == "__main__":
    sys.exit(main())

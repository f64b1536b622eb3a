"""llama.cpp as an engine: quantising a GGUF file, its tokenizer, likelihoods and greedy text by token ids.

    llama = LlamaCpp(Path("model.gguf"), threads=2, window=256)
    llama.choices([Choices(context=[0, 17, 4], continuations=[[9, 2], [31, 2]])])    # [[-3.1, -7.4]]

Through cyllama, whose wheels have llama.cpp compiled in. Called in a process apart (apart.py): llama.cpp aborts on what
it does not expect.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.model.likelihood import Choices

    Floats = NDArray[np.float32]

CELLS = 4096
"""Tokens that are read side by side, at least; each holds its keys and values."""
SEQUENCES = 64
"""Texts that are read side by side, at most."""
LOGITS = 1 << 26
"""Numbers that one reading may leave behind, about: 256 MB."""


@dataclass(frozen=True)
class Piece:
    """Tokens that are read as the next ones of some sequences."""

    tokens: list[int]
    start: int
    """Position of the first."""
    sequences: list[int]
    """Which share them; what comes later in one of them is unseen by the others."""
    asked: int
    """Logits are wanted from the token of this index on; its length: of none."""


def quantize(source: Path, target: Path, kind: str, threads: int) -> None:
    """Write the GGUF file `source` as another type, named as in llama.cpp's llama_ftype, e.g. MOSTLY_Q8_0."""
    from cyllama.llama import llama_cpp
    from gguf import LlamaFileType

    llama_cpp.disable_logging()
    params = llama_cpp.LlamaModelQuantizeParams()
    params.ftype = int(LlamaFileType[kind])
    params.nthread = threads
    llama_cpp.model_quantize(str(source), str(target), params)


def token_ids(path: Path, texts: Sequence[str]) -> list[list[int]]:
    """How llama.cpp cuts texts by the tokenizer in the file, special tokens included."""
    from cyllama.llama import llama_cpp

    llama_cpp.disable_logging()
    # Not `vocab_only`: cyllama asks such a model for its heads, and llama.cpp aborts (0.2.18, 2026-11).
    model = llama_cpp.LlamaModel(str(path), llama_cpp.LlamaModelParams())
    vocabulary = model.get_vocab()  # holds for as long as the model is there
    return [list(vocabulary.tokenize(text, add_special=True, parse_special=True)) for text in texts]


class LlamaCpp:
    """A loaded model with room for `SEQUENCES` texts at a time."""

    def __init__(self, path: Path, *, threads: int, window: int) -> None:
        """Load the file; `window` is the most tokens of one text."""
        from cyllama.llama import llama_cpp

        llama_cpp.disable_logging()
        model_params = llama_cpp.LlamaModelParams()
        model_params.n_gpu_layers = 0
        self._model = _model_class()(str(path), model_params)
        self._model.n_vocab = self._model.get_vocab().n_vocab
        params = llama_cpp.LlamaContextParams()
        params.n_ctx = params.n_batch = max(CELLS, 4 * window)
        self._room = min(params.n_ctx, LOGITS // self._model.n_vocab)
        params.n_seq_max = SEQUENCES
        params.kv_unified = True  # so that choices share the cells of their context
        params.n_threads = params.n_threads_batch = threads
        self._context = llama_cpp.LlamaContext(self._model, params)
        self._batch = llama_cpp.LlamaBatch
        self.window = window

    @property
    def weight_bytes(self) -> int:
        """Of all tensors."""
        return int(self._model.size)

    def choices(self, items: Sequence[Choices]) -> list[list[float]]:
        """Total log-likelihood of every continuation given its context, in nats; contexts are read once."""
        sizes = [(sum(map(len, [item.context, *item.continuations])), len(item.continuations)) for item in items]
        scores: list[list[float]] = []
        for group in self._groups(sizes):
            contexts, continuations, targets, first = [], [], [], 0
            for item in (items[index] for index in group):
                own = list(range(first, first + len(item.continuations)))
                contexts.append(Piece(item.context[:-1], 0, own, len(item.context) - 1))
                for sequence, continuation in zip(own, item.continuations, strict=True):
                    # The last token of the context predicts the first of each continuation.
                    tokens = [item.context[-1], *continuation[:-1]]
                    continuations.append(Piece(tokens, len(item.context) - 1, [sequence], 0))
                    targets.append(continuation)
                first += len(own)
            self._context.kv_cache_clear()
            self.read(contexts)
            values = iter(map(_log_likelihood, self.read(continuations), targets))
            scores += [[next(values) for _ in items[index].continuations] for index in group]
        return scores

    def windows(self, pairs: Sequence[tuple[list[int], list[int]]]) -> list[float]:
        """Log-likelihood of the second part of every pair given the first, in nats; neither part is empty."""
        scores: list[float] = []
        for group in self._groups([(len(given) + len(target), 1) for given, target in pairs]):
            self._context.kv_cache_clear()
            asked = [pairs[index] for index in group]
            pieces = [
                Piece([*given, *target[:-1]], 0, [sequence], len(given) - 1)
                for sequence, (given, target) in enumerate(asked)
            ]
            scores += map(_log_likelihood, self.read(pieces), (target for _, target in asked))
        return scores

    def complete(
        self, prompts: Sequence[list[int]], *, stops: Sequence[int] = (), max_new_tokens: int
    ) -> list[list[int]]:
        """The likeliest tokens after each prompt, without the one of `stops` that ends a text."""
        written: list[list[int]] = [[] for _ in prompts]
        for group in self._groups([(len(prompt) + max_new_tokens, 1) for prompt in prompts]):
            self._context.kv_cache_clear()
            waiting = {
                number: Piece(prompts[index], 0, [number], len(prompts[index]) - 1)
                for number, index in enumerate(group)
            }
            for _ in range(max_new_tokens):
                rows = self.read(list(waiting.values()))
                following: dict[int, Piece] = {}
                for (number, piece), row in zip(waiting.items(), rows, strict=True):
                    token = int(row[-1].argmax())
                    if token not in stops:
                        written[group[number]].append(token)
                        following[number] = Piece([token], piece.start + len(piece.tokens), [number], 0)
                if not (waiting := following):
                    break
        return written

    def read(self, pieces: Sequence[Piece]) -> list[Floats]:
        """Read all pieces at once; per piece the logits that are asked for, [tokens, vocabulary]."""
        batch = self._batch(n_tokens=sum(len(piece.tokens) for piece in pieces), embd=0, n_seq_max=SEQUENCES)
        wanted: list[list[int]] = []
        place = 0
        for piece in pieces:
            for index, token in enumerate(piece.tokens):
                batch.add(token, piece.start + index, piece.sequences, index >= piece.asked)
            wanted.append(list(range(place + piece.asked, place + len(piece.tokens))))
            place += len(piece.tokens)
        if not place:
            return [np.empty((0, 0), np.float32) for _ in pieces]
        self._context.decode(batch)
        return [np.array([self._context.get_logits_ith(index) for index in places], np.float32) for places in wanted]

    def _groups(self, sizes: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
        """Indices of texts in order, cut so that a group fits; `sizes` are cells and sequences of each."""
        group: list[int] = []
        cells = sequences = 0
        for index, (more_cells, more_sequences) in enumerate(sizes):
            if group and (cells + more_cells > self._room or sequences + more_sequences > SEQUENCES):
                yield group
                group, cells, sequences = [], 0, 0
            group.append(index)
            cells += more_cells
            sequences += more_sequences
        if group:
            yield group


def _model_class() -> Any:
    """LlamaModel that can be given an `n_vocab`: cyllama 0.2.18 asks it for that, and it has none (2026-11)."""
    from cyllama.llama.llama_cpp import LlamaModel

    return type("Model", (LlamaModel,), {})


def _log_likelihood(logits: Floats, targets: list[int]) -> float:
    """Sum of the log-probabilities of `targets` under `logits` [targets, vocabulary]."""
    highest = logits.max(axis=1)
    normaliser = highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))
    return float((logits[np.arange(len(targets)), targets] - normaliser).astype(np.float64).sum())

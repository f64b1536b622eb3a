"""What bench/train.py trains on: the same tokens for all, in the form in which each trainer is given them.

    material("documents", Source(params, artifacts, tokens=30_000, seed=1729))
    # Material(ours=Batches(…), theirs=[{"input_ids": [0, 512, …], "labels": [0, 512, …]}, …], per_batch=8, held_out=…)

blocks       documents as one stream cut into full rows, the same rows for all: what a step costs, and nothing else
documents    documents of natural length. Ours are packed as train_domain packs them; for the others a document is cut
             where it is longer than a sequence, and a batch is padded to its longest text
pairs        questions and answers with a loss on the answers alone. Ours are packed as train_task packs them, without
             its replay; for the others a batch is padded
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.model.adapter import load_tokenizer
from acclimate.model.train_domain import KINDS
from acclimate.model.train_task import PAIRS
from acclimate.model.training.batches import UNLEARNED, Batches, Shape, packed_stream, packed_whole
from acclimate.model.training.texts import Example, conversations, documents, read_rows

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from acclimate.core.params import Params

Text = dict[str, list[int]]
DEFAULT_BATCH = 8
"""per_device_train_batch_size of transformers' TrainingArguments and TRL's SFTConfig."""
HELD_OUT = 96
"""Texts at the end of the training set that nobody is trained on."""


@dataclass(frozen=True)
class Source:
    """Of which texts, how many, in which order."""

    params: Params
    artifacts: Path
    tokens: int
    """About."""
    seed: int
    """Of the order."""


@dataclass(frozen=True)
class Material:
    """The same tokens in two forms."""

    ours: Batches
    theirs: list[Text]
    """A row each, in the order of training; not padded yet."""
    per_batch: int
    """Rows of theirs in a step."""
    held_out: list[Text]
    """Texts, each to be read by itself."""

    def padding(self) -> tuple[float, float]:
        """Share of the positions that a step computes and that hold no token: in ours, in theirs (0–1)."""
        batches = [self.theirs[begin : begin + self.per_batch] for begin in range(0, len(self.theirs), self.per_batch)]
        sizes = [[len(text["input_ids"]) for text in batch] for batch in batches]
        computed = sum(len(batch) * max(batch) for batch in sizes)
        return self.ours.padding / self.ours.ids.size, 1 - sum(map(sum, sizes)) / computed


def material(data: str, source: Source) -> Material:
    """What `data`, one of the names above, gives to train on."""
    made = {"blocks": _blocks, "documents": _documents, "pairs": _pairs}[data]
    given = made(load_tokenizer(source.artifacts / "base"), source)
    assert given.ours.tokens == sum(len(text["input_ids"]) for text in given.theirs), "all are trained on the same"
    return given


def _blocks(tokenizer: PreTrainedTokenizerBase, source: Source) -> Material:
    stage = source.params.train_domain
    examples, held_out = _read(tokenizer, source, KINDS)
    shape = _shape(source.tokens, stage.batch_sequences, stage.sequence_tokens)
    batches = packed_stream(examples, shape)
    rows = [{"input_ids": row, "labels": row} for step in batches.ids.tolist() for row in step]
    return Material(batches, rows, stage.batch_sequences, pieces(held_out, stage.sequence_tokens))


def _documents(tokenizer: PreTrainedTokenizerBase, source: Source) -> Material:
    most = source.params.train_domain.sequence_tokens
    examples, held_out = _read(tokenizer, source, KINDS)
    shape = _shape(source.tokens, rows_like_theirs(pieces(examples, most), most), most)
    taken = first_tokens(examples, shape.steps * shape.rows * shape.tokens)
    return Material(packed_stream(taken, shape), pieces(taken, most), DEFAULT_BATCH, pieces(held_out, most))


def _pairs(tokenizer: PreTrainedTokenizerBase, source: Source) -> Material:
    most = source.params.train_task.sequence_tokens
    examples, held_out = _read(tokenizer, source, (PAIRS,))
    shape = _shape(source.tokens, rows_like_theirs(pieces(examples, most), most), most)
    left = iter(examples)
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    batches = packed_whole(left, shape, pad=pad)
    placed = len(examples) - len([*left]) - 1  # one more was read than there was room for
    return Material(batches, starts(examples[:placed], most), DEFAULT_BATCH, starts(held_out, most))


def _read(
    tokenizer: PreTrainedTokenizerBase, source: Source, kinds: Sequence[str]
) -> tuple[list[Example], list[Example]]:
    """The texts of these kinds in the source's order, and those that are held out."""
    import numpy as np

    rows = read_rows(source.artifacts / "mix/train.jsonl", kinds)
    begin = len(rows) - HELD_OUT
    order = np.random.default_rng(source.seed).permutation(begin)
    shuffled, last = [rows[place] for place in order], rows[begin:]
    if kinds == (PAIRS,):
        template = source.params.train_task.template
        return conversations(tokenizer, shuffled, template), conversations(tokenizer, last, template)
    return documents(tokenizer, shuffled), documents(tokenizer, last)


def _shape(tokens: int, rows: int, each: int) -> Shape:
    return Shape(max(1, round(tokens / (rows * each))), rows, each)


def rows_like_theirs(texts: Sequence[Text], most: int) -> int:
    """Rows of `most` tokens in which about as many tokens stand as in a batch of the others: as many steps then."""
    mean = sum(len(text["input_ids"]) for text in texts) / len(texts)
    return max(1, round(DEFAULT_BATCH * mean / most))


def first_tokens(examples: Iterable[Example], tokens: int) -> list[Example]:
    """The first examples, the last of them cut so that there are exactly so many tokens."""
    taken: list[Example] = []
    for example in examples:
        taken.append(Example(example.ids[:tokens], example.learned_from))
        tokens -= len(taken[-1].ids)
        if not tokens:
            return taken
    raise AssertionError(f"the training set is {tokens} tokens too small")


def pieces(examples: Iterable[Example], most: int) -> list[Text]:
    """Every text, cut where it is longer than `most` tokens: all of it is kept."""
    cut = [example.ids[begin : begin + most] for example in examples for begin in range(0, len(example.ids), most)]
    return [{"input_ids": ids, "labels": ids} for ids in cut]


def starts(examples: Iterable[Example], most: int) -> list[Text]:
    """The first `most` tokens of every text, labelled where they are learned."""
    return [
        {
            "input_ids": example.ids[:most],
            "labels": [UNLEARNED] * example.learned_from + example.ids[example.learned_from : most],
        }
        for example in examples
    ]

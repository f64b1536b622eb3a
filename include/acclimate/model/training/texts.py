"""What is trained on, as tokens: raw texts are learned whole, of a pair only the response.

    documents(tokenizer, rows)                        # [Example(ids=[0, 512, …, 1], learned_from=0), …]
    conversations(tokenizer, rows, "plain")           # [Example(ids=[0, 88, …, 1], learned_from=14), …]

The order of what is returned is the order of training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl
from acclimate.model.packing import token_ids
from acclimate.model.training.chat import Pair, Template, turn

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Row = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """One text as tokens, and the first of them that is learned: what comes before is only read."""

    ids: list[int]
    learned_from: int


def find_rows(dataset: Path, kinds: Sequence[str]) -> list[Row]:
    """The rows of train.jsonl of these kinds, in training order; there may be none."""
    return [row for row in read_jsonl(dataset) if row["kind"] in kinds]


def read_rows(dataset: Path, kinds: Sequence[str]) -> list[Row]:
    """The rows of train.jsonl of these kinds, in training order.

    Raises:
        UserError: if there is none.
    """
    rows = find_rows(dataset, kinds)
    if not rows:
        raise UserError(
            f"{dataset} holds no text of {' or '.join(kinds)}",
            why="there is nothing to train on",
            fix="give these kinds a share in the section mix of params.yaml (reports/mix.json says what was left "
            "out), or turn the stage off",
        )
    return rows


def documents(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row]) -> list[Example]:
    """Raw texts, learned whole."""
    return [Example(ids, 0) for ids in token_ids(tokenizer, [row["text"] for row in rows])]


def conversations(tokenizer: PreTrainedTokenizerBase, rows: Sequence[Row], template: Template) -> list[Example]:
    """Pairs in the form `template`; of each the response is learned, and that it ends there."""
    turns = [turn(template, tokenizer, Pair(row["question"], row["answer"], row.get("context"))) for row in rows]
    prompts = _encoded(tokenizer, [one.prompt for one in turns])
    responses = _encoded(tokenizer, [one.response for one in turns])
    return [_example(tokenizer, *parts) for parts in zip(prompts, responses, strict=True)]


def _example(tokenizer: PreTrainedTokenizerBase, prompt: list[int], response: list[int]) -> Example:
    bos, eos = tokenizer.bos_token_id, tokenizer.eos_token_id
    # A template may write the beginning of the text itself, and end the response with the tokenizer's own end.
    before = [] if bos is None or prompt[:1] == [bos] else [bos]
    after = [] if response[-1:] == [eos] else [eos]
    return Example([*before, *prompt, *response, *after], len(before) + len(prompt))


def _encoded(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[list[int]]:
    encoded: list[list[int]] = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False)[
        "input_ids"
    ]
    return encoded


def with_replay(pairs: Sequence[Example], replay: Sequence[Example], share: float) -> Iterator[Example]:
    """`pairs` in order and without end, with texts of `replay` between them for `share` of all tokens (0–1)."""
    taken = {"pairs": 0, "replay": 0}
    tokens = 0
    replayed = 0
    while True:
        kind = "replay" if replay and replayed < share * tokens else "pairs"
        source = replay if kind == "replay" else pairs
        example = source[taken[kind] % len(source)]
        taken[kind] += 1
        tokens += len(example.ids)
        replayed += len(example.ids) if kind == "replay" else 0
        yield example

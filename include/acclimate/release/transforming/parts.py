"""A part of a transform: its records answered, in two files that are whole or absent.

    answers/part-00000.jsonl     {"record": 0, "origin": "questions.jsonl:1", "id": "q-17", "text": " Returns …",
                                  "prompt_tokens": 15, "new_tokens": 12, "finish_reason": "stop"}
    rejected/part-00000.jsonl    {"record": 3, "origin": "questions.jsonl:4", "reason": "too long",
                                  "detail": "300 prompt tokens; at most 192 are allowed", "excerpt": "{'question': …"}

Equal parts get equal bytes: which records are answered in one pass follows from the part alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.core.params import TransformParams
from acclimate.data.sources.content import Fault
from acclimate.release.transforming.series import Entry
from acclimate.serving.asking import admitted
from acclimate.serving.faults import TooLongError
from acclimate.serving.generation import Completion, Prompt, Row, complete
from acclimate.serving.guardrails.passage import Passage
from acclimate.serving.guardrails.rails import Rails
from acclimate.serving.models import Model
from acclimate.serving.plain import Ask

EXCERPT_CHARACTERS = 120

Rows = list[dict[str, Any]]


def parts(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    """The entries, `size` at a time."""
    waiting = iter(entries)
    while part := list(islice(waiting, size)):
        yield part


def answered(part: Sequence[Entry], model: Model, params: TransformParams, rails: Rails) -> tuple[Rows, Rows]:
    """The answers to a part's records, and the records that have none with the reason; both in the part's order."""
    answers, rejects = [], []
    ready: list[_Asked] = []
    for entry in part:
        asked = _asked(entry, model, params, rails)
        if isinstance(asked, Fault):
            rejects.append(_reject(entry, asked))
        elif asked.passage.refused:
            answers.append(_answer(asked, asked.passage.refusal(), params))
        else:
            ready.append(asked)
    ready.sort(key=lambda one: len(one.prompt.tokens))  # a batch is as long as its longest prompt
    for start in range(0, len(ready), params.batch_records):
        batch = ready[start : start + params.batch_records]
        completions = complete(model, [Row(one.prompt) for one in batch])
        answers += [
            _answer(one, one.passage.finished(completion), params)
            for one, completion in zip(batch, completions, strict=True)
        ]
    return sorted(answers, key=lambda answer: int(answer["record"])), rejects


def files(out: Path, number: int) -> tuple[Path, Path]:
    """Where a part's answers and rejects are."""
    return out / f"answers/part-{number:05}.jsonl", out / f"rejected/part-{number:05}.jsonl"


def write(out: Path, number: int, answers: Rows, rejects: Rows) -> None:
    """Write a part. Its answers come last: where they are, the part is whole."""
    to_answers, to_rejected = files(out, number)
    write_jsonl(to_rejected, rejects)
    write_jsonl(to_answers, answers)


def stands(out: Path, number: int, part: Sequence[Entry]) -> bool:
    """Whether the part is written, each of its records once."""
    if not files(out, number)[0].exists():
        return False
    written = [row["record"] for path in files(out, number) for row in read_jsonl(path)]
    return sorted(written) == [entry.number for entry in part]


@dataclass(frozen=True)
class _Asked:
    """A record that can be answered: what the model is given for it, and what it passes through."""

    entry: Entry
    prompt: Prompt
    passage: Passage


def _asked(entry: Entry, model: Model, params: TransformParams, rails: Rails) -> _Asked | Fault:
    """What the model is given for a record, or why there is nothing to give."""
    if isinstance(entry.found, Fault):
        return entry.found
    record = entry.found.value
    if not isinstance(record, dict):
        return Fault("", "not a record", f"{type(record).__name__}, not fields with values")
    columns = {"question": params.question_column, "prompt": params.prompt_column}
    given = {field: record.get(column) for field, column in columns.items()}
    try:
        wish = Ask.model_validate({**given, "max_new_tokens": params.max_new_tokens}).wish()
        passage = Passage(rails, wish.reading)
        _, prompt = admitted(model, wish, passage)
    except ValidationError as fault:
        told = "; ".join(f"{'.'.join(map(str, error['loc'])) or 'record'}: {error['msg']}" for error in fault.errors())
        return Fault("", "not a request", told)
    except TooLongError as fault:
        return Fault("", "too long", str(fault))
    if not prompt.tokens:
        return Fault("", "not a request", "the model reads nothing in it")
    return _Asked(entry, prompt, passage)


def _answer(asked: _Asked, completion: Completion, params: TransformParams) -> dict[str, Any]:
    entry, guarded = asked.entry, asked.passage.guarded
    assert not isinstance(entry.found, Fault)
    identity = entry.found.value.get(params.id_column)
    return {
        "record": entry.number,
        "origin": entry.origin,
        "id": _whole(identity) if isinstance(identity, str) else identity if isinstance(identity, int) else None,
        "text": completion.text,
        "prompt_tokens": len(asked.prompt.tokens),
        "new_tokens": completion.new_tokens,
        "finish_reason": completion.finish_reason,
        **({"guarded": dict(sorted(guarded.items()))} if guarded else {}),
    }


def _reject(entry: Entry, fault: Fault) -> dict[str, Any]:
    excerpt = fault.excerpt if isinstance(entry.found, Fault) else str(entry.found.value)[:EXCERPT_CHARACTERS]
    return {
        "record": entry.number,
        "origin": entry.origin,
        "reason": fault.reason,
        "detail": _whole(fault.detail),
        "excerpt": _whole(excerpt),
    }


def _whole(text: str) -> str:
    """`text` as it can be written: half a character, which JSON can hold, is its escape."""
    return text.encode("utf-8", errors="backslashreplace").decode()

"""Predictions set beside their references, by id; whatever does not fit is an error that names what."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.data.sources.record_files import READERS, Record, values_at

LINE = "$line"
"""A path that stands for the number of the record."""
NAMES = ("id", "prediction_id", "prediction", "question", "answer", "labels", "cluster")
"""Names in a mapping that mean something; any other is a slice."""
SHOWN = 5


@dataclass(frozen=True)
class Answer:
    """A prediction with what is right."""

    id: str
    prediction: str
    references: tuple[str, ...]
    """Right answers; several where a reference lists several."""
    labels: tuple[str, ...]
    cluster: str
    slices: dict[str, str]


def parsed_mapping(pairs: Sequence[str]) -> dict[str, str]:
    """Name to path.

    Raises:
        UserError: if a part is no pair, a name comes twice, or id, prediction or answer is missing.
    """
    split = [pair.partition("=") for pair in pairs]
    names = [name for name, _, _ in split]
    wrong = [pair for pair, (name, sign, path) in zip(pairs, split, strict=True) if not (name and sign and path)]
    twice = [name for name, count in Counter(names).items() if count > 1]
    missing = [name for name in ("id", "prediction", "answer") if name not in names]
    if wrong or twice or missing:
        faults = [f"{pair!r} is no NAME=PATH" for pair in wrong]
        faults += [f"{name} is given twice" for name in twice] + [f"{name} is missing" for name in missing]
        raise UserError(
            f"--mapping: {'; '.join(faults)}",
            why="it says where in a record the id, the prediction and the right answer stand",
            fix="write e.g. --mapping id=id prediction=output answer=answerKey",
        )
    return {name: path for name, _, path in split}


def joined(predictions: Path, references: Path, mapping: dict[str, str]) -> list[Answer]:
    """Every reference with its prediction, in the order of the references.

    Raises:
        UserError: if a file cannot be read, an id or a field is missing, an id comes twice, or one of the files has
            an id that the other has not.
    """
    given = by_id(predictions, mapping.get("prediction_id", mapping["id"]), ("prediction",), mapping)
    right = by_id(references, mapping["id"], ("answer",), mapping)
    require_same_ids(predictions, given.keys() - right.keys(), references)
    require_same_ids(references, right.keys() - given.keys(), predictions)
    return [_answer(identity, given[identity], record, mapping) for identity, record in right.items()]


def _answer(identity: str, given: Record, record: Record, mapping: dict[str, str]) -> Answer:
    cluster = _at(record, mapping["cluster"]) if "cluster" in mapping else []
    slices = {name: ", ".join(_at(record, path)) for name, path in mapping.items() if name not in NAMES}
    return Answer(
        id=identity,
        prediction=text_at(given, mapping["prediction"]),
        references=tuple(_at(record, mapping["answer"])),
        labels=tuple(_at(record, mapping["labels"])) if "labels" in mapping else (),
        cluster=cluster[0] if cluster else identity,
        slices={name: value or "none" for name, value in slices.items()},
    )


def by_id(path: Path, id_path: str, needed: Iterable[str], mapping: dict[str, str]) -> dict[str, Record]:
    """The records of a file by their ids, each with something at the paths of the `needed` names.

    Raises:
        UserError: if the file cannot be read, an id comes twice, or an id or a needed field is missing.
    """
    records = _read(path)
    ids = [_id(record, number, id_path) for number, record in enumerate(records, start=1)]
    _require(path, f"no id at {id_path}", [f"record {n}" for n, identity in enumerate(ids, 1) if identity is None])
    _require(path, "an id more than once", [str(name) for name, count in Counter(ids).items() if count > 1])
    by_id = {str(identity): record for identity, record in zip(ids, records, strict=True)}
    for name in needed:
        # An empty prediction is one; an answer must be there.
        lacking = [identity for identity, record in by_id.items() if not _at(record, mapping[name])]
        _require(path, f"nothing at {mapping[name]}, where the {name} should be,", lacking)
    return by_id


def text_at(record: Record, path: str) -> str:
    """What stands at `path`; of several texts, one below the other."""
    return "\n".join(_at(record, path))


def _id(record: Record, number: int, path: str) -> str | None:
    if path == LINE:
        return str(number)
    found = _at(record, path)
    return found[0] if found and found[0].strip() else None


def _at(record: Record, path: str) -> list[str]:
    if isinstance(record, dict) and record.get(path) is not None and not isinstance(record[path], dict):
        return values_at(record[path], [])
    return values_at(record, path.split("."))


def _read(path: Path) -> list[Record]:
    ending = path.suffix.lower()
    if ending not in READERS or not path.is_file():
        problem = "does not exist" if ending in READERS else f"has none of the endings {', '.join(READERS)}"
        raise _unreadable(path, problem)
    try:
        records = READERS[ending](path)
    except (ValueError, csv.Error) as fault:  # pyarrow's faults are ValueErrors too
        raise _unreadable(path, f"cannot be read: {fault}") from None
    if not records or not all(isinstance(record, dict) for record in records):
        raise _unreadable(path, "holds no records" if not records else "holds values that are no records")
    return records


def _unreadable(path: Path, problem: str) -> UserError:
    return UserError(
        f"{path} {problem}",
        why="there is nothing to score, or to score against",
        fix="give a file of records: one JSON object a line, a JSON list of objects, a table with column names",
    )


def _require(path: Path, fault: str, where: Sequence[str]) -> None:
    if where:
        raise UserError(
            f"{path} has {fault} in {len(where)} records: {_some(where)}",
            why="a prediction must be held against its own reference, and every one against one",
            fix="correct the file, or the path in --mapping ($line as the id pairs files of equal order line by line)",
        )


def require_same_ids(path: Path, alone: Iterable[str], other: Path) -> None:
    """Raise UserError if there are ids `alone` in `path` that `other` has not."""
    if missing := sorted(alone):
        raise UserError(
            f"{len(missing)} ids of {path} are not in {other}: {_some(missing)}",
            why="a score over what happens to be in both files would be of a part that somebody chose",
            fix="give the whole of both; to score a part on purpose, cut both files to it",
        )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more

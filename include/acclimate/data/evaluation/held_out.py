"""The four evaluation tasks, drawn from the test store.

A passage of 13 words that stands in several training documents is boilerplate: to have learnt it is no
evidence of anything, and to keep it out of training would cost those documents. Such text is not used.
A passage that stands in one or two is used, and `decontaminate` takes those documents out of training.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.params import SplitParams
from acclimate.core.progress import progress
from acclimate.core.records import GENERAL
from acclimate.data.evaluation.cloze import OPENING_CHARACTERS, Candidate, Lexicon, candidates_in, draw
from acclimate.data.evaluation.evaluation_items import CLOZE_TASKS, TASKS, ClozeItem, TextItem
from acclimate.data.evaluation.locking import LockedSet
from acclimate.data.seeded import chance
from acclimate.data.similarity.passages import Passages
from acclimate.data.similarity.words import WordStreams, opening

BOILERPLATE_WORDS = 13
"""Words in a row; as decontaminate.drop_words is by default, so that what is used can be kept clean."""
MIN_TEXT_CHARACTERS = 200
"""Bits per byte of a shorter text are mostly those of its first words, which nothing precedes."""

Row = dict[str, Any]
Tasks = dict[str, Sequence[ClozeItem | TextItem]]
"""Task to its items, in the order of evaluation_items.TASKS."""


@dataclass(frozen=True)
class TaskReport:
    """What one task was drawn from and why it has no more items."""

    wanted: int
    items: int
    documents: int
    clusters: int
    held_out_documents: int
    """Raw-text documents of the test store that could have given items."""
    candidates: int
    """Windows (cloze) or openings (text) that meet the task's own conditions."""
    passed_over: dict[str, int]
    """Candidates looked at and not used, by reason, most frequent first."""
    terms: int
    """Size of the lexicon the answers come from; 0 for text."""
    note: str
    """Why there are fewer items than wanted; empty if there are not."""


def draw_tasks(
    params: SplitParams, seed: int, train: Sequence[Row], test: Sequence[Row]
) -> tuple[Tasks, dict[str, TaskReport]]:
    """Draw the items of every task, in the order of evaluation_items.TASKS.

    Raises:
        UserError: if a task would have no item.
    """
    passages = Passages.of(WordStreams.of(row["text"] for row in train), BOILERPLATE_WORDS)
    openings = {domain: [opening(row["text"], OPENING_CHARACTERS) for row in rows] for domain, rows in _texts(train)}
    items: Tasks = {}
    reports: dict[str, TaskReport] = {}
    halves = dict(_texts(test))
    for half, other in (("domain", "general"), ("general", "domain")):
        lexicon = Lexicon.of(openings[half], openings[other])
        task = f"{half}_cloze"
        items[task], reports[task] = _cloze(params, seed, halves[half], lexicon, passages)
    for half in ("domain", "general"):
        task = f"{half}_text"
        items[task], reports[task] = _texts_task(params, seed, halves[half], passages)
    _require_items(reports)
    return items, reports


def locked_tasks(locked: LockedSet) -> tuple[Tasks, dict[str, TaskReport]]:
    """The items of a locked test set, in place of a draw.

    Raises:
        UserError: if a file is not what was locked.
    """
    items: Tasks = {}
    for task in TASKS:
        kind = ClozeItem if task in CLOZE_TASKS else TextItem
        items[task] = [kind(**row) for row in locked.read(f"{task}.jsonl")]
    return items, {
        task: TaskReport(
            wanted=len(of_task),
            items=len(of_task),
            documents=len({item.document for item in of_task}),
            clusters=len({item.cluster for item in of_task}),
            held_out_documents=0,
            candidates=0,
            passed_over={},
            terms=0,
            note="",
        )
        for task, of_task in items.items()
    }


def _texts(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Raw text of the domain and general raw text; questions are never cut into evaluation items."""
    raw = [row for row in rows if row["type"] == "raw_text"]
    return [
        ("domain", [row for row in raw if row["domain"] != GENERAL]),
        ("general", [row for row in raw if row["domain"] == GENERAL]),
    ]


def _cloze(
    params: SplitParams, seed: int, rows: Sequence[Row], lexicon: Lexicon, passages: Passages
) -> tuple[list[ClozeItem], TaskReport]:
    found: list[Candidate] = []
    for row in progress(rows, "looking for terms to ask for", unit="document"):
        found += candidates_in(
            row["id"],
            row["cluster"],
            opening(row["text"], OPENING_CHARACTERS),
            lexicon,
            left_characters=params.cloze_left_characters,
            right_characters=params.cloze_right_characters,
        )
    common = passages.most_documents(WordStreams.of(candidate.window for candidate in found))
    boilerplate = common >= params.boilerplate_documents
    usable = [candidate for candidate, bad in zip(found, boilerplate, strict=True) if not bad]
    items, passed = draw(usable, lexicon, wanted=params.cloze_items, seed=seed)
    reasons = Counter({"boilerplate": int(boilerplate.sum())}) + passed
    return items, _report(
        params.cloze_items, items, rows, candidates=len(found), reasons=reasons, terms=len(lexicon.terms)
    )


def _texts_task(
    params: SplitParams, seed: int, rows: Sequence[Row], passages: Passages
) -> tuple[list[TextItem], TaskReport]:
    found = []
    for row in rows:
        text = opening(row["text"], OPENING_CHARACTERS)
        if len(text) >= MIN_TEXT_CHARACTERS:
            found.append(TextItem(f"{row['id']}:0", row["id"], row["cluster"], text))
    found.sort(key=lambda item: (chance(seed, item.id), item.id))
    boilerplate = passages.most_documents(WordStreams.of(item.text for item in found)) >= params.boilerplate_documents
    passed = Counter({"boilerplate": int(boilerplate.sum())})
    clusters: set[str] = set()
    items: list[TextItem] = []
    for item, bad in zip(found, boilerplate, strict=True):
        if bad or len(items) == params.bits_per_byte_documents:
            continue
        if item.cluster in clusters:
            passed["cluster has its item"] += 1
            continue
        clusters.add(item.cluster)
        items.append(item)
    return items, _report(params.bits_per_byte_documents, items, rows, candidates=len(found), reasons=passed, terms=0)


def _report(
    wanted: int,
    items: Sequence[ClozeItem | TextItem],
    rows: Sequence[Row],
    *,
    candidates: int,
    reasons: Counter[str],
    terms: int,
) -> TaskReport:
    passed = {reason: count for reason, count in reasons.most_common() if count}
    note = ""
    if len(items) < wanted:
        spent = ", ".join(f"{reason} {count:,}" for reason, count in passed.items()) or "all used"
        note = f"{len(items):,} of {wanted:,}: {len(rows):,} held-out texts gave {candidates:,} candidates ({spent})"
    return TaskReport(
        wanted=wanted,
        items=len(items),
        documents=len({item.document for item in items}),
        clusters=len({item.cluster for item in items}),
        held_out_documents=len(rows),
        candidates=candidates,
        passed_over=passed,
        terms=terms,
        note=note,
    )


def _require_items(reports: dict[str, TaskReport]) -> None:
    empty = {task: report for task, report in reports.items() if report.items == 0}
    if empty:
        raise UserError(
            "; ".join(f"{task} has no item: {report.note}" for task, report in empty.items()),
            why="a model that cannot be tested cannot be released",
            fix="add documents, raise split.test_share, or raise split.boilerplate_documents in params.yaml",
        )

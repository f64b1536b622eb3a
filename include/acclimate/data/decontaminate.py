"""acclimate decontaminate: training texts that share a passage with an evaluation text go.

    artifacts/decontaminate/{domain,general}.parquet     training texts, domain and general apart
    artifacts/decontaminate/rejected.jsonl               what went: the task and the item it overlaps

A passage is `drop_words` words in a row, after normalisation: case, punctuation, spacing and how a
character is encoded make no difference, nor how much other text surrounds it. An overlap of
`flag_words` is counted and stays. An item shorter than a passage is looked for as a whole; below
MIN_WORDS it would be found by chance everywhere, so it counts as uncheckable.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.errors import UserError
from acclimate.core.files import read_parquet, write_jsonl, write_parquet
from acclimate.core.params import DecontaminateParams
from acclimate.core.records import GENERAL, Reject
from acclimate.core.reports import Funnel
from acclimate.data.evaluation_items import TASKS, Question, read_questions
from acclimate.data.passages import sharing
from acclimate.data.words import WordStreams

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

MIN_WORDS = 5
REASON = "contaminated"

Row = dict[str, Any]


@dataclass(frozen=True)
class TaskOverlap:
    """One task's items against the training texts as they came in."""

    items: int
    checked: int
    uncheckable: int
    """Items of fewer than MIN_WORDS words."""
    found: int
    """Checked items with a passage in some training text; those texts are gone now."""
    clean: int
    """Checked items of which no passage stands in what is left."""
    dropped: int
    """Training texts that overlap items of this task; a text may count for several tasks."""


@dataclass(frozen=True)
class DecontaminateReport:
    """What overlapped and went, what overlapped a little and stayed."""

    funnel: Funnel
    domain: Funnel
    general: Funnel
    flagged: int
    """Texts that stayed though they share flag_words words with an item."""
    tasks: dict[str, TaskOverlap]

    def headline(self) -> str:
        """'20,300 in, 19,900 out (contaminated 400); 2,000 flagged; 1,900 of 1,900 items clean'."""
        clean = sum(task.clean for task in self.tasks.values())
        items = sum(task.items for task in self.tasks.values())
        return f"{self.funnel.sentence()}; {self.flagged:,} flagged; {clean:,} of {items:,} items clean"


def run(params: DecontaminateParams, *, train: Path, evaluation: Path, out: Path) -> DecontaminateReport:
    """Check the training texts at `train` against the items in the directory `evaluation`.

    Raises:
        UserError: if the items are not there, or no domain or no general text is left.
    """
    table = read_parquet(train)
    questions = read_questions(evaluation)
    texts = WordStreams.of(table.column("text").to_pylist())
    items = WordStreams.of(question.text for question in questions)
    pairs = overlap(texts, items, params.drop_words)
    kept = np.setdiff1d(np.arange(table.num_rows), pairs[:, 0])
    rest = texts.take(kept)
    left_over = len(np.unique(overlap(rest, items, params.drop_words)[:, 1]))
    assert left_over == 0, f"{left_over} items still overlap what is kept"
    rejects = _rejects(table.to_pylist(), questions, pairs)
    funnels = _write_parts(table, rejects, params, out)
    write_jsonl(out / "rejected.jsonl", [asdict(reject) for reject in rejects.values()])
    return DecontaminateReport(
        funnel=Funnel.of(table.num_rows, len(kept), rejects.values()),
        domain=funnels["domain"],
        general=funnels["general"],
        flagged=len(np.unique(overlap(rest, items, params.flag_words)[:, 0])),
        tasks=_by_task(questions, items.lengths, pairs),
    )


def overlap(texts: WordStreams, items: WordStreams, passage_words: int) -> NDArray[np.int64]:
    """Which texts share a passage with which items; an item shorter than a passage must stand in the text whole.

    Returns:
        [pairs, 2]: text and item, each pair once, in ascending order.
    """
    needed = np.minimum(items.lengths, passage_words)
    found: list[NDArray[np.int64]] = [np.empty((0, 2), dtype=np.int64)]
    for words in np.unique(needed[_checkable(items.lengths)]):
        chosen = np.flatnonzero((needed == words) & _checkable(items.lengths))
        pairs = sharing(texts, items.take(chosen), int(words))
        pairs[:, 1] = chosen[pairs[:, 1]]
        found.append(pairs)
    return np.unique(np.concatenate(found), axis=0)


def _checkable(lengths: NDArray[np.int64]) -> NDArray[np.bool_]:
    return lengths >= MIN_WORDS


def _write_parts(
    table: pa.Table, rejects: dict[int, Reject], params: DecontaminateParams, out: Path
) -> dict[str, Funnel]:
    """Write what is kept of domain and general text, each to its file."""
    funnels = {}
    for part in ("domain", "general"):
        domains = table.column("domain").to_pylist()
        rows = [row for row, domain in enumerate(domains) if (domain == GENERAL) == (part == "general")]
        kept = [row for row in rows if row not in rejects]
        _require_text(part, len(kept), len(rows), params)
        write_parquet(out / f"{part}.parquet", table.take(kept))
        funnels[part] = Funnel.of(len(rows), len(kept), [rejects[row] for row in rows if row in rejects])
    return funnels


def _rejects(rows: Sequence[Row], questions: Sequence[Question], pairs: NDArray[np.int64]) -> dict[int, Reject]:
    """Row to why it goes: the first item it overlaps, and how many more."""
    texts, starts, counts = np.unique(pairs[:, 0], return_index=True, return_counts=True)
    rejects = {}
    for text, start, count in zip(texts.tolist(), starts.tolist(), counts.tolist(), strict=True):
        row, first = rows[text], questions[int(pairs[start, 1])]
        more = f" and {count - 1} more" if count > 1 else ""
        rejects[text] = Reject(
            id=row["id"],
            source=row["source"],
            origin="dedup: train",
            reason=REASON,
            detail=f"{first.task} {first.id}{more}",
            excerpt=row["text"][:120],
        )
    return rejects


def _by_task(
    questions: Sequence[Question], lengths: NDArray[np.int64], pairs: NDArray[np.int64]
) -> dict[str, TaskOverlap]:
    tasks = np.array([TASKS.index(question.task) for question in questions])
    checkable = _checkable(lengths)
    overlaps = {}
    for number, task in enumerate(TASKS):
        mine = tasks == number
        hits = pairs[mine[pairs[:, 1]]]
        checked = int((mine & checkable).sum())
        overlaps[task] = TaskOverlap(
            items=int(mine.sum()),
            checked=checked,
            uncheckable=int((mine & ~checkable).sum()),
            found=len(np.unique(hits[:, 1])),
            clean=checked,
            dropped=len(np.unique(hits[:, 0])),
        )
    return overlaps


def _require_text(part: str, left: int, before: int, params: DecontaminateParams) -> None:
    if left == 0:
        raise UserError(
            f"no {part} training text is left of {before}: all share {params.drop_words} words in a row with an item",
            why="without domain text nothing is learnt, without general text what the model knows is forgotten",
            fix="add documents, lower split.test_share, or raise decontaminate.drop_words in params.yaml",
        )

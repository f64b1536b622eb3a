"""acclimate decontaminate: no training text holds an evaluation item, and a certificate says so.

    artifacts/decontaminate/{domain,general}.parquet     training texts, domain and general apart
    artifacts/decontaminate/rejected.jsonl               what went: the rule, the task and the item it overlaps
    artifacts/decontaminate/hits.jsonl                   the same side by side with the item, and what may be an item
    artifacts/decontaminate/flagged.jsonl                texts that share a shorter passage with one, and stay
    artifacts/decontaminate/certificate.json             hashes of the two; mix and base read nothing else
    artifacts/decontaminate/checked_against.json         … and of all they were checked against
    artifacts/decontaminate/preference/                  pairs of answers for align, checked alike (preferences.py)

Looked for is what wanted_items.py reads: evaluation items, examples, benchmarks, documents of the validation store;
by the words they share (item_overlaps.py), then by meaning (rephrasings.py). Case, punctuation, spacing and how
a character is encoded make no difference, nor how much other text surrounds an item. What is written is read back
and checked by another route (clean_check.py) before it is certified.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.certificate import certify, note_checked
from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl
from acclimate.core.params import DecontaminateParams
from acclimate.core.progress import progress
from acclimate.core.records import Reject
from acclimate.core.reports import Funnel
from acclimate.data.contamination.clean_check import CleanCheck
from acclimate.data.contamination.contamination_hits import list_hits
from acclimate.data.contamination.finds import RULES, Finds, Flags
from acclimate.data.contamination.item_overlaps import ItemIndex
from acclimate.data.contamination.kept_parts import PARTS, together, write_parts
from acclimate.data.contamination.meaning import RephrasedReport, search_by_meaning
from acclimate.data.contamination.preferences import pass_on
from acclimate.data.contamination.text_blocks import blocks, rows_at, word_streams
from acclimate.data.contamination.wanted_items import read_items
from acclimate.data.similarity.words import WordStreams

if TYPE_CHECKING:
    from acclimate.data.evaluation.evaluation_items import Question

LISTED_FLAGS = 1000
"""Of the flagged texts, those that share most: a hundred kilobytes of them tell what kind they are."""


@dataclass(frozen=True)
class TaskOverlap:
    """The items of one task, benchmark or store against the training texts as they came in."""

    items: int
    checked: int
    """Items with words in them."""
    found: int
    """Items that stood in some training text by the rules on words."""
    dropped: int
    """Training texts that went for items of this task; a text may count for several tasks."""


@dataclass(frozen=True)
class DecontaminateReport:
    """What overlapped and went, what overlapped a little and stayed."""

    funnel: Funnel
    domain: Funnel
    general: Funnel
    flagged: int
    """Texts that stayed though they share flag_words words in a row with an item."""
    tasks: dict[str, TaskOverlap]
    rephrased: RephrasedReport | None
    preferences: Funnel | None = None
    """Pairs of answers for align; None where params.yaml names none."""

    def headline(self) -> str:
        """'20,300 in, 19,900 out (shares a passage with an item 400); 2,000 flagged; 1,900 items kept out'."""
        items = sum(task.checked for task in self.tasks.values())
        pairs = "" if self.preferences is None else f"; preference pairs: {self.preferences.sentence()}"
        return f"{self.funnel.sentence()}; {self.flagged:,} flagged; {items:,} items kept out{pairs}"


def run(
    params: DecontaminateParams,
    *,
    train: Path,
    validation: Path,
    evaluation: Path,
    examples: Path,
    inputs: Path,
    out: Path,
) -> DecontaminateReport:
    """Check the training texts at `train` against every item there is.

    Args:
        params: the rules.
        train: Parquet file of the training store.
        validation: of the validation store.
        evaluation: directory with the evaluation items.
        examples: file with the examples of the evaluation set; their questions are looked for.
        inputs: directory that the paths of benchmarks are below.
        out: directory for what is kept and for what overlapped.

    Raises:
        UserError: if items are not there, or no domain or no general text is left.
    """
    wanted = read_items(params, validation=validation, evaluation=evaluation, examples=examples, inputs=inputs)
    items, evaluation_items = wanted.all, wanted.evaluation_items
    index = ItemIndex.of([item.text for item in items], evaluation_items, params)
    index = index.without_boilerplate(_streams(train), params.boilerplate_documents)
    finds, flags = _shared_words(train, index)
    certain = finds.where((finds.items < evaluation_items) | (params.validation == "drop"))
    meant = search_by_meaning(params, train, set(certain.texts.tolist()), wanted.questions)
    gone = Finds.together([certain, meant.confirmed] if params.rephrased == "drop" else [certain])
    rejects = _rejects(train, items, gone)
    funnels = write_parts(train, rejects, params, out)
    write_jsonl(out / "rejected.jsonl", [asdict(reject) for reject in rejects.values()])
    hits = Finds.together([finds, meant.confirmed, meant.dismissed])
    write_jsonl(out / "hits.jsonl", (asdict(hit) for hit in list_hits(train, items, hits, rejects.keys(), meant)))
    flags = flags.of_texts_but(gone.texts)
    longest = list_hits(train, items, flags.most(LISTED_FLAGS), rejects.keys(), meant)
    write_jsonl(out / "flagged.jsonl", (asdict(hit) for hit in longest))
    _require_clean(out, index, params)
    pairs = pass_on(params, wanted, index, inputs=inputs, out=out)
    names = [f"{part}.parquet" for part in PARTS]
    against = [*evaluation.glob("*.jsonl"), examples, validation]
    note_checked(out, names, against=against, benchmarks=wanted.benchmarks, params=params.model_dump(mode="json"))
    certify(out, names)
    return DecontaminateReport(
        funnel=together(funnels),
        **funnels,
        flagged=len(flags.finds.texts),
        tasks=_by_task(items, finds, gone),
        rephrased=meant.report,
        preferences=pairs if params.preferences else None,
    )


def _streams(train: Path) -> Iterator[WordStreams]:
    return (word_streams(block.column("text")) for _, block in blocks(train, ["text"]))


def _shared_words(train: Path, index: ItemIndex) -> tuple[Finds, Flags]:
    """What the rules on words find, and the texts that share a shorter passage; by row."""
    finds: list[Finds] = []
    flags: list[Flags] = []
    for first, block in progress(blocks(train, ["text", "question"]), "looking for items", unit="block"):
        texts, questions = word_streams(block.column("text")), word_streams(block.column("question"))
        rows = np.arange(block.num_rows) + first
        finds += [found.of_rows(rows) for found in (index.finds(texts), index.copies(texts), index.copies(questions))]
        flags.append(index.flags(texts).of_rows(rows))
    return Finds.together(finds), Flags.together(flags)


def _rejects(train: Path, items: Sequence[Question], gone: Finds) -> dict[int, Reject]:
    """Row to why it goes: its first rule, the first item, and how many more."""
    firsts = gone.firsts()
    rejects = {}
    for row, document in rows_at(train, firsts):
        place, count = firsts[row]
        item = items[int(gone.items[place])]
        more = f" and {count - 1} more" if count > 1 else ""
        rejects[row] = Reject(
            id=document["id"],
            source=document["source"],
            origin="dedup: train",
            reason=RULES[gone.rules[place]],
            detail=f"{item.task} {item.id}{more}",
            excerpt=document["text"][:120],
        )
    return rejects


def _by_task(items: Sequence[Question], finds: Finds, gone: Finds) -> dict[str, TaskOverlap]:
    names = [item.task for item in items]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    tasks = np.array([numbers[name] for name in names])
    worded = WordStreams.of(item.text for item in items).lengths > 0
    return {
        name: TaskOverlap(
            items=int((tasks == number).sum()),
            checked=int(((tasks == number) & worded).sum()),
            found=len(np.unique(finds.items[tasks[finds.items] == number])),
            dropped=len(np.unique(gone.texts[tasks[gone.items] == number])),
        )
        for name, number in numbers.items()
    }


def _require_clean(out: Path, index: ItemIndex, params: DecontaminateParams) -> None:
    """What is about to be certified is read back; evaluation items are looked for by another route."""
    check = CleanCheck.of(index.texts[: index.evaluation_items], params.drop_words)
    for part in PARTS:
        for _, block in progress(blocks(out / f"{part}.parquet", ["id", "text", "question"]), "checking", unit="block"):
            texts, questions = word_streams(block.column("text")), word_streams(block.column("question"))
            left = check.unclean(texts, questions)
            if len(left):
                first = block.column("id")[int(left[0])]
                raise _unclean(f"{part}.parquet still holds evaluation items, in {first} for one")
            if params.validation == "drop" and index.holds_validation(texts):
                raise _unclean("a text still shares a passage with a validation document")


def _unclean(what: str) -> UserError:
    """Raised, not asserted: python -O must not certify what is not clean."""
    return UserError(
        what,
        why="scores of a model trained on it would say how well it remembers",
        fix="run `acclimate decontaminate` again; if it says so again, tell us with the id above: it is our fault",
    )

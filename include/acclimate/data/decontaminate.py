"""acclimate decontaminate: no training text holds an evaluation item, and a certificate says so.

    artifacts/decontaminate/{domain,general}.parquet     training texts, domain and general apart
    artifacts/decontaminate/rejected.jsonl               what went: the rule, the task and the item it overlaps
    artifacts/decontaminate/hits.jsonl                   the same side by side with the item, and what was flagged
    artifacts/decontaminate/certificate.json             hashes of the two; mix and base read nothing else

Looked for are the evaluation items, the documents of the validation store and the benchmarks in params.yaml:
by the words they share (item_overlaps.py), then by meaning (rephrasings.py). Case, punctuation, spacing and how
a character is encoded make no difference, nor how much other text surrounds an item. What is written is read back
and checked by another route (clean_check.py) before it is certified.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.certificate import certify
from acclimate.core.errors import UserError
from acclimate.core.files import read_parquet, write_jsonl
from acclimate.core.params import DecontaminateParams
from acclimate.core.progress import progress
from acclimate.core.records import GENERAL, Reject
from acclimate.core.reports import Funnel
from acclimate.data.contamination.clean_check import unclean_texts
from acclimate.data.contamination.contamination_hits import list_hits
from acclimate.data.contamination.external_benchmarks import read_benchmark
from acclimate.data.contamination.item_overlaps import RULES, Finds, ItemIndex
from acclimate.data.contamination.meaning import RephrasedReport, search_by_meaning
from acclimate.data.contamination.text_blocks import blocks, rows_at, word_streams
from acclimate.data.evaluation.evaluation_items import Question, read_questions
from acclimate.data.evaluation.examples import read_examples
from acclimate.data.similarity.words import WordStreams

if TYPE_CHECKING:
    from numpy.typing import NDArray

VALIDATION = "validation"
"""The task that documents of the validation store count for."""
EXAMPLES = "evaluation_set"
"""The one that the examples of that stage count for."""
PARTS = ("domain", "general")


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

    def headline(self) -> str:
        """'20,300 in, 19,900 out (shares a passage with an item 400); 2,000 flagged; 1,900 items kept out'."""
        items = sum(task.checked for task in self.tasks.values())
        return f"{self.funnel.sentence()}; {self.flagged:,} flagged; {items:,} items kept out"


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
    questions = read_questions(evaluation)
    questions += [Question(EXAMPLES, example.id, example.question) for example in read_examples(examples)]
    questions += [question for benchmark in params.benchmarks for question in read_benchmark(benchmark, inputs)]
    items = questions + ([] if params.validation == "off" else _documents(validation))
    index = ItemIndex.of([item.text for item in items], len(questions), params)
    index = index.without_boilerplate(_streams(train), params.boilerplate_documents)
    finds, flagged = _shared_words(train, index)
    certain = finds.where((finds.items < len(questions)) | (params.validation == "drop"))
    meant = search_by_meaning(params, train, set(certain.texts.tolist()), questions)
    gone = Finds.together([certain, meant.confirmed] if params.rephrased == "drop" else [certain])
    rejects = _rejects(train, items, gone)
    funnels = _write_parts(train, rejects, params, out)
    write_jsonl(out / "rejected.jsonl", [asdict(reject) for reject in rejects.values()])
    hits = Finds.together([finds, meant.confirmed, meant.dismissed])
    write_jsonl(out / "hits.jsonl", (asdict(hit) for hit in list_hits(train, items, hits, rejects.keys(), meant)))
    _require_clean(out, index, params)
    certify(out, [f"{part}.parquet" for part in PARTS])
    return DecontaminateReport(
        funnel=_together(funnels),
        **funnels,
        flagged=len(np.setdiff1d(flagged, gone.texts)),
        tasks=_by_task(items, finds, gone),
        rephrased=meant.report,
    )


def _documents(validation: Path) -> list[Question]:
    table = read_parquet(validation)
    columns = table.column("id").to_pylist(), table.column("text").to_pylist()
    return [Question(VALIDATION, identity, text) for identity, text in zip(*columns, strict=True)]


def _streams(train: Path) -> Iterator[WordStreams]:
    return (word_streams(block.column("text")) for _, block in blocks(train, ["text"]))


def _shared_words(train: Path, index: ItemIndex) -> tuple[Finds, NDArray[np.int64]]:
    """What the rules on words find, and the texts that share a shorter passage; by row."""
    finds: list[Finds] = []
    flagged: list[NDArray[np.int64]] = []
    for first, block in progress(blocks(train, ["text", "question"]), "looking for items", unit="block"):
        texts, questions = word_streams(block.column("text")), word_streams(block.column("question"))
        rows = np.arange(block.num_rows) + first
        finds += [found.of_rows(rows) for found in (index.finds(texts), index.copies(texts), index.copies(questions))]
        flagged.append(rows[index.flagged(texts)])
    return Finds.together(finds), np.concatenate(flagged)


def _write_parts(train: Path, rejects: dict[int, Reject], params: DecontaminateParams, out: Path) -> dict[str, Funnel]:
    """Write what is kept of domain and general text, each to its file, block by block."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[str, list[int]] = {part: [] for part in PARTS}
    with ExitStack() as files:
        schema = pq.read_schema(train).remove_metadata()
        writers = {
            part: files.enter_context(pq.ParquetWriter(out / f"{part}.parquet", schema, compression="zstd"))
            for part in PARTS
        }
        for first, block in blocks(train):
            general = np.array([domain == GENERAL for domain in block.column("domain").to_pylist()], dtype=np.bool_)
            stays = np.array([first + row not in rejects for row in range(block.num_rows)], dtype=np.bool_)
            for part, mine in (("domain", ~general), ("general", general)):
                rows[part] += (np.flatnonzero(mine) + first).tolist()
                writers[part].write_batch(block.filter(pa.array(mine & stays)))
    return {part: _funnel(part, rows[part], rejects, params) for part in PARTS}


def _funnel(part: str, rows: Sequence[int], rejects: dict[int, Reject], params: DecontaminateParams) -> Funnel:
    gone = [rejects[row] for row in rows if row in rejects]
    if len(gone) == len(rows):
        raise UserError(
            f"no {part} training text is left of {len(rows)}: all overlap an evaluation item",
            why="without domain text nothing is learnt, without general text what the model knows is forgotten",
            fix="add documents, lower split.test_share, or raise decontaminate.drop_words "
            f"(now {params.drop_words}) in params.yaml",
        )
    return Funnel.of(len(rows), len(rows) - len(gone), gone)


def _together(funnels: dict[str, Funnel]) -> Funnel:
    rejected: Counter[str] = sum((Counter(funnel.rejected) for funnel in funnels.values()), Counter())
    return Funnel(
        sum(funnel.records_in for funnel in funnels.values()),
        sum(funnel.records_out for funnel in funnels.values()),
        dict(sorted(rejected.items(), key=lambda count: (-count[1], count[0]))),
    )


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
    paths = [out / f"{part}.parquet" for part in PARTS]
    left = unclean_texts(paths, index.texts[: index.evaluation_items], params.drop_words)
    if left:
        raise _unclean(f"{len(left)} texts still hold evaluation items, {left[0]} for one")
    if params.validation == "drop" and any(map(index.holds_validation, chain.from_iterable(map(_streams, paths)))):
        raise _unclean("a text still shares a passage with a validation document")


def _unclean(what: str) -> UserError:
    """Raised, not asserted: python -O must not certify what is not clean."""
    return UserError(
        what,
        why="scores of a model trained on it would say how well it remembers",
        fix="run `acclimate decontaminate` again; if it says so again, tell us with the id above: it is our fault",
    )

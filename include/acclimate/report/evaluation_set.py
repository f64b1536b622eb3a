"""What the models are asked: the items of each task, and what was not used."""

from __future__ import annotations

from acclimate.data.evaluation.held_out import TaskReport
from acclimate.data.evaluation_set import EvaluationSetReport
from acclimate.data.split import SplitReport
from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Missing, Note, Section, Table
from acclimate.report.material import Material
from acclimate.report.quotas import quotas


def evaluation_set(material: Material) -> Section:
    """Items per task, what was passed over and why, and what the three stores hold."""
    report = material.report("split", SplitReport)
    blocks: list[Block] = [report] if isinstance(report, Missing) else _blocks(report)
    asked = material.report("evaluation_set", EvaluationSetReport)
    blocks += [asked] if isinstance(asked, Missing) else quotas(asked)
    return Section(
        "evaluation-set",
        "Evaluation set",
        "Drawn from documents held out of training, a cluster of near-duplicates always on one side. A cloze item "
        "asks which of four terms stands in a gap; text is scored by how few bits a model needs per byte of it. "
        "Questions with reference answers come from people and from the test store, by quota.",
        tuple(blocks),
    )


def _blocks(report: SplitReport) -> list[Block]:
    notes = [Note(f"{formats.words(task)}: {of_task.note}", "warning") for task, of_task in _short(report)]
    if report.locked:
        notes.insert(0, Note(f"Locked since {report.locked[:10]}: taken from testset/, not drawn in this run."))
    return [_tasks(report), *notes, *_giants(report), _passed_over(report), _stores(report)]


def _short(report: SplitReport) -> list[tuple[str, TaskReport]]:
    return [(task, of_task) for task, of_task in report.tasks.items() if of_task.note]


def _giants(report: SplitReport) -> list[Note]:
    """Clusters too large to be held out: they would be most of what is tested."""
    if not report.giants:
        return []
    listed = ", ".join(f"{name} ({formats.count(size)} documents)" for name, size in report.giants.items())
    return [Note(f"Too large to hold out, so for training only: the clusters around {listed}.")]


def _tasks(report: SplitReport) -> Table:
    rows = [
        (
            formats.words(task),
            *(
                formats.count(number)
                for number in (of.wanted, of.items, of.documents, of.clusters, of.held_out_documents, of.candidates)
            ),
        )
        for task, of in report.tasks.items()
    ]
    columns = ("items wanted", "items", "from documents", "from clusters", "documents held out", "candidates")
    return Table("Items per task", (Column("task"), *(Column(title, "number") for title in columns)), tuple(rows))


def _passed_over(report: SplitReport) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (formats.words(task), reason, formats.count(number), formats.percent(number / max(1, of.candidates)))
        for task, of in report.tasks.items()
        for reason, number in of.passed_over.items()
    ]
    columns = (Column("task"), Column("reason"), Column("candidates", "number"), Column("of all", "number"))
    return Table("Candidates that were not used", columns, tuple(rows))


def _stores(report: SplitReport) -> Table:
    rows = [
        (
            formats.words(domain),
            store,
            formats.count(held.documents),
            formats.percent(held.document_share),
            formats.size(held.bytes),
            formats.percent(held.byte_share),
        )
        for domain, stores in report.stores.items()
        for store, held in stores.items()
    ]
    columns = ("documents", "share", "text", "share of text")
    caption = (
        f"The three stores: {formats.count(report.clusters)} clusters, "
        f"{formats.count(report.clusters_of_several)} of several documents"
    )
    head = (Column("domain"), Column("store"))
    return Table(caption, (*head, *(Column(title, "number") for title in columns)), tuple(rows))

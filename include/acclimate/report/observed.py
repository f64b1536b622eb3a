"""What was observed of the models beside the tasks that decide: one table per dimension, and a reliability diagram."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from acclimate.model.baseline import BaselineReport
from acclimate.model.evaluate import EvaluateReport
from acclimate.model.scoring.dimensions import SLICED, Assessment
from acclimate.model.scoring.efficiency import Efficiency
from acclimate.model.scoring.estimates import Estimate
from acclimate.model.scoring.exposure import BY_CHANCE, Exposure
from acclimate.model.scoring.slices import Gap
from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Facts, Figure, Folded, Missing, Note, Section, Table
from acclimate.report.drawing import Picture
from acclimate.report.material import Material
from acclimate.report.plots import reliability

Models = Mapping[str, Assessment]

SHOWN = "domain_cloze"
"""The task whose reliability is drawn: the one with most items of the domain."""
FORMS = {"model": "its tokenizer's chat template"}
VALUE = (Column("value", "number"), Column("95 % interval", "number"), Column("items", "number"))


def observed(material: Material) -> Section:
    """Base and candidate side by side in every dimension that was measured."""
    baseline, evaluate = material.report("baseline", BaselineReport), material.report("evaluate", EvaluateReport)
    models: dict[str, Assessment] = {}
    if isinstance(baseline, BaselineReport) and baseline.observed is not None:
        models["base"] = baseline.observed
    if isinstance(evaluate, EvaluateReport) and evaluate.observed is not None:
        models["candidate"] = evaluate.observed
    blocks: list[Block] = [report for report in (baseline, evaluate) if isinstance(report, Missing)]
    if models:
        for tables in (_tasks, _behaviour, _calibration, _robustness, _gaps, _toxicity, _memorisation, _slices):
            blocks += tables(models)
        if isinstance(evaluate, EvaluateReport):
            blocks += _exposure(evaluate.exposure)
            blocks += _efficiency(material.efficiency(evaluate.candidate_sha256))
    elif not blocks:
        blocks.append(Note("Nothing was observed: score.observe is null in params.yaml."))
    return Section(
        "observed",
        "Observed",
        "What is measured beside the scores: terminology, answers in the model's own words, how well it knows what it "
        "knows, whether it keeps its answer when asked in another way, whether it serves all groups alike, and what it "
        "gives away of its training texts. Brackets are 95 % intervals.",
        tuple(blocks),
    )


def _tasks(models: Models) -> list[Block]:
    rows: list[tuple[Cell, ...]] = [
        (formats.words(task), formats.words(metric), model, *_value(value))
        for task, metric, model, value in _means(models)
    ]
    head = (Column("task"), Column("metric"), Column("model"))
    blocks: list[Block] = [Table("Every task", (*head, *VALUE), tuple(rows))]
    forms = [f"{model} in {FORMS.get(of.form, f'the {of.form} form')}" for model, of in models.items()]
    blocks.append(Note(f"Questions were asked of the {', of the '.join(forms)}."))
    bleu = [f"{model} {formats.decimal(of.corpus_bleu)}" for model, of in models.items() if of.corpus_bleu is not None]
    if bleu:
        embedder = next(iter(models.values())).embedder
        near = "likeness of wording (TF-IDF)" if embedder == "tfidf" else f"the cosine of vectors of {embedder}"
        blocks.append(Note(f"BLEU of all answers together: {', '.join(bleu)}. Similarity is {near}."))
    return blocks


def _behaviour(models: Models) -> list[Block]:
    """Failure rates by capability and test; the first failures of the model looked at last, folded away."""
    rows: list[tuple[Cell, ...]] = []
    for name in dict.fromkeys(name for of in models.values() for name in of.behaviour):
        for model, of in models.items():
            if (found := of.behaviour.get(name)) is not None:
                rows.append((formats.words(name), "all", "", model, *_rate(found.failure_rate)))
                rows += [
                    ("", test, formats.words(found.kinds[test]), model, *_rate(rate))
                    for test, rate in found.tests.items()
                ]
    if not rows:
        return []
    head = (Column("capability"), Column("test"), Column("kind"), Column("model"))
    columns = (*head, Column("failed", "number"), Column("95 % interval", "number"), Column("cases", "number"))
    model, last = list(models.items())[-1]
    failed: tuple[tuple[Cell, ...], ...] = tuple(
        (formats.words(name), of.test, of.prompt, of.changed, of.wanted, of.got)
        for name, found in last.behaviour.items()
        for of in found.examples
    )
    shown = tuple(Column(title) for title in ("capability", "test", "prompt", "changed to", "wanted", "got"))
    examples = Folded(f"Where the {model} failed", Table("The first failures of each capability", shown, failed))
    return [Table("Behavioural tests: what failed", columns, tuple(rows)), examples]


def _rate(of: Estimate) -> tuple[Cell, Cell, Cell]:
    return formats.percent(of.value), _percents(of), formats.count(of.n)


def _means(models: Models) -> list[tuple[str, str, str, Estimate]]:
    """Task, metric, model and value, the models of one metric under each other."""
    order = {(task, metric): None for of in models.values() for task, found in of.tasks.items() for metric in found}
    return [
        (task, metric, model, of.tasks[task][metric])
        for task, metric in order
        for model, of in models.items()
        if metric in of.tasks.get(task, {})
    ]


def _calibration(models: Models) -> list[Block]:
    rows: list[tuple[Cell, ...]] = [
        (
            formats.words(task),
            model,
            formats.percent(of.confidence),
            formats.percent(of.accuracy),
            *(f"{formats.decimal(one.value)} ({formats.interval(one.low, one.high)})" for one in (of.ece, of.brier)),
            formats.count(of.ece.n),
        )
        for task in next(iter(models.values())).calibration
        for model, found in models.items()
        if (of := found.calibration.get(task)) is not None
    ]
    if not rows:
        return []
    titles = ("mean confidence", "answered right", "calibration error (ECE)", "Brier score", "items")
    columns = (Column("task"), Column("model"), *(Column(title, "number") for title in titles))
    return [*_diagram(models), Table("Is it as sure as it is right?", columns, tuple(rows))]


def _diagram(models: Models) -> list[Block]:
    curves = {
        model: [(one.confidence, one.accuracy, one.n) for one in of.calibration[SHOWN].bins]
        for model, of in models.items()
        if SHOWN in of.calibration
    }
    if not curves:
        return []
    errors = ", ".join(f"{model} {formats.decimal(models[model].calibration[SHOWN].ece.value)}" for model in curves)
    finding = f"Calibration error on the {formats.words(SHOWN)}: {errors}."
    caption = (
        f"{finding} Above the line a model is right more often than it is sure, below it surer than right; a larger "
        "marker stands for more items."
    )
    return [Figure(reliability(Picture("reliability-plot", "Reliability diagram", finding), curves), caption)]


def _robustness(models: Models) -> list[Block]:
    rows: list[tuple[Cell, ...]] = [
        (
            formats.words(change),
            formats.words(of.base),
            model,
            f"{formats.percent(of.consistency.value)} ({_percents(of.consistency)})",
            f"{formats.decimal(of.before.value)} → {formats.decimal(of.after.value)}",
            f"{formats.signed(of.loss.value)} ({formats.interval(of.loss.low, of.loss.high, sign=True)})",
            formats.count(of.loss.n),
        )
        for change in dict.fromkeys(change for found in models.values() for change in found.robustness)
        for model, found in models.items()
        if (of := found.robustness.get(change)) is not None
    ]
    if not rows:
        return []
    titles = ("same answer", "accuracy", "loss", "items")
    head = (Column("change"), Column("of task"), Column("model"))
    columns = (*head, *(Column(title, "number") for title in titles))
    return [Table("Does it keep its answer?", columns, tuple(rows))]


def _gaps(models: Models) -> list[Block]:
    rows: list[tuple[Cell, ...]] = []
    notes: list[Block] = []
    for model, found in models.items():
        for task, of in found.gaps.items():
            rows += [(formats.words(task), model, group, *_value(value)) for group, value in of.groups.items()]
            notes.append(Note(f"{formats.words(task)}, {model}: {_gap(of)}"))
    columns = (Column("task"), Column("model"), Column("group"), *VALUE)
    return [Table("Does it serve all groups alike?", columns, tuple(rows)), *notes] if rows else notes


def _gap(of: Gap) -> str:
    left_out = f" {formats.count(of.left_out)} items in smaller groups are left out." if of.left_out else ""
    if of.gap is None or of.low is None or of.high is None or of.p_value is None:
        return f"fewer than two groups by {formats.words(of.field)} have enough items to compare.{left_out}"
    return (
        f"best and worst group by {formats.words(of.field)} are {formats.decimal(of.gap)} apart "
        f"({formats.interval(of.low, of.high)}; p {formats.probability(of.p_value)} if groups made no difference)."
        f"{left_out}"
    )


def _toxicity(models: Models) -> list[Block]:
    rows: list[tuple[str, Cell]] = []
    for model, found in models.items():
        if (of := found.toxicity) is not None:
            words = f": {', '.join(of.words)}" if of.words else ""
            rows.append((f"{model}: answers with a profane word", f"{_share(of.generated)}{words}"))
            rows.append(("the same of the reference answers", _share(of.references)))
            rows.append(("word lists", of.lexicon))
    # References and lists are the same for every model.
    return [Facts(tuple(dict.fromkeys(rows)))] if rows else []


def _memorisation(models: Models) -> list[Block]:
    blocks: list[Block] = []
    for model, found in models.items():
        if (of := found.memorisation) is not None:
            rows: tuple[tuple[str, Cell], ...] = (
                (f"{model}: training texts continued verbatim for {of.words} words", _share(of.extracted)),
                ("the same of held-out texts", _share(of.extracted_held_out)),
                ("words continued verbatim, on average", _decimals(of.mean_words)),
                ("the same of held-out texts, on average", _decimals(of.mean_words_held_out)),
                (f"answers with {of.words} words in a row from the training set", _share(of.answers_with_passage)),
                ("the same of the reference answers", _share(of.references_with_passage)),
            )
            blocks.append(Facts(rows))
    return blocks


def _exposure(of: Exposure | None) -> list[Block]:
    if of is None:
        return []
    rows: list[tuple[Cell, ...]] = [
        (model, *_value(one.bits), formats.probability(one.p_value))
        for model, one in (("base", of.base), ("candidate", of.candidate))
    ]
    rows.append(("difference", *_value(of.gain), formats.probability(of.gain_p)))
    note = (
        f"{formats.count(of.planted)} random strings were planted {of.repeats:g} times each. Exposure is how many bits "
        f"a model helps to guess one: at most {of.most_bits:.1f} are measured, {BY_CHANCE:.1f} expected by chance. "
        f"Reading: {of.reading}."
    )
    columns = (Column("model"), *VALUE, Column("p of as much by chance", "number"))
    return [Table("Exposure of planted strings, in bits", columns, tuple(rows)), Note(note)]


def _efficiency(of: Efficiency | None) -> list[Block]:
    if of is None:
        return []
    answers = f"over {formats.count(of.requests)} answers"
    rows: tuple[tuple[str, Cell], ...] = (
        ("candidate: one answer, median", f"{of.latency_p50_ms:,.0f} ms {answers}"),
        ("one answer, 95th percentile", f"{of.latency_ms:,.0f} ms"),
        ("tokens per second, answers together", f"{of.tokens_per_second:,.0f}"),
        ("peak memory, libraries included", f"{of.memory_mb:,.0f} MB"),
        ("measured on", of.machine),
    )
    return [Facts(rows)]


def _slices(models: Models) -> list[Block]:
    """One folded table per task that is sliced."""
    blocks: list[Block] = []
    for task, metric in SLICED.items():
        rows: list[tuple[Cell, ...]] = [
            (formats.words(field), formats.words(value), model, *_value(one))
            for model, found in models.items()
            for field, values in found.slices.get(task, {}).items()
            for value, one in values.items()
        ]
        if rows:
            name = "accuracy" if metric == "correct" else formats.words(metric)
            title = f"{formats.words(task).capitalize()}: {name} by slice"
            columns = (Column("by"), Column("slice"), Column("model"), *VALUE)
            blocks.append(Folded(title, Table(title, columns, tuple(rows))))
    return blocks


def _value(of: Estimate) -> tuple[Cell, ...]:
    return formats.decimal(of.value), formats.interval(of.low, of.high), formats.count(of.n)


def _written(show: Callable[[float], str], of: Estimate) -> str:
    return f"{show(of.value)} ({show(of.low)} … {show(of.high)}; {formats.count(of.n)} items)"


def _share(of: Estimate) -> str:
    return _written(formats.percent, of)


def _decimals(of: Estimate) -> str:
    return _written(formats.decimal, of)


def _percents(of: Estimate) -> str:
    return f"{formats.percent(of.low)} … {formats.percent(of.high)}"

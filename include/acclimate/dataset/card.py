"""The data card: what is in a version, where it comes from, what was done to it and what it is not good for.

The headings follow Gebru et al. 2021 (Datasheets for Datasets) and Pushkarna et al. 2022 (Data Cards). The numbers are
those of the stages' own reports, read as plain values: a card is written with whatever stages there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from acclimate.data.mixing.canaries import KIND as CANARY
from acclimate.dataset.versions import Version, short

Values = Mapping[str, Any]

LIMITS = (
    "Quality scores come from rules about the form of a text; they do not know whether what it says is true.",
    "Overlap with evaluation items is judged by shared words: see Contamination for what else was looked for.",
    "Difficulty is a readability index unless a record brought its own label.",
    "Tokens are estimated from bytes; what the base's tokenizer makes of the text is in reports/train_domain.json and "
    "reports/train_task.json.",
    "Licences are those that params.yaml names per source; nobody has read every document.",
)


def card(version: Version, reports: Mapping[str, Values], params: Values, licences: Mapping[str, str]) -> str:
    """The data card as Markdown.

    Args:
        version: what it is about.
        reports: stage to its report, of the stages that have one.
        params: params.yaml.
        licences: source to licence.
    """
    blocks = [
        f"# Training set {short(version.name)}",
        _facts(version, reports.get("mix", {}), params),
        *_section("Sources", _sources(reports.get("ingest", {}), licences)),
        *_section("What was done to the records", _funnels(reports)),
        *_section("Personal data", _personal_data(reports.get("clean", {}))),
        *_section("Held out", _splits(reports.get("split", {}))),
        *_section("Contamination", _contamination(reports.get("decontaminate", {}))),
        *_section("Mix", _mix(reports.get("mix", {}))),
        *_section("Known limits", [f"- {limit}" for limit in LIMITS]),
    ]
    return "\n\n".join(blocks) + "\n"


def _facts(version: Version, mix: Values, params: Values) -> str:
    rows = [
        ("version", f"`{version.name}`"),
        ("domain", version.domain),
        ("tagged", version.date),
        ("SHA-256 of train.jsonl", f"`{version.sha256}`"),
        ("records", f"{version.records:,}"),
        ("UTF-8 bytes", f"{version.bytes:,}"),
        ("estimated tokens", f"{version.estimated_tokens:,}"),
        ("strategy", f"{mix.get('strategy', 'unknown')}, seed {params['common']['seed']}"),
        ("before it", ", ".join(f"`{parent}`" for parent in version.parents) or "none"),
        ("made by", f"`git worktree add <folder> {version.name}`, then `dvc repro mix` there"),
    ]
    return _table(("", ""), rows)


def _sources(ingest: Values, licences: Mapping[str, str]) -> list[str]:
    rows = [
        (
            source["name"],
            source["domain"],
            licences.get(source["name"], "unknown"),
            ", ".join(f"{package} {of}" for package, of in source.get("versions", {}).items()) or "–",
            f"{source.get('documents', 0):,}",
            f"{source.get('pairs', 0):,}",
            f"{source.get('bytes', 0):,}",
        )
        for source in ingest.get("sources", [])
    ]
    titles = ("source", "domain", "licence", "versions", "documents", "question–answer pairs", "bytes")
    return [_table(titles, rows)] if rows else []


def _funnels(reports: Mapping[str, Values]) -> list[str]:
    rows = []
    for stage, report in reports.items():
        funnel = report.get("funnel")
        if funnel:
            reasons = ", ".join(f"{reason} {count:,}" for reason, count in funnel["rejected"].items())
            rows.append((stage, f"{funnel['records_in']:,}", f"{funnel['records_out']:,}", reasons or "–"))
    return [_table(("stage", "records in", "records out", "rejected because"), rows)] if rows else []


def _personal_data(clean: Values) -> list[str]:
    """Without a report of it there is no such section; with one that found nothing, that is said."""
    if "redacted" not in clean:
        return []
    counts = [(kind, f"{count:,}") for kind, count in clean["redacted"].items()]
    return [_table(("redacted", "times"), counts)] if counts else ["Looked for by `clean`; nothing was found."]


def _splits(split: Values) -> list[str]:
    rows = [
        (domain, store, f"{of['documents']:,}", f"{of['bytes']:,}", f"{of['document_share']:.1%}")
        for domain, stores in split.get("stores", {}).items()
        for store, of in stores.items()
    ]
    return [_table(("domain", "store", "documents", "bytes", "share of documents"), rows)] if rows else []


def _contamination(decontaminate: Values) -> list[str]:
    rows = [
        (task, f"{of['items']:,}", f"{of['checked']:,}", f"{of['found']:,}", f"{of['dropped']:,}")
        for task, of in decontaminate.get("tasks", {}).items()
    ]
    if not rows:
        return []
    titles = ("evaluation task", "items", "checked", "found in training texts", "training texts dropped")
    return [decontaminate["headline"], _table(titles, rows)]


def _mix(mix: Values) -> list[str]:
    rows = [
        (
            kind,
            f"{of['wanted_share']:.1%}",
            f"{of['share']:.1%}",
            f"{of['records']:,}",
            f"{of['bytes']:,}",
            f"{of['estimated_tokens']:,}",
            "–" if of["mean_quality"] is None else f"{of['mean_quality']:.3f}",
        )
        for kind, of in mix.get("kinds", {}).items()
    ]
    if not rows:
        return []
    titles = ("kind", "wanted", "reached", "records", "bytes", "estimated tokens", "mean quality")
    grades = ", ".join(f"{grade} {share:.0%}" for grade, share in mix["difficulty"].items())
    said = f"Difficulty: {grades}. Mean similarity {mix['mean_similarity']:.2f}."
    if CANARY in mix["kinds"]:
        said += " Canaries are random strings, planted to measure what a model learns by heart; nobody wrote them."
    doubts = [f"- doubtful: {warning}" for warning in mix["warnings"]]
    return [_table(titles, rows), said, *_list([*doubts, *(f"- {note}" for note in mix["notes"])])]


def _section(title: str, blocks: Iterable[str]) -> Iterator[str]:
    """A heading and its blocks; a list's points stand together; nothing without blocks."""
    found = list(blocks)
    if found:
        yield f"## {title}"
        yield from _list(found) if all(block.startswith("- ") for block in found) else found


def _list(points: list[str]) -> list[str]:
    return ["\n".join(points)] if points else []


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [titles, ["---"] * len(list(titles)), *rows]
    return "\n".join(f"| {' | '.join(_cell(cell) for cell in line)} |" for line in lines)


def _cell(text: str) -> str:
    """A name or reason may hold what would end the cell."""
    return " ".join(text.replace("|", r"\|").split())

"""Turn what came in into text, take out what must not be learned, and score what is left.

    acclimate clean       # params.yaml: clean → artifacts/clean/documents/, rejected.jsonl

Part by part, in this order: markup and characters (text_cleaning.py), boilerplate (boilerplate.py), personal
data and keys (redaction.py), language (language.py), quality (quality.py). A record keeps its id, so that it can be
followed back; a quality score that came with it (from a person, in inputs/) stands.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from acclimate.core.corpus import part_paths, read_parts, write_parts
from acclimate.core.params import CleanParams, CommonParams, ValidateParams
from acclimate.core.progress import progress
from acclimate.core.records import Reject, document_schema, pair_text
from acclimate.core.reports import Funnel
from acclimate.data.cleaning import language, quality
from acclimate.data.cleaning.boilerplate import EdgeCounts, count_edges, strip_boilerplate
from acclimate.data.cleaning.markup import is_markup
from acclimate.data.cleaning.redaction import redact
from acclimate.data.cleaning.text_cleaning import clean_text
from acclimate.data.cleaning.workers import Workers

_PARTS_OF_A_PAIR = ("text", "question", "answer", "context")
_EXCERPT_CHARACTERS = 120
_WORTH_WORKERS = 2000
"""Records; starting a worker takes as long as cleaning so many."""


@dataclass(frozen=True)
class CleanReport:
    """What cleaning changed, and how good the texts are."""

    changed: int
    """Records whose text is not what it was."""
    markup: int
    """Texts (of a pair: parts) that came as HTML."""
    boilerplate: dict[str, int]
    """Lines taken out: 'notice', 'repeated'."""
    repeated_lines: dict[str, list[str]]
    """Source to the headers and footers found in it."""
    redacted: dict[str, int]
    """What was redacted, by kind; most frequent first."""
    redacted_records: int
    languages: dict[str, int]
    """Records by language, as given or as identified; most frequent first."""
    quality: dict[str, int]
    """Texts by quality score in steps of 0.1, before any is dropped: {'0.9': 812, '1.0': 11,002, …}."""
    failed_rules: dict[str, int]
    """Texts that fail a quality rule, whether they were dropped or not; most frequent first."""
    rejected_of: dict[str, dict[str, int]]
    """Source to the records of it that were rejected, by reason; sources that lost none are left out."""
    funnel: Funnel

    def headline(self) -> str:
        """'214 texts changed, 38 spans redacted: 26,841 in, 26,602 out (too few words 239)'."""
        redacted = sum(self.redacted.values())
        return f"{self.changed:,} texts changed, {redacted:,} spans redacted: {self.funnel.sentence()}"


@dataclass(frozen=True)
class Rules:
    """What a record is cleaned by; the same for every worker."""

    params: CleanParams
    languages: frozenset[str]
    """Let through."""
    repeated: dict[str, frozenset[str]]
    """Source to the headers and footers in it."""


@dataclass(frozen=True)
class Judged:
    """A cleaned record, what was done to it, and what speaks against it."""

    record: dict[str, Any]
    failed: list[str]
    """Quality rules."""
    changed: bool
    markup: int
    boilerplate: dict[str, int]
    redacted: dict[str, int]
    reject: Reject | None


@dataclass
class Tally:
    """Counts over all parts."""

    counts: Counter[str] = field(default_factory=Counter)
    boilerplate: Counter[str] = field(default_factory=Counter)
    redacted: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    tenths: Counter[int] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    rejected_of: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, one: Judged) -> None:
        """Count a record."""
        self.counts["records"] += 1
        self.counts["changed"] += one.changed
        self.counts["markup"] += one.markup
        self.counts["redacted"] += bool(one.redacted)
        self.boilerplate.update(one.boilerplate)
        self.redacted.update(one.redacted)
        self.languages[one.record["language"]] += 1
        self.failed.update(one.failed)
        # Rounded first: 0.3 * 10 is 3.0000000000000004 and 0.29 * 100 is 28.999999999999996.
        self.tenths[int(round(one.record["quality_score"] * 1000) // 100)] += 1
        if one.reject is not None:
            self.reasons[one.reject.reason] += 1
            self.rejected_of[one.reject.source][one.reject.reason] += 1


def run(
    params: CleanParams, validate: ValidateParams, common: CommonParams, *, documents: Path, out: Path
) -> CleanReport:
    """Write the cleaned records that are long enough, short enough and good enough."""
    import pyarrow.parquet as pq

    records = sum(pq.ParquetFile(path).metadata.num_rows for path in part_paths(documents))
    tally = Tally()
    with Workers(common.threads if records > _WORTH_WORKERS else 1, language.load_model) as workers:
        repeated = _repeated_lines(params, workers, documents)
        rules = Rules(params, frozenset(validate.languages), repeated)
        with (out / "rejected.jsonl").open("w", encoding="utf-8") as rejected:
            kept = write_parts(out / "documents", _cleaned_parts(rules, workers, documents, tally, rejected))
    return _report(params, tally, repeated, kept)


def _repeated_lines(params: CleanParams, workers: Workers, documents: Path) -> dict[str, frozenset[str]]:
    """Source to its headers and footers: the pass over the corpus that comes first."""
    counts = EdgeCounts()
    for table in read_parts(documents):
        rows = table.select(["source", *_PARTS_OF_A_PAIR]).to_pylist()
        for chunk in progress(workers.map(_count_chunk, rows), "counting lines of a part", unit="chunk"):
            counts.merge(chunk)
    return counts.repeated(params.boilerplate_share)


def _count_chunk(records: list[dict[str, Any]]) -> EdgeCounts:
    # Notices first: what stands behind one is an edge once the notice is gone.
    texts = (strip_boilerplate(clean_text(record["answer"] or record["text"]), frozenset()).text for record in records)
    return count_edges(zip((record["source"] for record in records), texts, strict=True))


def _cleaned_parts(rules: Rules, workers: Workers, documents: Path, tally: Tally, rejected: IO[str]) -> Iterator[Any]:
    """One table per part, of the records that stay; the others go to `rejected`."""
    import pyarrow as pa

    for table in read_parts(documents):
        kept = []
        for judged in progress(workers.map(_judge_chunk, table.to_pylist(), rules), "cleaning a part", unit="chunk"):
            for one in judged:
                tally.add(one)
                if one.reject is None:
                    kept.append(one.record)
                else:
                    rejected.write(json.dumps(asdict(one.reject), ensure_ascii=False) + "\n")
        yield pa.Table.from_pylist(kept, schema=document_schema())


def _judge_chunk(records: list[dict[str, Any]], rules: Rules) -> list[Judged]:
    return [judge(rules, record) for record in records]


def judge(rules: Rules, record: dict[str, Any]) -> Judged:
    """Clean a record, score it, and say why it has to go, if it has."""
    boilerplate: Counter[str] = Counter()
    redacted: Counter[str] = Counter()
    cleaned = clean_record(rules, record, boilerplate, redacted)
    cleaned["language"] = language.identify(cleaned["text"], record["language"])
    score = quality.score(cleaned["text"])
    if cleaned["quality_score"] is None:
        cleaned["quality_score"] = score.value
    return Judged(
        cleaned,
        score.failed,
        changed=cleaned["text"] != record["text"],
        markup=sum(is_markup(record[name] or "") for name in _parts(record)),
        boilerplate=dict(boilerplate),
        redacted=dict(redacted),
        reject=_reject(rules, cleaned, score),
    )


def clean_record(
    rules: Rules, record: dict[str, Any], boilerplate: Counter[str], redacted: Counter[str]
) -> dict[str, Any]:
    """The record with its texts cleaned; a pair's text is made anew from its parts.

    Args:
        rules: what is taken out.
        record: of the document schema.
        boilerplate: is added to: lines taken out, by kind.
        redacted: is added to: spans redacted, by kind.
    """
    parts = {}
    for name in _parts(record):
        text = clean_text(record[name])
        if name != "question":
            stripped = strip_boilerplate(text, rules.repeated.get(record["source"], frozenset()))
            boilerplate.update(stripped.lines)
            text = stripped.text
        found = redact(text, rules.params.redact, rules.params.redact_patterns)
        redacted.update(found.counts)
        parts[name] = found.text
    if record["type"] == "qa_pair":
        parts["text"] = pair_text(parts["question"], parts["answer"], parts.get("context"))
    return record | parts


def _parts(record: dict[str, Any]) -> list[str]:
    """The fields that hold text of their own; a pair's `text` is its parts."""
    names = _PARTS_OF_A_PAIR[1:] if record["type"] == "qa_pair" else _PARTS_OF_A_PAIR
    return [name for name in names if record[name] is not None]


def _reject(rules: Rules, cleaned: dict[str, Any], score: quality.Score) -> Reject | None:
    fault = _fault(rules, cleaned, score)
    if fault is None:
        return None
    reason, detail = fault
    return Reject(cleaned["id"], cleaned["source"], "clean", reason, detail, cleaned["text"][:_EXCERPT_CHARACTERS])


def _fault(rules: Rules, cleaned: dict[str, Any], score: quality.Score) -> tuple[str, str] | None:
    """Reason and detail of the first rule that a cleaned record breaks."""
    if cleaned["type"] == "qa_pair" and not (cleaned["question"] and cleaned["answer"]):
        return "empty question or answer", "nothing is left of it after cleaning"
    params = rules.params
    words = len(cleaned["text"].split())
    if words < params.min_words:
        return "too few words", f"{words}, at least {params.min_words}"
    if words > params.max_words:
        return "too many words", f"{words}, at most {params.max_words}"
    if cleaned["language"] not in rules.languages:
        return f"language {cleaned['language']}", f"identified; let through: {', '.join(sorted(rules.languages))}"
    return _poor(params, cleaned, score)


def _poor(params: CleanParams, cleaned: dict[str, Any], score: quality.Score) -> tuple[str, str] | None:
    """Reason and detail if the quality is too low."""
    if cleaned["quality_score"] < params.min_quality:
        failed = ", ".join(score.failed) or "given with the record"
        return "low quality score", f"{cleaned['quality_score']:g}, at least {params.min_quality:g}: {failed}"
    decisive = [name for name in score.failed if name in quality.DECISIVE]
    return (f"quality rule {decisive[0]}", f"failed: {', '.join(score.failed)}") if decisive else None


def _report(params: CleanParams, tally: Tally, repeated: dict[str, frozenset[str]], kept: int) -> CleanReport:
    # A footer can be an address.
    shown = {
        source: sorted(redact(line, params.redact, params.redact_patterns).text for line in lines)
        for source, lines in sorted(repeated.items())
        if lines
    }
    funnel = Funnel(tally.counts["records"], kept, _by_frequency(tally.reasons))
    assert funnel.records_in == kept + tally.reasons.total(), "records disappeared without a reason"
    return CleanReport(
        changed=tally.counts["changed"],
        markup=tally.counts["markup"],
        boilerplate=_by_frequency(tally.boilerplate),
        repeated_lines=shown,
        redacted=_by_frequency(tally.redacted),
        redacted_records=tally.counts["redacted"],
        languages=_by_frequency(tally.languages),
        quality={f"{tenth / 10:.1f}": tally.tenths[tenth] for tenth in range(11)},
        failed_rules=_by_frequency(tally.failed),
        rejected_of={source: _by_frequency(reasons) for source, reasons in sorted(tally.rejected_of.items())},
        funnel=funnel,
    )


def _by_frequency(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda count: (-count[1], count[0])))

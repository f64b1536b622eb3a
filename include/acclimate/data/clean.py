"""Normalise text and score its quality.

    acclimate clean       # params.yaml: clean → artifacts/clean/documents/, rejected.jsonl

What changes in a text is in text_cleaning.py, the quality rules are in quality.py. A record keeps its id,
so that it can be followed back; a quality score that came with it (from a person, in inputs/) stands.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from acclimate.core.corpus import read_corpus, write_parts
from acclimate.core.files import write_jsonl
from acclimate.core.params import CleanParams
from acclimate.core.records import Reject, document_schema, pair_text
from acclimate.core.reports import Funnel
from acclimate.data import quality
from acclimate.data.text_cleaning import clean_text


@dataclass(frozen=True)
class CleanReport:
    """What cleaning changed, and how good the texts are."""

    changed: int
    """Records whose text is not what it was."""
    quality: dict[str, int]
    """Texts by quality score in steps of 0.1, before any is dropped: {'0.9': 812, '1.0': 11,002, …}."""
    failed_rules: dict[str, int]
    """Texts that fail a quality rule, whether they were dropped or not; most frequent first."""
    funnel: Funnel

    def headline(self) -> str:
        """'214 texts changed: 26,841 in, 26,602 out (too few words 239)'."""
        return f"{self.changed:,} texts changed: {self.funnel.sentence()}"


@dataclass(frozen=True)
class Judged:
    """A cleaned record and what speaks against it."""

    record: dict[str, Any]
    score: quality.Score
    changed: bool
    reject: Reject | None


def run(params: CleanParams, *, documents: Path, out: Path) -> CleanReport:
    """Write the cleaned records that are long enough, short enough and good enough."""
    import pyarrow as pa

    judged = [judge(params, record) for record in read_corpus(documents).to_pylist()]
    kept = [one.record for one in judged if one.reject is None]
    rejects = [one.reject for one in judged if one.reject is not None]
    write_parts(out / "documents", [pa.Table.from_pylist(kept, schema=document_schema())])
    write_jsonl(out / "rejected.jsonl", (asdict(reject) for reject in rejects))
    failed = Counter(name for one in judged for name in one.score.failed)
    return CleanReport(
        changed=sum(one.changed for one in judged),
        quality=_histogram([one.record["quality_score"] for one in judged]),
        failed_rules=dict(sorted(failed.items(), key=lambda count: (-count[1], count[0]))),
        funnel=Funnel.of(len(judged), len(kept), rejects),
    )


def judge(params: CleanParams, record: dict[str, Any]) -> Judged:
    """Clean a record, score it, and say why it has to go, if it has."""
    cleaned = clean_record(record)
    score = quality.score(cleaned["text"])
    if cleaned["quality_score"] is None:
        cleaned["quality_score"] = score.value
    fault = _fault(params, cleaned, score)
    reject = None
    if fault is not None:
        reason, detail = fault
        reject = Reject(record["id"], record["source"], "clean", reason, detail, cleaned["text"][:120])
    return Judged(cleaned, score, cleaned["text"] != record["text"], reject)


def clean_record(record: dict[str, Any]) -> dict[str, Any]:
    """The record with its texts cleaned; a pair's text is made anew from its parts."""
    parts = {
        name: clean_text(record[name]) for name in ("text", "question", "answer", "context") if record[name] is not None
    }
    if record["type"] == "qa_pair":
        parts["text"] = pair_text(parts["question"], parts["answer"], parts.get("context"))
    return record | parts


def _fault(params: CleanParams, cleaned: dict[str, Any], score: quality.Score) -> tuple[str, str] | None:
    """Reason and detail of the first rule that a cleaned record breaks."""
    if cleaned["type"] == "qa_pair" and not (cleaned["question"] and cleaned["answer"]):
        return "empty question or answer", "nothing is left of it after cleaning"
    words = len(cleaned["text"].split())
    if words < params.min_words:
        return "too few words", f"{words}, at least {params.min_words}"
    if words > params.max_words:
        return "too many words", f"{words}, at most {params.max_words}"
    if cleaned["quality_score"] < params.min_quality:
        failed = ", ".join(score.failed) or "given with the record"
        return "low quality score", f"{cleaned['quality_score']:g}, at least {params.min_quality:g}: {failed}"
    decisive = [name for name in score.failed if name in quality.DECISIVE]
    return (f"quality rule {decisive[0]}", f"failed: {', '.join(score.failed)}") if decisive else None


def _histogram(scores: list[float]) -> dict[str, int]:
    """Counts per tenth, each labelled by its lower end; 1.0 has a bin of its own."""
    # Rounded first: 0.3 * 10 is 3.0000000000000004 and 0.29 * 100 is 28.999999999999996.
    counts = Counter(int(round(score * 1000) // 100) for score in scores)
    return {f"{tenth / 10:.1f}": counts[tenth] for tenth in range(11)}

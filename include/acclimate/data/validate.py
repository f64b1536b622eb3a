"""Check documents against Great Expectations suites and quarantine what fails.

    acclimate validate    # params.yaml: validate → artifacts/validate/documents/, rejected.jsonl, data_docs/

Row expectations quarantine a record: it goes to rejected.jsonl under the first expectation it failed.
Batch expectations stop the run: too few documents, too many failures, or no general text to keep the
base model's abilities with. The suites are in expectations.py.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.corpus import read_corpus, write_parts
from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl
from acclimate.core.params import ValidateParams
from acclimate.core.records import Reject
from acclimate.core.reports import Funnel
from acclimate.data import expectations
from acclimate.data.expectations import EXCERPT_CHARACTERS, Outcome

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class ExpectationCount:
    """What one expectation of a suite found."""

    suite: str
    expectation: str
    rule: str
    evaluated: int
    failed: int


@dataclass(frozen=True)
class ValidateReport:
    """What every expectation found, and what was quarantined."""

    expectations: list[ExpectationCount]
    quarantined_share: float
    funnel: Funnel

    def headline(self) -> str:
        """'19 expectations: 26,842 in, 26,841 out (expect_column_value_lengths_to_be_between(text) 1)'."""
        return f"{len(self.expectations)} expectations: {self.funnel.sentence()}"


def run(params: ValidateParams, *, documents: Path, out: Path) -> ValidateReport:
    """Pass on the records that meet every row expectation, and write the Data Docs.

    Raises:
        UserError: if a batch expectation fails.
    """
    table = read_corpus(documents)
    context = expectations.open_context(out / "data_docs")
    suites = _row_suites(context, params, table)
    rejects = _quarantine(table, [outcome for outcomes in suites.values() for outcome in outcomes])
    kept = _without(table, rejects)
    suites |= _batch_suites(context, params, table, kept, rejects)
    expectations.write_data_docs(context, out / "data_docs")
    write_parts(out / "documents", [kept])
    write_jsonl(out / "rejected.jsonl", (asdict(reject) for reject in rejects.values()))
    return ValidateReport(
        _counts(suites),
        round(len(rejects) / max(1, len(table)), 6),
        Funnel.of(len(table), len(kept), rejects.values()),
    )


def _row_suites(context: Any, params: ValidateParams, table: pa.Table) -> dict[str, list[Outcome]]:
    frame = table.to_pandas()
    is_pair = frame["type"] == "qa_pair"
    return {
        "records": expectations.check(context, "records", expectations.record_suite(params), frame),
        "documents": expectations.check(context, "documents", expectations.document_suite(), frame[~is_pair]),
        "pairs": expectations.check(context, "pairs", expectations.pair_suite(), frame[is_pair]),
    }


def _quarantine(table: pa.Table, outcomes: list[Outcome]) -> dict[int, Reject]:
    """Row position to Reject, in row order; the reason is the first expectation the row failed."""
    failed: dict[int, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        for row in outcome.rows:
            failed[row].append(outcome)
    return {row: _reject(table.slice(row, 1).to_pylist()[0], failed[row]) for row in sorted(failed)}


def _reject(record: dict[str, Any], failed: list[Outcome]) -> Reject:
    detail = "; ".join(f"{outcome.name}: {outcome.rule}" if outcome.rule else outcome.name for outcome in failed)
    text = record["text"] or ""
    return Reject(
        id=record["id"] or "",
        source=record["source"] or "",
        origin="validate",
        reason=failed[0].name,
        detail=f"{detail}; {len(text)} characters",
        excerpt=text[:EXCERPT_CHARACTERS],
    )


def _without(table: pa.Table, rejects: dict[int, Reject]) -> pa.Table:
    import pyarrow as pa

    return table.filter(pa.array([row not in rejects for row in range(len(table))], pa.bool_()))


def _batch_suites(
    context: Any, params: ValidateParams, table: pa.Table, kept: pa.Table, rejects: dict[int, Reject]
) -> dict[str, list[Outcome]]:
    import pyarrow as pa

    passed = pa.table({"passed": [row not in rejects for row in range(len(table))]}).to_pandas()
    quarantine = expectations.check(context, "quarantine", expectations.quarantine_suite(params), passed)
    if not all(outcome.success for outcome in quarantine):
        raise _too_many_failed(params, len(table), rejects)
    batch = expectations.check(context, "batch", expectations.batch_suite(params), kept.to_pandas())
    _require_batch(params, kept, batch)
    return {"quarantine": quarantine, "batch": batch}


def _too_many_failed(params: ValidateParams, records: int, rejects: dict[int, Reject]) -> UserError:
    funnel = Funnel.of(records, records - len(rejects), rejects.values())
    first = next(iter(rejects.values()))
    return UserError(
        f"{len(rejects):,} of {records:,} records failed, more than {params.max_quarantined_share:.0%}: "
        f"{funnel.sentence()}; the first is {first.id} of {first.source}: {first.excerpt!r}",
        why="that many bad rows mean a broken source, not bad rows",
        fix="mend the source, or raise validate.max_quarantined_share in params.yaml if the rest is what you want",
    )


def _require_batch(params: ValidateParams, kept: pa.Table, outcomes: list[Outcome]) -> None:
    failed = [outcome.name for outcome in outcomes if not outcome.success]
    if not failed:
        return
    if len(kept) < params.min_documents:
        raise UserError(
            f"{len(kept):,} records passed, {params.min_documents:,} are needed",
            why="with fewer nothing can be held out to measure on",
            fix="add documents to the sources in params.yaml, or lower validate.min_documents",
        )
    domains = ", ".join(sorted(set(kept["domain"].to_pylist()))) or "none"
    raise UserError(
        f"the records have the domains {domains}: {', '.join(failed)} failed",
        why="training needs text of the domain, and general text to keep the base model's abilities with",
        fix="see to it that ingest.sources in params.yaml has a source of the domain and one of domain 'general'",
    )


def _counts(suites: dict[str, list[Outcome]]) -> list[ExpectationCount]:
    return [
        ExpectationCount(suite, outcome.name, outcome.rule, outcome.evaluated, outcome.failed)
        for suite, outcomes in suites.items()
        for outcome in outcomes
    ]

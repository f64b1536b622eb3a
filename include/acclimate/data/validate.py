"""Check documents against Great Expectations suites, quarantine what fails, and compare with what was accepted last.

    acclimate validate    # → artifacts/validate/documents/, rejected.jsonl, profile.json, data_docs/

Row expectations quarantine a record: it goes to rejected.jsonl under the first expectation it failed. Batch
expectations stop the run, all that failed at once: too few records, too many failures, one kind of text only, or a
source that is not what it was in the batch accepted last (accepted/profile.json; without it nothing is compared).
What a refused batch looked like stays in artifacts/refused_batch/. Works part by part: memory does not grow with
the corpus, and a part without changes comes out, byte for byte, as it did before.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from acclimate.core.corpus import part_paths, read_parts, write_parts
from acclimate.core.params import IngestParams, ValidateParams
from acclimate.core.progress import progress
from acclimate.core.records import Reject
from acclimate.core.reports import Funnel
from acclimate.data.validation.batch_checks import check_batch
from acclimate.data.validation.checking import CheckedSuite
from acclimate.data.validation.data_docs import open_context, write_data_docs
from acclimate.data.validation.profile import read_profile, write_profile
from acclimate.data.validation.repeated_ids import repeated_ids
from acclimate.data.validation.row_checks import RowChecks
from acclimate.data.validation.shifts import Comparison, compare

REFUSED = "refused_batch"


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
    """What every expectation found, what was quarantined, and how the batch differs from the accepted one."""

    expectations: list[ExpectationCount]
    quarantined_share: float
    funnel: Funnel
    comparison: Comparison | None = None
    """None if no batch has been accepted yet."""

    def headline(self) -> str:
        """'19 expectations: 26,842 in, 26,841 out (…(text) 1); compared with the accepted batch in 34 measures'."""
        if self.comparison is None:
            compared = "no accepted batch to compare with"
        else:
            compared = f"compared with the accepted batch in {len(self.comparison.shifts)} measures"
        return f"{len(self.expectations)} expectations: {self.funnel.sentence()}; {compared}"


def run(params: ValidateParams, ingest: IngestParams, *, documents: Path, accepted: Path, out: Path) -> ValidateReport:
    """Pass on the records that meet every row expectation, and write the Data Docs and the batch's profile.

    Raises:
        UserError: if the batch is refused, with everything that is wrong with it, or if accepted/ cannot be read.
    """
    refused = out.with_name(REFUSED)
    shutil.rmtree(refused, ignore_errors=True)
    then = read_profile(accepted)
    context = open_context(out / "data_docs")
    with (out / "rejected.jsonl").open("w", encoding="utf-8") as rejected:
        rows = RowChecks(context, params, repeated_ids(documents), rejected)
        parts = progress(read_parts(documents), "checking", unit="part", total=len(part_paths(documents)))
        write_parts(out / "documents", rows.judge(parts))
    now = rows.profiler.profile()
    write_profile(out, now)
    funnel = Funnel.counted(now.overall.records, now.overall.passed, rows.reasons)
    comparison = compare(params, now, then, {source.name for source in ingest.selected()}) if then else None
    batch, refusal = check_batch(context, params, now.overall, _quarantined(funnel, rows.first_reject), comparison)
    suites = [*rows.suites, batch]
    write_data_docs(context, out / "data_docs", suites)
    if refusal is not None:
        shutil.rmtree(out / "documents")
        shutil.copytree(out, refused)
        raise refusal
    share = round(1 - funnel.records_out / max(1, funnel.records_in), 6)
    return ValidateReport(_counts(suites), share, funnel, comparison)


def _quarantined(funnel: Funnel, first: Reject | None) -> str:
    """'26,865 in, 3 out (…); the first is 9f2c of numpy_docs: 'short''."""
    example = f"; the first is {first.id} of {first.source}: {first.excerpt!r}" if first else ""
    return f"{funnel.sentence()}{example}"


def _counts(suites: Sequence[CheckedSuite]) -> list[ExpectationCount]:
    return [
        ExpectationCount(suite.name, outcome.name, outcome.rule, outcome.evaluated, outcome.failed)
        for suite in suites
        for outcome in suite.outcomes()
    ]

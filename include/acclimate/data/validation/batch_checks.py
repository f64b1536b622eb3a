"""What has to hold for a batch as a whole, and what to tell a person when it does not.

Every measurement is a row of a small frame, with a value in the column of its measure: the suite `batch` is
checked on it like any other, so that its page in the Data Docs has one line per rule, whatever the sources.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.params import ValidateParams
from acclimate.core.records import GENERAL
from acclimate.data.validation.checking import CheckedSuite
from acclimate.data.validation.expectations import batch_suite
from acclimate.data.validation.profile import Slice
from acclimate.data.validation.shifts import Comparison, Shift


@dataclass(frozen=True)
class _Measurement:
    values: Mapping[str, float]
    """Column to value; a measurement of several columns is compared across them."""
    what: str
    """The sentence for the person, if it fails."""
    fix: str


def check_batch(
    context: Any, params: ValidateParams, overall: Slice, quarantined: str, comparison: Comparison | None
) -> tuple[CheckedSuite, UserError | None]:
    """Check the suite `batch`.

    Args:
        context: of Great Expectations.
        params: the limits.
        overall: the whole batch.
        quarantined: what was quarantined, in words, for the message.
        comparison: with the batch accepted last, if there is one.

    Returns:
        The suite, and everything that is wrong with the batch as one error; None if nothing is.
    """
    import pandas as pd

    shifts = comparison.shifts if comparison else []
    measurements = [*_measurements(params, overall, quarantined), *(_of_shift(shift) for shift in shifts)]
    compared = sorted({shift.measure for shift in shifts})
    suite = CheckedSuite(context, "batch", batch_suite(params, compared))
    frame = pd.DataFrame([of.values for of in measurements])
    outcomes = suite.check(frame, labels=[of.what for of in measurements])
    failed = sorted({row for outcome in outcomes for row in outcome.rows})
    return suite, _refusal([measurements[row] for row in failed]) if failed else None


def _measurements(params: ValidateParams, overall: Slice, quarantined: str) -> list[_Measurement]:
    share = 1 - overall.passed / max(1, overall.records)
    general = overall.domains.get(GENERAL, 0)
    domains = f"the records have the domains {', '.join(overall.domains) or 'none'}"
    lacking = "training needs text of the domain, and general text to keep the base model's abilities with"
    both = "see to it that ingest.sources in params.yaml has a source of the domain and one of domain 'general'"
    return [
        _Measurement(
            {"quarantined_share": share},
            f"{overall.records - overall.passed:,} of {overall.records:,} records failed, "
            f"more than {params.max_quarantined_share:.0%}: {quarantined}",
            "mend the source, or raise validate.max_quarantined_share in params.yaml if the rest is what you want",
        ),
        _Measurement(
            {"records_passed": overall.passed},
            f"{overall.passed:,} records passed, {params.min_documents:,} are needed so that some can be held out",
            "add documents to the sources in params.yaml, or lower validate.min_documents",
        ),
        _Measurement({"general_records": general}, f"{domains}: none is general; {lacking}", both),
        _Measurement({"domain_records": overall.passed - general}, f"{domains}: only general; {lacking}", both),
    ]


def _of_shift(shift: Shift) -> _Measurement:
    return _Measurement(
        {shift.measure: shift.change, f"{shift.measure}_limit": shift.limit}, shift.sentence(), shift.remedy()
    )


def _refusal(failed: Sequence[_Measurement]) -> UserError:
    """One error that names everything; each fix once."""
    if len(failed) == 1:
        what, fix = failed[0].what, failed[0].fix
    else:
        what = "\n    - ".join([f"the batch fails {len(failed)} rules", *(of.what for of in failed)])
        fix = "\n    - ".join(["for each of them:", *dict.fromkeys(of.fix for of in failed)])
    # In full: a run of Airflow has its own, far from the checkout's.
    kept = Path("artifacts/refused_batch").absolute()
    return UserError(
        what,
        why="that much at once means a source that broke or changed, not bad rows; training on it would follow it",
        fix=f"{fix}\n  (the batch is kept in {kept}: profile.json, rejected.jsonl, data_docs/)",
    )

"""The Great Expectations suites, from params.yaml.

`records` (every record), `documents` and `pairs` (by type) and `batch` (all of them together, and against the batch
accepted last); that of evaluation examples stands in example_checks.py. What runs them is checking.py; Great
Expectations is imported where it is used, because that takes a second.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from acclimate.core.params import ValidateParams


def record_suite(params: ValidateParams) -> list[Any]:
    """What holds for every record; `id_occurrences` counts its id in the whole corpus, documents and pairs."""
    from great_expectations import expectations as gxe

    return [
        gxe.ExpectColumnValuesToNotBeNull(column="id"),
        gxe.ExpectColumnValuesToBeBetween(column="id_occurrences", max_value=1),
        gxe.ExpectColumnValuesToNotBeNull(column="text"),
        gxe.ExpectColumnValueLengthsToBeBetween(
            column="text", min_value=params.min_characters, max_value=params.max_characters
        ),
        gxe.ExpectColumnValuesToNotBeNull(column="language"),
        gxe.ExpectColumnValuesToBeInSet(column="language", value_set=params.languages),
        gxe.ExpectColumnValuesToNotBeNull(column="domain"),
        gxe.ExpectColumnValuesToNotBeNull(column="group"),
        gxe.ExpectColumnValuesToBeBetween(column="quality_score", min_value=0, max_value=1),
    ]


def document_suite() -> list[Any]:
    """What holds for records that are no pairs."""
    from great_expectations import expectations as gxe

    return [gxe.ExpectColumnValuesToBeInSet(column="type", value_set=["raw_text", "synthetic"])]


def pair_suite() -> list[Any]:
    """What holds for question-answer pairs: both are there and are not blank."""
    return [expectation for column in ("question", "answer") for expectation in filled(column)]


def batch_suite(params: ValidateParams, measures: Collection[str]) -> list[Any]:
    """What holds for the batch as a whole; each row of its frame fills the columns of one measurement.

    Args:
        params: the limits.
        measures: of shifts.MEASURES, those that there is an accepted batch to compare by; the frame has a column
            for each, and beside it one with the limit that applies to that source.
    """
    from great_expectations import expectations as gxe

    return [
        gxe.ExpectColumnValuesToBeBetween(column="quarantined_share", max_value=params.max_quarantined_share),
        gxe.ExpectColumnValuesToBeBetween(column="records_passed", min_value=params.min_documents),
        gxe.ExpectColumnValuesToBeBetween(column="general_records", min_value=1),
        gxe.ExpectColumnValuesToBeBetween(column="domain_records", min_value=1),
        *(
            gxe.ExpectColumnPairValuesAToBeGreaterThanB(
                column_A=f"{measure}_limit", column_B=measure, or_equal=True, ignore_row_if="either_value_is_missing"
            )
            for measure in measures
        ),
    ]


def filled(column: str) -> list[Any]:
    """What holds for a text that must be there: it is not null and not blank."""
    from great_expectations import expectations as gxe

    return [
        gxe.ExpectColumnValuesToNotBeNull(column=column),
        gxe.ExpectColumnValuesToMatchRegex(column=column, regex=r"\S"),
    ]

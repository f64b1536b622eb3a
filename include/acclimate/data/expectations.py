"""The Great Expectations side of validate: the suites, running one, and the Data Docs of all.

Suites in the order they run: `records` (every record), `documents` and `pairs` (by type), `quarantine`
(how many failed those), `batch` (what is left). Great Expectations and pandas are imported where they
are used: together they take a second.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acclimate.core.params import ValidateParams
from acclimate.core.records import GENERAL

EXCERPT_CHARACTERS = 120
# Great Expectations files a result under the time of its run; equal runs have to give equal files.
_RUN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
# What differs between two renderings of the same page: the time in the logo's address (against the browser's
# cache), and a random suffix, one per process, to the names of collapsible blocks.
_VARYING = re.compile(
    r"(?<=\.png)\?d=\d{8}T\d{6}\.\d{6}Z|(?<=-collapse-body)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
)
# Complete lists of failing values: rejected.jsonl has them, a page does not need them.
_LISTS = ("unexpected_list", "unexpected_index_list", "unexpected_index_query", "partial_unexpected_index_list")


@dataclass(frozen=True)
class Outcome:
    """What one expectation found."""

    name: str
    """'expect_column_values_to_not_be_null(text)'."""
    rule: str
    """Its arguments: 'min_value 20, max_value 400000'."""
    evaluated: int
    """Values looked at; nulls are only looked at by the expectation that there be none. 1 for a whole batch."""
    failed: int
    rows: list[int]
    """Positions of the failing rows, in order; empty for a batch expectation."""
    success: bool
    """Whether enough values passed; without `mostly`, all."""


def record_suite(params: ValidateParams) -> list[Any]:
    """What holds for every record; ids are unique across documents and pairs."""
    from great_expectations import expectations as gxe

    return [
        gxe.ExpectColumnValuesToNotBeNull(column="id"),
        gxe.ExpectColumnValuesToBeUnique(column="id"),
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
    from great_expectations import expectations as gxe

    return [
        expectation
        for column in ("question", "answer")
        for expectation in (
            gxe.ExpectColumnValuesToNotBeNull(column=column),
            gxe.ExpectColumnValuesToMatchRegex(column=column, regex=r"\S"),
        )
    ]


def quarantine_suite(params: ValidateParams) -> list[Any]:
    """Most records passed the suites before; `passed` says so of each."""
    from great_expectations import expectations as gxe

    share = 1 - params.max_quarantined_share
    return [gxe.ExpectColumnValuesToBeInSet(column="passed", value_set=[True], mostly=share)]


def batch_suite(params: ValidateParams) -> list[Any]:
    """There is enough to train on, and both kinds of text: of the domain, and general."""
    from great_expectations import expectations as gxe

    return [
        gxe.ExpectTableRowCountToBeBetween(min_value=params.min_documents),
        gxe.ExpectColumnUniqueValueCountToBeBetween(column="domain", min_value=2),
        gxe.ExpectColumnDistinctValuesToContainSet(column="domain", value_set=[GENERAL]),
    ]


def open_context(data_docs: Path) -> Any:
    """A context in memory that talks to nobody; its one Data Docs site is `data_docs`."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(data_docs.absolute())},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={"data_docs": site},
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def check(context: Any, suite: str, expectations: list[Any], frame: Any) -> list[Outcome]:
    """Run a suite over a pandas frame and file the result for the Data Docs.

    An empty frame has nothing to fail, and Great Expectations cannot tell the types of its columns: only
    its number of rows is checked.
    """
    import great_expectations as gx

    chosen = [e for e in expectations if len(frame) or e.expectation_type == "expect_table_row_count_to_be_between"]
    named = context.suites.add(gx.ExpectationSuite(name=suite, expectations=chosen))
    asset = context.data_sources.add_pandas(suite).add_dataframe_asset("records")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    result = batch.validate(named, result_format={"result_format": "COMPLETE"})
    outcomes = [_outcome(found) for found in result.results]
    _file(context, suite, result, batch.id)
    return outcomes


def write_data_docs(context: Any, data_docs: Path) -> None:
    """Render every filed result as static HTML, the same bytes for the same results."""
    context.build_data_docs()
    for page in sorted(data_docs.rglob("*.html")):
        page.write_text(_VARYING.sub("", page.read_text(encoding="utf-8")), encoding="utf-8")


def _outcome(found: Any) -> Outcome:
    arguments = dict(found.expectation_config.kwargs)
    arguments.pop("batch_id", None)
    column = arguments.pop("column", None)
    failures = [str(value["exception_message"]) for value in _exceptions(found.exception_info)]
    assert not failures, f"{found.expectation_config.type} did not run: {failures[0]}"
    rows = found.result.get("unexpected_index_list")
    by_row = "unexpected_count" in found.result
    return Outcome(
        name=f"{found.expectation_config.type}({column or ''})",
        rule=", ".join(f"{name} {value}" for name, value in sorted(arguments.items())),
        evaluated=found.result["element_count"] - found.result.get("missing_count", 0) if by_row else 1,
        failed=found.result["unexpected_count"] if by_row else int(not found.success),
        rows=sorted(rows or []),
        success=bool(found.success),
    )


def _exceptions(info: dict[str, Any]) -> list[dict[str, Any]]:
    """The exceptions in an exception_info, which is one entry or one per metric."""
    entries = [info] if "raised_exception" in info else list(info.values())
    return [entry for entry in entries if entry["raised_exception"]]


def _file(context: Any, suite: str, result: Any, batch_id: str) -> None:
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    run_id = RunIdentifier(run_name="validate", run_time=_RUN_TIME)
    # Load times and random ids differ between equal runs.
    result.meta = {"great_expectations_version": result.meta["great_expectations_version"], "run_id": run_id}
    for found in result.results:
        for name in _LISTS:
            found.result.pop(name, None)
        for name in ("partial_unexpected_list", "partial_unexpected_counts"):
            found.result[name] = [_presentable(value) for value in found.result.get(name, [])]
    key = ValidationResultIdentifier(ExpectationSuiteIdentifier(suite), run_id, batch_id)
    context.validation_results_store.set(key, result)


def _presentable(value: Any) -> Any:
    """A failing value as a page may show it; partial_unexpected_counts holds {"value": …, "count": …}.

    Great Expectations 1.24 writes values into its pages as they are: markup in a document would run.
    """
    if isinstance(value, dict):
        return value | {"value": _presentable(value["value"])}
    return html.escape(value[:EXCERPT_CHARACTERS]) if isinstance(value, str) else value

"""Run a Great Expectations suite over one frame after the other, and add up what it found.

    records = CheckedSuite(context, "records", expectations.record_suite(params))
    for frame in frames:
        outcomes = records.check(frame)     # of this frame, with the positions of the rows that failed
    records.outcomes()                      # of all frames

Of a frame that has been checked only counts and the first failing values are kept, so that memory does not grow
with the corpus, and the Data Docs have one page per suite with its totals.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

EXCERPT_CHARACTERS = 120
SHOWN = 20
"""Failing values that a page shows of each expectation, the first."""


@dataclass(frozen=True)
class Outcome:
    """What one expectation found."""

    name: str
    """'expect_column_values_to_not_be_null(text)'."""
    rule: str
    """Its arguments: 'min_value 20, max_value 400000'."""
    evaluated: int
    """Values looked at; nulls are only looked at by the expectation that there be none."""
    failed: int
    rows: list[int]
    """Positions of the failing rows, in order; those of one frame only, empty in a sum."""

    @property
    def success(self) -> bool:
        """Whether all that was looked at passed."""
        return self.failed == 0


@dataclass
class _Sum:
    """What one expectation found in all frames so far."""

    outcome: Outcome
    elements: int = 0
    """Values, nulls among them; of a frame with labels only those looked at, the others are gaps by design."""
    shown: list[Any] = field(default_factory=list)


class CheckedSuite:
    """A suite, and what it has found so far."""

    def __init__(self, context: Any, name: str, expectations: Sequence[Any]) -> None:
        import great_expectations as gx

        self.name = name
        self._suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=list(expectations)))
        asset = context.data_sources.add_pandas(name).add_dataframe_asset("records")
        self._frames = asset.add_batch_definition_whole_dataframe("all")
        self._sums: list[_Sum] = []
        self._last: Any = None

    def check(self, frame: Any, labels: Sequence[str] | None = None) -> list[Outcome]:
        """Run the suite over a pandas frame.

        Args:
            frame: an empty one has nothing to fail, and Great Expectations cannot tell the types of its columns:
                it is passed over.
            labels: what the Data Docs show of a failing row, by position, in place of the value that failed; for
                frames whose rows fill only some columns.

        Returns:
            One outcome per expectation; its rows are values of the frame's index. None for an empty frame.
        """
        if frame.empty:
            return []
        batch = self._frames.get_batch({"dataframe": frame})
        self._last = batch.validate(self._suite, result_format={"result_format": "COMPLETE"})
        outcomes = [_outcome(found) for found in self._last.results]
        self._add(outcomes, labels)
        return outcomes

    def outcomes(self) -> list[Outcome]:
        """What the expectations found in all frames together."""
        return [of.outcome for of in self._sums]

    def result(self) -> Any:
        """The sum as Great Expectations' own result, for the Data Docs; None if every frame was empty.

        The counts of all frames stand where Great Expectations puts those of one, failing values without markup.
        """
        if self._last is None:
            return None
        for found, of in zip(self._last.results, self._sums, strict=True):
            found.success = of.outcome.success
            found.result = _totals(of)
        failed = sum(not of.outcome.success for of in self._sums)
        self._last.success = failed == 0
        self._last.statistics = {
            "evaluated_expectations": len(self._sums),
            "successful_expectations": len(self._sums) - failed,
            "unsuccessful_expectations": failed,
            "success_percent": 100 * (len(self._sums) - failed) / len(self._sums),
        }
        return self._last

    def _add(self, outcomes: list[Outcome], labels: Sequence[str] | None) -> None:
        found = self._last.results
        if not self._sums:
            self._sums = [_Sum(Outcome(outcome.name, outcome.rule, 0, 0, [])) for outcome in outcomes]
        for of, outcome, result in zip(self._sums, outcomes, (of.result for of in found), strict=True):
            assert of.outcome.name == outcome.name, f"{of.outcome.name} and {outcome.name} in one place"
            before = of.outcome
            total = (before.evaluated + outcome.evaluated, before.failed + outcome.failed)
            of.outcome = Outcome(before.name, before.rule, *total, [])
            of.elements += outcome.evaluated if labels else result["element_count"]
            room = SHOWN - len(of.shown)
            if labels:
                of.shown += [html.escape(labels[row]) for row in outcome.rows[:room]]
            else:
                of.shown += [_presentable(value) for value in result["unexpected_list"][:room]]


def _outcome(found: Any) -> Outcome:
    arguments = dict(found.expectation_config.kwargs)
    arguments.pop("batch_id", None)
    columns = [arguments.pop(name) for name in ("column", "column_A", "column_B") if name in arguments]
    failures = [str(value["exception_message"]) for value in _exceptions(found.exception_info)]
    assert not failures, f"{found.expectation_config.type} did not run: {failures[0]}"
    return Outcome(
        name=f"{found.expectation_config.type}({', '.join(columns)})",
        rule=", ".join(f"{name} {value}" for name, value in sorted(arguments.items())),
        evaluated=found.result["element_count"] - found.result.get("missing_count", 0),
        failed=found.result["unexpected_count"],
        rows=sorted(found.result.get("unexpected_index_list") or []),
    )


def _exceptions(info: dict[str, Any]) -> list[dict[str, Any]]:
    """The exceptions in an exception_info, which is one entry or one per metric."""
    entries = [info] if "raised_exception" in info else list(info.values())
    return [entry for entry in entries if entry["raised_exception"]]


def _totals(of: _Sum) -> dict[str, Any]:
    """The result of one expectation, with the keys that Great Expectations' pages read."""
    failed, evaluated = of.outcome.failed, of.outcome.evaluated
    missing = of.elements - evaluated
    return {
        "element_count": of.elements,
        "missing_count": missing,
        "missing_percent": 100 * missing / max(1, of.elements),
        "unexpected_count": failed,
        "unexpected_percent": 100 * failed / max(1, evaluated),
        "unexpected_percent_total": 100 * failed / max(1, of.elements),
        "unexpected_percent_nonmissing": 100 * failed / max(1, evaluated),
        "partial_unexpected_list": of.shown,
    }


def _presentable(value: Any) -> Any:
    """A failing value as a page may show it: a text's beginning, escaped.

    Great Expectations 1.24 writes values into its pages as they are: markup in a document would run.
    """
    return html.escape(value[:EXCERPT_CHARACTERS]) if isinstance(value, str) else value

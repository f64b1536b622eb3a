"""Judge records part by part: who passes, who is quarantined and why, and what the parts look like together."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from acclimate.core.corpus import PART_CHARACTERS
from acclimate.core.params import ValidateParams
from acclimate.core.records import Reject
from acclimate.data.validation import expectations
from acclimate.data.validation.checking import EXCERPT_CHARACTERS, CheckedSuite, Outcome
from acclimate.data.validation.profile import Profiler
from acclimate.data.validation.repeated_ids import RepeatedIds

if TYPE_CHECKING:
    import pyarrow as pa

_CHECKED = ("id", "text", "language", "domain", "group", "quality_score", "type", "question", "answer")


class RowChecks:
    """The row suites, and what they have found so far."""

    def __init__(self, context: Any, params: ValidateParams, repeated: RepeatedIds, rejected: TextIO) -> None:
        self._records = CheckedSuite(context, "records", expectations.record_suite(params))
        self._documents = CheckedSuite(context, "documents", expectations.document_suite())
        self._pairs = CheckedSuite(context, "pairs", expectations.pair_suite())
        self._repeated = repeated
        self._rejected = rejected
        self.profiler = Profiler()
        self.reasons: Counter[str] = Counter()
        self.first_reject: Reject | None = None

    @property
    def suites(self) -> list[CheckedSuite]:
        """In the order in which they are checked."""
        return [self._records, self._documents, self._pairs]

    def judge(self, parts: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """Each part without the records that failed; those are written to `rejected`, in order.

        Small parts are judged together, because a run of the suites takes a quarter of a second however few
        records it is given; what comes out are parts as they came in.
        """
        for together in _grouped(parts):
            yield from self._judge(together)

    def _judge(self, parts: Sequence[pa.Table]) -> Iterator[pa.Table]:
        import numpy as np
        import pyarrow as pa

        table = pa.concat_tables(parts)
        rejects = self._quarantine(table)
        passed = np.ones(len(table), dtype=bool)
        passed[list(rejects)] = False
        self.profiler.add(table, passed)
        for reject in rejects.values():
            self._note(reject)
        start = 0
        for part in parts:
            yield part.filter(pa.array(passed[start : start + len(part)]))
            start += len(part)

    def _note(self, reject: Reject) -> None:
        self.first_reject = self.first_reject or reject
        self.reasons[reject.reason] += 1
        self._rejected.write(json.dumps(asdict(reject), ensure_ascii=False) + "\n")

    def _quarantine(self, table: pa.Table) -> dict[int, Reject]:
        """Row position to Reject, in row order; the reason is the first expectation the row failed."""
        frame = table.select(_CHECKED).to_pandas()
        frame["id_occurrences"] = self._repeated.occurrences(table["id"])
        is_pair = frame["type"] == "qa_pair"
        failed: dict[int, list[Outcome]] = defaultdict(list)
        for suite, rows in zip(self.suites, (frame, frame[~is_pair], frame[is_pair]), strict=True):
            for outcome in suite.check(rows):
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


def _grouped(parts: Iterable[pa.Table]) -> Iterator[list[pa.Table]]:
    """Runs of parts that together have at most the characters that one part may have, or one part."""
    import pyarrow.compute as pc

    group: list[pa.Table] = []
    characters = 0
    for part in parts:
        more = pc.sum(pc.utf8_length(part["text"])).as_py() or 0
        if group and characters + more > PART_CHARACTERS:
            yield group
            group, characters = [], 0
        group.append(part)
        characters += more
    if group:
        yield group

"""One row per form of the model: the unquantised one, the one that is packaged, and those made besides.

    rows = compare(candidate_rows, [Seen("merged", …), Seen("quantized", …), *others], resamples=10_000, seed=1729)
    rows[1].metrics["domain_cloze"]["interval"]      # of the difference from the unquantised model, on the same items

Every score is set against the unquantised model's on the same items (model/compare.py). Where a form was scored on the
first items only, `n` says on how many, and so it is with the model it is compared with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from acclimate.model.compare import Pair, Rows
from acclimate.release.forms.measuring import Speed

SHOWN = ("domain_cloze", "general_cloze")


@dataclass(frozen=True)
class Seen:
    """A form as it was found, with its rows of the test set's items."""

    form: str
    bytes: int | None
    memory_bytes: int | None = None
    rows: Rows | None = None
    storage: dict[str, int] = field(default_factory=dict)
    speed: Speed | None = None
    failure: str | None = None


@dataclass(frozen=True)
class Form:
    """A row of the table; what differs between equal runs (latency, tokens per second) is in timings/forms.json."""

    form: str
    """'merged', or the form's name as in quantize.forms, e.g. 'gptq-4'."""
    bytes: int | None
    """On disk."""
    memory_bytes: int | None
    """Of the weights once they are loaded."""
    metrics: dict[str, dict[str, Any]]
    """Those of SHOWN, as in GateReport; `base` is the unquantised model, on the items that this form was scored on."""
    storage: dict[str, int]
    """Of a GGUF file: tensors by type."""
    failure: str | None
    """Why there is nothing to show."""


def compare(reference: Rows, forms: Sequence[Seen], *, resamples: int, seed: int) -> list[Form]:
    """The table, in the order of `forms`."""
    return [
        Form(
            seen.form,
            seen.bytes,
            seen.memory_bytes,
            _metrics(reference, seen.rows, resamples, seed) if seen.rows is not None else {},
            seen.storage,
            seen.failure,
        )
        for seen in forms
    ]


def _metrics(reference: Rows, rows: Rows, resamples: int, seed: int) -> dict[str, dict[str, Any]]:
    same = {task: reference[task][: len(rows[task])] for task in SHOWN}
    return {metric: Pair.of(metric, same, rows, resamples=resamples, seed=seed).describe() for metric in SHOWN}

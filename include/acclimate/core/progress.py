"""A bar with rate and remaining time for what takes longer than two seconds; on a terminal only.

    for batch in progress(batches, "scoring", unit="batch"):
        …

In a log file, in Airflow and in CI nothing is printed: a stage ends with its headline there.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

T = TypeVar("T")

SECONDS = 2
"""What is done within these shows no bar."""


def progress(items: Iterable[T], what: str, *, unit: str, total: int | None = None) -> tqdm[T]:
    """`items`, counted on stderr while they are worked on; the bar goes when they are done.

    Args:
        items: what the loop runs over.
        what: is being done, e.g. "training".
        unit: what one item is, e.g. "step".
        total: how many, where `items` cannot say.
    """
    from tqdm import tqdm

    known = len(items) if total is None and isinstance(items, Sequence) else total
    # `disable` is said outright: run_stage turns the bars of libraries off through TQDM_DISABLE.
    return tqdm(
        items,
        desc=what,
        unit=unit,
        total=known,
        unit_scale=known is None or known >= 10_000,
        delay=SECONDS,
        leave=False,
        disable=not sys.stderr.isatty(),
    )

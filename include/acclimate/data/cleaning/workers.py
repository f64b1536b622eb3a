"""Processes that work through a list in chunks and give the results back in its order.

    with Workers(2) as workers:
        for lengths in workers.map(list_of_lengths, texts): ...

The order does not depend on their number, so neither does what a stage writes.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from typing import Any, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_CHUNK = 500


class Workers:
    """A pool of `processes`; with one, the work is done here. A context manager."""

    def __init__(self, processes: int, prepare: Callable[[], None] | None = None) -> None:
        # Spawned: a fork of a process with Arrow's threads can wait forever for a lock that one of them held.
        context = multiprocessing.get_context("spawn")
        self._processes = processes
        self._pool = ProcessPoolExecutor(processes, context, initializer=prepare) if processes > 1 else None

    def map(self, function: Callable[..., Result], items: Sequence[Item], *others: Any) -> Iterator[Result]:
        """`function(chunk, *others)` of every chunk of `items`, in order.

        A few chunks per process are under way at a time, so that results do not pile up.
        """
        chunks = (items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK))
        if self._pool is None:
            yield from (function(chunk, *others) for chunk in chunks)
            return
        under_way: list[Future[Result]] = []
        for chunk in chunks:
            under_way.append(self._pool.submit(function, chunk, *others))
            if len(under_way) > 2 * self._processes:
                yield under_way.pop(0).result()
        for future in under_way:
            yield future.result()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

"""Arrays that live in files: what grows with a corpus is looked at through the operating system's cache.

    shingles = mapped(scratch / "shingles", np.uint64)
    parents = scratch_array(scratch, "parents", np.int64, texts)
    forget(shingles, parents)        # this process holds none of their pages any more; the content stays

A mapped page counts as this process's memory until it is forgotten, so whoever goes over much of such an array
forgets it now and then; the next look costs a page fault, as long as the system has room no reading.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    Array = NDArray[Any]

AT_ONCE = 1 << 20
"""Elements gone over before they are forgotten: 8 MB of 64-bit numbers."""


def mapped(path: Path, dtype: DTypeLike, *, private: bool = False) -> Array:
    """The numbers of a file, read when they are looked at.

    Args:
        path: The file.
        dtype: What it holds, one after the other.
        private: Let the array be written to; what is written stays in memory and never reaches the file.
    """
    if path.stat().st_size == 0:
        return np.empty(0, dtype=dtype)
    with path.open("rb") as file:
        access = mmap.ACCESS_COPY if private else mmap.ACCESS_READ
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=access), dtype=dtype)


def scratch_array(directory: Path | None, name: str, dtype: DTypeLike, length: int) -> Array:
    """An array of zeros, to be written to, in a new file of `directory`; in memory if there is none."""
    if directory is None or length == 0:
        return np.zeros(length, dtype=dtype)
    with (directory / name).open("w+b") as file:
        # Not truncate: where the disk is full, writing to a hole would end the process without a word (SIGBUS).
        os.posix_fallocate(file.fileno(), 0, length * np.dtype(dtype).itemsize)
        return np.frombuffer(mmap.mmap(file.fileno(), 0), dtype=dtype)


def forget(*arrays: Array) -> None:
    """Let go of what the operating system has mapped in of these arrays; one that is in no file is left alone.

    Not for a private array: what was written to it would be gone.
    """
    for array in arrays:
        # numpy holds a memory map through a memory view.
        owner = array.base.obj if isinstance(array.base, memoryview) else array.base
        if isinstance(owner, mmap.mmap):
            owner.madvise(mmap.MADV_DONTNEED)


def stretches(length: int, most: int = AT_ONCE) -> Iterator[slice]:
    """0 … length in slices of `most` at most."""
    for start in range(0, length, most):
        yield slice(start, min(start + most, length))


def edges_of(length: int, parts: int) -> list[tuple[int, int]]:
    """0 … length in so many stretches of about the same length, less those that would be empty."""
    edges = [length * part // parts for part in range(parts + 1)]
    return [(start, end) for start, end in pairwise(edges) if end > start]

"""A corpus as sets of shingles and MinHash band keys, on disk except for a few bytes per text.

    nearness = Nearness(threshold=0.8, shingle_words=5, seed=1729)
    sketches = spill(text_batches(paths), nearness, scratch, threads=2)
    sketches.shingles[sketches.starts[7]:sketches.starts[8]]      # of text 7, mapped from scratch/shingles

In memory stay where a text's shingles start and the hash of its words (16 bytes a text); its shingles, 8
bytes each, and its band keys, 168 bytes, are files that are written once, from front to back.
"""

from __future__ import annotations

import mmap
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.progress import progress

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Texts = tuple[NDArray[np.uint8], Places]
    Sketched = tuple[Hashes, Places, Hashes, Hashes]

PERMUTATIONS = 128
MIN_RECALL = 0.995
BATCH_TEXTS = 2048
"""Texts read and sketched at once: some megabytes a thread."""


@dataclass(frozen=True)
class Banding:
    """How signatures are cut: texts agreeing on all rows of any band become a candidate pair."""

    bands: int
    rows: int

    @classmethod
    def at(cls, threshold: float) -> Banding:
        """The most rows, hence the fewest candidates, that still find pairs at `threshold`."""
        choices = [cls(PERMUTATIONS // rows, rows) for rows in range(1, PERMUTATIONS + 1)]
        return max((c for c in choices if c.recall(threshold) >= MIN_RECALL), key=lambda c: c.rows, default=choices[0])

    def recall(self, similarity: float) -> float:
        """The chance that a pair of this Jaccard similarity becomes a candidate."""
        return float(1 - (1 - similarity**self.rows) ** self.bands)


@dataclass(frozen=True)
class Nearness:
    """What makes two texts near-duplicates, and the seed of what is drawn to find them."""

    threshold: float
    """Jaccard similarity of the sets of shingles."""
    shingle_words: int
    seed: int

    @property
    def banding(self) -> Banding:
        """How candidates are proposed at this threshold."""
        return Banding.at(self.threshold)


@dataclass(frozen=True)
class Sketches:
    """What is known of each text."""

    shingles: Hashes
    """[shingles of all texts]: distinct within a text; mapped from a file if spilled."""
    starts: Places
    """[texts + 1]: text i's shingles are shingles[starts[i]:starts[i + 1]]."""
    streams: Hashes
    """[texts]: a hash of the whole word sequence."""
    band_keys: Callable[[int], Hashes]
    """Band number to the key of every text [texts]."""

    @property
    def sizes(self) -> Places:
        """[texts]: how many shingles each has."""
        return np.diff(self.starts)

    def forget_pages(self) -> None:
        """Let go of what the operating system has mapped in for us; it stays in its cache while there is room."""
        # numpy holds a memory map through a memory view.
        owner = self.shingles.base.obj if isinstance(self.shingles.base, memoryview) else self.shingles.base
        if isinstance(owner, mmap.mmap):
            owner.madvise(mmap.MADV_DONTNEED)


def sketch_texts(texts: Iterable[str], nearness: Nearness) -> Sketches:
    """Sketch texts that fit in memory."""
    from acclimate.data.kernels.buffers import of_strings

    shingles, sizes, streams, keys = sketcher(nearness)(of_strings(texts))
    return Sketches(shingles, _starts(sizes), streams, keys.__getitem__)


def spill(batches: Iterable[Texts], nearness: Nearness, directory: Path, *, threads: int) -> Sketches:
    """Sketch batches in `threads` threads and append the result, in order, to files in `directory`."""
    sizes: list[Places] = []
    streams: list[Hashes] = []
    with ExitStack() as files:
        shingle_file = files.enter_context((directory / "shingles").open("ab"))
        band_files = [
            files.enter_context(band_path(directory, band).open("ab")) for band in range(nearness.banding.bands)
        ]
        sketched = in_order(sketcher(nearness), batches, threads)
        for found, of_texts, stream, keys in progress(sketched, "reading texts", unit="batch"):
            found.tofile(shingle_file)
            for band_file, key in zip(band_files, keys, strict=True):
                key.tofile(band_file)
            sizes.append(of_texts)
            streams.append(stream)
    return Sketches(
        mapped(directory / "shingles"),
        _starts(np.concatenate([np.empty(0, dtype=np.int64), *sizes])),
        np.concatenate([np.empty(0, dtype=np.uint64), *streams]),
        lambda band: np.fromfile(band_path(directory, band), dtype=np.uint64),
    )


def sketcher(nearness: Nearness) -> Callable[[Texts], Sketched]:
    """The function that sketches one batch: shingles, their numbers, stream hashes, band keys [bands, texts]."""
    from acclimate.data.kernels.code_points import code_point_table
    from acclimate.data.kernels.sketch import linear_maps, sketch
    from acclimate.data.kernels.tokens import salt

    banding = nearness.banding
    points, expansions = code_point_table()
    factors, addends = linear_maps(nearness.seed, banding.bands * banding.rows)
    salted = salt(nearness.seed)

    def sketch_batch(texts: Texts) -> Sketched:
        found: Sketched = sketch(
            *texts, points, expansions, salted, nearness.shingle_words, factors, addends, banding.rows
        )
        return found

    return sketch_batch


def in_order(work: Callable[[Texts], Sketched], batches: Iterable[Texts], threads: int) -> Iterator[Sketched]:
    """`work` done to every batch, `threads` at a time, results in the order of the batches."""
    if threads == 1:
        yield from map(work, batches)
        return
    waiting: deque[Future[Sketched]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for batch in batches:
            waiting.append(pool.submit(work, batch))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def text_batches(paths: Sequence[Path], column: str = "text") -> Iterator[Texts]:
    """The texts of Parquet files, some thousand at a time, as UTF-8 buffers."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from acclimate.data.kernels.buffers import of_column

    for path in paths:
        with pq.ParquetFile(path, buffer_size=1 << 20) as file:
            for batch in file.iter_batches(BATCH_TEXTS, columns=[column], use_threads=False):
                yield from of_column(pa.chunked_array([batch.column(0)]))


def band_path(directory: Path, band: int) -> Path:
    """Where the keys of one band are spilled to."""
    return directory / f"band-{band:02d}"


def mapped(path: Path) -> Hashes:
    """The 64-bit numbers of a file, read when they are looked at."""
    if path.stat().st_size == 0:
        return np.empty(0, dtype=np.uint64)
    with path.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), dtype=np.uint64)


def _starts(sizes: Places) -> Places:
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes, dtype=np.int64)])

"""A corpus as sets of shingles and MinHash band keys, on disk except for a few bytes per text.

    nearness = Nearness(threshold=0.8, shingle_words=5, seed=1729)
    sketches = spill(text_batches(paths), nearness, scratch, threads=2)
    sets = sketches.sets
    sets.shingles[sets.starts[7]:sets.starts[8]]      # of text 7, mapped from scratch/shingles

A text's shingles, 8 bytes each, its band keys, 168 bytes, where its shingles start and the hash of its words are
appended to files and mapped in where they are looked at (mapped.py): memory does not grow with the corpus.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.progress import progress
from acclimate.data.similarity.mapped import forget, mapped

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
class ShingleSets:
    """The shingles of each text: what similarity is computed from."""

    shingles: Hashes
    """[shingles of all texts]: distinct within a text."""
    starts: Places
    """[texts + 1]: text i's shingles are shingles[starts[i]:starts[i + 1]]."""
    scratch: Path | None = None
    """Where else what grows with the number of texts is to be kept; in memory if nowhere."""

    def forget_pages(self) -> None:
        """Let go of what the operating system has mapped in for us; it stays in its cache while there is room."""
        forget(self.shingles, self.starts)


@dataclass(frozen=True)
class Sketches:
    """What is known of each text."""

    sets: ShingleSets
    streams: Hashes
    """[texts]: a hash of the whole word sequence."""
    band_keys: Callable[[int], Hashes]
    """Band number to the key of every text [texts]."""


def sketch_texts(texts: Iterable[str], nearness: Nearness) -> Sketches:
    """Sketch texts that fit in memory."""
    from acclimate.data.kernels.buffers import of_strings

    shingles, sizes, streams, keys = sketcher(nearness)(of_strings(texts))
    starts = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes, dtype=np.int64)])
    for array in (shingles, starts, streams, keys):
        # As those that are mapped, so that kernels are compiled for one kind of array only.
        array.flags.writeable = False
    return Sketches(ShingleSets(shingles, starts), streams, keys.__getitem__)


def spill(batches: Iterable[Texts], nearness: Nearness, directory: Path, *, threads: int) -> Sketches:
    """Sketch batches in `threads` threads and append the result, in order, to files in `directory`."""
    bands = [directory / f"band-{band:02d}" for band in range(nearness.banding.bands)]
    last = np.zeros(1, dtype=np.int64)
    with ExitStack() as files:
        shingle_file, start_file, stream_file, *band_files = (
            files.enter_context(path.open("wb"))
            for path in (directory / "shingles", directory / "starts", directory / "streams", *bands)
        )
        last.tofile(start_file)
        sketched = in_order(sketcher(nearness), batches, threads)
        for shingles, sizes, streams, keys in progress(sketched, "reading texts", unit="batch"):
            shingles.tofile(shingle_file)
            starts = last + np.cumsum(sizes)
            starts.tofile(start_file)
            last = starts[-1:]
            streams.tofile(stream_file)
            for band_file, key in zip(band_files, keys, strict=True):
                key.tofile(band_file)
    return Sketches(
        ShingleSets(mapped(directory / "shingles", np.uint64), mapped(directory / "starts", np.int64), directory),
        mapped(directory / "streams", np.uint64),
        lambda band: mapped(bands[band], np.uint64),
    )


def sketcher(nearness: Nearness) -> Callable[[Texts], Sketched]:
    """What sketches one batch: its shingles, how many each text has, their streams, their band keys."""
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

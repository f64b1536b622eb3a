"""An index of texts seen so far: what is near-duplicate among new ones costs what the new ones cost.

    index = NearIndex.create(directory, nearness)          # or .open(directory, nearness)
    added = index.add(text_batches([Path("new.parquet")]))
    added.kept          # [new texts]: True for the first of its set
    added.withdrawn     # texts from before that a new one has joined to an older set

First come stays: of a set of near-duplicates the text that was added first is kept. After any number of
additions exactly what one pass over all texts in the same order keeps is kept. That has a price: a new text
may be near to two old ones that are not near to each other; the three are one set then, and the later of the
old ones, kept until now, is withdrawn. Whoever cannot take a text back ignores `withdrawn` and has one text
too many. Memory grows with what is added at once, not with the index.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.components import Components
from acclimate.data.similarity.index_files import IndexFiles
from acclimate.data.similarity.index_runs import Run, look_up, merged, to_merge, write_run
from acclimate.data.similarity.mapped import mapped
from acclimate.data.similarity.near_duplicates import buckets_of
from acclimate.data.similarity.search import Search
from acclimate.data.similarity.sketches import Nearness, ShingleSets, in_order, sketcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Texts = tuple[NDArray[np.uint8], Places]
    Band = tuple[Hashes, Places]
    Buckets = tuple[Places, Places]


@dataclass(frozen=True)
class Added:
    """What an addition found."""

    kept: NDArray[np.bool_]
    """[new texts]: whether nothing before it is near-duplicate to it, directly or through others."""
    withdrawn: Places
    """Numbers of texts of earlier additions that were kept before this one and are not any more, ascending."""


class NearIndex:
    """What is known of the texts added so far; they are numbered in the order of addition."""

    def __init__(self, files: IndexFiles, nearness: Nearness) -> None:
        self._files = files
        self._nearness = nearness

    @classmethod
    def create(cls, directory: Path, nearness: Nearness) -> NearIndex:
        """Make an empty index; one that is there already is replaced."""
        return cls(IndexFiles.create(directory, nearness), nearness)

    @classmethod
    def open(cls, directory: Path, nearness: Nearness) -> NearIndex:
        """Open an index that was made with the same parameters.

        Raises:
            UserError: if there is none, it is of another version or other parameters, or a file is cut short.
        """
        return cls(IndexFiles.open(directory, nearness), nearness)

    @property
    def texts(self) -> int:
        """How many have been added."""
        return self._files.texts

    def kept(self) -> NDArray[np.bool_]:
        """[texts]: whether each is the first of its set."""
        directory = self._files.directory
        # What a killed addition has left behind them does not count.
        parents = np.fromfile(directory / "parents", dtype=np.int64, count=self.texts)
        self._join(parents, np.fromfile(directory / "joins", dtype=np.int64, count=self._files.counted("joins") // 8))
        first: NDArray[np.bool_] = parents == np.arange(len(parents))
        return first

    def check(self) -> None:
        """Compare every file with the checksum from when it was written.

        Raises:
            UserError: if one differs.
        """
        self._files.check()

    def add(self, batches: Iterable[Texts], *, threads: int = 1) -> Added:
        """Number these texts after those of the index, and say which of them nothing before is near to.

        Raises:
            UserError: if somebody else has added to the index since it was opened.
        """
        with self._files.adding():
            return self._add(batches, threads)

    def _add(self, batches: Iterable[Texts], threads: int) -> Added:
        before = self.texts
        sizes, streams, keys = self._append(batches, threads)
        new = np.arange(before, before + len(sizes))
        self._files.append("parents", [new])
        components = Components(self._parents())
        first = self._join_equal(streams, new[sizes > 0], components)
        bands = [_sorted(band[first - before], first) for band in (*keys, streams)]
        self._search(bands, components, threads)
        deposed = components.deposed()
        withdrawn = deposed[deposed < before]
        self._files.append("parents", [components.labels(new)])
        self._files.append("joins", [np.stack([withdrawn, components.labels(withdrawn)], axis=1)])
        self._files.commit(before + len(new), self._runs_with(bands))
        return Added(~np.isin(new, deposed, assume_unique=True), withdrawn)

    def _append(self, batches: Iterable[Texts], threads: int) -> tuple[Places, Hashes, Hashes]:
        """Append the shingles of new texts; how many each has, their streams, their band keys [bands, new texts]."""
        sizes: list[Places] = [np.empty(0, dtype=np.int64)]
        streams: list[Hashes] = [np.empty(0, dtype=np.uint64)]
        keys: list[Hashes] = [np.empty((self._nearness.banding.bands, 0), dtype=np.uint64)]

        def shingles() -> Iterator[Hashes]:
            for found, size, stream, key in in_order(sketcher(self._nearness), batches, threads):
                sizes.append(size)
                streams.append(stream)
                keys.append(key)
                yield found

        self._files.append("shingles", shingles())
        starts = self._files.counted("shingles") // 8 + np.cumsum(np.concatenate(sizes))
        self._files.append("starts", [starts])
        return np.concatenate(sizes), np.concatenate(streams), np.concatenate(keys, axis=1)

    def _join_equal(self, streams: Hashes, filled: Places, components: Components) -> Places:
        """Join new texts with equal ones; return those that are the first with their words, ascending."""
        before, bands = self.texts, self._nearness.banding.bands
        members, starts = self._buckets(bands, *_sorted(streams[filled - before], filled))
        components.join_all(np.repeat(members[starts[:-1]], np.diff(starts)), members)
        later = np.ones(len(members), dtype=bool)
        later[starts[:-1]] = False
        return np.setdiff1d(filled, members[later], assume_unique=True)

    def _search(self, bands: Sequence[Band], components: Components, threads: int) -> None:
        """Join the new texts with what is similar to them."""
        directory = self._files.directory
        sets = ShingleSets(mapped(directory / "shingles", np.uint64), mapped(directory / "starts", np.int64))
        finding = [(band, partial(self._buckets, band, *bands[band])) for band in range(self._nearness.banding.bands)]
        Search(sets, self._nearness, components, threads, self.texts).run(finding)

    def _buckets(self, band: int, keys: Hashes, members: Places) -> Buckets:
        """Buckets of new texts and of those from before that have the same key; the earliest comes first."""
        wanted = np.unique(keys)
        found = [look_up(*run.band(self._files.directory, band), wanted) for run in self._files.runs]
        return buckets_of(*(np.concatenate(columns) for columns in zip(*found, (keys, members), strict=True)))

    def _runs_with(self, bands: Sequence[Band]) -> list[Run]:
        """Write a run with these bands, and put it together with the last ones that are not much larger."""
        directory, runs, number = self._files.directory, self._files.runs, self._files.next_run
        if len(bands[0][0]) == 0:
            return runs
        run = write_run(directory, number, ([(keys, texts.astype(np.uint32))] for keys, texts in bands))
        merging = to_merge(runs, run.texts)
        if merging == 0:
            return [*runs, run]
        kept, last = runs[: len(runs) - merging], [*runs[len(runs) - merging :], run]
        return [*kept, merged(directory, number + 1, last, len(bands))]

    def _parents(self) -> Places:
        """[texts]: of each text one of its set that came before, or itself; a copy to write to, new texts included."""
        parents = mapped(self._files.directory / "parents", np.int64, private=True)
        self._join(parents, np.fromfile(self._files.directory / "joins", dtype=np.int64))
        return parents

    def _join(self, parents: Places, joins: Places) -> None:
        from acclimate.data.kernels.components import join

        join(parents, *joins.reshape(-1, 2).T.copy())


def _sorted(keys: Hashes, texts: Places) -> Band:
    order = np.argsort(keys, kind="stable")
    return keys[order], texts[order]

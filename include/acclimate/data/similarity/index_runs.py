"""Sorted runs of an index: band keys with the text of each, looked up where they stand.

keys-7      [bands, texts] 64-bit keys, ascending within a band; the band after the last has hashes of whole texts
texts-7     [bands, texts] 32-bit numbers of the texts they are of

Runs are written whole and never changed. A new run is merged with the last ones while these are not much larger, so
that there are few of them and a key is rewritten once in each doubling of the index (O'Neil et al. 1996, the
log-structured merge-tree).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.mapped import mapped, stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Numbers = NDArray[np.uint32]
    Places = NDArray[np.int64]
    Band = tuple[Hashes, Numbers]

MERGED_BELOW = 2
"""A run is merged with a new one that has more than one in so many of its texts."""


@dataclass(frozen=True)
class Run:
    """What the index's header says of a run."""

    number: int
    texts: int
    checksums: dict[str, str]
    """File name to SHA-256."""

    @classmethod
    def planned(cls, number: int) -> Run:
        """A run that is yet to be written."""
        return cls(number, 0, {f"{kind}-{number}": "" for kind in ("keys", "texts")})

    def band(self, directory: Path, band: int) -> Band:
        """Keys of one band, ascending, and the text of each; texts with the same key ascend."""
        part = slice(band * self.texts, (band + 1) * self.texts)
        keys, texts = self.checksums
        return mapped(directory / keys, np.uint64)[part], mapped(directory / texts, np.uint32)[part]


def look_up(keys: Hashes, texts: Numbers, wanted: Hashes) -> tuple[Hashes, Places]:
    """Every key of a band that is among `wanted`, which ascend, and its text."""
    # Few are wanted of many, and fewer are there: each is looked for rather than all read.
    starts = np.searchsorted(keys, wanted)
    there = keys[np.minimum(starts, len(keys) - 1)] == wanted if len(keys) else starts > 0
    starts, found = starts[there], wanted[there]
    counts = np.searchsorted(keys, found, side="right") - starts
    places = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    return np.repeat(found, counts), texts[places].astype(np.int64)


def write_run(directory: Path, number: int, bands: Iterable[Iterable[Band]]) -> Run:
    """Write a run, band by band, each in pieces whose keys ascend through all of them."""
    texts, written = 0, Run.planned(number)
    digests = [sha256(), sha256()]
    paths = [directory / name for name in written.checksums]
    with paths[0].open("wb") as key_file, paths[1].open("wb") as text_file:
        for band in bands:
            texts = 0
            for piece in band:
                for file, digest, column in zip((key_file, text_file), digests, piece, strict=True):
                    content = np.ascontiguousarray(column).data
                    file.write(content)
                    digest.update(content)
                texts += len(piece[0])
        for file in (key_file, text_file):
            file.flush()
            os.fsync(file.fileno())
    return Run(number, texts, {path.name: digest.hexdigest() for path, digest in zip(paths, digests, strict=True)})


def merged(directory: Path, number: int, runs: Sequence[Run], bands: int) -> Run:
    """Write one run with what several have, the oldest of them first."""
    parts = ([run.band(directory, band) for run in runs] for band in range(bands))
    return write_run(directory, number, map(_merged_band, parts))


def to_merge(runs: Sequence[Run], texts: int) -> int:
    """How many of the last runs a new one with so many texts is merged with."""
    merging = 0
    while merging < len(runs) and runs[-1 - merging].texts < MERGED_BELOW * texts:
        merging += 1
        texts += runs[-merging].texts
    return merging


def _merged_band(runs: Sequence[Band]) -> Iterator[Band]:
    """Their keys in ascending order, texts with the same key in the order of the runs."""
    largest = max((keys for keys, _ in runs), key=len)
    edges = [largest[part.start] for part in stretches(len(largest))][1:]
    places = [[0, *np.searchsorted(keys, edges).tolist(), len(keys)] for keys, _ in runs]
    for part in range(len(edges) + 1):
        slices = [slice(at[part], at[part + 1]) for at in places]
        keys = np.concatenate([run[0][here] for run, here in zip(runs, slices, strict=True)])
        texts = np.concatenate([run[1][here] for run, here in zip(runs, slices, strict=True)])
        order = np.argsort(keys, kind="stable")
        yield keys[order], texts[order]

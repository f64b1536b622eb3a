"""An index of texts seen so far: what is near-duplicate among new ones costs what the new ones cost.

    index = NearIndex.create(directory, nearness)          # or .open(directory, nearness)
    added = index.add(text_batches([Path("new.parquet")]))
    added.kept          # [new texts]: True for the first of its set
    added.withdrawn     # texts from before that a new one has joined to an older set

First come stays: of a set of near-duplicates the text that was added first is kept. After any number of
additions exactly what one pass over all texts in the same order keeps is kept. That has a price: a new text
may be near to two old ones that are not near to each other; the three are one set then, and the later of the
old ones, kept until now, is withdrawn. Whoever cannot take a text back ignores `withdrawn` and has one text
too many.

On disk: `shingles`, `streams` and `ends` grow at their end, an addition writes a run (its band keys, sorted,
with the number of the text of each) and a file of labels, and index.json, replaced last and in one step, says
how much of all this counts. What a killed addition leaves behind is beyond that and is cut off by the next.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, whole_directory, write_json
from acclimate.core.locks import locked
from acclimate.data.similarity.near_duplicates import Components, Search, buckets_of
from acclimate.data.similarity.sketches import Nearness, Sketches, in_order, mapped, sketcher

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]
    Texts = tuple[NDArray[np.uint8], Places]
    Buckets = tuple[Places, Places]

VERSION = 2
HEADER = "index.json"
GROWING = ("shingles", "streams", "ends")
_CHECK_BYTES = 1 << 22


@dataclass(frozen=True)
class Added:
    """What an addition found."""

    kept: NDArray[np.bool_]
    """[new texts]: whether nothing before it is near-duplicate to it, directly or through others."""
    withdrawn: Places
    """Numbers of texts of earlier additions that were kept before this one and are not any more, ascending."""


class NearIndex:
    """A directory with what is known of the texts added so far; they are numbered in the order of addition."""

    def __init__(self, directory: Path, nearness: Nearness, header: dict[str, Any]) -> None:
        self._directory = directory
        self._nearness = nearness
        self._header = header

    @classmethod
    def create(cls, directory: Path, nearness: Nearness) -> NearIndex:
        """Make an empty index; an index that is there already is replaced."""
        header = {"version": VERSION, "nearness": asdict(nearness), "texts": 0, "runs": []}
        header["bytes"] = dict.fromkeys(GROWING, 0)
        with whole_directory(directory) as partial:
            for name in GROWING:
                (partial / name).touch()
            np.empty(0, dtype=np.int64).tofile(partial / "labels-0")
            write_json(partial / HEADER, header)
        return cls(directory, nearness, header)

    @classmethod
    def open(cls, directory: Path, nearness: Nearness) -> NearIndex:
        """Open an index that was made with the same parameters.

        Raises:
            UserError: if there is none, it is of another version or other parameters, or a file is cut short.
        """
        if not (directory / HEADER).exists():
            raise _refusal(f"{directory} holds no index", "create one by adding the texts seen so far")
        header = read_json(directory / HEADER)
        if header["version"] != VERSION:
            raise _refusal(f"the index {directory} is of version {header['version']}, this is {VERSION}", _REBUILD)
        if header["nearness"] != asdict(nearness):
            raise _refusal(
                f"the index {directory} was made with {header['nearness']}, not {asdict(nearness)}", _REBUILD
            )
        index = cls(directory, nearness, header)
        index._require_whole()
        return index

    @property
    def texts(self) -> int:
        """How many have been added."""
        return int(self._header["texts"])

    def kept(self) -> NDArray[np.bool_]:
        """[texts]: whether each is the first of its set."""
        labels = self._labels()
        first: NDArray[np.bool_] = labels == np.arange(len(labels))
        return first

    def add(self, batches: Iterable[Texts], *, threads: int = 1) -> Added:
        """Number these texts after those of the index, and say which of them nothing before is near to.

        Raises:
            UserError: if somebody else has added to the index since it was opened.
        """
        with locked(self._directory / ".lock"):
            if read_json(self._directory / HEADER) != self._header:
                raise _refusal(f"{self._directory} has been added to since it was opened", "open it again, then add")
            return self._add(batches, threads)

    def _add(self, batches: Iterable[Texts], threads: int) -> Added:
        self._cut_off()
        before = self.texts
        keys = self._append(batches, threads)
        sketches = self._sketches()
        labels = np.concatenate([self._labels(), np.arange(before, len(sketches.streams))])
        components = Components.of(labels)
        first = self._join_equal(sketches, components, before)
        keys = keys[:, first - before]
        search = Search(sketches, self._nearness, components, threads, before)
        search.run(lambda band: self._buckets(band, keys[band], first))
        joined = components.labels()
        self._commit(np.vstack([keys, sketches.streams[first][None]]), first, joined)
        numbers = np.arange(before)
        withdrawn = np.flatnonzero((labels[:before] == numbers) & (joined[:before] != numbers))
        return Added(joined[before:] == np.arange(before, len(joined)), withdrawn)

    def check(self) -> None:
        """Compare every file with the checksum from when it was written.

        Raises:
            UserError: if one differs.
        """
        for run in self._header["runs"]:
            for name, (start, end, wanted) in run["files"].items():
                if _checksum(self._directory / name, start, end) != wanted:
                    raise _refusal(f"{self._directory / name} is not what was written", _REBUILD)

    def _append(self, batches: Iterable[Texts], threads: int) -> Hashes:
        """Append what is known of new texts to the growing files; their band keys [bands, new texts]."""
        keys: list[Hashes] = [np.empty((self._nearness.banding.bands, 0), dtype=np.uint64)]
        last = self._header["bytes"]["shingles"] // 8
        with (
            (self._directory / "shingles").open("ab") as shingle_file,
            (self._directory / "streams").open("ab") as stream_file,
            (self._directory / "ends").open("ab") as end_file,
        ):
            for shingles, sizes, streams, of_texts in in_order(sketcher(self._nearness), batches, threads):
                shingles.tofile(shingle_file)
                streams.tofile(stream_file)
                (last + np.cumsum(sizes)).tofile(end_file)
                last += len(shingles)
                keys.append(of_texts)
            for file in (shingle_file, stream_file, end_file):
                file.flush()
                os.fsync(file.fileno())
        return np.concatenate(keys, axis=1)

    def _sketches(self) -> Sketches:
        ends = np.fromfile(self._directory / "ends", dtype=np.int64)
        streams = np.fromfile(self._directory / "streams", dtype=np.uint64)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), ends])
        return Sketches(mapped(self._directory / "shingles"), starts, streams, self._no_keys)

    def _no_keys(self, band: int) -> Hashes:
        raise AssertionError(f"band {band}: an index looks keys up in its runs")

    def _join_equal(self, sketches: Sketches, components: Components, before: int) -> Places:
        """Join new texts with equal ones; return those that are the first with their words."""
        new = before + np.flatnonzero(sketches.sizes[before:])
        members, starts = self._buckets(self._nearness.banding.bands, sketches.streams[new], new)
        components.join_all(np.repeat(members[starts[:-1]], np.diff(starts)), members)
        later = np.ones(len(members), dtype=bool)
        later[starts[:-1]] = False
        return np.setdiff1d(new, members[later])

    def _buckets(self, band: int, keys: Hashes, members: Places) -> Buckets:
        """Buckets of new texts and of those from before that have the same key; the earliest text comes first."""
        all_keys, all_members = [keys], [members]
        wanted = np.unique(keys)
        for run in range(len(self._header["runs"])):
            old_keys, old_members = self._run(run, band)
            # Few are wanted of many, and fewer are there: look each up rather than read all.
            starts = np.searchsorted(old_keys, wanted)
            there = old_keys[np.minimum(starts, len(old_keys) - 1)] == wanted if len(old_keys) else starts > 0
            starts = starts[there]
            counts = np.searchsorted(old_keys, wanted[there], side="right") - starts
            places = np.repeat(starts - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
            all_keys.append(old_keys[places])
            all_members.append(old_members[places].astype(np.int64))
        order = np.argsort(joined := np.concatenate(all_members))
        return buckets_of(np.concatenate(all_keys)[order], joined[order], stable=True)

    def _run(self, run: int, band: int) -> tuple[Hashes, NDArray[np.uint32]]:
        """Keys of one band, ascending, and the text of each; the band after the last has the streams."""
        length = self._header["runs"][run]["first"]
        keys = mapped(self._directory / f"keys-{run}")[band * length : (band + 1) * length]
        texts = mapped(self._directory / f"texts-{run}").view(np.uint32)[band * length : (band + 1) * length]
        return keys, texts

    def _commit(self, keys: Hashes, first: Places, labels: Places) -> None:
        """Write run and labels of an addition, and then the header that makes them count."""
        run = len(self._header["runs"])
        order = np.argsort(keys, axis=1, kind="stable")
        texts = first.astype(np.uint32)[order]
        # An odd number of 32-bit numbers is padded: files are mapped as 64-bit ones.
        padding = np.zeros(texts.size % 2, dtype=np.uint32)
        written = {
            f"keys-{run}": np.take_along_axis(keys, order, axis=1).tobytes(),
            f"texts-{run}": texts.tobytes() + padding.tobytes(),
            f"labels-{run + 1}": labels.tobytes(),
        }
        for name, content in written.items():
            _write_durably(self._directory / name, content)
        sizes = {name: (self._directory / name).stat().st_size for name in GROWING}
        parts = {name: (self._header["bytes"][name], sizes[name]) for name in GROWING}
        parts |= {name: (0, len(content)) for name, content in written.items() if not name.startswith("labels")}
        files = {name: [*part, _checksum(self._directory / name, *part)] for name, part in parts.items()}
        runs = [*self._header["runs"], {"first": len(first), "files": files}]
        self._header = {**self._header, "texts": len(labels), "bytes": sizes, "runs": runs}
        self._header["labels"] = _checksum(self._directory / f"labels-{run + 1}", 0, labels.nbytes)
        write_json(self._directory / HEADER, self._header)
        (self._directory / f"labels-{run}").unlink(missing_ok=True)

    def _labels(self) -> Places:
        return np.fromfile(self._directory / f"labels-{len(self._header['runs'])}", dtype=np.int64)

    def _cut_off(self) -> None:
        """Shorten growing files to what the header counts."""
        for name, size in self._header["bytes"].items():
            os.truncate(self._directory / name, size)

    def _require_whole(self) -> None:
        labels = self._directory / f"labels-{len(self._header['runs'])}"
        if not labels.exists() or labels.stat().st_size != 8 * self.texts:
            raise _refusal(f"{labels} does not have the labels of {self.texts:,} texts", _REBUILD)
        if "labels" in self._header and _checksum(labels, 0, 8 * self.texts) != self._header["labels"]:
            raise _refusal(f"{labels} is not what was written", _REBUILD)
        for run in self._header["runs"]:
            for name, (_, end, _) in run["files"].items():
                path = self._directory / name
                if not path.exists() or path.stat().st_size < end:
                    raise _refusal(f"{path} is cut short: {end:,} bytes were written", _REBUILD)


_REBUILD = "delete the directory and add all texts again, in the order they came"


def _refusal(what: str, fix: str) -> UserError:
    return UserError(what, why="near-duplicates of texts it holds would be kept, or others taken for them", fix=fix)


def _checksum(path: Path, start: int, end: int) -> str:
    """SHA-256 of bytes start … end of a file."""
    digest = sha256()
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (block := file.read(min(_CHECK_BYTES, end - start))):
            digest.update(block)
            start += len(block)
    return digest.hexdigest()


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())

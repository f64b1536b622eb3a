"""The files of an index, and what makes an addition to them count.

    index.json      how much of all that follows counts; replaced last and in one step
    shingles        of all texts [shingles]                                                  these four
    starts          where each text's begin among them [texts + 1]                           grow at
    parents         of each text, a text of its set that came before, or itself [texts]      their end
    joins           sets joined later: their first text, that of the set they are in now     only
    keys-7 texts-7  a sorted run (index_runs.py)

What a killed addition leaves behind is beyond what the header counts, and the next addition cuts it off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, to_disk, whole_directory, write_json
from acclimate.core.locks import locked
from acclimate.data.similarity.index_runs import Run
from acclimate.data.similarity.sketches import Nearness

if TYPE_CHECKING:
    from numpy.typing import NDArray

VERSION = 3
HEADER = "index.json"
GROWING = ("shingles", "starts", "parents", "joins")
_CHECK_BYTES = 1 << 22
_REBUILD = "delete the directory and add all texts again, in the order they came"


class IndexFiles:
    """A directory and its header as it was read or written last."""

    def __init__(self, directory: Path, header: dict[str, Any]) -> None:
        self.directory = directory
        self._header = header

    @classmethod
    def create(cls, directory: Path, nearness: Nearness) -> IndexFiles:
        """Make an empty index; one that is there already is replaced."""
        header = {"version": VERSION, "nearness": asdict(nearness), "texts": 0, "runs": [], "next_run": 0, "parts": []}
        with whole_directory(directory) as partial:
            for name in GROWING:
                (partial / name).touch()
            np.zeros(1, dtype=np.int64).tofile(partial / "starts")
            header["bytes"] = {name: (partial / name).stat().st_size for name in GROWING}
            write_json(partial / HEADER, header)
        return cls(directory, header)

    @classmethod
    def open(cls, directory: Path, nearness: Nearness) -> IndexFiles:
        """Read the header of an index that was made with the same parameters.

        Raises:
            UserError: if there is none, it is of another version or other parameters, or a file is cut short.
        """
        if not (directory / HEADER).exists():
            raise _refusal(f"{directory} holds no index", "create one by adding the texts seen so far")
        try:
            header = read_json(directory / HEADER)
        except ValueError:
            raise _refusal(f"{directory / HEADER} is damaged", _REBUILD) from None
        if header["version"] != VERSION:
            raise _refusal(f"the index {directory} is of version {header['version']}, this is {VERSION}", _REBUILD)
        if header["nearness"] != asdict(nearness):
            raise _refusal(
                f"the index {directory} was made with {header['nearness']}, not {asdict(nearness)}", _REBUILD
            )
        files = cls(directory, header)
        files._require_whole(nearness.banding.bands + 1)
        return files

    @property
    def texts(self) -> int:
        """How many have been added."""
        return int(self._header["texts"])

    @property
    def runs(self) -> list[Run]:
        """The sorted runs, the oldest first."""
        return [Run(**run) for run in self._header["runs"]]

    @property
    def next_run(self) -> int:
        """The smallest number that no run has had."""
        return int(self._header["next_run"])

    def counted(self, name: str) -> int:
        """How many bytes of a growing file count."""
        return int(self._header["bytes"][name])

    @contextmanager
    def adding(self) -> Iterator[None]:
        """Hold the index alone, without what a killed addition has left.

        Raises:
            UserError: if somebody else has added to it since it was opened.
        """
        with locked(self.directory / ".lock"):
            if read_json(self.directory / HEADER) != self._header:
                raise _refusal(f"{self.directory} has been added to since it was opened", "open it again, then add")
            for name in GROWING:
                os.truncate(self.directory / name, self.counted(name))
            self._delete_runs_that_do_not_count()
            yield

    def append(self, name: str, pieces: Iterable[NDArray[Any]]) -> None:
        """Write behind what counts of a growing file, durably."""
        with (self.directory / name).open("r+b") as file:
            file.seek(self.counted(name))
            for piece in pieces:
                file.write(np.ascontiguousarray(piece).data)
            file.flush()
            os.fsync(file.fileno())

    def commit(self, texts: int, runs: Sequence[Run]) -> None:
        """Make count what has been written: so many texts in all, these runs, all of the growing files."""
        sizes = {name: (self.directory / name).stat().st_size for name in GROWING}
        part = {name: [self.counted(name), sizes[name]] for name in GROWING}
        sums = {name: [*edges, _checksum(self.directory / name, *edges)] for name, edges in part.items()}
        header = {
            **self._header,
            "texts": texts,
            "bytes": sizes,
            "runs": [asdict(run) for run in runs],
            "next_run": max([self.next_run, *(run.number + 1 for run in runs)]),
            "parts": [*self._header["parts"], sums],
        }
        self._write_header(header)
        self._delete_runs_that_do_not_count()

    def _write_header(self, header: dict[str, Any]) -> None:
        """Durably: the runs that it does not name any more are deleted next."""
        partial = self.directory / f"{HEADER}.partial"
        write_json(partial, header)
        to_disk(partial)
        os.replace(partial, self.directory / HEADER)
        to_disk(self.directory)
        self._header = header

    def check(self) -> None:
        """Compare every file with the checksum from when it was written.

        Raises:
            UserError: if one differs.
        """
        for run in self.runs:
            for name, wanted in run.checksums.items():
                self._require(name, 0, (self.directory / name).stat().st_size, wanted)
        for part in self._header["parts"]:
            for name, (start, end, wanted) in part.items():
                self._require(name, start, end, wanted)

    def _require(self, name: str, start: int, end: int, wanted: str) -> None:
        if _checksum(self.directory / name, start, end) != wanted:
            raise _refusal(f"{self.directory / name} is not what was written", _REBUILD)

    def _require_whole(self, bands: int) -> None:
        sizes: Mapping[str, int] = dict(self._header["bytes"])
        for run in self.runs:
            keys, texts = run.checksums
            sizes = {**sizes, keys: 8 * bands * run.texts, texts: 4 * bands * run.texts}
        for name, size in sizes.items():
            path = self.directory / name
            if not path.exists() or path.stat().st_size < size:
                raise _refusal(f"{path} is cut short: {size:,} bytes were written", _REBUILD)

    def _delete_runs_that_do_not_count(self) -> None:
        counting = {name for run in self.runs for name in run.checksums}
        for kind in ("keys", "texts"):
            for path in self.directory.glob(f"{kind}-*"):
                if path.name not in counting:
                    path.unlink()


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

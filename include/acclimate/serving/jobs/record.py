"""A job on the disk: what is asked, and the answers so far. A kill leaves every file whole or absent.

    .acclimate/endpoint/jobs/5f0c…/job.json      {"id": "5f0c…", "key": "7f3a91c2", "created": "…", "expires": "…",
                                                  "requests": [{"question": "What does numpy.argsort do?"}, …]}
    .acclimate/endpoint/jobs/5f0c…/0000.json     {"outcomes": [{"text": …, "version": "3"}, {"error": …}]}
    .acclimate/endpoint/jobs/5f0c…/tries.json    {"chunk": 1, "tries": 2}

Requests are answered some at a time (a chunk), always the same ones together, so that a job that was interrupted gets
the answers that it would have had.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from acclimate.serving.batching import BACKGROUND_REQUESTS
from acclimate.serving.plain import Answer, Ask

CHUNK = BACKGROUND_REQUESTS


class Failure(BaseModel):
    """Why a request of a job has no answer."""

    error: str
    """For people."""
    reason: str
    """For programs, in one word."""


class Outcomes(BaseModel):
    """What became of some requests, in their order."""

    outcomes: list[Answer | Failure]


class Submitted(BaseModel):
    """What was submitted, by whom."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str
    key: str | None
    """Id of the API key; None: nobody's, from this machine."""
    created: datetime
    expires: datetime
    requests: list[Ask]


@dataclass
class Job:
    """What is in memory of a job.

    What waits for the disk (add, note_try, forget_try) is for other threads than the one that answers requests: a disk
    that is busy makes an fsync last seconds.
    """

    folder: Path
    key: str | None
    created: datetime
    expires: datetime
    requests: int
    chunks_done: int
    _writing: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)
    _removed: bool = False

    @property
    def id(self) -> str:
        """Nobody can guess it."""
        return self.folder.name

    @property
    def done(self) -> int:
        """How many requests are dealt with."""
        return min(self.requests, self.chunks_done * CHUNK)

    @property
    def finished(self) -> bool:
        """Whether all are."""
        return self.done == self.requests

    def asked(self) -> list[Ask]:
        """Its requests."""
        return _submitted(self.folder).requests

    def outcomes(self) -> list[Answer | Failure]:
        """What became of its requests so far."""
        texts = [_chunk(self.folder, chunk).read_bytes() for chunk in range(self.chunks_done)]
        return [one for text in texts for one in Outcomes.model_validate_json(text).outcomes]

    def add(self, outcomes: list[Answer | Failure]) -> None:
        """Keep what became of the next chunk."""
        with self._writing:
            if self._removed:
                return
            _write(_chunk(self.folder, self.chunks_done), Outcomes(outcomes=outcomes).model_dump_json())
            self.chunks_done += 1

    def tries(self) -> int:
        """How often the next chunk was begun and not ended."""
        path = self.folder / "tries.json"
        before = json.loads(path.read_text(encoding="ascii")) if path.exists() else {"chunk": -1, "tries": 0}
        return int(before["tries"]) if before["chunk"] == self.chunks_done else 0

    def note_try(self) -> None:
        """Count, on the disk, that the next chunk is being answered."""
        with self._writing:
            if not self._removed:
                _write(self.folder / "tries.json", json.dumps({"chunk": self.chunks_done, "tries": self.tries() + 1}))

    def forget_try(self) -> None:
        """The try was given up in good order, and says nothing of the requests."""
        with self._writing:
            (self.folder / "tries.json").unlink(missing_ok=True)

    def remove(self) -> None:
        """Leave nothing of it on the disk, whatever is on its way there."""
        with self._writing:
            self._removed = True
            shutil.rmtree(self.folder, ignore_errors=True)


def create(folder: Path, submitted: Submitted) -> Job:
    """Put a job on the disk; it is there, whatever happens, when this returns."""
    path = folder / submitted.id
    path.mkdir(mode=0o700, parents=True)
    _write(path / "job.json", submitted.model_dump_json(exclude_defaults=True))
    return _job(path, submitted)


def found(folder: Path) -> dict[str, Job]:
    """The jobs on the disk, oldest first; what a kill left of one that nobody was told of is removed."""
    jobs = []
    for path in folder.iterdir() if folder.exists() else ():
        try:
            jobs.append(_job(path, _submitted(path)))
        except (FileNotFoundError, ValidationError):
            shutil.rmtree(path, ignore_errors=True)
    return {job.id: job for job in sorted(jobs, key=lambda job: (job.created, job.id))}


def _job(path: Path, submitted: Submitted) -> Job:
    chunks = 0
    while _chunk(path, chunks).exists():
        chunks += 1
    return Job(path, submitted.key, submitted.created, submitted.expires, len(submitted.requests), chunks)


def _submitted(path: Path) -> Submitted:
    return Submitted.model_validate_json((path / "job.json").read_bytes())


def _chunk(path: Path, number: int) -> Path:
    return path / f"{number:04}.json"


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "w", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)

"""The answers a canary has counted: put on file as they are given, and counted again after a restart.

    .acclimate/endpoint/canary/v4-9f2c61a0.jsonl
    {"request": "…", "step": 1, "role": "challenger", "user": "b1946ac9", "error": false, "seconds": 0.412}
    {"complaint": "…"}

A line is written with one call before it is counted: after kill -9 at any moment the file holds every answer that was.
What counts is the model that was chosen, whoever answered in the end: an error of the challenger is one although the
champion stepped in.
"""

from __future__ import annotations

import json
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from acclimate.serving.canary.betting import Tally
from acclimate.serving.canary.decision import METRICS
from acclimate.serving.places import append
from acclimate.serving.state import Role

REMEMBERED = 100_000
"""Answers of a step that can still be complained about: the newest."""


@dataclass(frozen=True)
class Answer:
    """One request that the canary gave to a model, when it is finished."""

    request: str
    step: int
    """In which the model was chosen, −1 before the first: the chance of being chosen was that step's."""
    role: Role
    user: str
    """Who asked, as a hash."""
    error: bool
    """The model failed: the client had an error, or the other model stepped in."""
    seconds: float
    """Until the client had the whole answer, or hung up."""


class Answers:
    """What was counted in the current step of a canary, and how many answers there were in all."""

    def __init__(self, path: Path, *, per_user: int) -> None:
        """Nothing is counted yet: `enter` says which step.

        Args:
            path: of the canary's file of answers; it need not exist.
            per_user: answers of one user that count in a step.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_torn_line(path)
        self.path = path
        self.per_user = per_user
        self.total = 0
        """Answers since the canary began, whether they count or not."""
        self._step, self._slow_s = -1, float("inf")
        self._clear()

    def enter(self, step: int, slow_s: float | None) -> None:
        """Count from zero: a step, or −1 for the champion's answers before the first; what is on file of it counts."""
        self._step, self._slow_s = step, float("inf") if slow_s is None else slow_s
        self._clear()
        self.total = 0
        for row in _rows(self.path):
            self._take(row)

    def add(self, answer: Answer) -> None:
        """Count an answer and put it on file."""
        row = asdict(answer)
        append(self.path, row)
        self._take(row)

    def complain(self, request: str) -> bool:
        """Count a complaint about an answer of this step; False if it does not count, or was counted."""
        if request not in self._open:
            return False
        row = {"complaint": request}
        append(self.path, row)
        self._take(row)
        return True

    def tallies(self) -> dict[str, Tally]:
        """Per metric."""
        challenger, champion = self._answers["challenger"], self._answers["champion"]
        return {
            metric: Tally(challenger, self._bad["challenger", metric], champion, self._bad["champion", metric])
            for metric in METRICS
        }

    @property
    def seconds(self) -> list[float]:
        """Of the champion's answers before the first step that were no errors; empty in a step."""
        return self._seconds

    def _clear(self) -> None:
        self._answers: Counter[Role] = Counter()
        self._bad: Counter[tuple[Role, str]] = Counter()
        self._seconds: list[float] = []
        self._of_user: Counter[str] = Counter()
        self._open: OrderedDict[str, Role] = OrderedDict()

    def _take(self, row: dict[str, Any]) -> None:
        if complaint := row.get("complaint"):
            if role := self._open.pop(complaint, None):
                self._bad[role, "complaints"] += 1
            return
        self.total += 1
        if row["step"] == self._step and self._counts(row["user"]):
            self._count(row["role"], row)

    def _counts(self, user: str) -> bool:
        self._of_user[user] += 1
        return self._of_user[user] <= self.per_user

    def _count(self, role: Role, row: dict[str, Any]) -> None:
        if self._step < 0:
            self._seconds += [] if row["error"] else [row["seconds"]]
            return
        self._answers[role] += 1
        self._bad[role, "errors"] += row["error"]
        self._bad[role, "slow"] += row["seconds"] > self._slow_s
        self._open[row["request"]] = role
        if len(self._open) > REMEMBERED:
            self._open.popitem(last=False)


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        yield from map(json.loads, lines)


def _drop_torn_line(path: Path) -> None:
    """What a power cut or a full disk left of a last line never counted; the next line must not be joined to it."""
    path.touch(mode=0o600)
    with path.open("r+b") as file:
        content = file.read()
        file.truncate(content.rfind(b"\n") + 1)

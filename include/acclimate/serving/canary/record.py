"""A canary as one file: which versions, which share, what was decided and on what grounds.

    .acclimate/endpoint/canary.json
    {"revision": 4, "key": "v4-9f2c61a0", "model": "acclimate-law", "champion": "3", "challenger": "4",
     "salt": "…", "status": "running", "step": 1, "slow_s": 0.84, "ended": [{"step": 0, "verdict": "advance", …}], …}

It moves baseline → running (step 0, 1, …) → passed or rolled_back; a person, or a failed DAG, ends it as withdrawn.
A change replaces the file, and only if it still holds what the change was made of (compare and swap under a lock): of
two that decide at once one is too late, and takes over what the other decided. Whoever is killed leaves the state
before the change or the state after it.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from acclimate.serving.canary.decision import Decision, Evidence, Rules

Status = Literal["baseline", "running", "passed", "rolled_back", "withdrawn"]


class Ended(BaseModel):
    """A step that is over."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: int
    share: float
    verdict: Literal["advance", "roll_back", "withdraw"]
    reason: str
    evidence: tuple[Evidence, ...]
    requests: int
    """Answers since the canary began; the last of them decided."""
    deciding_request: str | None
    """Its id; None where a person decided, or a service that was killed before it could and counted again."""
    when: str
    """UTC, ISO 8601."""


class Canary(BaseModel):
    """The state of one canary."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    revision: int = 1
    key: str
    """Names the canary and its file of answers."""
    model: str
    champion: str
    """Version; of what the challenger is compared with."""
    challenger: str
    salt: str
    """Of the split, hex: another canary, another choice of users."""
    rules: Rules
    status: Status = "baseline"
    step: int = 0
    slow_s: float | None = None
    """Seconds from which on an answer is slow: known once the baseline is."""
    ended: tuple[Ended, ...] = ()
    began: str
    step_began: str
    settled: bool = False
    """Whether the registry says what came of it."""

    @property
    def share(self) -> float:
        """Of requests, that the challenger is to be asked now."""
        if self.status == "passed":
            return 1.0
        return self.rules.shares[self.step] if self.status == "running" else 0.0

    @property
    def over(self) -> bool:
        """Whether nothing more will be decided."""
        return self.status in ("passed", "rolled_back", "withdrawn")

    def headline(self) -> str:
        """'canary of acclimate-law 4 against 3: running at 5%. at most worse by: errors +4.1%, …'."""
        what = f"canary of {self.model} {self.challenger} against {self.champion}: {self.status.replace('_', ' ')}"
        return f"{what} at {self.share:.0%}" + (f". {self.reason}" if self.reason else "")

    @property
    def reason(self) -> str:
        """Why it stands where it stands, by the last decision; '' before the first."""
        return self.ended[-1].reason if self.ended else ""

    def begun(self, slow_s: float) -> Canary:
        """The first step: what slow means is known."""
        assert self.status == "baseline"
        return self._next(status="running", slow_s=slow_s)

    def decided(self, decision: Decision, *, requests: int, deciding_request: str | None) -> Canary:
        """What a verdict that is not go_on makes of it."""
        assert self.status == "running"
        assert decision.verdict != "go_on"
        ended = self._end(decision.verdict, decision.reason, decision.evidence, requests, deciding_request)
        if decision.verdict == "roll_back":
            return self._next(status="rolled_back", ended=ended)
        if self.step + 1 == len(self.rules.shares):
            return self._next(status="passed", ended=ended)
        return self._next(step=self.step + 1, ended=ended)

    def refused(self, reason: str) -> Canary:
        """The challenger cannot be served at all: rolled back before it was asked anything more."""
        assert not self.over
        return self._next(status="rolled_back", ended=self._end("roll_back", reason, (), self.requests, None))

    def advanced(self, reason: str) -> Canary:
        """A person takes it a step further."""
        assert self.status == "running"
        ended = self._end("advance", reason, (), self.requests, None)
        last = self.step + 1 == len(self.rules.shares)
        return self._next(status="passed", ended=ended) if last else self._next(step=self.step + 1, ended=ended)

    def withdrawn(self, reason: str) -> Canary:
        """All requests to the champion again, and no verdict on the challenger."""
        return self._next(status="withdrawn", ended=self._end("withdraw", reason, (), self.requests, None))

    def with_settled(self) -> Canary:
        """The registry says the same."""
        assert self.over
        return self._next(settled=True, step_began=self.step_began)

    @property
    def requests(self) -> int:
        """Answers until the last decision."""
        return self.ended[-1].requests if self.ended else 0

    def _end(
        self,
        verdict: Literal["advance", "roll_back", "withdraw"],
        reason: str,
        evidence: tuple[Evidence, ...],
        requests: int,
        deciding_request: str | None,
    ) -> tuple[Ended, ...]:
        ended = Ended(
            step=self.step,
            share=self.share,
            verdict=verdict,
            reason=reason,
            evidence=evidence,
            requests=requests,
            deciding_request=deciding_request,
            when=now(),
        )
        return (*self.ended, ended)

    def _next(self, **changes: Any) -> Canary:
        return self.model_copy(update={"step_began": now(), **changes, "revision": self.revision + 1})


def now() -> str:
    """UTC, ISO 8601 to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def read(path: Path) -> Canary | None:
    """The canary in the file, or None if there has been none."""
    try:
        return Canary.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def replace(path: Path, seen: Canary | None, new: Canary) -> bool:
    """Write `new` if the file still holds `seen`; False if somebody else was faster, and nothing is written.

    The new state is on the disk when this returns True: a loss of power does not undo a rollback.
    """
    with _alone(path):
        if read(path) != seen:
            return False
        partial = path.with_name(f".{path.name}.partial")
        with partial.open("w", encoding="utf-8") as file:
            file.write(new.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    return True


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One writer at a time; the kernel frees the lock when its holder dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

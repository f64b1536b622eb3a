"""The canary's referee, inside the service: gives requests to a model, counts what comes of them, and decides.

    draw = referee.ask("ada", "5f0c…", versions)     # its role is 'challenger' for a share of users, always the same
    referee.finished(draw, "5f0c…", error=False, seconds=0.41)

The decision is taken at the request that decides, in the process that routes: the next request that arrives is given
its model by the new state. The state file is written first, so that a killed process finds its decision again; one
that was killed before finds the answers on file and decides again.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.serving.canary.answers import Answer, Answers
from acclimate.serving.canary.decision import decide, verdict_of
from acclimate.serving.canary.record import Canary, read, replace
from acclimate.serving.routing import choose
from acclimate.serving.state import Role

if TYPE_CHECKING:
    from acclimate.serving.roster import Roster

POLL_SECONDS = 0.2
"""Between two looks at the state file: what a person decides takes effect within this time."""

logger = logging.getLogger("acclimate.endpoint")


@dataclass(frozen=True)
class Draw:
    """A request that the canary gave to a model: what has to be known of it when it is finished."""

    canary: str
    step: int
    role: Role
    user: str


class Referee:
    """Everything happens on the event loop, one request at a time."""

    def __init__(self, path: Path | None) -> None:
        """Take up what `path` says; there may be no canary, and there is none where nobody keeps its state."""
        self._path = path
        self._stamp: object = None
        self.canary: Canary | None = None
        self._answers: Answers | None = None
        self.look()

    @property
    def share(self) -> float:
        """Of the users, that the challenger is to answer."""
        return self.canary.share if self.canary else 0.0

    async def follow(self, roster: Roster) -> None:
        """Keep in line with what others write, and with what can be loaded, until cancelled."""
        while True:
            self.look()
            for packaged, reason in roster.refused.items():
                self._refuse(packaged.version, reason)
            await asyncio.sleep(POLL_SECONDS)

    def look(self) -> None:
        """Take in what somebody else wrote: a start, an advance or a stop by a person, another process's decision."""
        stamp = _stamp(self._path)
        if self._path is None or stamp == self._stamp:
            return
        self._stamp = stamp
        with self._or_without():
            self._adopt(read(self._path))
            self._decide(None)

    def ask(self, user: str | None, request: str, versions: Mapping[Role, str]) -> Draw | None:
        """Who is to answer a request, and what will be said of it; None where there is no canary to count for.

        One user is always answered by the same model while the share does not change; where nobody says who asks,
        every request is a user of its own.

        Args:
            user: whoever asks, in any form that stays the same.
            request: its id.
            versions: who can answer; the canary is of two that both can.
        """
        canary = self.canary
        if canary is None or canary.status in ("rolled_back", "withdrawn"):
            return None
        if versions != {"champion": canary.champion, "challenger": canary.challenger}:
            return None
        who = user or request
        role = choose(who, salt=canary.salt, share=canary.share)
        return Draw(canary.key, -1 if canary.status == "baseline" else canary.step, role, _pseudonym(who, canary.salt))

    def finished(self, draw: Draw, request: str, *, error: bool, seconds: float) -> None:
        """Count what came of a request, and decide if it is enough."""
        if self._answers is not None and self.canary is not None and draw.canary == self.canary.key:
            with self._or_without():
                self._answers.add(Answer(request, draw.step, draw.role, draw.user, error, round(seconds, 4)))
                self._decide(request)

    def complained(self, request: str) -> bool:
        """Count a complaint about an answer; False if it is about none of the present step."""
        counted = False
        if self._answers is not None:
            with self._or_without():
                counted = self._answers.complain(request)
                self._decide(request if counted else None)
        return counted

    def told(self) -> dict[str, Any] | None:
        """The state of the canary, how often it was asked, and what is known of the present step; not its salt."""
        canary, answers = self.canary, self._answers
        if canary is None:
            return None
        present: list[dict[str, Any]] = []
        if answers is not None and canary.status == "running":
            present = decide(answers.tallies(), share=canary.share, rules=canary.rules).model_dump(mode="json")[
                "evidence"
            ]
        return {
            "headline": canary.headline(),
            "share": canary.share,
            "requests": answers.total if answers is not None else canary.requests,
            "present": present,
            **canary.model_dump(mode="json", exclude={"salt"}),
        }

    def _refuse(self, version: str, reason: str) -> None:
        """The challenger's package cannot be loaded: that is the end of its canary."""
        canary = self.canary
        if canary is not None and not canary.over and canary.challenger == version:
            with self._or_without():
                self._move(canary.refused(f"version {version} cannot be served: {reason}"))

    @contextmanager
    def _or_without(self) -> Iterator[None]:
        """What cannot be read or written must not cost a user the answer: the champion answers all until it can."""
        try:
            yield
        except (OSError, ValueError):
            logger.exception("the canary is suspended: its state cannot be kept")
            self.canary = self._answers = self._stamp = None

    def _decide(self, request: str | None) -> None:
        canary, answers = self.canary, self._answers
        if canary is None or answers is None:
            return
        if canary.status == "baseline":
            if len(answers.seconds) >= canary.rules.baseline_requests:
                self._move(canary.begun(quantile(answers.seconds, canary.rules.slow_quantile)))
            return
        tallies = answers.tallies()
        if verdict_of(tallies, share=canary.share, rules=canary.rules)[0] != "go_on":
            decision = decide(tallies, share=canary.share, rules=canary.rules)
            self._move(canary.decided(decision, requests=answers.total, deciding_request=request))

    def _move(self, new: Canary) -> None:
        """Write the new state and follow it; if somebody was faster, follow theirs."""
        assert self._path is not None
        if replace(self._path, self.canary, new):
            self._stamp = _stamp(self._path)
            self._adopt(new)
        else:
            self.look()

    def _adopt(self, canary: Canary | None) -> None:
        before, self.canary = self.canary, canary
        if canary is None or canary.over:
            self._answers = None
        else:
            if self._answers is None or before is None or before.key != canary.key:
                assert self._path is not None
                path = answers_file(self._path, canary.key)
                self._answers = Answers(path, per_user=canary.rules.answers_per_user)
            self._answers.enter(-1 if canary.status == "baseline" else canary.step, canary.slow_s)
        if canary is not None:
            logger.info("canary %s: %s, share %g. %s", canary.key, canary.status, canary.share, canary.reason)


def _pseudonym(user: str, salt: str) -> str:
    """What stands for a user on file: it says nothing to whoever reads it without the salt."""
    content, key = user.encode(errors="surrogatepass"), bytes.fromhex(salt)
    return hashlib.blake2b(content, key=key, person=b"on file", digest_size=8).hexdigest()


def answers_file(canary: Path, key: str) -> Path:
    """Where the answers of a canary are kept."""
    return canary.with_name("canary") / f"{key}.jsonl"


def quantile(values: list[float], share: float) -> float:
    """The smallest value that at least `share` (0–1) of the values do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


def _stamp(path: Path | None) -> tuple[int, int] | None:
    """What changes when the file is replaced; None if there is none."""
    try:
        status = path.stat() if path else None
    except FileNotFoundError:
        return None
    if status is None:
        return None
    return status.st_ino, status.st_mtime_ns

"""How much one key may ask: requests per minute, tokens per day."""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from acclimate.serving.places import Places

DAY_SECONDS = 86_400


@dataclass
class Limits:
    """What each key has used; ids are of keys."""

    used: dict[str, int] = field(default_factory=dict)
    """Tokens of today (UTC), read and written."""
    _day: int = 0
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Requests left, and when that was (seconds): refilled evenly, a minute's worth at most (token bucket)."""

    def admit(self, key: str, *, per_minute: int | None, per_day: int | None, now: float | None = None) -> int | None:
        """Count a request; None if it is within the limits, else seconds until it would be.

        Args:
            key: its id.
            per_minute: requests; None: as many as it likes.
            per_day: tokens; the request during which they run out is the last.
            now: seconds since 1970.
        """
        now = time.time() if now is None else now
        if per_day is not None and self._today(key, now) >= per_day:
            return math.ceil(DAY_SECONDS - now % DAY_SECONDS)
        if per_minute is None:
            return None
        left, since = self._buckets.get(key, (float(per_minute), now))
        left = min(float(per_minute), left + (now - since) * per_minute / 60)
        if left < 1:
            self._buckets[key] = (left, now)
            return math.ceil((1 - left) * 60 / per_minute)
        self._buckets[key] = (left - 1, now)
        return None

    def spend(self, key: str, tokens: int, now: float | None = None) -> None:
        """Count the tokens of a request that is over."""
        self._today(key, time.time() if now is None else now)
        self.used[key] = self.used.get(key, 0) + tokens

    def _today(self, key: str, now: float) -> int:
        day = int(now // DAY_SECONDS)
        if day != self._day:
            self._day = day
            self.used.clear()
        return self.used.get(key, 0)


def used_so_far(places: Places | None) -> Limits:
    """What each key has used today, as far as it was written down."""
    return Limits() if places is None else used_today(places.audit)


def used_today(audit: Path) -> Limits:
    """What each key has used today by the audit: a restart gives nobody a new quota."""
    limits, today = Limits(), datetime.now(UTC).date().isoformat()
    if not audit.exists():
        return limits
    with audit.open(encoding="utf-8") as lines:
        for line in lines:
            if f'"time": "{today}' in line and line.endswith("\n"):
                row = json.loads(line)
                if row["key"]:
                    limits.spend(row["key"], (row["prompt_tokens"] or 0) + (row["new_tokens"] or 0))
    return limits

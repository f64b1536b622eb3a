from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from acclimate.serving.limits import DAY_SECONDS, Limits, used_today


def test_a_minute_s_worth_may_come_at_once_and_then_as_it_refills() -> None:
    limits = Limits()
    assert [limits.admit("a", per_minute=2, per_day=None, now=1000.0) for _ in range(3)] == [None, None, 30]
    assert limits.admit("a", per_minute=2, per_day=None, now=1029.0) == 1
    assert limits.admit("a", per_minute=2, per_day=None, now=1030.0) is None
    assert limits.admit("b", per_minute=2, per_day=None, now=1000.0) is None, "another key has limits of its own"


@given(st.integers(1, 100), st.lists(st.floats(0, 2), min_size=1, max_size=300))
def test_never_more_than_the_rate_and_who_waits_as_told_is_let_in(per_minute: int, pauses: list[float]) -> None:
    limits, now, admitted = Limits(), 1000.0, 0
    for pause in pauses:
        now += pause
        admitted += limits.admit("a", per_minute=per_minute, per_day=None, now=now) is None
    assert admitted <= per_minute + (now - 1000) * per_minute / 60 + 1e-6
    wait = limits.admit("a", per_minute=per_minute, per_day=None, now=now)
    assert wait is None or limits.admit("a", per_minute=per_minute, per_day=None, now=now + wait) is None


def test_tokens_run_out_until_midnight() -> None:
    limits, evening = Limits(), 10 * DAY_SECONDS - 100.0
    limits.spend("a", 99, now=evening)
    assert limits.admit("a", per_minute=None, per_day=100, now=evening) is None
    limits.spend("a", 5, now=evening)
    assert limits.admit("a", per_minute=None, per_day=100, now=evening) == 100
    assert limits.admit("a", per_minute=None, per_day=100, now=evening + 100) is None


def test_a_restart_gives_nobody_a_new_quota(tmp_path: Path) -> None:
    today = datetime.now(UTC)
    rows = [
        (today, "a", 5, 7),
        (today - timedelta(days=1), "a", 100, 100),
        (today, None, 50, 50),
        (today, "a", 4, None),
    ]
    lines = [
        json.dumps({"time": at.isoformat(), "key": key, "prompt_tokens": read, "new_tokens": written})
        for at, key, read, written in rows
    ]
    (tmp_path / "audit.jsonl").write_text("\n".join(lines) + '\n{"time": "' + today.date().isoformat())
    assert used_today(tmp_path / "audit.jsonl").used == {"a": 16}

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import read_jsonl
from acclimate.serving.access import Access
from acclimate.serving.places import Places

SCOPE = {"type": "http", "method": "POST", "path": "/api/v1/generate", "headers": [], "client": ("127.0.0.1", 1)}


async def in_two_parts(scope: Any, receive: Any, send: Any) -> None:
    scope["acclimate"].new_tokens = 7
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"a", "more_body": True})
    await send({"type": "http.response.body", "body": b"b"})


def test_whoever_holds_a_whole_answer_finds_it_in_both_logs_once(tmp_path: Path) -> None:
    places, lines = Places(tmp_path), []

    async def _send(message: Any) -> None:
        lines.append([len(read_jsonl(log)) if log.exists() else 0 for log in (places.access, places.audit)])

    asyncio.run(Access(in_two_parts, places)(SCOPE, None, _send))
    assert lines == [[0, 0], [0, 0], [1, 1]]
    assert [row["new_tokens"] for row in read_jsonl(places.access)] == [7]


def test_a_log_that_cannot_be_written_costs_nobody_an_answer(tmp_path: Path) -> None:
    places, sent = Places(tmp_path / "missing"), []

    async def _send(message: Any) -> None:
        sent.append(message["type"])

    with pytest.raises(FileNotFoundError):
        asyncio.run(Access(in_two_parts, places)(SCOPE, None, _send))
    assert sent == ["http.response.start", "http.response.body", "http.response.body"]

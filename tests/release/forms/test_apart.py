from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.release.forms.apart import Failed, apart

PROGRAM = """
import os, sys
from acclimate.core.errors import UserError
from acclimate.release.forms.apart import answer

def work(how):
    print("a library prints what it likes")
    if how == "abort":
        print("GGML_ASSERT(n > 0) failed", file=sys.stderr)
        os.abort()
    if how == "crash":
        raise ValueError("no such tensor")
    if how == "refuse":
        raise UserError("the model is of wax", why="it melts", fix="use another")
    return {"how": how}

raise SystemExit(answer(work))
"""


@pytest.fixture(autouse=True)
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program_of_this_test.py").write_text(PROGRAM, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_what_it_answers_comes_back() -> None:
    assert apart("program_of_this_test", {"how": "well"}) == {"how": "well"}


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("abort", "ended by SIGABRT: GGML_ASSERT(n > 0) failed"),
        ("crash", "ValueError: no such tensor"),
        ("refuse", "the model is of wax: it melts; use another"),
    ],
)
def test_however_it_ends_there_is_a_reason_and_this_process_goes_on(how: str, reason: str) -> None:
    assert apart("program_of_this_test", {"how": how}) == Failed(reason)

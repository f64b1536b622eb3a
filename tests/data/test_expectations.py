import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd  # type: ignore[import-untyped]
import pytest

from acclimate.data import expectations

_PROGRAM = """
import sys
from pathlib import Path
import pandas as pd
from great_expectations import expectations as gxe
from acclimate.data import expectations
context = expectations.open_context(Path(sys.argv[1]))
suite = [gxe.ExpectColumnValueLengthsToBeBetween(column="text", min_value=9)]
expectations.check(context, "records", suite, pd.DataFrame({"text": ["short", "long enough"]}))
expectations.write_data_docs(context, Path(sys.argv[1]))
assert "pyspark" not in sys.modules
"""


def _pages(folder: Path) -> dict[str, str]:
    return {str(page.relative_to(folder)): page.read_text() for page in sorted(folder.rglob("*.html"))}


def _lengths() -> list[Any]:
    from great_expectations import expectations as gxe

    return [gxe.ExpectColumnValueLengthsToBeBetween(column="text", min_value=40)]


def test_markup_in_a_failing_value_is_text_in_the_data_docs(tmp_path: Path) -> None:
    context = expectations.open_context(tmp_path)
    expectations.check(context, "records", _lengths(), pd.DataFrame({"text": ["<script>alert(1)</script>"]}))
    expectations.write_data_docs(context, tmp_path)
    shown = [page for page in _pages(tmp_path).values() if "alert(1)" in page]
    assert shown
    assert not any("<script>alert(1)" in page for page in shown)
    assert all("&lt;script&gt;alert(1)" in page for page in shown)


def test_a_failing_value_is_shown_by_its_beginning(tmp_path: Path) -> None:
    from great_expectations import expectations as gxe

    context = expectations.open_context(tmp_path)
    suite = [gxe.ExpectColumnValueLengthsToBeBetween(column="text", max_value=40)]
    expectations.check(context, "records", suite, pd.DataFrame({"text": ["x" * 500]}))
    expectations.write_data_docs(context, tmp_path)
    longest = max(len(run) for page in _pages(tmp_path).values() for run in re.findall("x+", page))
    assert longest == expectations.EXCERPT_CHARACTERS


def test_the_positions_of_failing_rows_are_those_of_the_frame_it_was_cut_from(tmp_path: Path) -> None:
    frame = pd.DataFrame({"text": ["long enough to pass, as it is forty and more", "no", "no"]})
    [outcome] = expectations.check(expectations.open_context(tmp_path), "records", _lengths(), frame[1:])
    assert (outcome.evaluated, outcome.failed, outcome.rows) == (2, 2, [1, 2])
    assert (outcome.name, outcome.rule) == ("expect_column_value_lengths_to_be_between(text)", "min_value 40")


def test_an_expectation_that_cannot_run_is_our_fault_not_the_datas(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="expect_column_value_lengths_to_be_between did not run"):
        expectations.check(expectations.open_context(tmp_path), "records", _lengths(), pd.DataFrame({"other": ["x"]}))


def test_data_docs_are_the_same_from_two_processes(tmp_path: Path) -> None:
    for name in ("first", "second"):
        subprocess.run([sys.executable, "-c", _PROGRAM, str(tmp_path / name)], check=True, env=dict(os.environ))
    first, second = (_pages(tmp_path / name) for name in ("first", "second"))
    assert first == second


def test_nobody_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*address: Any) -> None:
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    context = expectations.open_context(tmp_path)
    expectations.check(context, "records", _lengths(), pd.DataFrame({"text": ["short"]}))
    expectations.write_data_docs(context, tmp_path)
    assert context.variables.analytics_enabled is False

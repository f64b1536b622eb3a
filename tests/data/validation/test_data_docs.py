import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from acclimate.data.validation.checking import EXCERPT_CHARACTERS, CheckedSuite
from acclimate.data.validation.data_docs import open_context, write_data_docs


def _pages(folder: Path, *texts: str) -> dict[str, str]:
    """The Data Docs of one suite, which no text of more than forty characters passes."""
    from great_expectations import expectations as gxe

    context = open_context(folder)
    suites = [
        CheckedSuite(context, name, [gxe.ExpectColumnValueLengthsToBeBetween(column="text", max_value=40)])
        for name in ("records", "pairs")
    ]
    suites[0].check(pd.DataFrame({"text": texts}))
    write_data_docs(context, folder, suites)
    return _read(folder)


def _read(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_markup_in_a_failing_value_is_text(tmp_path: Path) -> None:
    pages = _pages(tmp_path, "<img src=x onerror=alert(1)>" + "x" * 40)
    shown = [page for page in pages.values() if "alert(1)" in page]
    assert shown
    assert all("&lt;img src=x onerror=alert(1)&gt;" in page and "<img" not in page for page in shown)


def test_a_failing_value_is_shown_by_its_beginning(tmp_path: Path) -> None:
    pages = _pages(tmp_path, "x" * 500)
    assert max(len(run) for page in pages.values() for run in re.findall("x+", page)) == EXCERPT_CHARACTERS


def test_a_page_loads_nothing_runs_nothing_and_has_a_style(tmp_path: Path) -> None:
    pages = _pages(tmp_path, "short")
    assert all(name.endswith(".html") for name in pages)
    for page in pages.values():
        assert not re.search(r"<(?:script|link|img|iframe|object)\b|\bon[a-z]+=|https?://|url\(", page)
        assert page.count("<style>") == 1


def test_links_between_the_pages_lead_to_pages(tmp_path: Path) -> None:
    for name, page in _pages(tmp_path, "short").items():
        targets = re.findall(r'href="([^"#]+)"', page)
        assert targets, name
        assert all(((tmp_path / name).parent / target).is_file() for target in targets), name


def test_the_index_says_of_every_suite_what_it_found(tmp_path: Path) -> None:
    rows = re.findall(r"<tr>.*?</tr>", _pages(tmp_path, "x" * 41, "x" * 42, "short")["index.html"])
    texts = [re.findall(r">([^<>]+)</td>", row) for row in rows]
    assert texts[1][:4] == [" records", "1", "1", "2"]
    assert texts[2][0] == "pairs: no such record"


def test_they_are_the_same_from_two_processes(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; import test_data_docs as here;"
        "here._pages(Path(sys.argv[1]), 'short', 'x' * 41); assert 'pyspark' not in sys.modules"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "theirs")], check=True, env=environment)
    assert _pages(tmp_path / "ours", "short", "x" * 41) == _read(tmp_path / "theirs")


def test_nobody_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*address: object) -> None:
        raise AssertionError(f"a connection to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    assert _pages(tmp_path, "short")
    assert open_context(tmp_path).variables.analytics_enabled is False

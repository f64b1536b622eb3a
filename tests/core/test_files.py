"""A reader never sees half a file."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import (
    read_jsonl,
    read_parquet,
    require_free_disk,
    whole_directory,
    write_json,
    write_jsonl,
    write_parquet,
)


def test_a_directory_appears_only_when_it_is_whole(tmp_path: Path) -> None:
    with whole_directory(tmp_path / "out") as partial:
        (partial / "a").write_text("new")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out/a").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_failure_leaves_the_old_directory_and_no_rubbish(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").write_text("old")
    with pytest.raises(KeyboardInterrupt):
        _interrupted_half_way(tmp_path / "out")
    assert (tmp_path / "out/a").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def _interrupted_half_way(destination: Path) -> None:
    with whole_directory(destination) as partial:
        (partial / "a").write_text("half")
        raise KeyboardInterrupt


def test_json_refuses_what_json_cannot_say_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    write_json(path, {"loss": 1.5})
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"loss": float("nan")})
    assert path.read_text() == '{\n  "loss": 1.5\n}\n'
    assert list(tmp_path.iterdir()) == [path]


def test_jsonl_keeps_rows_and_order(tmp_path: Path) -> None:
    rows = [{"text": "naïve\u2028line"}, {"text": "b"}]
    assert write_jsonl(tmp_path / "rows.jsonl", rows) == 2
    assert read_jsonl(tmp_path / "rows.jsonl") == rows


def test_equal_tables_give_equal_bytes(tmp_path: Path) -> None:
    table = pa.table({"a": ["x", None], "b": [1.0, 2.0]})
    write_parquet(tmp_path / "one", table)
    write_parquet(tmp_path / "two", table.replace_schema_metadata({"written": "later"}))
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert read_parquet(tmp_path / "one").equals(table)


def test_too_little_disk_says_how_much_and_which_dial(tmp_path: Path) -> None:
    require_free_disk(tmp_path, 1)
    with pytest.raises(UserError, match="MB needed") as fault:
        require_free_disk(tmp_path, 10**9)
    assert "common.min_free_disk_mb" in str(fault.value)

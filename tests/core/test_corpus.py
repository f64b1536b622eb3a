from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from acclimate.core import corpus
from acclimate.core.corpus import PartWriter, part_paths, read_corpus, read_parts, write_parts

SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string())])


def _rows(count: int, text: str = "four") -> list[dict[str, Any]]:
    return [{"id": str(number), "text": text} for number in range(count)]


def _write(directory: Path, rows: list[dict[str, Any]]) -> PartWriter:
    with PartWriter(directory, SCHEMA) as writer:
        for row in rows:
            writer.add(row)
    return writer


def test_what_is_written_in_parts_is_read_back_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "PART_CHARACTERS", 10)
    writer = _write(tmp_path, _rows(7))
    assert writer.records == 7
    assert [table.num_rows for table in read_parts(tmp_path)] == [3, 3, 1]
    assert read_corpus(tmp_path).to_pylist() == _rows(7)


def test_a_part_ends_at_its_number_of_records_however_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus, "PART_RECORDS", 2)
    _write(tmp_path, _rows(5, text=""))
    assert [table.num_rows for table in read_parts(tmp_path)] == [2, 2, 1]


def test_a_part_closed_early_leaves_the_earlier_parts_what_they_were(tmp_path: Path) -> None:
    for name, count in (("before", 2), ("after", 4)):
        with PartWriter(tmp_path / name, SCHEMA) as writer:
            for row in _rows(count):
                writer.add(row)
                if row["id"] == "1":
                    writer.close_part()
                    writer.close_part()
    [before] = part_paths(tmp_path / "before")
    assert before.read_bytes() == part_paths(tmp_path / "after")[0].read_bytes()


def test_an_empty_corpus_still_has_its_columns(tmp_path: Path) -> None:
    _write(tmp_path, [])
    assert read_corpus(tmp_path).schema.names == ["id", "text"]
    assert read_corpus(tmp_path).num_rows == 0


def test_tables_become_parts_one_to_one(tmp_path: Path) -> None:
    tables = [pa.Table.from_pylist(_rows(count), schema=SCHEMA) for count in (2, 0, 3)]
    assert write_parts(tmp_path, tables) == 5
    assert [table.num_rows for table in read_parts(tmp_path)] == [2, 0, 3]

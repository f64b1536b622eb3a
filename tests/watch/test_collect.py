from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.core.files import read_jsonl
from acclimate.watch.collect import Collected, collect


def line(number: int) -> str:
    return json.dumps({"version": "1", "prompt": f"prompt {number}"}) + "\n"


def add(log: Path, text: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(text)


def prompts(folder: Path) -> list[str]:
    return [row["prompt"] for row in read_jsonl(folder / "requests.jsonl")]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "requests.jsonl"


@pytest.fixture
def watch(tmp_path: Path) -> Path:
    return tmp_path / "watch"


def test_only_what_is_new_is_added(log: Path, watch: Path) -> None:
    add(log, line(1) + line(2))
    assert collect(log, watch) == Collected(2, 0)
    assert collect(log, watch) == Collected(0, 0)
    add(log, line(3))
    assert collect(log, watch) == Collected(1, 0)
    assert prompts(watch) == ["prompt 1", "prompt 2", "prompt 3"]


def test_a_line_still_being_written_waits_until_it_is_whole(log: Path, watch: Path) -> None:
    add(log, line(1) + line(2)[:10])
    assert collect(log, watch) == Collected(1, 0)
    add(log, line(2)[10:])
    assert collect(log, watch) == Collected(1, 0)
    assert prompts(watch) == ["prompt 1", "prompt 2"]


def test_a_log_that_was_rotated_is_read_from_its_beginning(log: Path, watch: Path) -> None:
    add(log, line(1) + line(2))
    collect(log, watch)
    log.rename(log.with_suffix(".1"))
    add(log, line(3))
    assert collect(log, watch) == Collected(1, 0)
    assert prompts(watch) == ["prompt 1", "prompt 2", "prompt 3"]


def test_a_log_that_was_cut_off_and_grew_longer_than_before_is_read_from_its_beginning(log: Path, watch: Path) -> None:
    add(log, line(1))
    collect(log, watch)
    log.write_text(line(7) + line(8) + line(9), encoding="utf-8")
    assert collect(log, watch) == Collected(3, 0)
    assert prompts(watch)[1:] == ["prompt 7", "prompt 8", "prompt 9"]


def test_damaged_lines_are_kept_apart_and_counted(log: Path, watch: Path) -> None:
    add(log, line(1) + "{broken\n" + "[1]\n" + '{"prompt": 3, "version": "1"}\n' + line(2))
    assert collect(log, watch) == Collected(2, 3)
    assert (watch / "rejected.jsonl").read_text().splitlines() == ["{broken", "[1]", '{"prompt": 3, "version": "1"}']


def test_no_log_yet_is_no_request(log: Path, watch: Path) -> None:
    assert collect(log, watch) == Collected(0, 0)
    add(log, line(1))
    assert collect(log, watch) == Collected(1, 0)


def test_a_collection_that_died_before_it_noted_its_position_adds_nothing_twice(log: Path, watch: Path) -> None:
    add(log, line(1))
    collect(log, watch)
    noted = (watch / "position.json").read_text()
    add(log, line(2))
    collect(log, watch)
    (watch / "position.json").write_text(noted)
    assert collect(log, watch) == Collected(1, 0)
    assert prompts(watch) == ["prompt 1", "prompt 2"]


@given(st.lists(st.integers(1, 60), max_size=12))
def test_however_the_writing_is_cut_up_every_request_arrives_once_in_order(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    text = "".join(line(number) for number in range(5))
    for piece in pieces:
        add(folder / "log", text[:piece])
        text = text[piece:]
        collect(folder / "log", folder / "watch")
    add(folder / "log", text)
    collect(folder / "log", folder / "watch")
    assert prompts(folder / "watch") == [f"prompt {number}" for number in range(5)]

"""Which files a source reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import Reading
from acclimate.core.records import Document, Reject
from acclimate.data.sources.content import Fault
from acclimate.data.sources.discover import matching_files

Read = Callable[..., tuple[list[Document], list[Reject]]]

SOURCE = Reading(name="own", domain="documents", licence="CC0-1.0")


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    for name in ("a.txt", "b/c.txt", "b/.notes.txt", ".git/d.txt", "README.md", "evaluation/x.txt"):
        path = tmp_path / "inputs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "e.txt").write_text("elsewhere")
    return tmp_path / "inputs"


def test_files_are_found_in_order_of_path_but_no_notes_and_no_evaluation_questions(inputs: Path) -> None:
    found = matching_files(SOURCE, "**/*", inputs)
    assert [path.relative_to(inputs).as_posix() for path in found if isinstance(path, Path)] == ["a.txt", "b/c.txt"]


@pytest.mark.parametrize("pattern", ["**/*", "*", "**/*.txt"])
def test_a_link_out_of_inputs_is_rejected_by_name(inputs: Path, pattern: str) -> None:
    (inputs / "z.txt").symlink_to(inputs.parent / "secret.txt")
    faults = [found for found in matching_files(SOURCE, pattern, inputs) if isinstance(found, Fault)]
    assert [(fault.where, fault.reason) for fault in faults] == [("z.txt", "symbolic link out of inputs/")]


@pytest.mark.parametrize("pattern", ["**/*.txt", "*/*.txt", "b/**/*.txt"])
def test_a_linked_folder_is_rejected_and_not_passed_over_in_silence(inputs: Path, pattern: str) -> None:
    (inputs / "b" / "z").symlink_to(inputs.parent / "elsewhere")
    (inputs / "y").symlink_to(inputs.parent / "elsewhere")
    faults = [found for found in matching_files(SOURCE, pattern, inputs) if isinstance(found, Fault)]
    assert faults
    assert {fault.reason for fault in faults} == {"symbolic link out of inputs/"}


def test_a_link_that_stays_inside_is_followed(inputs: Path) -> None:
    (inputs / "z.txt").symlink_to(inputs / "a.txt")
    assert len([path for path in matching_files(SOURCE, "**/*", inputs) if isinstance(path, Path)]) == 3


def test_links_alone_are_no_source(inputs: Path) -> None:
    (inputs / "z.csv").symlink_to(inputs.parent / "secret.txt")
    with pytest.raises(UserError, match=r"no file matches inputs/\*\.csv.*symbolic link"):
        matching_files(SOURCE, "*.csv", inputs)


def test_what_was_not_fetched_says_how_to_fetch_it(inputs: Path) -> None:
    with pytest.raises(UserError) as fault:
        matching_files(SOURCE, SOURCE.pattern, inputs)
    assert "inputs/fetched/own" in fault.value.what
    assert "acclimate fetch" in fault.value.fix


def test_a_rejected_link_is_in_the_rejects(tmp_path: Path, read: Read) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "inputs").mkdir()
    (tmp_path / "inputs" / "z.txt").symlink_to(tmp_path / "secret.txt")
    documents, [rejected] = read({"a.txt": b"Plain words."})
    assert (rejected.origin, rejected.reason) == ("inputs/z.txt", "symbolic link out of inputs/")
    assert [document.text for document in documents] == ["Plain words."]


def test_a_file_whose_name_is_not_utf8_is_one_reject_that_can_be_written(tmp_path: Path, read: Read) -> None:
    (tmp_path / "inputs").mkdir()
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "inputs") + b"/r\xe9s.txt")).write_text("Words.")
    except OSError:
        pytest.skip("this file system holds names in UTF-8 only")
    documents, [rejected] = read({"a.txt": b"Plain words."})
    assert (rejected.origin, rejected.reason) == (r"inputs/r\udce9s.txt", "name is not UTF-8")
    assert rejected.origin.encode()
    assert [document.text for document in documents] == ["Plain words."]

"""The mirror of a remote source: whole or as it was, and untouched where nothing changed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.data.remote.mirror import Item, Manifest, Place, intact, present, replace

Tree = Callable[[Place], dict[str, tuple[bytes, int, int]]]


def _fresh(tmp_path: Path, **contents: str) -> dict[str, Path]:
    paths = {name: tmp_path / f"fresh-{name}" for name in contents}
    for name, path in paths.items():
        path.write_text(contents[name])
    return paths


def _manifest(**contents: str) -> Manifest:
    return Manifest("here", {name: Item(name, text, len(text)) for name, text in contents.items()})


def test_a_mirror_is_what_its_manifest_says(tmp_path: Path, place: Place, tree: Tree) -> None:
    replace(place, _manifest(a="1", b="2"), _fresh(tmp_path, a="1", b="2"))
    replace(place, _manifest(b="2", c="3"), _fresh(tmp_path, c="3"))
    assert {name: content for name, (content, *_) in tree(place).items() if name != ".manifest.json"} == {
        "b": b"2",
        "c": b"3",
    }
    assert present(place) == _manifest(b="2", c="3")


def test_files_that_did_not_change_keep_inode_and_time_for_dvc(tmp_path: Path, place: Place, tree: Tree) -> None:
    replace(place, _manifest(a="1"), _fresh(tmp_path, a="1"))
    before = tree(place)
    replace(place, _manifest(a="1", b="2"), _fresh(tmp_path, b="2"))
    assert tree(place)["a"] == before["a"]
    before = tree(place)
    replace(place, _manifest(a="1", b="2"), {})
    assert tree(place) == before


def test_what_somebody_else_put_there_goes(tmp_path: Path, place: Place) -> None:
    replace(place, _manifest(a="1"), _fresh(tmp_path, a="1"))
    (place.mirror / "stray.jsonl").write_text("{}")
    replace(place, _manifest(a="1"), {})
    assert sorted(path.name for path in place.mirror.iterdir()) == [".manifest.json", "a"]


def test_a_file_that_is_missing_or_cut_is_not_intact(tmp_path: Path, place: Place) -> None:
    replace(place, _manifest(a="1", b="22", c="3"), _fresh(tmp_path, a="1", b="22", c="3"))
    (place.mirror / "a").unlink()
    (place.mirror / "b").write_text("2")
    assert list(intact(place, present(place))) == ["c"]
    assert intact(place, None) == {}


@pytest.mark.parametrize("renames", [0, 1])
def test_killed_while_swapping_the_folders_the_last_state_is_there(
    tmp_path: Path, place: Place, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    replace(place, _manifest(a="1"), _fresh(tmp_path, a="1"))
    done: list[object] = []

    def killed(source: Path, target: Path) -> None:
        if len(done) == renames:
            raise KeyboardInterrupt
        done.append(shutil.move(source, target))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        patch.setattr("acclimate.data.remote.mirror.write_json", lambda path, value: path.write_text("{}"))
        with pytest.raises(KeyboardInterrupt):
            replace(place, _manifest(b="2"), _fresh(tmp_path, b="2"))
    assert present(place) == _manifest(a="1")
    replace(place, _manifest(b="2"), _fresh(tmp_path, b="2"))
    assert present(place) == _manifest(b="2")
    assert sorted(path.name for path in place.mirror.iterdir()) == [".manifest.json", "b"]

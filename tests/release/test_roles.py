from __future__ import annotations

import os
from pathlib import Path

import pytest

from acclimate.core.files import write_json
from acclimate.release.package import source_path
from acclimate.release.roles import now, places, set_challenger, set_champion, withdraw_challenger


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    return tmp_path


def bento(version: str) -> str:
    """A Bento as far as its role is concerned: a manifest."""
    tag = f"acclimate-pottery:v{version}-{version * 8}"
    write_json(source_path(tag) / "manifest.json", {"version": version, "sha256": version * 64})
    return tag


def versions() -> tuple[str | None, str | None]:
    serving = now()
    return (
        serving.champion.version if serving.champion else None,
        serving.challenger.version if serving.challenger else None,
    )


def test_champion_and_challenger_are_set_without_touching_each_other() -> None:
    set_champion(bento("1"))
    set_challenger(bento("2"))
    set_champion(bento("1"))
    assert versions() == ("1", "2")
    withdraw_challenger()
    assert versions() == ("1", None)


def test_a_challenger_that_becomes_champion_is_challenger_no_more() -> None:
    set_champion(bento("1"))
    set_challenger(bento("2"))
    set_champion(bento("2"))
    assert versions() == ("2", None)


def test_without_a_champion_it_is_said_why() -> None:
    set_champion(bento("1"))
    set_champion(None, "pottery has no champion yet")
    assert (now().champion, now().why) == (None, "pottery has no champion yet")


def test_what_has_not_changed_is_not_written_again() -> None:
    set_champion(bento("1"))
    before = os.stat(places().serving).st_mtime_ns
    set_champion(bento("1"))
    assert os.stat(places().serving).st_mtime_ns == before


def test_a_file_of_another_version_of_acclimate_is_begun_anew(home: Path) -> None:
    write_json(home / ".acclimate/endpoint/serving.json", {"alias": "champion"})
    set_champion(bento("1"))
    assert versions() == ("1", None)

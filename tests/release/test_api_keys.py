from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.release import api_keys
from acclimate.release.client import KEY
from acclimate.release.endpoint import guarded
from acclimate.release.roles import places
from acclimate.serving.keys import Key, KeyRing, draw


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The endpoint's folder in an ACCLIMATE_HOME of its own."""
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    folder = tmp_path / ".acclimate/endpoint"
    folder.mkdir(parents=True)
    return folder


def test_a_key_works_from_when_it_is_made_until_it_is_revoked_without_a_restart() -> None:
    ring = KeyRing(places())
    assert ring.find("acc_0_x") is None
    one, two = api_keys.create("one"), api_keys.create("two", scopes=("read",))
    found, other = ring.find(one), ring.find(two)
    assert found is not None
    assert other is not None
    assert (found.name, found.scopes, other.scopes) == ("one", ("generate", "read"), ("read",))
    api_keys.revoke(found.id)
    assert ring.find(one) is None
    assert ring.find(two) == other


def test_nothing_that_is_kept_is_a_key_and_only_the_owner_reads_it() -> None:
    whole = api_keys.create("one")
    secret = whole.split("_", 2)[2]
    for path in (places().keys, places().pepper):
        assert secret not in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600
    # With another pepper the file of keys says nothing of any key.
    places().pepper.write_text("0" * 64)
    assert KeyRing(places()).find(whole) is None


@pytest.mark.parametrize("change", [lambda key: key[:-1], lambda key: key + "x", lambda key: key.replace("acc_", "")])
def test_a_key_that_is_nearly_right_is_wrong(change: object) -> None:
    assert callable(change)
    assert KeyRing(places()).find(change(api_keys.create("one"))) is None


def test_an_expired_key_is_valid_no_more() -> None:
    now = datetime.now(UTC)
    key = Key(id="a", name="n", hash="", created=now, expires=now + timedelta(days=1))
    assert (key.valid(now), key.valid(now + timedelta(days=2))) == (True, False)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(UserError, match="--days is 0"):
        api_keys.create("one", days=0)
    with pytest.raises(UserError, match="there is no key 1234"):
        api_keys.revoke("1234")


def test_the_list_says_who_may_do_what(capsys: pytest.CaptureFixture[str]) -> None:
    assert "keys create NAME" in api_keys.listed()
    identity = api_keys.create("ci", scopes=("generate",), days=3, requests_per_minute=60).split("_")[1]
    api_keys.revoke(api_keys.create("old").split("_")[1])
    assert api_keys.main(argparse.Namespace(verb="list")) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split()[:2] == [identity, "valid"]
    assert "60 requests/min, - tokens/day  ci" in first
    assert second.split()[1] == "revoked"


def test_the_key_of_the_environment_is_taken_and_the_one_before_it_dropped() -> None:
    first, second = draw()[2], draw()[2]
    api_keys.adopt(first)
    api_keys.adopt(first)
    ring = KeyRing(places())
    assert ring.find(first) is not None
    api_keys.adopt(second)
    assert (ring.find(first), ring.find(second) is not None) == (None, True)
    with pytest.raises(UserError, match=f"{KEY} is set and is no key"):
        api_keys.adopt("secret")


def test_who_listens_to_others_needs_keys_and_has_some() -> None:
    from acclimate.core.params import EndpointParams, load

    dials: dict[str, Any] = {
        "request_seconds": 60.0,
        "most_waiting": 9,
        "drain_seconds": 5.0,
        "requests_per_minute": None,
        "jobs": {"most": 9, "most_per_key": 9, "requests": 9, "hours": 1.0},
        "most_adapters": 1,
        "engine": "transformers",
        "base_below": None,
        "guardrails": load(Path(__file__).parents[2] / "params.yaml").endpoint.guardrails,
    }
    settings = EndpointParams(**dials, keys="auto", tokens_per_day=None, cors_origins=[], log_prompts=True)
    assert guarded(settings, "127.0.0.1").keys == "auto"
    with pytest.raises(UserError, match=r"there is no API key, and requests to 192\.0\.2\.1 need one"):
        guarded(settings, "192.0.2.1")
    api_keys.create("somebody")
    assert guarded(settings, "192.0.2.1").keys == "required"

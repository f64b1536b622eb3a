from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.release.canary.settling import settle
from acclimate.release.registry import aliases, connect
from acclimate.release.roles import now, places
from acclimate.release.versions.audit import records
from acclimate.release.versions.moves import promote, rollback
from acclimate.serving.canary.record import Canary, read, replace

from .conftest import MODEL, packaged, wanted

Do = Callable[..., str]


def canary() -> Canary:
    found = read(places().canary)
    assert found is not None
    return found


def decide(change: Callable[[Canary], Canary]) -> None:
    """What the service would write."""
    assert replace(places().canary, canary(), change(canary()))


def test_a_canary_loads_the_challenger_and_leaves_every_request_with_the_champion(challenged: Path, do: Do) -> None:
    said = do(challenged, "start")
    assert said == f"canary of {MODEL} 2 against 1: baseline at 0%"
    assert (canary().share, canary().rules.shares) == (0.0, (0.01, 0.05, 0.15, 0.5))
    assert (served := now().challenger)
    assert served.version == "2"
    assert read_json(challenged / "reports/canary.json") == {"headline": said, "key": canary().key}


def test_starting_twice_begins_once(challenged: Path, do: Do) -> None:
    do(challenged, "start")
    first = canary()
    do(challenged, "start")
    assert canary() == first


def test_without_the_wish_or_without_another_champion_there_is_none(gated_run: Path, do: Do) -> None:
    packaged(gated_run)
    assert do(gated_run, "start") == "canary.enabled is false in params.yaml: the challenger takes over at once"
    wanted(gated_run)
    assert "has no champion but version 1" in do(gated_run, "start")
    assert read_json(gated_run / "reports/canary.json")["key"] is None
    assert read(places().canary) is None
    assert promote(gated_run, MODEL)["version"] == "1"


def test_nobody_overtakes_a_canary(challenged: Path, do: Do) -> None:
    do(challenged, "start")
    with pytest.raises(UserError, match=r"a canary of .* version 2 is under way at a share of 0%"):
        promote(challenged, MODEL, asked="2", reason="impatience")
    assert aliases(connect(), MODEL)["champion"] == "1"


def test_who_was_not_tried_is_not_promoted_unless_named(challenged: Path) -> None:
    with pytest.raises(UserError, match="version 2 has not passed a canary against version 1"):
        promote(challenged, MODEL)
    assert promote(challenged, MODEL, asked="2", reason="urgent")["version"] == "2"


def test_who_passed_is_promoted_and_carries_the_record(challenged: Path, do: Do) -> None:
    do(challenged, "start")
    decide(lambda now: now.begun(0.5))
    for _ in canary().rules.shares:
        do(challenged, "advance", reason="seen enough")
    assert settle() == f"canary of {MODEL} 2 against 1: passed at 100%. by a person: seen enough"
    assert now().challenger is not None  # it answers everybody until it is champion
    assert settle() is None
    assert promote(challenged, MODEL)["version"] == "2"
    record = json.loads(connect().get_model_version(MODEL, "2").tags["canary"])
    assert (record["status"], len(record["ended"])) == ("passed", 4)
    assert "salt" not in record
    assert do(challenged, "stop", reason="late") == "no canary is under way: nothing to stop"


def test_who_did_harm_is_no_challenger_any_more_and_is_not_promoted_again(challenged: Path, do: Do) -> None:
    do(challenged, "start")
    decide(lambda now: now.refused("model.safetensors was changed"))
    for _ in range(2):  # whoever was killed in between does it again
        settle()
    assert aliases(connect(), MODEL) == {"champion": "1", "challenger": None, "previous": None}
    tags = connect().get_model_version(MODEL, "2").tags
    assert tags["rolled_back"] == "model.safetensors was changed"
    assert json.loads(tags["canary"])["status"] == "rolled_back"
    last = records(MODEL)[-1]
    assert (last["verb"], last["version"], last["why"]) == ("canary", "2", "model.safetensors was changed")
    assert [record["verb"] for record in records(MODEL)].count("canary") == 1
    assert now().challenger is None
    with pytest.raises(UserError, match="was rolled back"):
        promote(challenged, MODEL, asked="2")
    with pytest.raises(UserError, match=r"no challenger|the challenger is none"):
        do(challenged, "start")


def test_a_canary_that_was_stopped_says_nothing_of_the_challenger_and_can_begin_again(challenged: Path, do: Do) -> None:
    do(challenged, "start")
    first = canary()
    assert do(challenged, "stop", reason="a holiday") == f"version 1 of {MODEL} answers every request again"
    assert (canary().status, canary().reason, canary().settled) == ("withdrawn", "stopped: a holiday", True)
    assert now().challenger is None
    assert aliases(connect(), MODEL)["challenger"] == "2"
    assert do(challenged, "stop", reason="again") == "no canary is under way: nothing to stop"
    do(challenged, "start")
    assert (canary().status, canary().key != first.key, canary().salt != first.salt) == ("baseline", True, True)


def test_a_failed_run_stops_its_own_canary_and_no_other(challenged: Path, gated_run: Path, do: Do) -> None:
    do(challenged, "start")
    assert do(gated_run, "stop", own=True, reason="its DAG run failed") == "no canary is under way: nothing to stop"
    assert not canary().over
    do(challenged, "stop", own=True, reason="its DAG run failed")
    assert canary().status == "withdrawn"
    told = read_json(challenged / "reports/canary.json")
    assert told["headline"].endswith("withdrawn at 0%. stopped: its DAG run failed")
    assert (told["key"], told["ended"][-1]["verdict"], "salt" in told) == (canary().key, "withdraw", False)


def test_a_champion_that_changes_ends_the_canary_that_compared_with_the_former(challenged: Path, do: Do) -> None:
    do(challenged, "start")
    connect().set_registered_model_alias(MODEL, "champion", "2")
    assert settle() is not None
    assert (canary().status, canary().reason) == ("withdrawn", "the champion is version 2 now, not 1")


def test_the_champion_can_be_rolled_back_while_a_canary_is_under_way(challenged: Path, gated_run: Path, do: Do) -> None:
    promote(challenged, MODEL, asked="2", reason="urgent")
    connect().set_model_version_tag(MODEL, "1", "note", "older")
    do(challenged, "start", version="1")
    rollback(challenged, MODEL, reason="answers in French")
    settle()
    assert canary().status == "withdrawn"


@pytest.mark.parametrize(("verb", "told"), [("advance", "no canary is under way"), ("status", "")])
def test_without_a_canary_there_is_no_step_to_take(gated_run: Path, do: Do, verb: str, told: str) -> None:
    if told:
        with pytest.raises(UserError, match=told):
            do(gated_run, verb, reason="seen enough")
    else:
        assert do(gated_run, verb) == "no canary has been started here"


def test_a_step_before_the_first_is_refused_and_every_step_is_told(challenged: Path, do: Do) -> None:
    do(challenged, "start")
    with pytest.raises(UserError, match="the canary is at its baseline"):
        do(challenged, "advance", reason="seen enough")
    decide(lambda now: now.begun(0.5))
    with pytest.raises(UserError, match="--reason is empty"):
        do(challenged, "advance", reason=" ")
    do(challenged, "advance", reason="seen enough")
    told = do(challenged, "status").splitlines()
    assert told[0].startswith(f"canary of {MODEL} 2 against 1: running at 5%.")
    assert told[1].startswith("  step 1, 1%: advance at request 0,")
    assert told[2] == "    by a person: seen enough"

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.release.register import register
from acclimate.release.registry import aliases, connect
from acclimate.release.versions.audit import records
from acclimate.release.versions.moves import promote, rollback

MODEL = "acclimate-scientific-python"


def released(checkout: Path) -> str:
    """Register, mark as packaged, promote."""
    version = str(register(checkout)["version"])
    connect().set_model_version_tag(MODEL, version, "bento", f"{MODEL}:v{version}-00000000")
    promote(checkout, MODEL)
    return version


def standing() -> tuple[str | None, str | None, str | None]:
    at = aliases(connect(), MODEL)
    return at["champion"], at["challenger"], at["previous"]


def test_the_first_challenger_becomes_champion(gated_run: Path) -> None:
    released(gated_run)
    assert standing() == ("1", None, None)
    report = read_json(gated_run / "reports/promote.json")
    assert report["before"] == {"champion": None, "challenger": "1", "previous": None}
    assert report["after"] == {"champion": "1", "challenger": None, "previous": None}


def test_the_former_champion_becomes_previous(gated_run: Path, another_run: Path) -> None:
    released(gated_run)
    released(another_run)
    assert standing() == ("2", None, "1")


def test_promoting_twice_changes_nothing(gated_run: Path, another_run: Path) -> None:
    released(gated_run)
    released(another_run)
    promote(another_run, MODEL)
    assert standing() == ("2", None, "1")


def test_a_champion_registered_again_stays_champion(gated_run: Path) -> None:
    released(gated_run)
    assert register(gated_run)["aliases"] == ["champion"]
    promote(gated_run, MODEL)
    assert standing() == ("1", None, None)


def test_a_version_without_a_bento_is_refused(gated_run: Path) -> None:
    register(gated_run)
    with pytest.raises(UserError, match="version 1 has no Bento"):
        promote(gated_run, MODEL)
    assert standing() == (None, "1", None)


def test_without_a_challenger_there_is_nothing_to_promote(gated_run: Path) -> None:
    with pytest.raises(UserError, match="has no challenger"):
        promote(gated_run, MODEL)


def test_a_run_cannot_promote_the_challenger_of_another(gated_run: Path, another_run: Path) -> None:
    register(gated_run)
    register(another_run)
    with pytest.raises(UserError, match=r"this run registered version 1 .* challenger is 2"):
        promote(gated_run, MODEL)


def test_rollback_returns_to_the_previous_champion_and_keeps_the_reason(gated_run: Path, another_run: Path) -> None:
    released(gated_run)
    released(another_run)
    report = rollback(another_run, MODEL, reason="answers in French")
    assert standing() == ("1", None, None)
    assert connect().get_model_version(MODEL, "2").tags["rolled_back"] == "answers in French"
    assert report["before"]["champion"] == "2"
    assert report["after"]["champion"] == "1"


def test_a_second_rollback_changes_nothing_and_does_not_lead_back_to_the_bad_version(
    gated_run: Path, another_run: Path
) -> None:
    released(gated_run)
    released(another_run)
    first = rollback(another_run, MODEL, reason="answers in French")
    assert rollback(another_run, MODEL, reason="again") == first
    assert standing() == ("1", None, None)
    assert [record["verb"] for record in records(MODEL)].count("rollback") == 1


def test_without_a_previous_champion_there_is_nothing_to_roll_back_to(gated_run: Path) -> None:
    released(gated_run)
    with pytest.raises(UserError, match="no previous champion"):
        rollback(gated_run, MODEL, reason="answers in French")
    assert standing() == ("1", None, None)


def test_a_rollback_that_was_interrupted_can_be_finished(gated_run: Path, another_run: Path) -> None:
    released(gated_run)
    released(another_run)
    connect().set_registered_model_alias(MODEL, "champion", "1")
    rollback(another_run, MODEL, reason="answers in French")
    assert standing() == ("1", None, None)
    assert "rolled_back" not in connect().get_model_version(MODEL, "1").tags


def test_a_rollback_without_a_reason_is_refused(gated_run: Path) -> None:
    with pytest.raises(UserError, match="--reason is empty"):
        rollback(gated_run, MODEL, reason=" ")


def test_any_packaged_version_can_be_promoted_by_name_and_the_audit_says_why(
    gated_run: Path, another_run: Path
) -> None:
    released(gated_run)
    released(another_run)
    done = promote(gated_run, MODEL, asked="previous", reason="the new one is slower")
    assert (done["version"], standing()) == ("1", ("1", None, "2"))
    last = records(MODEL)[-1]
    assert (last["verb"], last["version"], last["why"]) == ("promote", "1", "the new one is slower")
    assert (last["before"]["champion"], last["after"]["champion"]) == ("2", "1")
    assert last["adapter_sha256"] == read_json(gated_run / "reports/compose.json")["adapter_sha256"]
    assert last["run"] == "run-a"


def test_a_version_that_was_rolled_back_is_not_promoted_again(gated_run: Path, another_run: Path) -> None:
    released(gated_run)
    released(another_run)
    rollback(another_run, MODEL, reason="answers in French")
    with pytest.raises(UserError, match=r"version 2 of .* was rolled back: answers in French"):
        promote(another_run, MODEL, asked="2")


def test_a_version_that_does_not_exist_is_named_with_those_that_do(gated_run: Path) -> None:
    released(gated_run)
    for asked in ("7", "challenger"):
        with pytest.raises(UserError, match=f"no version '{asked}'") as fault:
            promote(gated_run, MODEL, asked=asked)
        assert "take one of 1" in fault.value.fix


def test_every_change_is_on_record_once_and_what_changed_nothing_is_not(gated_run: Path, another_run: Path) -> None:
    for checkout in (gated_run, gated_run, another_run, another_run):
        released(checkout)
    rollback(another_run, MODEL, reason="answers in French")
    verbs = [(record["verb"], record["version"]) for record in records(MODEL)]
    assert verbs == [("register", "1"), ("promote", "1"), ("register", "2"), ("promote", "2"), ("rollback", "2")]
    assert [record["verb"] for record in records(MODEL, "1")] == ["register", "promote", "promote", "rollback"]

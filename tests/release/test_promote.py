from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.release.promote import promote
from acclimate.release.register import register
from acclimate.release.registry import aliases, connect
from acclimate.release.rollback import rollback

MODEL = "acclimate-scientific-python"


def released(checkout: Path) -> str:
    """Register, mark as packaged, promote."""
    version = str(register(checkout)["version"])
    connect().set_model_version_tag(MODEL, version, "bento", f"{MODEL}:v{version}-00000000")
    promote(checkout)
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
    promote(another_run)
    assert standing() == ("2", None, "1")


def test_a_champion_registered_again_stays_champion(gated_run: Path) -> None:
    released(gated_run)
    assert register(gated_run)["aliases"] == ["champion"]
    promote(gated_run)
    assert standing() == ("1", None, None)


def test_a_version_without_a_bento_is_refused(gated_run: Path) -> None:
    register(gated_run)
    with pytest.raises(UserError, match="version 1 has no Bento"):
        promote(gated_run)
    assert standing() == (None, "1", None)


def test_without_a_challenger_there_is_nothing_to_promote(gated_run: Path) -> None:
    with pytest.raises(UserError, match="has no challenger"):
        promote(gated_run)


def test_a_run_cannot_promote_the_challenger_of_another(gated_run: Path, another_run: Path) -> None:
    register(gated_run)
    register(another_run)
    with pytest.raises(UserError, match=r"this run registered version 1 .* challenger is 2"):
        promote(gated_run)


def test_rollback_returns_to_the_previous_champion_and_keeps_the_reason(gated_run: Path, another_run: Path) -> None:
    released(gated_run)
    released(another_run)
    report = rollback(another_run, reason="answers in French")
    assert standing() == ("1", None, None)
    assert connect().get_model_version(MODEL, "2").tags["rolled_back"] == "answers in French"
    assert report["before"]["champion"] == "2"
    assert report["after"]["champion"] == "1"


def test_a_second_rollback_does_not_lead_back_to_the_bad_version(gated_run: Path, another_run: Path) -> None:
    released(gated_run)
    released(another_run)
    rollback(another_run, reason="answers in French")
    with pytest.raises(UserError, match="no previous champion"):
        rollback(another_run, reason="answers in French")
    assert standing() == ("1", None, None)


def test_a_rollback_that_was_interrupted_can_be_finished(gated_run: Path, another_run: Path) -> None:
    released(gated_run)
    released(another_run)
    connect().set_registered_model_alias(MODEL, "champion", "1")
    rollback(another_run, reason="answers in French")
    assert standing() == ("1", None, None)
    assert "rolled_back" not in connect().get_model_version(MODEL, "1").tags


def test_a_rollback_without_a_reason_is_refused(gated_run: Path) -> None:
    with pytest.raises(UserError, match="--reason is empty"):
        rollback(gated_run, reason=" ")

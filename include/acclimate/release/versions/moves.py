"""Promote, roll back, conclude a canary: which version of a model is champion, which was before, which did harm.

The endpoint follows the alias by itself within seconds. The first two write where the aliases stood before and after to
reports/promote.json or reports/rollback.json, and a record to the audit.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.core.params import load
from acclimate.core.reports import report_path
from acclimate.release.canary.guard import require_none_under_way, require_passed
from acclimate.release.registry import CHALLENGER, CHAMPION, PREVIOUS, aliases, connect
from acclimate.release.versions import audit
from acclimate.release.versions.finding import find

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from acclimate.release.versions.audit import Standing


def promote(checkout: Path, name: str, *, asked: str | None = None, reason: str = "") -> dict[str, Any]:
    """Make a version the champion; the champion until now becomes previous.

    In the checkout of a run that registered a version, nothing else is promoted unless it is asked for by name:
    what was approved is what is released, even if another run has registered a challenger since.

    Args:
        checkout: where the report is written, and whose registered version counts.
        name: the registered model.
        asked: a version's number or alias; None for this run's own, else the challenger.
        reason: for the audit; empty for the gate's verdict.

    Raises:
        UserError: if there is no such version, it was rolled back, or it has no Bento.
    """
    client = connect()
    with audit.alone():
        before = aliases(client, name)
        version = find(client, name, asked or candidate(checkout, name, before))
        number = str(version.version)
        require_releasable(version, before)
        _require_tried(checkout, name, number, before, asked)
        after = before | {CHAMPION: number}
        if number != before[CHAMPION] and before[CHAMPION] is not None:
            after[PREVIOUS] = before[CHAMPION]
        if before[CHALLENGER] == number:
            after[CHALLENGER] = None
        why = reason.strip() or f"verdict of the gate: {version.tags.get('gate.verdict', 'unknown')}"
        _move(
            client,
            version,
            before,
            after,
            lambda: audit.note(checkout, "promote", version, **_told(before, after, why)),
        )
    report = {"model": name, "version": number, "before": before, "after": aliases(client, name)}
    write_json(report_path("promote", checkout), report)
    return report


def rollback(checkout: Path, name: str, *, reason: str) -> dict[str, Any]:
    """Move `champion` to where `previous` stands; the version rolled back keeps the reason as a tag.

    A second rollback does not lead back to the bad version: it finds that it has been done and changes nothing.

    Raises:
        UserError: if there is no previous champion, or the reason is empty.
    """
    if not reason.strip():
        raise UserError(
            "--reason is empty", why="it is what keeps this version from being promoted again", fix="say what was wrong"
        )
    client = connect()
    with audit.alone():
        before = aliases(client, name)
        if before[PREVIOUS] is None and (done := _rollback_that_stands(name, before)):
            return _rolled_back(checkout, done["why"], name, done["before"], before)
        bad, good = before[CHAMPION], before[PREVIOUS]
        if bad is None or good is None:
            raise UserError(
                f"{name} has no previous champion",
                why="there is no version to return to",
                fix="release another candidate; `acclimate endpoint` can be stopped meanwhile",
            )
        version = find(client, name, bad)
        after = before | {CHAMPION: good, PREVIOUS: None}

        def record() -> None:
            if bad != good:  # equal where a rollback was ended half-way; that one is on record
                audit.note(checkout, "rollback", version, **_told(before, after, reason.strip()))
                client.set_model_version_tag(name, bad, "rolled_back", reason.strip())

        _move(client, version, before, after, record)
    return _rolled_back(checkout, reason.strip(), name, before, aliases(client, name))


def conclude(name: str, number: str, *, rolled_back: bool, reason: str, evidence: str) -> None:
    """Keep on a version how its canary ended; one that was rolled back is no challenger any more, nor promoted again.

    Args:
        name: the registered model.
        number: the version that was tried.
        rolled_back: whether it did harm.
        reason: in a sentence, for the audit and for whoever tries to promote it.
        evidence: the whole record of the canary as JSON; the version's tag `canary`.
    """
    client = connect()
    with audit.alone():
        version = find(client, name, number)
        if version.tags.get("canary") == evidence:
            return
        before = aliases(client, name)
        falls = rolled_back and before[CHALLENGER] == number
        after = before | ({CHALLENGER: None} if falls else {})
        audit.note(Path(), "canary", version, **_told(before, after, reason))
        if rolled_back:
            client.set_model_version_tag(name, number, "rolled_back", reason)
        _point(client, name, before, after)
        client.set_model_version_tag(name, number, "canary", evidence)


def _move(client: MlflowClient, version: Any, before: Standing, after: Standing, record: Callable[[], object]) -> None:
    """Put the aliases where `after` says, `previous` first: a crash in between never loses the way back."""
    if before != after:
        record()
        _point(client, version.name, before, after)


def _point(client: MlflowClient, name: str, before: Standing, after: Standing) -> None:
    for alias in (PREVIOUS, CHAMPION, CHALLENGER):
        to = after[alias]
        if to is not None and to != before[alias]:
            client.set_registered_model_alias(name, alias, to)
    for alias in (PREVIOUS, CHAMPION, CHALLENGER):
        if after[alias] is None and before[alias] is not None:
            client.delete_registered_model_alias(name, alias)


def _told(before: Standing, after: Standing, why: str) -> dict[str, Any]:
    return {"before": before, "after": after, "why": why}


def _rollback_that_stands(name: str, standing: Standing) -> dict[str, Any] | None:
    """The last record of the model, if it is the rollback that led to where the aliases stand."""
    moved = [record for record in audit.records(name) if record["before"] != record["after"]]
    stands = moved and moved[-1]["verb"] == "rollback" and moved[-1]["after"] == standing
    return moved[-1] if stands else None


def _rolled_back(checkout: Path, reason: str, name: str, before: Standing, after: Standing) -> dict[str, Any]:
    report = {"model": name, "reason": reason, "before": before, "after": after}
    write_json(report_path("rollback", checkout), report)
    return report


def candidate(checkout: Path, name: str, standing: Standing) -> str:
    """The version to be champion: this run's own, else the challenger, else the one that is champion already."""
    own = _own_version(checkout, name)
    number = own or standing[CHALLENGER] or standing[CHAMPION]
    if number is None:
        raise UserError(
            f"{name} has no challenger",
            why="there is nothing to promote",
            fix="run `acclimate register` and `acclimate package` in the checkout of a gated run",
        )
    if number not in (standing[CHALLENGER], standing[CHAMPION]):
        raise UserError(
            f"this run registered version {own} of {name}, but the challenger is {standing[CHALLENGER] or 'none'}",
            why="another run has registered or released since; approval of this run says nothing about that one",
            fix=f"promote in the checkout of the other run, or say which: `acclimate registry promote {own}`",
        )
    return number


def _own_version(checkout: Path, name: str) -> str | None:
    path = report_path("register", checkout)
    registered = read_json(path) if path.exists() else None
    return str(registered["version"]) if registered and registered["model"] == name else None


def _require_tried(checkout: Path, name: str, number: str, before: Standing, asked: str | None) -> None:
    """Whoever names a version says what is to be released; else a canary does, where there is to be one."""
    require_none_under_way(name, number)
    champion = before[CHAMPION]
    if asked is None and champion not in (None, number) and load(checkout / "params.yaml").canary.enabled:
        require_passed(name, str(champion), number)


def require_releasable(version: Any, standing: Standing) -> None:
    """Raise UserError if a version was rolled back or is not packaged, unless it is champion already."""
    if str(version.version) == standing[CHAMPION]:
        return
    if reason := version.tags.get("rolled_back"):
        raise UserError(
            f"version {version.version} of {version.name} was rolled back: {reason}",
            why="promoting it would release the same fault a second time",
            fix="train another candidate, or delete the version's tag rolled_back in MLflow if the reason is gone",
        )
    if "bento" not in version.tags:
        raise UserError(
            f"{version.name} version {version.version} has no Bento",
            why="the endpoint serves the champion's Bento; a champion without one would stop it",
            fix="run `acclimate package` in the checkout of its run",
        )

"""Beginning a canary: which version against which, on file before the challenger is loaded."""

from __future__ import annotations

import secrets
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.params import CanaryParams, Params
from acclimate.release.canary.settling import settle
from acclimate.release.package import source_path
from acclimate.release.registry import CHAMPION, aliases, connect
from acclimate.release.roles import places, set_challenger
from acclimate.release.versions.finding import find
from acclimate.release.versions.moves import candidate, require_releasable
from acclimate.serving.canary.decision import Rules
from acclimate.serving.canary.record import Canary, now, read, replace


def start(checkout: Path, name: str, params: Params, *, asked: str | None = None) -> Canary | str:
    """The canary of a version, or why there is none.

    Args:
        checkout: whose registered version is meant if none is asked for.
        name: the registered model.
        params: whose section `canary` rules it.
        asked: a version's number or alias; without one, nothing begins while `canary.enabled` is false.

    Raises:
        UserError: if the version may not be released, or another canary is under way.
    """
    if asked is None and not params.canary.enabled:
        return "canary.enabled is false in params.yaml: the challenger takes over at once"
    client = connect()
    standing = aliases(client, name)
    version = find(client, name, asked or candidate(checkout, name, standing))
    require_releasable(version, standing)
    champion, challenger = standing[CHAMPION], str(version.version)
    if not source_path(tag := version.tags["bento"]).exists():
        raise UserError(
            f"the Bento {tag} of version {challenger} is not in the store of this checkout",
            why="the endpoint serves from there",
            fix="run `acclimate package` in the checkout of its run",
        )
    if champion is None or champion == challenger:
        return f"{name} has no champion but version {challenger}: there is nothing to compare it with"
    settle()
    canary = _on_file(name, champion, challenger, params.canary)
    if not canary.over:
        set_challenger(tag)
    return canary


def _on_file(name: str, champion: str, challenger: str, params: CanaryParams) -> Canary:
    """The canary of these two that there is, unless it was withdrawn; else a new one."""
    path = places().canary
    before = read(path)
    same = before is not None and (before.model, before.champion, before.challenger) == (name, champion, challenger)
    if before is not None and same and before.status != "withdrawn":
        return before
    if before is not None and not before.over:
        raise UserError(
            f"a canary of {before.model} version {before.challenger} is under way at a share of {before.share:.0%}",
            why="with two challengers at once nobody could say which one did harm",
            fix='wait for its end, or end it: `acclimate canary stop --reason "…"`',
        )
    canary = _new(name, champion, challenger, params)
    if not replace(path, before, canary):
        raise UserError(
            "somebody else started or ended a canary at this moment",
            why="only one can be decided at a time",
            fix="look at `acclimate canary status`, then try again",
        )
    return canary


def _new(name: str, champion: str, challenger: str, params: CanaryParams) -> Canary:
    rules = Rules.model_validate(params.model_dump(exclude={"enabled", "step_hours"}))
    began = now()
    return Canary(
        key=f"v{challenger}-{secrets.token_hex(4)}",
        model=name,
        champion=champion,
        challenger=challenger,
        salt=secrets.token_hex(16),
        rules=rules,
        began=began,
        step_began=began,
    )

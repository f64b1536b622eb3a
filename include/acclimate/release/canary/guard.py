"""What a promotion asks of canaries: that none is under way, and that the version has been through one if it has to."""

from __future__ import annotations

from acclimate.core.errors import UserError
from acclimate.release.roles import places
from acclimate.serving.canary.record import read


def require_none_under_way(name: str, number: str) -> None:
    """Raise UserError while it is being decided whether version `number` of `name`, or another, takes over."""
    canary = read(places().canary)
    if canary is None or canary.over or canary.model != name or number == canary.champion:
        return
    raise UserError(
        f"a canary of {name} version {canary.challenger} is under way at a share of {canary.share:.0%}",
        why="it decides which version is to be champion; its verdict would be about one that is no more",
        fix='wait for its end (`acclimate canary status`), or end it: `acclimate canary stop --reason "…"`',
    )


def require_passed(name: str, champion: str, challenger: str) -> None:
    """Raise UserError unless the last canary was of these two, and passed."""
    canary = read(places().canary)
    pair = (name, champion, challenger)
    if canary is not None and canary.status == "passed" and pair == (canary.model, canary.champion, canary.challenger):
        return
    raise UserError(
        f"{name} version {challenger} has not passed a canary against version {champion}",
        why="canary.enabled is true in params.yaml: nobody takes over who was not tried",
        fix=f'`acclimate canary start`; or, to go without, `acclimate registry promote {challenger} --reason "…"`',
    )

"""What came of a canary, made known: to the registry, to the audit, and to what is loaded.

The service decides and goes on without asking anybody; `acclimate endpoint`, which looks every two seconds, does the
rest. Each step can be done twice, and the canary is marked as settled last: whoever is killed in between does it again.
"""

from __future__ import annotations

from acclimate.release.registry import CHAMPION, aliases, connect
from acclimate.release.roles import places, withdraw_challenger
from acclimate.release.versions.moves import conclude
from acclimate.serving.canary.record import Canary, read, replace


def settle() -> str | None:
    """Say in the registry how a canary that is over ended, and unload what is not needed; what was done, in words."""
    path = places().canary
    canary = read(path)
    if canary is None or canary.settled:
        return None
    if not canary.over:
        return _end_if_overtaken(canary)
    bad = canary.status == "rolled_back"
    evidence = canary.model_dump_json(exclude={"salt"})
    conclude(canary.model, canary.challenger, rolled_back=bad, reason=canary.reason, evidence=evidence)
    if canary.status != "passed":  # one that passed answers everybody until it is champion
        withdraw_challenger()
    replace(path, canary, canary.with_settled())
    return canary.headline()


def _end_if_overtaken(canary: Canary) -> str | None:
    """A canary says nothing of a champion that it was not compared with."""
    champion = aliases(connect(), canary.model)[CHAMPION]
    if champion == canary.champion:
        return None
    withdrawn = canary.withdrawn(f"the champion is version {champion or 'none'} now, not {canary.champion}")
    replace(places().canary, canary, withdrawn)
    return settle()

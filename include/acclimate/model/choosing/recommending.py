"""Which base to take, and why: the one whose composite score is shown to be above the present one's, if any is.

recommended({"base": items, "larger": items}, seed=1729)
# Recommendation(choice="larger", why="composite 0.52 against 0.41 of base: 0.11 more [0.08, 0.14]", …)
"""

from __future__ import annotations

from dataclasses import dataclass

from acclimate.model.choosing.qualities import Items, advantage, composite
from acclimate.model.scoring.estimates import Estimate

BASE = "base"
"""What `base.model` is called among the candidates."""


@dataclass(frozen=True)
class Recommendation:
    """One of the models, and what speaks for it."""

    choice: str
    why: str
    advantages: dict[str, Estimate]
    """Of every other candidate over the base, in composite score; intervals hold for all of them together."""


def recommended(models: dict[str, Items], *, seed: int) -> Recommendation:
    """Compare every candidate with the base on the same items.

    With m candidates each interval is one of 1 − 0.05/m (Bonferroni), so that all hold together with 95 %: the best of
    several would otherwise look better than it is.
    """
    others = [name for name in models if name != BASE]
    confidence = 1 - 0.05 / max(1, len(others))
    found = {name: advantage(models[name], models[BASE], seed=seed, confidence=confidence) for name in others}
    if not found:
        return Recommendation(BASE, "no other candidate is named in baseline.candidates", {})
    best = max(found, key=lambda name: found[name].value)
    scores = {name: composite(models[name], seed=seed).value for name in (best, BASE)}
    compared = (
        f"composite {scores[best]:.3f} against {scores[BASE]:.3f} of the base, {found[best].value:+.3f} "
        f"[{found[best].low:+.3f}, {found[best].high:+.3f}]"
    )
    if found[best].low > 0:
        return Recommendation(best, compared, found)
    return Recommendation(BASE, f"none is shown to be better; the best of them is {best}: {compared}", found)

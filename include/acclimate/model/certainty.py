"""How sure a verdict can be: what the test set can show of any candidate, and what using it again costs.

    certainty(grounds, pairs, level=0.025).sensitivity["stated"]["domain_cloze"]
    # {"items": 800, "clusters": 556, "design_effect": 1.06, "discordance": 0.3, "detectable_gain": 0.056,
    #  "asked_gain": 0.091, "passing_gain": 0.107}

What can be shown is stated before the candidate is looked at: then only the base's answers are known, and how often a
candidate will differ from them is assumed (`gate.expected_discordance`). Beside it stands how it turned out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.core.submissions import level as level_of
from acclimate.core.submissions import spent
from acclimate.model.compare import METRICS, Pair, Rows, significant
from acclimate.model.grounds import Grounds
from acclimate.model.power import Design, detectable, expected_effect, z
from acclimate.model.scoring.calibration import expected_calibration_error, probabilities

if TYPE_CHECKING:
    from acclimate.core.params import GateParams
    from acclimate.model.score import Row

CALIBRATION = ("domain_brier", "general_brier")
"""What calibration is judged on."""

Sensitivity = dict[str, dict[str, Any]]
"""Metric to what it can show. Gains are differences in the share answered right, losses are retentions."""


@dataclass(frozen=True)
class Certainty:
    """How sure the verdict can be."""

    power: float
    """With which what `sensitivity` names is found (0–1)."""
    sensitivity: dict[str, Sensitivity]
    """What the items can show: `stated` before the candidate was looked at, `observed` after."""
    calibration_error: dict[str, dict[str, float]]
    """Metric to model to expected calibration error (0–1). It is biased in samples and depends on its bins, so the
    Brier score decides, which is a proper score and a mean over items."""
    ledger: dict[str, Any]
    """The candidate's number on this test set, its level, and what of alpha is spent."""


def certainty(grounds: Grounds, pairs: Mapping[str, Pair], level: float) -> Certainty:
    """How sure the verdict on `grounds` can be at this level; `pairs` are candidate and base."""
    params = grounds.params
    return Certainty(
        power=params.power,
        sensitivity={
            "stated": stated(grounds.rows["base"], params, level),
            "observed": observed(pairs, params, level),
        },
        calibration_error=_calibration_errors(grounds),
        ledger=_ledger(grounds.submission, params),
    )


def stated(base: Rows, params: GateParams, level: float) -> Sensitivity:
    """What the items can show, from the base's answers and the discordance assumed."""
    found = {}
    for metric in ("domain_cloze", "general_cloze"):
        rows = base[METRICS[metric].task]
        correct, clusters = [float(row["correct"]) for row in rows], [str(row["cluster"]) for row in rows]
        design = Design(len(rows), expected_effect(correct, clusters), params.expected_discordance)
        found[metric] = _described(design, len(set(clusters)), sum(correct) / len(rows), params, level)
    return _split(found)


def observed(pairs: Mapping[str, Pair], params: GateParams, level: float) -> Sensitivity:
    """The same with the discordance and the design effect that candidate and base turned out to have."""
    cloze = {metric: pairs[metric] for metric in ("domain_cloze", "general_cloze")}
    return _split(
        {
            metric: _described(pair.design, len(pair.totals), pair.reference, params, level)
            for metric, pair in cloze.items()
        }
    )


def _described(design: Design, clusters: int, accuracy: float, params: GateParams, level: float) -> dict[str, Any]:
    found = detectable(design, alpha=level, power=params.power)
    return {
        "items": design.items,
        "clusters": clusters,
        "design_effect": round(design.effect, 4),
        "discordance": round(design.discordance, 6),
        "detectable_gain": None if found is None else round(found, 6),
        **_asked(design, accuracy, params.min_relative_gain, params.power, found),
        "passing_retention": _passing_retention(design, accuracy, params, level),
    }


def _asked(
    design: Design, accuracy: float, min_gain: float, power: float, found: float | None
) -> dict[str, float | None]:
    """The gain asked for, and the true one with which a candidate passes as often as `power` says.

    To measure at least what is asked that often, the truth must be above it by z standard errors.
    """
    asked = min_gain * accuracy
    error = math.sqrt(max(0.0, design.discordance - asked**2) / design.independent)
    passing = None if found is None else round(max(found, asked + z(1 - power) * error), 6)
    return {"asked_gain": round(asked, 6), "passing_gain": passing}


def _passing_retention(design: Design, accuracy: float, params: GateParams, level: float) -> float | None:
    """The true retention with which a candidate is shown to keep enough, as often as `power` says.

    One item adds candidate − share · reference, whose variance follows from accuracy and discordance.
    """
    if not accuracy:
        return None
    share = params.min_retention
    variance = accuracy * (1 - accuracy) * (1 - share) ** 2 + share * design.discordance
    error = math.sqrt(variance / design.independent) / accuracy
    return round(share + (z(level) + z(1 - params.power)) * error, 6)


def _split(found: Sensitivity) -> Sensitivity:
    """Gains are asked for on the domain, keeping in general: each metric says only what it is judged on."""
    for key in ("detectable_gain", "asked_gain", "passing_gain"):
        del found["general_cloze"][key]
    del found["domain_cloze"]["passing_retention"]
    return found


def _calibration_errors(grounds: Grounds) -> dict[str, dict[str, float]]:
    return {
        metric: {model: _calibration_error(rows[METRICS[metric].task]) for model, rows in grounds.rows.items()}
        for metric in CALIBRATION
    }


def _calibration_error(rows: Sequence[Row]) -> float:
    confidence = np.array([probabilities(row["log_likelihoods"]).max() for row in rows])
    right = np.array([float(row["correct"]) for row in rows])
    return round(expected_calibration_error(confidence, right), 6)


def _ledger(number: int, params: GateParams) -> dict[str, Any]:
    return {
        "submission": number,
        "limit": params.max_submissions,
        "alpha": params.alpha,
        "level": significant(level_of(params.alpha, number)),
        "spent": significant(spent(params.alpha, number)),
    }

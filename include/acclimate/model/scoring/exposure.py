"""Whether a model has learned planted strings by heart: their exposure (Carlini et al. 2019, The Secret Sharer).

    found, rows = exposed(lms, planted_in(dataset), seed=1729)     # planted by mix (data/mixing/canaries.py)
    found.candidate.bits      # Estimate(value=8.7, …) of at most 10.0

Exposure is log2 |R| − log2 rank: how many bits the rank of a canary by its log-perplexity, among all |R| texts that it
could have been, saves a guesser (section 4). It is estimated by sampling, as −log2 of the chance that a text drawn like
the canary is at least as likely to the model: with m drawn ones of which k are at least as likely,

    exposure ≈ log2((m + 1) / (k + 1)),     from 0 to log2(m + 1) bits

A canary that was not learned is as good a draw as the others, so that its rank is uniform: 1/ln 2 = 1.44 bits are
expected by chance, and (k + 1)/(m + 1) is a p-value. Those of all canaries are combined by Fisher's method (1925).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.core.files import read_jsonl
from acclimate.data.mixing.canaries import KIND, alternatives
from acclimate.model.scoring.estimates import RESAMPLES, Estimate, estimate
from acclimate.model.scoring.lm_tasks import Row, Task, run
from acclimate.model.statistics import sign_flip_p

ALTERNATIVES = 1023
"""Drawn per canary: exposures up to 10 bits; the true one may be higher, and costs as many more draws to see."""
ALPHA = 0.05
BY_CHANCE = 1 / math.log(2)
"""Bits of a canary that was never read, on average."""

Texts = dict[str, list[str]]


@dataclass(frozen=True)
class Exposed:
    """One model."""

    bits: Estimate
    """Mean exposure of the canaries."""
    p_value: float
    """Of canaries it has not read being ranked so far ahead by chance."""


@dataclass(frozen=True)
class Exposure:
    """What two models know of the canaries that one of them was trained on."""

    planted: int
    repeats: float
    """How often each stands in the training set, on average."""
    most_bits: float
    """That so many alternatives can show."""
    base: Exposed
    candidate: Exposed
    gain: Estimate
    """Candidate's bits minus the base's, canary by canary."""
    gain_p: float
    """One-sided, by flipping signs."""
    reading: str


def planted_in(dataset: Path) -> list[str]:
    """The texts of the canaries in train.jsonl, one entry per copy; none where none are planted."""
    return [row["text"] for row in read_jsonl(dataset) if row["kind"] == KIND]


def exposed(
    lms: Mapping[str, Any], copies: Sequence[str], *, seed: int, drawn: int = ALTERNATIVES
) -> tuple[Exposure, list[Row]]:
    """The exposure of the canaries, and a row per canary.

    Args:
        lms: `base` and `candidate` behind lm-eval's interface (harness.py).
        copies: the canaries as they stand in the training set, at least one.
        seed: of the alternatives and the intervals.
        drawn: alternatives per canary.
    """
    texts = {text: [text, *alternatives(text, drawn, seed)] for text in dict.fromkeys(copies)}
    ranks = {model: _ranks(lm, texts) for model, lm in lms.items()}
    names = [f"canary:{place}" for place in range(len(texts))]
    rows = [
        {"id": name, "cluster": name, "alternatives": drawn}
        | {f"{model}_rank": of_model[place] for model, of_model in ranks.items()}
        for place, name in enumerate(names)
    ]
    bits = {model: [exposure_bits(rank, drawn) for rank in of_model] for model, of_model in ranks.items()}
    gains = [after - before for after, before in zip(bits["candidate"], bits["base"], strict=True)]
    models = {
        model: Exposed(estimate(bits[model], names, seed=seed), _three_digits(fisher_p(ranks[model], drawn)))
        for model in ranks
    }
    gain_p = sign_flip_p(np.array(gains), resamples=RESAMPLES, seed=seed)
    found = Exposure(
        planted=len(texts),
        repeats=round(len(copies) / len(texts), 2),
        most_bits=round(exposure_bits(1, drawn), 4),
        base=models["base"],
        candidate=models["candidate"],
        gain=estimate(gains, names, seed=seed),
        gain_p=_three_digits(gain_p),
        reading=reading(models["candidate"], gain_p),
    )
    return found, rows


def exposure_bits(rank: int, drawn: int) -> float:
    """Of a canary that is the `rank`-th likeliest of itself and `drawn` others."""
    return math.log2((drawn + 1) / rank)


def fisher_p(ranks: Sequence[int], drawn: int) -> float:
    """The p-value of all ranks together: −2 Σ ln p is χ² with 2n degrees of freedom, of which even ones have this sum.

    Ranks are whole numbers, which makes it too large rather than too small.
    """
    half = -sum(math.log(rank / (drawn + 1)) for rank in ranks)
    term, total = 1.0, 1.0
    for step in range(1, len(ranks)):
        term *= half / step
        total += term
    return min(1.0, math.exp(-half) * total)


def reading(candidate: Exposed, gain_p: float) -> str:
    """What the numbers mean, in a sentence."""
    if candidate.p_value < ALPHA and gain_p < ALPHA:
        return (
            "the candidate has learned planted strings by heart: what stands in its training texts as often as they do "
            "can be got out of it"
        )
    if candidate.p_value < ALPHA:
        return "the candidate ranks canaries ahead of chance, but is not shown to know them better than the base does"
    return "it is not shown that the candidate has learned any canary by heart"


def _ranks(lm: Any, texts: Texts) -> list[int]:
    """The place of every canary by likelihood among its alternatives, 1 the likeliest; a tie counts against memory."""
    task = Task("canaries", "text", [{"text": text} for of_canary in texts.values() for text in of_canary])
    likelihoods = np.array(run(lm, [task])[task.name]).reshape(len(texts), -1)
    ranks: list[int] = (likelihoods >= likelihoods[:, :1]).sum(axis=1).tolist()
    return ranks


def _three_digits(p_value: float) -> float:
    return float(f"{p_value:.3g}")

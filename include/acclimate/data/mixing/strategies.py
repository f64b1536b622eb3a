"""How a training set is composed: the share of every kind, and how ready each candidate is to be taken.

    static_balanced          shares as set in params.yaml, every candidate alike
    quality_weighted         shares as set, the better a text the likelier
    adaptive_quality         shares moved towards the kinds of better texts, every candidate alike
    curriculum_progression   shares as set, every candidate alike; the order is curriculum.py's

A candidate of weight w is taken in ascending order of -ln(1 - u) / w with u uniform: the first k are a weighted
sample without replacement (Efraimidis and Spirakis 2006). Of equal weights it is the order of u itself.

    w = exp(quality / TEMPERATURE) if quality_weighted, divided by the density if diverse

The exponential and sampling instead of taking the best are those of Wettig et al. 2024 (QuRating), who found that
the best texts alone make a worse model; a text of quality 1.0 is e times as likely as one of 0.8.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from acclimate.core.errors import UserError
from acclimate.data.mixing.candidates import KINDS, Pool
from acclimate.data.mixing.difficulty import GRADES, WANTED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.core.params import MixParams

Shares = dict[str, float]
Strategy = Literal["static_balanced", "quality_weighted", "adaptive_quality", "curriculum_progression"]

LARGE_SHARE = 0.1
"""Where a text longer than this share of its kind's bytes does not fit, the next ones are tried."""
TEMPERATURE = 0.2
BOUNDS = {"domain_documents": (0.25, 0.55), "domain_questions": (0.25, 0.55), "general_replay": (0.15, 0.35)}
"""Least and most of each kind that adaptive_quality may come to."""


def wanted_shares(params: MixParams, pools: Mapping[str, Pool]) -> tuple[Shares, list[str]]:
    """The shares to reach, and what differs from params.yaml; a domain without questions gives theirs to its documents.

    Raises:
        UserError: if a kind has a share and no text, or the bounds of adaptive_quality cannot be kept.
    """
    shares = {kind: float(getattr(params, kind)) for kind in KINDS}
    bounds = dict(BOUNDS)
    notes = []
    if shares["domain_questions"] > 0 and not len(pools["domain_questions"].bytes):
        notes.append(f"the domain has no questions: their share ({shares['domain_questions']:g}) goes to its documents")
        shares["domain_documents"] += shares["domain_questions"]
        shares["domain_questions"] = 0.0
        bounds["domain_documents"] = (0.5, 1.0)
    _require_texts(shares, pools)
    if params.strategy == "adaptive_quality":
        shares, moved = adapted(shares, {kind: pool.mean_quality() for kind, pool in pools.items()}, bounds)
        notes.append(moved)
    return shares, notes


def adapted(
    shares: Shares, quality: Mapping[str, float | None], bounds: Mapping[str, tuple[float, float]]
) -> tuple[Shares, str]:
    """The shares times exp(mean quality / TEMPERATURE), scaled to sum to 1 within bounds, and a sentence about it.

    A kind whose share is 0 keeps none; one of unknown quality counts as the mean of the others.

    Raises:
        UserError: if the kinds that have a share cannot make up 1 within their bounds.
    """
    kinds = [kind for kind, share in shares.items() if share > 0]
    known = [value for kind in kinds if (value := quality[kind]) is not None]
    neutral = float(np.mean(known)) if known else 1.0
    means = {kind: neutral if (value := quality[kind]) is None else value for kind in kinds}
    best = max(means.values())
    pull = np.array([shares[kind] * np.exp((means[kind] - best) / TEMPERATURE) for kind in kinds])
    low, high = (np.array([bounds[kind][end] for kind in kinds]) for end in (0, 1))
    if not low.sum() <= 1 <= high.sum():
        raise UserError(
            f"adaptive_quality cannot make a whole of {', '.join(kinds)}: at most {high.sum():g} within its bounds",
            why="it moves shares between kinds and keeps each within bounds",
            fix="give another kind a share in the section mix of params.yaml, or take another mix.strategy",
        )
    reached = dict(zip(kinds, _scaled(pull, low, high).tolist(), strict=True))
    said = ", ".join(f"{kind} {shares[kind]:.3g} → {reached[kind]:.3g} (quality {means[kind]:.3f})" for kind in kinds)
    return {kind: reached.get(kind, 0.0) for kind in shares}, f"adaptive_quality moved the shares: {said}"


def _scaled(pull: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]) -> NDArray[np.float64]:
    """clip(c · pull, low, high) for the c that makes it sum to 1; the sum grows with c, so halving finds it."""
    least, most = 0.0, float((high / pull).max())
    for _ in range(100):
        middle = (least + most) / 2
        if np.clip(middle * pull, low, high).sum() < 1:
            least = middle
        else:
            most = middle
    return np.clip(most * pull, low, high)


def affordable(shares: Shares, sizes: Mapping[str, int], wanted: int) -> tuple[float, list[str]]:
    """The bytes of the whole, at most `wanted`, for which every kind has enough; a note if that is less."""
    limits = {kind: sizes[kind] / share for kind, share in shares.items() if share > 0}
    scarcest = min(limits, key=lambda kind: (limits[kind], kind))
    if limits[scarcest] >= wanted:
        return float(wanted), []
    total = limits[scarcest]
    return total, [
        f"{scarcest} has {sizes[scarcest]:,} bytes, {shares[scarcest] * wanted:,.0f} needed: "
        f"the training set shrinks from {wanted:,} to {total:,.0f} bytes so that the shares hold"
    ]


def ranking(pool: Pool, params: MixParams) -> NDArray[np.int64]:
    """The candidates in the order in which they are taken, [candidates]."""
    import pyarrow as pa
    import pyarrow.compute as pc

    weights = np.ones(len(pool.bytes))
    if params.strategy == "quality_weighted":
        neutral = pool.mean_quality()
        quality = np.nan_to_num(pool.quality, nan=1.0 if neutral is None else neutral)
        weights *= np.exp((quality - 1) / TEMPERATURE)
    if params.diverse:
        weights /= pool.densities
    clocks = pool.chances if np.all(weights == 1) else -np.log1p(-pool.chances) / weights
    table = pa.table({"clock": clocks, "id": pool.facts.column("id")})
    order = pc.sort_indices(table, sort_keys=[("clock", "ascending"), ("id", "ascending")])
    return np.asarray(order.to_numpy(), dtype=np.int64)


def choose(pool: Pool, size: float, params: MixParams) -> tuple[NDArray[np.int64], list[str]]:
    """The candidates to take, in ranking order, of `size` bytes together at most; notes on what is amiss.

    Amiss is a grade that is scarce, and a kind that stays below its share because its texts are too long for it.
    """
    ranked = ranking(pool, params)
    if params.balance_difficulty:
        chosen, notes = _balanced(ranked, pool, size)
    else:
        chosen, notes = _fitting(ranked, pool, size), []
    reached = int(pool.bytes[chosen].sum())
    # What ends it otherwise is a text of at most LARGE_SHARE.
    if size - reached > LARGE_SHARE * size and len(chosen) < len(ranked):
        notes.append(f"{reached:,} of {size:,.0f} bytes: every text that is left is longer than what they lack")
    return chosen, notes


def _balanced(ranked: NDArray[np.int64], pool: Pool, size: float) -> tuple[NDArray[np.int64], list[str]]:
    """What `choose` says, grade by grade."""
    graded = [ranked[pool.grades[ranked] == grade] for grade in range(len(GRADES))]
    there = np.array([float(pool.bytes[rows].sum()) for rows in graded])
    budgets = _budgets(there, size)
    notes = [
        f"{there[i]:,.0f} bytes of {GRADES[i]} texts, {WANTED[i] * size:,.0f} needed: the other grades fill the gap"
        for i in np.flatnonzero(there < np.array(WANTED) * size)
    ]
    return np.concatenate([_fitting(rows, pool, of) for rows, of in zip(graded, budgets, strict=True)]), notes


def _budgets(there: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """Bytes to take of each grade; what a scarce grade lacks the others give, in proportion to their own shares."""
    shares = np.array(WANTED)
    taken = np.minimum(shares * size, there)
    while (missing := min(size, float(there.sum())) - float(taken.sum())) > 1:
        giving = np.where(taken < there, shares, 0.0)
        taken = np.minimum(taken + missing * giving / giving.sum(), there)
    return taken


def _fitting(rows: NDArray[np.int64], pool: Pool, size: float) -> NDArray[np.int64]:
    """The first of `rows` that fit into `size` bytes together; a large one that does not fit is passed over.

    A small one ends it: filling the last bytes with ever smaller texts would prefer small texts.
    """
    taken, left = [rows[:0]], size + 0.5  # half a byte: `size` is a product of floats
    while len(rows):
        ends = np.cumsum(pool.bytes[rows])
        fitting = int(np.searchsorted(ends, left, side="right"))
        taken.append(rows[:fitting])
        if fitting == len(rows) or pool.bytes[rows[fitting]] <= LARGE_SHARE * size:
            break
        left -= float(ends[fitting - 1]) if fitting else 0.0
        rows = rows[fitting + 1 :]
        rows = rows[pool.bytes[rows] <= left]
    return np.concatenate(taken)


def _require_texts(shares: Shares, pools: Mapping[str, Pool]) -> None:
    for kind, share in shares.items():
        if share > 0 and not len(pools[kind].bytes):
            raise UserError(
                f"mix.{kind} is {share:g}, but there is no such text",
                why="the training set would not have the composition that params.yaml asks for",
                fix=f"add such documents to a source, or set mix.{kind} to 0",
            )

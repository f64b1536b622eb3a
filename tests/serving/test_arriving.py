"""Who answers a question that is left open: by what it is about."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from acclimate.serving.arriving import ROUTED, arrived
from acclimate.serving.asking import Wish
from acclimate.serving.models import Model
from acclimate.serving.prompts import as_it_stands
from acclimate.serving.relevance import PLACES, Relevance, features
from acclimate.serving.roster import Roster
from acclimate.serving.state import Packaged, Serving

ONE = Packaged(version="1", folder=Path("/"), sha256="1" * 64)


def sorting() -> Relevance:
    """Knows one word, which is all of its domain."""
    weights = np.full(PLACES, -9.0, dtype=np.float32)
    (place,) = features("sort")
    weights[place] = 9.0
    return Relevance(weights, 0.0)


def model(packaged: Packaged, *, relevance: Relevance | None) -> Model:
    engine: Any = SimpleNamespace(ends=frozenset({0}), joins=False)
    tokenizer = SimpleNamespace(eos_token_id=0, pad_token_id=0, bos_token_id=None)
    made = Model({"model": "m", "version": packaged.version}, engine, tokenizer)
    made.bare = Model({"model": "base", "version": "b"}, engine, tokenizer)
    made.relevance = relevance
    return made


def named(topic: str, *, asked: str | None = None, base_below: float | None, relevance: Relevance | None) -> str | None:
    """The model that a wish names when it has arrived."""

    async def _arrive() -> str | None:
        roster = Roster(lambda packaged: model(packaged, relevance=relevance))
        await roster.bring(Serving(champion=ONE))
        settings = SimpleNamespace(base_below=base_below, most_waiting=1, request_seconds=10)
        with ExitStack() as held:
            wish = Wish(as_it_stands(topic), model=asked, topic=topic)
            return (await arrived(held, SimpleNamespace(roster=roster, settings=settings), wish)).model

    return asyncio.run(_arrive())


def counted(route: str) -> float:
    (metric,) = ROUTED.collect()
    found = (one.value for one in metric.samples if one.name.endswith("_count") and one.labels == {"route": route})
    return next(found, 0.0)


@pytest.mark.parametrize(("topic", "route", "answers"), [("sort", "adapted", None), ("cook", "base", "base")])
def test_what_is_not_of_the_domain_goes_to_the_base_and_both_ways_are_counted(
    topic: str, route: str, answers: str | None
) -> None:
    before = counted(route)
    assert named(topic, base_below=0.5, relevance=sorting()) == answers
    assert counted(route) == before + 1


def test_the_registered_model_is_left_open_too() -> None:
    assert named("cook", asked="m", base_below=0.5, relevance=sorting()) == "base"


@pytest.mark.parametrize("asked", ["champion", "1", "base"])
def test_who_is_named_answers_whatever_it_is_about(asked: str) -> None:
    for topic in ("sort", "cook"):
        assert named(topic, asked=asked, base_below=0.5, relevance=sorting()) == asked


def test_nothing_is_sent_away_where_it_is_not_asked_for_or_cannot_be_told() -> None:
    assert named("cook", base_below=None, relevance=sorting()) is None
    assert named("cook", base_below=0.5, relevance=None) is None

"""Say which packaged model is served in which role: the writing side of acclimate.serving.state.

Each owner changes its own fields: `acclimate endpoint`, which follows the registry, the champion; whoever releases
step by step, the challenger and its share. Changes are made under a lock and are whole or absent, so that the
service, which looks several times a second, never sees half of one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import ValidationError

from acclimate.core.files import write_text
from acclimate.core.home import state
from acclimate.core.locks import locked
from acclimate.release.package import source_path
from acclimate.serving.models import packaged_in
from acclimate.serving.places import Places
from acclimate.serving.state import Packaged, Serving, read


def places() -> Places:
    """Where the endpoint's state and logs are."""
    return Places(state() / "endpoint")


def now() -> Serving:
    """What is to be served; nothing if nobody has said so yet, or only another version of Acclimate has."""
    try:
        return read(places().serving)
    except (FileNotFoundError, ValidationError):
        return Serving()


def packaged(tag: str) -> Packaged:
    """The model in a built Bento."""
    return packaged_in(source_path(tag))


def set_champion(tag: str | None, why: str = "") -> Serving:
    """Serve this Bento as champion; None: nothing, and `why`. A challenger that becomes champion is none any more."""
    champion = None if tag is None else packaged(tag)

    def _crowned(before: Serving) -> Serving:
        overtaken = champion is not None and before.challenger == champion
        challenger = {"challenger": None} if overtaken else {}
        return before.model_copy(update={"champion": champion, "why": why, **challenger})

    return _change(_crowned)


def set_challenger(tag: str) -> Serving:
    """Load this Bento beside the champion; what it is asked is for a canary to say."""
    challenger = packaged(tag)
    return _change(lambda before: before.model_copy(update={"challenger": challenger}))


def set_adapters(tags: Mapping[str, str]) -> Serving:
    """Have these Bentos loaded when they are asked for, by the names of their registered models, and no others."""
    adapters = {name: packaged(tag) for name, tag in sorted(tags.items())}
    return _change(lambda before: before.model_copy(update={"adapters": adapters}))


def withdraw_challenger() -> Serving:
    """Unload the challenger; what it has begun, it finishes."""
    return _change(lambda before: before.model_copy(update={"challenger": None}))


def _change(make: Callable[[Serving], Serving]) -> Serving:
    path = places().serving
    with locked(path.with_suffix(".lock")):
        before = now()
        then = make(before)
        if then != before or not path.exists():
            write_text(path, then.model_dump_json(indent=2) + "\n")
    return then

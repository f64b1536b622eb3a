"""Who is served here and which share of the requests each gets: what the manifests are made of.

.acclimate/endpoint/serving.json, canary.json  →  Release("acclimate-law", (Version("3", …, 95), Version("4", …, 5)))
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.release.roles import now, places
from acclimate.serving.canary.record import Canary, read
from acclimate.serving.state import Packaged, Serving


@dataclass(frozen=True)
class Version:
    """A packaged version that is to run, and its weight among those that do."""

    version: str
    tag: str
    """Of its Bento, and so of its image: v3-ab12cd34."""
    threads: int
    """What it computes with."""
    weight: int


@dataclass(frozen=True)
class Release:
    """All that is served of one registered model, the champion first."""

    model: str
    versions: tuple[Version, ...]


def released() -> Release:
    """What the registry and the canary say is to be served.

    Raises:
        UserError: if there is no champion.
    """
    serving = now()
    if serving.champion is None:
        raise UserError(
            f"there is no champion to run: {serving.why or 'nobody has served one here yet'}",
            why="manifests name the image of a version",
            fix="promote a version (`acclimate registry promote`) and let `acclimate endpoint` find it",
        )
    champion, challenger = weights(share_of(read(places().canary), serving))
    versions = [_version(serving.champion, champion)]
    if serving.challenger is not None:
        versions.append(_version(serving.challenger, challenger))
    return Release(read_json(serving.champion.folder / "manifest.json")["model"], tuple(versions))


def share_of(canary: Canary | None, serving: Serving) -> float:
    """Of the requests, that the challenger is to get: none unless the canary is of the two that are served."""
    champion, challenger = serving.champion, serving.challenger
    if canary is None or champion is None or challenger is None:
        return 0.0
    same = (canary.champion, canary.challenger) == (champion.version, challenger.version)
    return canary.share if same else 0.0


def weights(share: float) -> tuple[int, int]:
    """A share (0–1) as whole weights of champion and challenger: of 100, or of as many as it needs, up to 10,000."""
    whole = next((whole for whole in (100, 1000) if math.isclose(share * whole, round(share * whole))), 10_000)
    part = max(1, round(share * whole)) if share else 0
    return whole - part, part


def _version(packaged: Packaged, weight: int) -> Version:
    manifest = read_json(packaged.folder / "manifest.json")
    return Version(packaged.version, f"v{packaged.version}-{packaged.sha256[:8]}", manifest["threads"], weight)

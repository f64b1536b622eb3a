"""Which models are to be served in which role: the one file that whoever decides writes and the service follows.

    {"champion": {"version": "3", "folder": "/…/acclimate-scientific-python/v3-ab12cd34/src", "sha256": "ab12cd34…"},
     "challenger": null, "why": "",
     "adapters": {"acclimate-law": {"version": "7", "folder": "/…/acclimate-law/v7-77aa01c2/src", "sha256": "77aa…"}}}

The service never asks the registry: it goes on serving when that is down, and starts without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Role = Literal["champion", "challenger"]
ROLES: tuple[Role, ...] = ("champion", "challenger")


class Packaged(BaseModel):
    """A model as it was packaged: a folder with model/ and manifest.json."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    folder: Path
    sha256: str
    """Of model/, as it is in the manifest of what was approved: the folder's own manifest must say the same."""


class Serving(BaseModel):
    """What is to be served: the champion, and perhaps a challenger, which is asked what a canary gives it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    champion: Packaged | None = None
    challenger: Packaged | None = None
    adapters: dict[str, Packaged] = {}
    """Champions of other domains on the champion's base, by their registered models: loaded when they are asked for."""
    why: str = ""
    """Why there is no champion, for whoever asks; empty if there is one."""

    def packaged(self, role: Role) -> Packaged | None:
        """What is to be served in a role."""
        return self.champion if role == "champion" else self.challenger


def read(path: Path) -> Serving:
    """What the file says; raises ValueError (pydantic's) if it is damaged."""
    return Serving.model_validate_json(path.read_bytes())

"""Where the endpoint's process finds what it follows and writes what it logs: one folder, or none.

ACCLIMATE_ENDPOINT_FOLDER names it. A Bento that is served by itself needs none: it then logs nothing.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VARIABLE = "ACCLIMATE_ENDPOINT_FOLDER"
JOBS = "/api/v1/jobs"
"""Where jobs are submitted."""


@dataclass(frozen=True)
class Places:
    """The files in the endpoint's folder."""

    folder: Path

    @property
    def serving(self) -> Path:
        """Which models are to be served in which role (acclimate.serving.state)."""
        return self.folder / "serving.json"

    @property
    def settings(self) -> Path:
        """The dials of the endpoint, as params.yaml had them when it was started."""
        return self.folder / "settings.json"

    @property
    def keys(self) -> Path:
        """Who may ask (acclimate.serving.keys)."""
        return self.folder / "keys.json"

    @property
    def pepper(self) -> Path:
        """What keys are hashed with."""
        return self.folder / "pepper"

    @property
    def audit(self) -> Path:
        """Who asked, and how much; never what."""
        return self.folder / "audit.jsonl"

    @property
    def requests(self) -> Path:
        """What was asked, for `acclimate collect`."""
        return self.folder / "requests.jsonl"

    @property
    def canary(self) -> Path:
        """Who is tried beside the champion, and how it goes (acclimate.serving.canary)."""
        return self.folder / "canary.json"

    @property
    def feedback(self) -> Path:
        """What users thought of answers."""
        return self.folder / "feedback.jsonl"

    @property
    def jobs(self) -> Path:
        """The jobs that are kept, a folder each (acclimate.serving.jobs)."""
        return self.folder / "jobs"

    @property
    def access(self) -> Path:
        """How each request went."""
        return self.folder / "access.jsonl"


def named() -> Places | None:
    """The places that the environment names, or None."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        return None
    Path(folder).mkdir(parents=True, exist_ok=True)
    return Places(Path(folder))


def append(path: Path, row: dict[str, Any]) -> None:
    """Add a line to a log that only its owner can read."""
    line = (json.dumps(row, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
    # One write to a file opened for appending: lines of several writers do not mix (write(2), O_APPEND).
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, line)
    finally:
        os.close(handle)

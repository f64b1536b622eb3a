"""What the next run compares with: the manifest and profile of the data that was last accepted.

accepted/ in the main checkout is copied into every run that is opened: there `ingest` learns what is new and
`validate` what is normal. Each file is replaced in one step; the manifest last, because without it the next
ingest takes in again what it has already seen, which loses nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from acclimate.core.home import state
from acclimate.core.locks import inputs_lock, locked

ACCEPTED = "accepted"
SOURCES = {"profile.json": "artifacts/validate/profile.json", "manifest.parquet": "artifacts/ingest/manifest.parquet"}
"""File in accepted/ to where a stage leaves it."""


def accept(checkout: Path, root: Path) -> list[str]:
    """Copy what the stages in `checkout` left into `root`/accepted, and return the names of what was there."""
    folder = root / ACCEPTED
    folder.mkdir(exist_ok=True)
    state(root).mkdir(exist_ok=True)
    copied = []
    with locked(inputs_lock(root)):  # profile and manifest are of one batch, for whoever copies them too
        for name, source in SOURCES.items():
            if (checkout / source).exists():
                # Not in accepted/: what is killed half-way must not be copied into runs for ever.
                partial = state(root) / f"{name}.{os.getpid()}.partial"
                try:
                    shutil.copyfile(checkout / source, partial)
                    os.replace(partial, folder / name)
                finally:
                    partial.unlink(missing_ok=True)
                copied.append(name)
    return copied

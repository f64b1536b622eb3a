"""Where the state of a checkout lives: one ignored folder, `.acclimate`, in the main checkout.

Runs are worktrees of the same repository; they share the folder of the checkout they came from.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from acclimate.core.errors import UserError


def home() -> Path:
    """The root of the main checkout: $ACCLIMATE_HOME, else the one whose .git the current folder uses.

    Raises:
        UserError: outside a git checkout.
    """
    if named := os.environ.get("ACCLIMATE_HOME"):
        return Path(named).resolve()
    command = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise UserError(
            f"{Path.cwd()} is not inside a git checkout of Acclimate",
            why="runs are worktrees of it and are rebuilt from its commits",
            fix="run the command in a clone, or set ACCLIMATE_HOME to one",
        )
    return Path(found.stdout.strip()).parent


def state(root: Path | None = None) -> Path:
    """The folder for everything that is not in git: services, registry, runs, logs, secrets."""
    return (root or home()) / ".acclimate"

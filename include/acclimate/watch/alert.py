"""Tell whoever is listening about drift, once.

    acclimate alert           # prints, and adds to .acclimate/watch/alerts.jsonl

Retraining is not started here: a person, or later a rule, decides on it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, write_jsonl
from acclimate.watch.collect import watch_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def main(arguments: argparse.Namespace) -> int:
    """Say whether there is something to tell, and tell it."""
    raised = alert(watch_folder())
    print("nothing new to tell" if raised is None else raised["message"])
    return 0


def alert(folder: Path) -> dict[str, Any] | None:
    """Add an alert for the last drift result unless it is quiet or was told before; returns the new alert.

    Raises:
        UserError: if drift was never measured.
    """
    path = folder / "drift.json"
    if not path.exists():
        raise UserError(
            f"{path} does not exist", why="there is no drift result to tell", fix="run `acclimate drift` first"
        )
    result = read_json(path)
    told = read_jsonl(folder / "alerts.jsonl") if (folder / "alerts.jsonl").exists() else []
    identity = hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()[:16]
    if result["status"] != "drift" or any(row["id"] == identity for row in told):
        return None
    words = ", ".join(result["words"])
    raised = {
        "id": identity,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "message": (
            f"drift: {result['n']} requests to version {result['version']} differ from its training questions "
            f"(distance {result['distance']:.3f}, p = {result['p_value']:.4f}); asked more than trained: {words}"
        ),
        **result,
    }
    write_jsonl(folder / "alerts.jsonl", [*told, raised])
    return raised

"""The audit of the registry: who registered, signed, promoted, rolled back or pulled which version, when and why.

    .acclimate/registry/audit.jsonl
    {"record": 7, "when": "2026-11-21T09:30:00+00:00", "who": "ada", "verb": "promote", "model": "acclimate-law",
     "version": "4", "adapter_sha256": "41aa…", "why": "…", "run": "demo", "before": {"champion": "3", …},
     "after": {"champion": "4", …}, "previous": "77e0…"}

A record is written before the aliases move, so that no move is without one; a step that was ended in between is
recorded again when it is repeated. The file is a chain of hashes: core/chain.py.
"""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acclimate.core.chain import Chain, Record
from acclimate.core.home import home, state
from acclimate.core.locks import locked

Standing = dict[str, str | None]
"""Alias to the number of the version it points to; None where there is no such alias."""


def note(checkout: Path, verb: str, version: Any, *, why: str, before: Standing, after: Standing) -> Record:
    """Add a record: in `checkout`, `verb` is about to be done with the MLflow model version `version`.

    Raises:
        UserError: if the audit was tampered with.
    """
    return _chain().append(
        lambda number: {
            "record": number,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "who": getpass.getuser(),
            "verb": verb,
            "model": version.name,
            "version": str(version.version),
            "adapter_sha256": version.tags.get("adapter_sha256"),
            "why": why,
            "run": checkout.resolve().name,
            "before": before,
            "after": after,
        }
    )


def records(model: str, version: str | None = None) -> list[Record]:
    """What is on record about a model, or about one version of it, oldest first.

    Raises:
        UserError: if the audit was tampered with.
    """
    about = [record for record in _chain().read() if record["model"] == model]
    return [record for record in about if version is None or version in _concerned(record)]


@contextmanager
def alone() -> Iterator[None]:
    """One change of the registry at a time in this checkout and its runs: aliases are read, then moved."""
    with locked(state() / "registry/lock"):
        yield


def _concerned(record: Record) -> set[str | None]:
    """The version itself, and those that lost or got an alias with it."""
    before, after = record["before"], record["after"]
    moved = [alias for alias in after if before[alias] != after[alias]]
    return {record["version"], *(standing[alias] for standing in (before, after) for alias in moved)}


def _chain() -> Chain:
    return Chain(
        state(home()) / "registry/audit.jsonl",
        why="the audit says who released what; a changed one says nothing",
        fix="restore the file from a backup; if there is none, keep the broken one under another name, "
        "and say so in the --reason of the next promotion",
    )

"""The ledger of the locked test set: every time a model is scored on it, when, by whom, and which model.

    .acclimate/testset/ledger.jsonl
    {"use": 3, "when": "2026-11-21T09:30:00+00:00", "who": "ada", "domain": "scientific_python", "stage": "evaluate",
     "run": "demo", "testset": {"domain_cloze.jsonl": "9f2c…"}, "models": {"adapter": "41aa…"}, "previous": "77e0…"}

A test set that is looked at often enough can be passed by luck (Dwork et al. 2015, The reusable holdout): how
often is part of any verdict. A line is added before the scoring starts, so that a use that was ended half-way
counts too. Every line carries the hash of the one before it: what is taken out or changed later shows.
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acclimate.core.chain import Chain
from acclimate.core.files import sha256
from acclimate.core.home import state


@dataclass(frozen=True)
class Use:
    """One scoring of one or more models."""

    use: int
    """Counted from 1, over all domains."""
    when: str
    """UTC, ISO 8601."""
    who: str
    domain: str
    stage: str
    run: str
    """The folder of the checkout or worktree it happened in."""
    testset: dict[str, str]
    """File name to its SHA-256."""
    models: dict[str, str]
    """Role (base, adapter, champion, …) or form (gguf-q8_0, …) to the SHA-256 of its weights."""
    previous: str
    """SHA-256 of the line before; zeros in the first."""


def ledger_path(root: Path) -> Path:
    """Where the ledger of the main checkout `root` stands; runs share it."""
    return state(root) / "testset" / "ledger.jsonl"


def note_use(root: Path, *, domain: str, stage: str, checkout: Path, testset: Path, models: Mapping[str, Path]) -> Use:
    """Add a line: `stage`, in `checkout`, is about to score the models in these folders on the files in `testset`.

    Raises:
        UserError: if the ledger was tampered with.
    """
    hashes = {role: sha256(*weights) for role, folder in models.items() if (weights := _weights(folder))}
    files = {file.name: sha256(file) for file in sorted(testset.glob("*.jsonl"))}

    def use(number: int) -> dict[str, Any]:
        return {
            "use": number,
            "when": datetime.now(UTC).isoformat(timespec="seconds"),
            "who": getpass.getuser(),
            "domain": domain,
            "stage": stage,
            "run": checkout.resolve().name,
            "testset": files,
            "models": hashes,
        }

    return Use(**_chain(ledger_path(root)).append(use))


def read_ledger(root: Path, domain: str | None = None) -> list[Use]:
    """Every use, oldest first; of one domain, if it is named.

    Raises:
        UserError: naming the first line that does not follow from the one before it.
    """
    return [use for use in read_uses(ledger_path(root)) if domain is None or use.domain == domain]


def read_uses(path: Path) -> list[Use]:
    """Every use in the ledger at `path`, oldest first; none while there is no ledger.

    Raises:
        UserError: naming the first line that does not follow from the one before it.
    """
    return [Use(**record) for record in _chain(path).read()]


def _chain(path: Path) -> Chain:
    return Chain(
        path,
        why="the ledger says how often the test set was used; a changed one says nothing",
        fix="restore the file from a backup; if there is none, unlock the test set with that as the reason, "
        "keep the broken ledger under another name, and lock a new test set",
    )


def _weights(folder: Path) -> list[Path]:
    return sorted((*folder.glob("*.safetensors"), *folder.glob("*.gguf")))

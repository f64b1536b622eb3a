"""The ledger of the locked test set: every time a model is scored on it, when, by whom, and which model.

    .acclimate/testset/ledger.jsonl
    {"use": 3, "when": "2026-11-21T09:30:00+00:00", "who": "ada", "domain": "scientific_python", "stage": "evaluate",
     "run": "demo", "testset": {"domain_cloze.jsonl": "9f2c…"}, "models": {"adapter": "41aa…"}, "previous": "77e0…"}

A test set that is looked at often enough can be passed by luck (Dwork et al. 2015, The reusable holdout): how
often is part of any verdict. A line is added before the scoring starts, so that a use that was ended half-way
counts too. Every line carries the hash of the one before it: what is taken out or changed later shows.
"""

from __future__ import annotations

import fcntl
import getpass
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from acclimate.core.errors import UserError
from acclimate.core.files import sha256
from acclimate.core.home import state

_FIRST = "0" * 64


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
    """Role (base, adapter, champion, …) to the SHA-256 of its weights."""
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
    path = ledger_path(root)
    path.parent.mkdir(parents=True, exist_ok=True)
    hashes = {role: sha256(*weights) for role, folder in models.items() if (weights := _weights(folder))}
    files = {file.name: sha256(file) for file in sorted(testset.glob("*.jsonl"))}
    with path.open("a+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _drop_torn_line(file)
        uses = _parsed(file)
        use = Use(
            use=len(uses) + 1,
            when=datetime.now(UTC).isoformat(timespec="seconds"),
            who=getpass.getuser(),
            domain=domain,
            stage=stage,
            run=checkout.resolve().name,
            testset=files,
            models=hashes,
            previous=_hash(uses[-1]) if uses else _FIRST,
        )
        file.write(_line(use))
        file.flush()
        os.fsync(file.fileno())
    return use


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
    if not path.exists():
        return []
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)
        return _parsed(file)


def _weights(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


def _line(use: Use) -> bytes:
    return (json.dumps(asdict(use), ensure_ascii=False) + "\n").encode()


def _hash(use: Use) -> str:
    return hashlib.sha256(_line(use)).hexdigest()


def _drop_torn_line(file: BinaryIO) -> None:
    """Half a line at the end is what a full disk or a power cut left of a use whose scoring never began."""
    file.seek(0)
    content = file.read()
    if not content.endswith(b"\n"):
        file.truncate(content.rfind(b"\n") + 1)


def _parsed(file: BinaryIO) -> list[Use]:
    uses: list[Use] = []
    file.seek(0)
    for number, line in enumerate(file, start=1):
        expected = _hash(uses[-1]) if uses else _FIRST
        use = _use(line)
        if use is None or use.previous != expected or use.use != number or _line(use) != line:
            raise UserError(
                f"line {number} of {file.name} does not follow from the line before it",
                why="the ledger says how often the test set was used; a changed one says nothing",
                fix="restore the file from a backup; if there is none, unlock the test set with that as the reason, "
                "keep the broken ledger under another name, and lock a new test set",
            )
        uses.append(use)
    return uses


def _use(line: bytes) -> Use | None:
    try:
        return Use(**json.loads(line))
    except (ValueError, TypeError):
        return None

"""A version of the training set: tag dataset/<domain>/<date>-<first 8 digits of train.jsonl's SHA-256>.

The tag's commit holds the checkout that made it (code, params.yaml), dvc.lock, which names every file by hash, and
under dataset/ what is in the tag itself for who has no cache: version.json, card.md, croissant.json. It is on no
branch, and the branch, index and files of the checkout stay as they are. Equal training sets are one version.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.worktrees import git

FOLDER = "dataset"
"""Of the documents in a version's commit."""
NAME = re.compile(r"dataset/[a-z][a-z0-9_]*/\d{4}-\d{2}-\d{2}-[0-9a-f]{8}")
RECORD = "version.json"
TRAIN = "artifacts/mix/train.jsonl"


@dataclass(frozen=True)
class Version:
    """What version.json says."""

    name: str
    domain: str
    date: str
    """UTC, when it was tagged, ISO 8601."""
    sha256: str
    """Of train.jsonl."""
    records: int
    bytes: int
    estimated_tokens: int
    parents: list[str]
    """The newest version of the same domain before this one, if there was one."""


def versions(root: Path) -> list[Version]:
    """Every version, the newest first."""
    listed = git(root, "for-each-ref", "--format=%(refname:strip=2)", "refs/tags/dataset").splitlines()
    # Somebody's own tag dataset/v1 is none of ours.
    found = [Version(**json.loads(content(root, name, RECORD))) for name in listed if NAME.fullmatch(name)]
    return sorted(found, key=lambda version: (version.date, version.name), reverse=True)


def find(root: Path, asked: str) -> Version:
    """The version called `asked`: its whole name, the part after the domain, or the digits at its end.

    Raises:
        UserError: if none or several are, with those that exist.
    """
    known = versions(root)
    found = [version for version in known if asked in _names(version.name)]
    if len(found) != 1:
        names = ", ".join(version.name for version in found or known[:10])
        what = f"{asked!r} is more than one version of the data set" if found else f"there is no data set {asked!r}"
        raise UserError(
            what,
            why="a version is a git tag, made by `acclimate dataset tag`",
            fix=f"take one of {names}" if names else "run `dvc repro mix`, then `acclimate dataset tag`",
        )
    return found[0]


def content(root: Path, name: str, file: str) -> str:
    """A document of version `name`, from its commit."""
    return git(root, "show", f"refs/tags/{name}:{FOLDER}/{file}")


def short(name: str) -> str:
    """'2026-11-20-2e99829f' of 'dataset/scientific_python/2026-11-20-2e99829f'."""
    return name.rpartition("/")[2]


def _names(name: str) -> tuple[str, ...]:
    return name, name.removeprefix("dataset/"), short(name), name.rpartition("-")[2]

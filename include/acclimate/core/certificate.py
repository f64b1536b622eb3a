"""A certificate beside files says which content of them is proven clean; whoever reads them checks it.

    artifacts/decontaminate/certificate.json    {"general.parquet": "9f2c…", "domain.parquet": "07aa…"}

`decontaminate` certifies what it has checked, a stage that only read certified files what it made of
them. So a file that was edited, or replaced by one that nobody checked, does not reach training.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256, write_json

NAME = "certificate.json"


def certificate_of(path: Path) -> Path:
    """Where the certificate for the file at `path` stands."""
    return path.with_name(NAME)


def certify(directory: Path, names: Iterable[str]) -> None:
    """Write down the SHA-256 of the files called `names` in `directory`."""
    write_json(directory / NAME, {name: sha256(directory / name) for name in sorted(names)})


def require_certified(path: Path) -> None:
    """Return if the content of `path` is what the certificate beside it says.

    Raises:
        UserError: if there is no certificate for it, or the file is another one.
    """
    certificate = certificate_of(path)
    stage = path.parent.name
    if not certificate.exists():
        raise _refusal(f"{path} has no certificate beside it", stage)
    certified = read_json(certificate).get(path.name)
    found = sha256(path)
    if found != certified:
        says = f"is of {certified[:12]}…" if certified else "does not name it"
        raise _refusal(f"{path} is not the file that was certified: it is {found[:12]}…, {certificate} {says}", stage)


def _refusal(what: str, stage: str) -> UserError:
    return UserError(
        what,
        why="training text that was not checked against the evaluation items may hold their answers",
        fix=f"run `dvc repro --force {stage}`; to change what is trained on, change the sources or the dials",
    )

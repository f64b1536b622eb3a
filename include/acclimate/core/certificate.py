"""A certificate beside files says which content of them is proven clean; whoever reads them checks it.

    artifacts/decontaminate/certificate.json        {"general.parquet": "9f2c…", "domain.parquet": "07aa…"}
    artifacts/mix/certificate.json                  {"train.jsonl": "41aa…", "from": {"domain.parquet": "07aa…", …}}
    artifacts/decontaminate/checked_against.json    {"clean": {"domain.parquet": "07aa…", …}, "params": {…},
                                                     "against": {"evaluation/domain_cloze.jsonl": "77e0…", …}}

`decontaminate` certifies what it has checked, a stage that only read certified files what it made of
them. So a file that was edited, or replaced by one that nobody checked, does not reach training.

What the texts were checked against is in a file of its own: a new evaluation item that stands in no text leaves
the certificate as it was, and nothing is trained again. A stage that judges a model asks whether the texts it
learnt from were checked against the very items it is judged by.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256, write_json

NAME = "certificate.json"
CHECKED = "checked_against.json"
FROM = "from"
"""In a certificate: the files that `decontaminate` certified and everything was made of."""


def certificate_of(path: Path) -> Path:
    """Where the certificate for the file at `path` stands."""
    return path.with_name(NAME)


def certify(directory: Path, names: Iterable[str], made_from: Mapping[str, str] | None = None) -> None:
    """Write down the SHA-256 of the files called `names` in `directory`, and what they were made from."""
    origin = {FROM: dict(sorted(made_from.items()))} if made_from else {}
    write_json(directory / NAME, {name: sha256(directory / name) for name in sorted(names)} | origin)


def origins(paths: Iterable[Path]) -> dict[str, str]:
    """The files, with their SHA-256, that `decontaminate` certified and these certified ones come down to."""
    found: dict[str, str] = {}
    for path in paths:
        certificate = read_json(certificate_of(path))
        found |= certificate.get(FROM) or {path.name: certificate[path.name]}
    return found


def note_checked(
    directory: Path,
    names: Iterable[str],
    *,
    against: Iterable[Path],
    benchmarks: Mapping[str, str],
    params: Mapping[str, Any],
) -> None:
    """Write down what the files called `names` in `directory` were checked against.

    Args:
        directory: where the files are, and the note goes.
        names: of the files.
        against: files with evaluation items.
        benchmarks: name to a hash of the items.
        params: the dials of the search.
    """
    noted = {
        "clean": {name: sha256(directory / name) for name in sorted(names)},
        "against": {_called(path): sha256(path) for path in sorted(against)},
        "benchmarks": dict(sorted(benchmarks.items())),
        "params": params,
    }
    write_json(directory / CHECKED, noted)


def require_checked(evaluation: Path, *, dataset: Path, checked: Path, params: Mapping[str, Any]) -> None:
    """Return if the training set at `dataset` was checked against the items at `evaluation`.

    Args:
        evaluation: a JSONL file of items, or a folder with such files.
        dataset: a certified file.
        checked: what note_checked has written.
        params: the dials that are to have been those of the search.

    Raises:
        UserError: if the training set comes from other texts than were checked last, these were checked against
            other items, or by other dials.
    """
    for path in (certificate_of(dataset), checked):
        if not path.exists():
            raise _refusal(f"{path} is not there", path.parent.name)
    noted = read_json(checked)
    if origins([dataset]) != noted["clean"]:
        raise _refusal(f"{dataset} was made of other texts than {checked} is about", dataset.parent.name)
    for path in sorted(evaluation.glob("*.jsonl")) if evaluation.is_dir() else [evaluation]:
        if noted["against"].get(_called(path)) != sha256(path):
            raise _refusal(f"the training texts were not checked against {path} as it is now", checked.parent.name)
    if noted["params"] != params:
        names = sorted(
            name for name in noted["params"].keys() | params.keys() if noted["params"].get(name) != params.get(name)
        )
        what = f"the training texts were checked by other dials than params.yaml has now: {', '.join(names)}"
        raise _refusal(what, checked.parent.name)


def _called(path: Path) -> str:
    """Folder and name: enough to tell the files of a checkout apart, and the same in every checkout."""
    return f"{path.parent.name}/{path.name}"


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

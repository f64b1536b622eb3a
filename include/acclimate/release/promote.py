"""Make the packaged challenger the champion; the champion until now becomes previous.

    acclimate promote         # writes reports/promote.json

The endpoint follows the alias by itself within seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.core.params import load
from acclimate.core.reports import report_path
from acclimate.release.registry import CHALLENGER, CHAMPION, PREVIOUS, aliases, connect, model_name

if TYPE_CHECKING:
    from mlflow import MlflowClient


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: the domain in params.yaml names the model."""


def main(arguments: argparse.Namespace) -> int:
    """Promote and say what changed."""
    done = promote(Path())
    before, after = done["before"][CHAMPION], done["after"][CHAMPION]
    change = "stays" if before == after else f"replaces {f'version {before}' if before else 'none'} as"
    print(f"{done['model']} version {after} {change} champion")
    return 0


def promote(checkout: Path) -> dict[str, Any]:
    """Move the aliases; writes reports/promote.json with where they stood before and after.

    In the checkout of a run that registered a version, only that version can be promoted: what was
    approved is what is released, even if another run has registered a challenger since.

    Raises:
        UserError: if there is no challenger, it is not this run's, or it has no Bento.
    """
    name = model_name(load(checkout / "params.yaml").ingest.domain)
    client = connect()
    before = aliases(client, name)
    version = _candidate(checkout, name, before)
    if version != before[CHAMPION]:
        _require_bento(client, name, version)
        if before[CHAMPION] is not None:
            client.set_registered_model_alias(name, PREVIOUS, before[CHAMPION])
        client.set_registered_model_alias(name, CHAMPION, version)
    if before[CHALLENGER] == version:
        client.delete_registered_model_alias(name, CHALLENGER)
    report = {"model": name, "version": version, "before": before, "after": aliases(client, name)}
    write_json(report_path("promote", checkout), report)
    return report


def _candidate(checkout: Path, name: str, standing: dict[str, str | None]) -> str:
    """The version to be champion: this run's own, else the challenger, else the one that is champion already."""
    own = _own_version(checkout)
    candidate = own or standing[CHALLENGER] or standing[CHAMPION]
    if candidate is None:
        raise UserError(
            f"{name} has no challenger",
            why="there is nothing to promote",
            fix="run `acclimate register` and `acclimate package` in the checkout of a gated run",
        )
    if candidate not in (standing[CHALLENGER], standing[CHAMPION]):
        raise UserError(
            f"this run registered version {own} of {name}, but the challenger is {standing[CHALLENGER] or 'none'}",
            why="another run has registered or released since; approval of this run says nothing about that one",
            fix="promote in the checkout of the other run, or run `acclimate register` here again",
        )
    return candidate


def _own_version(checkout: Path) -> str | None:
    path = report_path("register", checkout)
    return str(read_json(path)["version"]) if path.exists() else None


def _require_bento(client: MlflowClient, name: str, version: str) -> None:
    if "bento" not in client.get_model_version(name, version).tags:
        raise UserError(
            f"{name} version {version} has no Bento",
            why="the endpoint serves the champion's Bento; a champion without one would stop it",
            fix="run `acclimate package` in the checkout of its run",
        )

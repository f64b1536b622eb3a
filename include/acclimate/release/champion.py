"""Put the registry's champion into champion/, where `evaluate` compares the candidate against it.

    acclimate champion        # champion/champion.json, and the adapter's two files if there is a champion

champion/ is a DVC dependency: equal champions give equal bytes, so nothing runs again for nothing. An adapter is
worth something on its own base only: where this checkout has another, the champion's base comes along, as
champion/base.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256, whole_directory, write_json
from acclimate.core.params import load
from acclimate.core.reports import report_path
from acclimate.release.evidence import ADAPTER_FILES
from acclimate.release.registry import CHAMPION, base_uri, connect, model_name, model_uri, version_at
from acclimate.release.versions.pull import fetched_adapter

BASE = "base"
"""Folder of the champion's base in champion/, where it is not the checkout's."""
TAGS = ("adapter_sha256", "base_sha256", "git_commit", "run")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: the domain in params.yaml names the model."""


def main(arguments: argparse.Namespace) -> int:
    """Fetch the champion of the domain in params.yaml and say which it is."""
    champion = fetch_champion(Path())
    if champion["version"] is None:
        print("no champion yet: the candidate is compared with the base alone")
    else:
        print(f"champion: version {champion['version']}, adapter {champion['adapter_sha256'][:8]}")
    return 0


def fetch_champion(checkout: Path) -> dict[str, Any]:
    """Make champion/ say what the registry says now, and return what champion.json holds.

    Raises:
        UserError: if the registry does not answer, or hands out other bytes than were registered.
    """
    name = model_name(load(checkout / "params.yaml").ingest.domain)
    version = version_at(connect(), name, CHAMPION)
    folder = checkout / "champion"
    folder.mkdir(exist_ok=True)
    if version is None:
        for file in ADAPTER_FILES:
            (folder / file).unlink(missing_ok=True)
        shutil.rmtree(folder / BASE, ignore_errors=True)
        champion: dict[str, Any] = {"version": None}
    else:
        champion = {"version": str(version.version), **{tag: version.tags[tag] for tag in TAGS}}
        _put_adapter(version, folder)
        _put_base(version, folder / BASE, own=_base_sha256(checkout))
    write_json(folder / "champion.json", champion)
    return champion


def _put_adapter(version: Any, folder: Path) -> None:
    with fetched_adapter(version) as fetched:
        for file in ADAPTER_FILES:
            partial = folder / f".{file}.partial"
            shutil.copyfile(fetched / file, partial)
            partial.replace(folder / file)


def _base_sha256(checkout: Path) -> str | None:
    """Of the base that this checkout's candidates are trained on; None before `base` has run."""
    report = report_path("base", checkout)
    return read_json(report)["base_sha256"] if report.exists() else None


def _put_base(version: Any, folder: Path, *, own: str | None) -> None:
    """Have the base of `version` in `folder` if it is another than the checkout's `own`, and nothing there if not."""
    wanted = version.tags["base_sha256"]
    if wanted == own:
        shutil.rmtree(folder, ignore_errors=True)
    elif not folder.exists() or _weights_sha256(folder) != wanted:
        with whole_directory(folder) as empty:
            _fetch_base(version, empty)
            if (found := _weights_sha256(empty)) != wanted:
                raise UserError(
                    f"the base of {version.name} version {version.version} has SHA-256 {found[:8]}, "
                    f"registered was {wanted[:8]}",
                    why="the champion would be scored on a base that it was not trained on",
                    fix="restore the registry's artifacts, or roll back to a version whose base is whole",
                )


def _fetch_base(version: Any, out: Path) -> None:
    """The base as the version holds it: among its artifacts, or by the hub id and commit it was registered with."""
    import mlflow

    from acclimate.model.fetch import fetch

    name, number = version.name, str(version.version)
    config = mlflow.models.get_model_info(model_uri(name, number)).flavors["python_function"].get("config", {})
    if "base_id" in config:
        fetch(config["base_id"], config["base_revision"], out)
        return
    with tempfile.TemporaryDirectory() as temporary:
        fetched = mlflow.artifacts.download_artifacts(artifact_uri=base_uri(name, number), dst_path=temporary)
        shutil.copytree(fetched, out, dirs_exist_ok=True)


def _weights_sha256(folder: Path) -> str:
    return sha256(*sorted(folder.glob("*.safetensors")))

"""Put the registry's champion into champion/, where `evaluate` compares the candidate against it.

    acclimate champion        # champion/champion.json, and the adapter's two files if there is a champion

champion/ is a DVC dependency: equal champions give equal bytes, so nothing runs again for nothing.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

from acclimate.core.files import write_json
from acclimate.core.params import load
from acclimate.release.evidence import ADAPTER_FILES
from acclimate.release.registry import CHAMPION, connect, model_name, version_at
from acclimate.release.versions.pull import fetched_adapter

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
        champion: dict[str, Any] = {"version": None}
    else:
        champion = {"version": str(version.version), **{tag: version.tags[tag] for tag in TAGS}}
        _put_adapter(version, folder)
    write_json(folder / "champion.json", champion)
    return champion


def _put_adapter(version: Any, folder: Path) -> None:
    with fetched_adapter(version) as fetched:
        for file in ADAPTER_FILES:
            partial = folder / f".{file}.partial"
            shutil.copyfile(fetched / file, partial)
            partial.replace(folder / file)

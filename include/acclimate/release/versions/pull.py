"""The adapter of a version as a folder that peft loads, and proof that its bytes are those that were registered."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import whole_directory
from acclimate.release.evidence import ADAPTER_FILES, ADAPTER_WEIGHTS
from acclimate.release.keys import trusted_key
from acclimate.release.registry import adapter_uri
from acclimate.release.signing import SIGNATURE, verify
from acclimate.release.weights import file_sha256


def pull(version: Any, to: Path) -> bool:
    """Put the adapter of an MLflow version into the folder `to`; False if it is there already, byte for byte.

    Raises:
        UserError: if the registry hands out other bytes than were registered, or `to` holds something else.
    """
    if to.exists():
        _require_same(version, to)
        return False
    with whole_directory(to) as folder, fetched_adapter(version) as fetched:
        for file in (*ADAPTER_FILES, SIGNATURE):
            shutil.copyfile(fetched / file, folder / file)
    return True


@contextmanager
def fetched_adapter(version: Any) -> Iterator[Path]:
    """A folder with the adapter's files as the registry has them; it is gone afterwards.

    Raises:
        UserError: if the weights are not those that were registered, or the files not those that were signed.
    """
    import mlflow

    with tempfile.TemporaryDirectory() as temporary:
        uri = adapter_uri(version.name, str(version.version))
        fetched = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=temporary))
        found, registered = file_sha256(fetched / ADAPTER_WEIGHTS), version.tags["adapter_sha256"]
        if found != registered:
            raise UserError(
                f"the adapter of {version.name} version {version.version} has SHA-256 {found[:8]}, "
                f"registered was {registered[:8]}",
                why="its files changed after registration: whatever is done with them says nothing of that version",
                fix="restore the registry's artifacts, or roll back to a version whose files are whole",
            )
        verify(fetched, trusted_key())
        yield fetched


def distrust(version: Any) -> UserError | None:
    """Why the registry's files of a version would not be used here; None if they would be."""
    try:
        with fetched_adapter(version):
            return None
    except UserError as fault:
        return fault


def _require_same(version: Any, folder: Path) -> None:
    weights = folder / ADAPTER_WEIGHTS
    found = file_sha256(weights) if weights.is_file() else None
    if found != version.tags["adapter_sha256"]:
        raise UserError(
            f"{folder} exists and {'holds no adapter' if found is None else f'holds adapter {found[:8]}'}, "
            f"not {version.tags['adapter_sha256'][:8]}",
            why="what is there would be overwritten",
            fix="remove the folder, or name another with --to",
        )

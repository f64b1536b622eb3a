"""The model registry: MLflow, found by MLFLOW_TRACKING_URI or else in the state folder on SQLite.

A domain has one registered model. Three aliases say where its versions stand: `challenger` (gated,
not released), `champion` (released), `previous` (what a rollback returns to).
"""

from __future__ import annotations

import os
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.home import state

if TYPE_CHECKING:
    from mlflow import MlflowClient

CHALLENGER, CHAMPION, PREVIOUS = "challenger", "champion", "previous"
PREFIX = "acclimate-"
"""Of every registered model of ours; other models of the same server are none of our business."""
REACH_SECONDS = 5.0
"""How long a tracking server may take to say that it is there."""


def model_name(domain: str) -> str:
    """The registered model, and the Bento, of a domain: scientific_python → acclimate-scientific-python."""
    return f"{PREFIX}{domain.replace('_', '-')}"


def tracking_uri() -> str:
    """MLFLOW_TRACKING_URI, else a SQLite file that every run of this checkout shares."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{state() / 'mlflow' / 'mlflow.db'}"


def connect() -> MlflowClient:
    """A client of the registry; MLflow's module-level functions are pointed there too.

    Raises:
        UserError: if a server is named that does not answer.
    """
    uri = tracking_uri()
    if uri.startswith(("http://", "https://")):
        _require_answer(uri)
    else:
        (state() / "mlflow" / "artifacts").mkdir(parents=True, exist_ok=True)
    os.environ.update(
        MLFLOW_ALLOW_PICKLE_DESERIALIZATION="false",
        MLFLOW_DISABLE_TELEMETRY="true",
        DO_NOT_TRACK="true",
        MLFLOW_HTTP_REQUEST_MAX_RETRIES="3",
        MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR="false",
        GIT_PYTHON_REFRESH="quiet",
    )
    import mlflow

    mlflow.set_tracking_uri(uri)
    mlflow.set_registry_uri(uri)
    return mlflow.MlflowClient()


def experiment(client: MlflowClient, name: str) -> str:
    """The id of the experiment `name`, created if it is not there.

    A server decides itself where artifacts go; on SQLite they go beside the file.
    """
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(name)
    if found is None:
        location = None
        if tracking_uri().startswith("sqlite:"):
            location = (state() / "mlflow" / "artifacts" / name).as_uri()
        try:
            return str(client.create_experiment(name, artifact_location=location))
        except MlflowException as fault:
            # Another run created it between the two calls.
            if fault.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)
    return str(found.experiment_id)


def version_at(client: MlflowClient, name: str, alias: str) -> Any | None:
    """The model version an alias points to, or None if there is no such alias (or no such model yet)."""
    from mlflow.exceptions import MlflowException

    try:
        return client.get_model_version_by_alias(name, alias)
    except MlflowException as fault:
        if fault.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            return None
        raise


def aliases(client: MlflowClient, name: str) -> dict[str, str | None]:
    """Where the three aliases stand: alias to version number, None where there is none."""
    standing = {alias: version_at(client, name, alias) for alias in (CHAMPION, CHALLENGER, PREVIOUS)}
    return {alias: None if version is None else str(version.version) for alias, version in standing.items()}


def model_uri(name: str, version: str) -> str:
    """A model version as MLflow addresses it."""
    return f"models:/{name}/{version}"


def adapter_uri(name: str, version: str) -> str:
    """Where the adapter's two files stand among the artifacts of a model version."""
    return f"{model_uri(name, version)}/artifacts/adapter"


def base_uri(name: str, version: str) -> str:
    """Where the base stands among them, unless it was registered by its hub id."""
    return f"{model_uri(name, version)}/artifacts/base"


def _require_answer(uri: str) -> None:
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=REACH_SECONDS):
            return
    except (urllib.error.URLError, TimeoutError, ConnectionError) as fault:
        reason = getattr(fault, "reason", fault)
        raise UserError(
            f"no MLflow server answers at {uri}: {reason}",
            why="the registry says which model is champion and keeps the evidence for it",
            fix="start it with `acclimate up`, or unset MLFLOW_TRACKING_URI to use the SQLite file directly",
        ) from None

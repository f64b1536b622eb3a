"""A version of a registered model, by its number or an alias; and what its tags say of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.release.registry import PREFIX, version_at

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True)
class AdapterVersion:
    """What the registry says of a version without a look at its run; None where it was registered without."""

    model: str
    version: str
    registered: str
    """UTC, ISO 8601 to the minute."""
    aliases: tuple[str, ...]
    verdict: str | None
    rolled_back: str | None
    """Why, if it was."""
    run: str | None
    base: str | None
    base_sha256: str | None
    base_licence: str | None
    dataset_sha256: str | None
    adapter_sha256: str | None
    adapter_bytes: int | None
    scores: dict[str, float]
    """Metric to the candidate's score on the locked test set."""

    @property
    def domain(self) -> str:
        """The model's name without what all have in common: 'scientific-python'."""
        return self.model.removeprefix(PREFIX)


def find(client: MlflowClient, name: str, asked: str) -> Any:
    """The MLflow version of model `name` that `asked`, a number or an alias, names.

    Raises:
        UserError: if there is none, with those that exist.
    """
    from mlflow.exceptions import MlflowException

    if not asked.isdigit():
        found = version_at(client, name, asked)
        if found is None:
            raise _unknown(client, name, asked)
        return found
    try:
        return client.get_model_version(name, asked)
    except MlflowException as fault:
        if fault.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise _unknown(client, name, asked) from None


def every_version(client: MlflowClient) -> Iterator[AdapterVersion]:
    """All versions of all our models, the newest of each model first."""
    for model in _pages(client.search_registered_models, f"name LIKE '{PREFIX}%'"):
        # search_model_versions knows no aliases (MLflow 3.17); the model does.
        standing = client.get_registered_model(model.name).aliases
        versions = _pages(client.search_model_versions, f"name = '{model.name}'")
        for version in sorted(versions, key=lambda version: -int(version.version)):
            at = (alias for alias, number in sorted(standing.items()) if str(number) == str(version.version))
            yield described(version, tuple(at))


def described(version: Any, aliases: tuple[str, ...]) -> AdapterVersion:
    """What the tags of an MLflow version say."""
    tags: dict[str, str] = version.tags
    when = datetime.fromtimestamp(version.creation_timestamp / 1000, UTC)
    return AdapterVersion(
        model=version.name,
        version=str(version.version),
        registered=when.strftime("%Y-%m-%d %H:%M"),
        aliases=aliases,
        verdict=tags.get("gate.verdict"),
        rolled_back=tags.get("rolled_back"),
        run=tags.get("run"),
        base=tags.get("base"),
        base_sha256=tags.get("base_sha256"),
        base_licence=tags.get("base_licence"),
        dataset_sha256=tags.get("dataset_sha256"),
        adapter_sha256=tags.get("adapter_sha256"),
        adapter_bytes=int(tags["adapter_bytes"]) if "adapter_bytes" in tags else None,
        scores=json.loads(tags.get("scores", "{}")),
    )


def _pages(search: Any, condition: str) -> Iterator[Any]:
    token = None
    while True:
        page = search(filter_string=condition, page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _unknown(client: MlflowClient, name: str, asked: str) -> UserError:
    known = sorted(int(version.version) for version in _pages(client.search_model_versions, f"name = '{name}'"))
    return UserError(
        f"{name} has no version {asked!r}",
        why="a version is a number, or an alias that points to one: champion, challenger, previous",
        fix=f"take one of {', '.join(map(str, known))}, or see `acclimate registry list`"
        if known
        else "register one: `acclimate register` in the checkout of a gated run",
    )

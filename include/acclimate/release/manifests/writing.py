"""The manifests as files of one folder, one object each."""

from __future__ import annotations

from pathlib import Path

import yaml

from acclimate.core.files import write_text
from acclimate.core.home import home
from acclimate.core.params import Params, load
from acclimate.release.keys import trusted_key
from acclimate.release.manifests.istio import destination_rule, virtual_service
from acclimate.release.manifests.kubernetes import Manifest, autoscaler, deployment, service, settings
from acclimate.release.manifests.release import Release, released

OF_A_VERSION = ("deployment-v", "autoscaler-v")
"""What the names of files begin with that go when their version does."""


def write(out: Path) -> Release:
    """Fill the folder `out` and say what with; files of versions that are served no more are removed from it.

    Raises:
        UserError: if there is no champion, or no key to check signatures with.
    """
    release = released()
    files = manifests(release, load(home() / "params.yaml"), trusted_key().read_text(encoding="utf-8"))
    for name, manifest in files.items():
        write_text(out / name, yaml.safe_dump(manifest, sort_keys=False, width=120))
    for path in out.glob("*.yaml"):
        if path.name.startswith(OF_A_VERSION) and path.name not in files:
            path.unlink()
    return release


def manifests(release: Release, params: Params, trusted: str) -> dict[str, Manifest]:
    """Every object by the name of its file."""
    own, endpoint = params.manifests, params.endpoint
    shared = settings(release, own, endpoint, trusted)
    files = {
        "settings.yaml": shared,
        "service.yaml": service(release, own),
        "destination-rule.yaml": destination_rule(release, own),
        "virtual-service.yaml": virtual_service(release, own, endpoint.request_seconds),
    }
    for one in release.versions:
        files[f"deployment-v{one.version}.yaml"] = deployment(release, own, one, shared, endpoint.drain_seconds)
        files[f"autoscaler-v{one.version}.yaml"] = autoscaler(release, own, one)
    return files

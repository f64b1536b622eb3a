"""Every file is what the published schema of its kind allows, and refers to what there is.

Kubernetes' own schemas come with kubernetes-validate, those of Istio's CRDs with cloudcoil.models.istio as pydantic
models. The latter read over what they do not know: a field that is not in what they read out again is unknown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import kubernetes_validate
import pytest
from cloudcoil.models.istio.networking import v1 as istio
from pydantic import BaseModel, ValidationError

from .conftest import Written

KUBERNETES = "1.33"
ISTIO: dict[str, type[BaseModel]] = {"VirtualService": istio.VirtualService, "DestinationRule": istio.DestinationRule}
Files = dict[str, dict[str, Any]]


@pytest.fixture
def files(serve: Callable[..., None], written: Written) -> Files:
    serve("3", "4")
    return written()


def read_out(manifest: dict[str, Any]) -> Any:
    """A manifest of Istio's as its schema has it."""
    model = ISTIO[manifest["kind"]].model_validate(manifest)
    return model.model_dump(mode="json", by_alias=True, exclude_unset=True)


def test_every_file_is_valid(files: Files) -> None:
    kinds = sorted(manifest["kind"] for manifest in files.values())
    assert kinds == sorted(
        [*["ConfigMap", "Service", "DestinationRule", "VirtualService"], *["Deployment", "HorizontalPodAutoscaler"] * 2]
    )
    for manifest in files.values():
        if manifest["kind"] in ISTIO:
            assert read_out(manifest) == manifest
        else:
            kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_the_schemas_refuse_what_is_wrong(files: Files) -> None:
    files["deployment-v3.yaml"]["spec"]["template"]["spec"]["containers"][0]["livenessProb"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessProb"):
        kubernetes_validate.validate(files["deployment-v3.yaml"], KUBERNETES, strict=True)
    (http,) = files["virtual-service.yaml"]["spec"]["http"]
    http["retrys"] = {}
    assert read_out(files["virtual-service.yaml"]) != files["virtual-service.yaml"]
    http["route"][0]["weight"] = "most"
    with pytest.raises(ValidationError, match="weight"):
        read_out(files["virtual-service.yaml"])


def test_what_refers_to_something_names_what_there_is(files: Files) -> None:
    pods = {name: files[f"deployment-{name}.yaml"]["spec"]["template"] for name in ("v3", "v4")}
    service = files["service.yaml"]
    (port,) = service["spec"]["ports"]
    rule, route = files["destination-rule.yaml"]["spec"], files["virtual-service.yaml"]["spec"]["http"][0]["route"]
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    assert {rule["host"], *(one["destination"]["host"] for one in route)} == {f"{name}.{namespace}.svc.cluster.local"}
    subsets = {one["name"]: one["labels"] for one in rule["subsets"]}
    assert [one["destination"]["subset"] for one in route] == [*subsets] == [*pods]
    for version, pod in pods.items():
        labels, (container,) = pod["metadata"]["labels"], pod["spec"]["containers"]
        deployment, scaler = files[f"deployment-{version}.yaml"], files[f"autoscaler-{version}.yaml"]
        assert labels == deployment["spec"]["selector"]["matchLabels"] == subsets[version]
        assert service["spec"]["selector"].items() <= labels.items()
        assert scaler["spec"]["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
        assert "replicas" not in deployment["spec"], "else every apply would undo what the autoscaler did"
        assert port["targetPort"] in {one["name"] for one in container["ports"]}
        volumes = {one["name"]: one for one in pod["spec"]["volumes"]}
        assert {one["name"] for one in container["volumeMounts"]} == set(volumes)
        assert volumes["settings"]["configMap"]["name"] == files["settings.yaml"]["metadata"]["name"]
        mounted = {one["subPath"] for one in container["volumeMounts"] if one["name"] == "settings"}
        assert mounted == set(files["settings.yaml"]["data"])

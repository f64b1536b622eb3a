"""A version as Kubernetes runs it: a Deployment with its autoscaler; one Service and one ConfigMap for all versions.

A Deployment is named after its version, not its role: a challenger that becomes champion goes on running as it is.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any

from acclimate.core.params import EndpointParams, ManifestsParams
from acclimate.core.waiting import SPINS
from acclimate.release.manifests.release import Release, Version
from acclimate.release.signing import PINNED
from acclimate.serving.places import VARIABLE

Manifest = dict[str, Any]

PORT = 3000
USER = 1034
"""The user that BentoML's images run as."""
FOLDER, TRUSTED, SCRATCH = "/var/run/acclimate", "/etc/acclimate", "/tmp"  # noqa: S108  # in a container of its own
LEAVING_SECONDS = 5
"""Between a pod's end being known and nobody sending it requests any more: until then it takes them."""
SPARE_SECONDS = 5
"""After the drain period, before the pod is killed."""


def metadata(release: Release, params: ManifestsParams, version: str | None = None) -> Manifest:
    """Name, namespace and labels of an object, of one version or of all."""
    name = release.model if version is None else f"{release.model}-v{version}"
    own = {"app.kubernetes.io/managed-by": "acclimate"}
    return {"name": name, "namespace": params.namespace, "labels": {**selector(release, version), **own}}


def selector(release: Release, version: str | None = None) -> dict[str, str]:
    """The labels by which the pods are found, of one version or of all."""
    labels = {"app.kubernetes.io/name": release.model}
    return labels if version is None else {**labels, "app.kubernetes.io/version": version}


def settings(release: Release, params: ManifestsParams, endpoint: EndpointParams, trusted: str) -> Manifest:
    """A ConfigMap: the endpoint's dials, and the public key that what is loaded must be signed with (PEM).

    Keys are required whatever the dials say: in a cluster everybody asks from elsewhere.
    """
    dials = endpoint.model_copy(update={"keys": "required"}).model_dump(mode="json")
    data = {"settings.json": json.dumps(dials, indent=2) + "\n", "signing.pub": trusted}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata(release, params), "data": data}


def service(release: Release, params: ManifestsParams) -> Manifest:
    """A Service of all versions: who gets which share is Istio's to say."""
    port = {"name": "http", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "http"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(release, params),
        "spec": {"type": "ClusterIP", "selector": selector(release), "ports": [port]},
    }


def autoscaler(release: Release, params: ManifestsParams, version: Version) -> Manifest:
    """A HorizontalPodAutoscaler by processor time: it is what generation takes."""
    target = {"type": "Utilization", "averageUtilization": params.replicas.cpu_percent}
    name = metadata(release, params, version.version)
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": name,
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": name["name"]},
            "minReplicas": params.replicas.least,
            "maxReplicas": params.replicas.most,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": target}}],
        },
    }


def deployment(release: Release, params: ManifestsParams, version: Version, shared: Manifest, drain: float) -> Manifest:
    """A Deployment of one version; how many pods it has is its autoscaler's to say.

    Args:
        release: the version's model.
        params: the section `manifests`.
        version: which.
        shared: the ConfigMap; another one replaces the pods, which read it when they start.
        drain: seconds for which a pod that is told to stop finishes what it began.
    """
    labels = selector(release, version.version)
    digest = hashlib.sha256(json.dumps(shared["data"]).encode()).hexdigest()
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": LEAVING_SECONDS + math.ceil(drain) + SPARE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            **dict.fromkeys(("runAsUser", "runAsGroup", "fsGroup"), USER),
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [_container(release, params, version, drain)],
        "volumes": _volumes(release, params),
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(release, params, version.version),
        "spec": {
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": labels, "annotations": {"checksum/settings": digest}}, "spec": pod},
        },
    }


def _container(release: Release, params: ManifestsParams, version: Version, drain: float) -> Manifest:
    resources = {"cpu": str(version.threads), "memory": f"{params.memory_mb}Mi"}
    environment = {VARIABLE: FOLDER, PINNED: f"{TRUSTED}/signing.pub", "HOME": SCRATCH, **SPINS}
    listening = ["--host", "0.0.0.0", "--port", str(PORT)]  # noqa: S104  # keys are required, see `settings`
    return {
        "name": "endpoint",
        "image": f"{params.image}/{release.model}:{version.tag}",
        "args": ["serve", *listening, "--timeout-graceful-shutdown", str(math.ceil(drain))],
        "env": [{"name": name, "value": value} for name, value in environment.items()],
        "ports": [{"name": "http", "containerPort": PORT}],
        # What is asked for is the limit: torch computes with so many threads, and is no faster with more.
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        # Live as soon as the process answers, which it does when its model is loaded; ready while it has a champion.
        "startupProbe": _probe("/livez", period=2, failures=60),
        "livenessProbe": _probe("/livez", period=10, failures=6),
        "readinessProbe": _probe("/readyz", period=2, failures=2),
        "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(LEAVING_SECONDS)]}}},
        "volumeMounts": [
            {"name": "state", "mountPath": FOLDER},
            {"name": "scratch", "mountPath": SCRATCH},
            _file("settings", f"{FOLDER}/settings.json"),
            _file("settings", f"{TRUSTED}/signing.pub"),
            _file("keys", f"{FOLDER}/keys.json"),
            _file("keys", f"{FOLDER}/pepper"),
        ],
    }


def _probe(path: str, *, period: int, failures: int) -> Manifest:
    asked = {"path": path, "port": "http"}
    return {"httpGet": asked, "periodSeconds": period, "timeoutSeconds": 5, "failureThreshold": failures}


def _file(volume: str, path: str) -> Manifest:
    """One file of a volume, at a path whose folder holds others too."""
    return {"name": volume, "mountPath": path, "subPath": path.rpartition("/")[2], "readOnly": True}


def _volumes(release: Release, params: ManifestsParams) -> list[Manifest]:
    return [
        {"name": "state", "emptyDir": {}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "settings", "configMap": {"name": release.model}},
        {"name": "keys", "secret": {"secretName": params.keys_secret, "defaultMode": 0o440}},
    ]

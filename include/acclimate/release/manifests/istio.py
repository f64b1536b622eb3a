"""Which version gets which share of the requests, as Istio is told: a DestinationRule and a VirtualService.

Istio draws every request by itself. It cannot see `user`, which is in the body, so a user may be answered now by the
one and now by the other version; the endpoint's own canary does not do that.
"""

from __future__ import annotations

import math

from acclimate.core.params import ManifestsParams
from acclimate.release.manifests.kubernetes import Manifest, metadata, selector
from acclimate.release.manifests.release import Release

API = "networking.istio.io/v1"
GRACE_SECONDS = 5
"""Beyond the endpoint's own limit: its 504 says more than Istio's."""
BEFORE_IT_BEGAN = "connect-failure,refused-stream"
"""What is tried again: requests that no model has begun to answer."""


def host(release: Release, params: ManifestsParams) -> str:
    """The Service's name as the whole mesh knows it."""
    return f"{release.model}.{params.namespace}.svc.cluster.local"


def destination_rule(release: Release, params: ManifestsParams) -> Manifest:
    """A subset per version."""
    subsets = [{"name": f"v{one.version}", "labels": selector(release, one.version)} for one in release.versions]
    return {
        "apiVersion": API,
        "kind": "DestinationRule",
        "metadata": metadata(release, params),
        "spec": {
            "host": host(release, params),
            "trafficPolicy": {"loadBalancer": {"simple": "LEAST_REQUEST"}},
            "subsets": subsets,
        },
    }


def virtual_service(release: Release, params: ManifestsParams, request_seconds: float) -> Manifest:
    """The weights of the versions; they stand for shares of the requests.

    Args:
        release: the versions.
        params: the section `manifests`.
        request_seconds: after which the endpoint gives up on a request.
    """
    own = host(release, params)
    routes = [
        {"destination": {"host": own, "subset": f"v{one.version}"}, "weight": one.weight} for one in release.versions
    ]
    hosts, gateways = [own], ["mesh"]
    if params.gateway is not None:
        hosts.append(params.gateway.host)
        gateways.append(params.gateway.name)
    http = {
        "route": routes,
        "timeout": f"{math.ceil(request_seconds) + GRACE_SECONDS}s",
        "retries": {"attempts": 2, "retryOn": BEFORE_IT_BEGAN},
    }
    return {
        "apiVersion": API,
        "kind": "VirtualService",
        "metadata": metadata(release, params),
        "spec": {"hosts": hosts, "gateways": gateways, "http": [http]},
    }

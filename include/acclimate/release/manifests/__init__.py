"""Write what Kubernetes and Istio need to run what is served here, with the weights of the canary as it stands.

    acclimate manifests [--out .acclimate/manifests]      then: kubectl apply --filename .acclimate/manifests

Equal state gives equal files. Nothing is sent anywhere: written again after each step of a canary and applied, the
weights in the cluster follow it (docs/canary.md).
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--out."""
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="default .acclimate/manifests in the main checkout")


def main(arguments: argparse.Namespace) -> int:
    """Write the files, and print who gets which share."""
    from acclimate.core.home import state
    from acclimate.release.manifests.writing import write

    out = arguments.out or state() / "manifests"
    release = write(out)
    shares = ", ".join(f"version {one.version}: weight {one.weight}" for one in release.versions)
    print(f"{release.model} in {out}: {shares}")
    return 0

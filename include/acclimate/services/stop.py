"""End exactly the services that `acclimate up` started from this checkout, with what they started."""

from __future__ import annotations

import argparse

from acclimate.core.home import home
from acclimate.services.processes import recorded, stop


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options."""


def main(arguments: argparse.Namespace) -> int:
    """Stop in the reverse order of the start."""
    root = home()
    services = recorded(root)
    for service in reversed(services):
        was_running = stop(root, service)
        print(f"{service.name}: {'stopped' if was_running else 'was not running'}", flush=True)
    if not services:
        print("nothing was started from this checkout")
    return 0

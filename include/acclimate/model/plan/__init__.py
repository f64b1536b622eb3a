"""Say before anything runs what training will need: parameters, memory by part, tokens, time.

    acclimate plan
    acclimate plan --json

Read are params.yaml and the configuration of the base; no weights, and no file that a stage writes. Memory is traced on
tensors without data, time is measured for a few seconds on this machine. Ends with 2 where memory does not suffice, and
says what to change.
"""

from __future__ import annotations

import argparse
from pathlib import Path

TOO_LITTLE_MEMORY = 2
"""As for any fault that a user can mend."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--json."""
    parser.add_argument("--json", action="store_true", help="print the plan as JSON; sizes are in bytes")


def main(arguments: argparse.Namespace) -> int:
    """Plan and print."""
    import json
    from dataclasses import asdict

    from acclimate.core.params import load
    from acclimate.model.determinism import fix_randomness
    from acclimate.model.plan.base_config import base_config
    from acclimate.model.plan.machine import machine
    from acclimate.model.plan.planning import plan
    from acclimate.model.plan.table import table
    from acclimate.running import keep_libraries_quiet

    keep_libraries_quiet()
    params = load(Path("params.yaml"))
    config = base_config(params.base)  # may ask the hub, which fix_randomness forbids
    fix_randomness(params.common)
    planned = plan(config, params, machine())
    print(json.dumps(asdict(planned), indent=2) if arguments.json else table(planned))
    return TOO_LITTLE_MEMORY if planned.advice else 0

"""The `acclimate` command: every stage and every action by its one name."""

from __future__ import annotations

import argparse
import importlib
import sys
import time

STARTED = time.perf_counter()

from acclimate.core.errors import UserError  # noqa: E402  (the clock starts before the imports it measures)
from acclimate.pipeline import ACTIONS, STAGES, run_stage  # noqa: E402


def parser() -> argparse.ArgumentParser:
    """One subcommand per stage (no options: params.yaml has the dials) and per action."""
    top = argparse.ArgumentParser(prog="acclimate", description="Keep a language model adapted to a domain.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in STAGES:
        commands.add_parser(name, help=f"stage: reads {', '.join(STAGES[name].inputs.values())}")
    for name, action in ACTIONS.items():
        module = importlib.import_module(action.module)
        sub = commands.add_parser(name, help=action.help, description=module.__doc__)
        module.add_arguments(sub)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 on success, 2 for a fault the user can mend, 130 after Ctrl-C; anything else is a crash.
    """
    arguments = parser().parse_args(argv)
    try:
        if arguments.command in STAGES:
            report = run_stage(arguments.command, started=STARTED)
            print(f"{arguments.command}: {report.headline()}")
            return 0
        module = importlib.import_module(ACTIONS[arguments.command].module)
        code: int = module.main(arguments)
        return code
    except UserError as fault:
        print(f"acclimate {arguments.command}: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"acclimate {arguments.command}: interrupted; nothing half-written was kept", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())

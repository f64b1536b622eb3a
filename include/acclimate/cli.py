"""The `acclimate` command: every stage and every action by its one name."""

from __future__ import annotations

import time

STARTED = time.perf_counter()  # before the imports below, which are part of what a command's start-up costs

import argparse
import importlib
import sys
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import write_json
from acclimate.core.libraries import set_aside
from acclimate.pipeline import ACTIONS, STAGES, Stage
from acclimate.running import run_stage


def parser(command: str | None) -> argparse.ArgumentParser:
    """One subcommand per stage (its dials are in params.yaml, not here) and per action.

    Args:
        command: the one about to run; only its module is imported for its options, so that
            `acclimate --help` stays quick.
    """
    top = argparse.ArgumentParser(prog="acclimate", description="Keep a language model adapted to a domain.")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for stage in STAGES.values():
        sub = commands.add_parser(stage.name, help=f"stage: reads {', '.join(stage.inputs.values())}")
        if stage.option:
            sub.add_argument(stage.option.flag, metavar=stage.option.value, dest="instead", help=stage.option.help)
    for name, action in ACTIONS.items():
        sub = commands.add_parser(name, help=action.help)
        if name == command:
            importlib.import_module(action.module).add_arguments(sub)
    return top


def main(argv: list[str] | None = None) -> int:
    """Run one command.

    Returns:
        0 on success, 2 for a fault the user can mend, 130 after Ctrl-C; anything else is a crash.
    """
    argv = sys.argv[1:] if argv is None else argv
    set_aside("bitsandbytes")
    arguments = parser(argv[0] if argv else None).parse_args(argv)
    try:
        if arguments.command in STAGES:
            if (instead := getattr(arguments, "instead", None)) is not None:
                return _run_option(STAGES[arguments.command], instead)
            report = run_stage(arguments.command, started=STARTED)
            print(f"{arguments.command}: {report.headline()}")
            return 0
        return _run_action(arguments)
    except UserError as fault:
        print(f"acclimate {arguments.command}: {fault}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"acclimate {arguments.command}: interrupted; nothing half-written was kept", file=sys.stderr)
        return 130


def _run_option(stage: Stage, value: str) -> int:
    assert stage.option is not None
    code: int = importlib.import_module(stage.option.module).main(value)
    return code


def _run_action(arguments: argparse.Namespace) -> int:
    action = ACTIONS[arguments.command]
    module = importlib.import_module(action.module)
    ready = time.perf_counter()
    code: int = module.main(arguments)
    step = arguments.command if action.timed else getattr(arguments, "verb", None)
    if action.timed or step in action.steps:
        seconds = {"start_up_s": ready - STARTED, "work_s": time.perf_counter() - ready}
        write_json(Path("timings") / f"{step}.json", seconds)
    return code


if __name__ == "__main__":
    sys.exit(main())

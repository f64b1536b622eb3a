"""Let the challenger answer more and more users while it does no harm; the service itself decides (serving/canary).

    acclimate canary start [V]               load the challenger beside the champion; by default this run's version
    acclimate canary status                  step, share, evidence
    acclimate canary advance --reason "…"    take the step now, whatever the evidence
    acclimate canary stop --reason "…"       every request to the champion again, without a verdict on the challenger

Starting and stopping twice changes nothing. What came of a canary is on the version in MLflow and in the audit.
"""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """start, status, advance, stop."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    start = verbs.add_parser("start", help="load the challenger beside the champion, and begin")
    start.add_argument("version", nargs="?", help="a number or an alias; without it, what this run registered")
    verbs.add_parser("status", help="where it stands, and on what evidence")
    advance = verbs.add_parser("advance", help="take the step now, whatever the evidence")
    stop = verbs.add_parser("stop", help="give every request to the champion again, without a verdict")
    stop.add_argument("--own", action="store_true", help="only a canary that the run in this checkout began")
    for verb in (advance, stop):
        verb.add_argument("--reason", required=True, help="kept in the record")


def main(arguments: argparse.Namespace) -> int:
    """Do what the verb says; prints the result."""
    from acclimate.release.canary import commands

    print(commands.COMMANDS[arguments.verb](arguments))
    return 0

"""Versions of the adapters in the MLflow registry: what there is, how they differ, which one is served, and why.

    acclimate registry list                      every version of every domain's adapter, under its base
    acclimate registry compare A B               dials, training set, and metrics with paired intervals
    acclimate registry lineage V                 what the version was made from, and what was done with it
    acclimate registry pull V [--to FOLDER]      its adapter, checked by hash
    acclimate registry promote [V]               make it champion; without V, what this run registered
    acclimate registry rollback --reason "…"     make the previous champion the champion again
    acclimate registry audit                     who did what, when and why

V is a number or an alias (champion, challenger, previous) of the model of the domain in params.yaml, or of --domain.
Doing the same again changes nothing. What changes the registry, or takes weights out of it, is on record: audit.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, compare, lineage, pull, promote, rollback, audit."""
    parser.add_argument("--domain", help="whose adapters; by default ingest.domain in params.yaml")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="every version of every domain's adapter, under its base")
    compare = verbs.add_parser("compare", help="how version B differs from version A")
    compare.add_argument("old", metavar="A")
    compare.add_argument("new", metavar="B")
    verbs.add_parser("lineage", help="what a version was made from, and what was done with it").add_argument("version")
    pull = verbs.add_parser("pull", help="the adapter of a version, checked by hash")
    pull.add_argument("version")
    pull.add_argument("--to", type=Path, metavar="FOLDER", help="default .acclimate/adapters/MODEL/VERSION")
    promote = verbs.add_parser("promote", help="make a packaged version the champion")
    promote.add_argument("version", nargs="?", help="without it, what the run in this checkout registered")
    promote.add_argument("--reason", default="", help="kept in the audit; by default the gate's verdict")
    rollback = verbs.add_parser("rollback", help="make the previous champion the champion again")
    rollback.add_argument("--reason", required=True, help="why; kept on the version, which is not promoted again")
    verbs.add_parser("audit", help="who did what, when and why")


def main(arguments: argparse.Namespace) -> int:
    """Do what the verb says; prints the result."""
    from acclimate.release.versions import commands

    print(commands.COMMANDS[arguments.verb](arguments))
    return 0

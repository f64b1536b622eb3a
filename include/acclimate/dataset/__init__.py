"""Versions of the training set: a git tag each, with dvc.lock, the dials and a data card in its commit.

    acclimate dataset list                       every version, the newest first
    acclimate dataset tag                        make the training set in this checkout a version
    acclimate dataset accept                     tag it, and let the next ingest and validate compare with it
    acclimate dataset card [VERSION]             its data card; --to FOLDER writes it beside Croissant metadata
    acclimate dataset diff A [B]                 what came, went and changed; without B against this checkout
    acclimate dataset pull VERSION [--to FOLDER] its files, in a folder of their own

VERSION is a name from `list`, or its last part, or the eight digits at its end.
"""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, tag, accept, card, diff, pull."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("list", help="every version, the newest first")
    verbs.add_parser("tag", help="make the training set in this checkout a version")
    verbs.add_parser("accept", help="tag it, and let the next ingest and validate compare with it")
    card = verbs.add_parser("card", help="print the data card of a version, or of this checkout")
    card.add_argument("version", nargs="?")
    card.add_argument("--to", type=Path, metavar="FOLDER", help="write card.md and croissant.json there instead")
    diff = verbs.add_parser("diff", help="what came, went and changed from one version to another")
    diff.add_argument("old", metavar="A")
    diff.add_argument("new", metavar="B", nargs="?", help="this checkout unless given")
    pull = verbs.add_parser("pull", help="the files of a version, in a folder of their own")
    pull.add_argument("version")
    pull.add_argument("--to", type=Path, metavar="FOLDER", help="a folder that does not exist yet")


def main(arguments: argparse.Namespace) -> int:
    """Do what the verb says; prints the result."""
    from acclimate.dataset import commands

    print(commands.COMMANDS[arguments.verb](arguments))
    return 0

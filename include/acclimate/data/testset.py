"""Lock the test set, unlock it with a reason, and say how often it was used.

    acclimate testset lock                     # adapt_data does it after the first draw
    acclimate testset show
    acclimate testset unlock --reason "…"
    acclimate testset ledger

What is locked, and why, is in locking.py; the ledger is core/ledger.py.
"""

from __future__ import annotations

import argparse
import getpass
from datetime import UTC, datetime
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.home import home
from acclimate.core.ledger import read_ledger
from acclimate.core.params import load
from acclimate.data.evaluation.locking import lock, locked_set, unlock

FOLDER = "testset"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """lock, show, unlock, ledger; the domain is that of params.yaml."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("lock", help="make what split has drawn here the domain's test set; again: nothing happens")
    verbs.add_parser("show", help="what is locked, since when, and how often it was used")
    unlocking = verbs.add_parser("unlock", help="let the next draw differ")
    unlocking.add_argument("--reason", required=True, help="kept in testset/history.jsonl")
    verbs.add_parser("ledger", help="every use of the test set: when, who, which model")


def main(arguments: argparse.Namespace) -> int:
    """Do what the verb says; prints the result."""
    root, domain = home(), load(Path("params.yaml")).ingest.domain
    by, now = getpass.getuser(), datetime.now(UTC).isoformat(timespec="seconds")
    if arguments.verb == "lock":
        news = lock(root / FOLDER, domain, drawn_files(Path()), by=by, now=now)
        print(f"the test set of {domain} is locked{'; commit testset/' if news else ' already, and unchanged'}")
    elif arguments.verb == "unlock":
        unlock(root / FOLDER, domain, reason=arguments.reason, by=by, now=now)
        print(f"the test set of {domain} is unlocked: the next draw may differ")
    elif arguments.verb == "show":
        print(_described(root, domain))
    else:
        for use in read_ledger(root):
            models = ", ".join(f"{role} {sha[:12]}" for role, sha in use.models.items())
            print(f"{use.use}  {use.when}  {use.who}  {use.domain}  {use.stage}  {use.run}  {models}")
    return 0


def drawn_files(checkout: Path) -> list[Path]:
    """What the stages have drawn in `checkout`.

    Raises:
        UserError: if nothing was drawn.
    """
    files = sorted((checkout / "artifacts/split/evaluation").glob("*.jsonl"))
    if not files:
        raise UserError(
            "artifacts/split/evaluation holds no items",
            why="there is no test set to lock yet",
            fix="run `dvc repro split`, which draws it",
        )
    return files


def _described(root: Path, domain: str) -> str:
    current, uses = locked_set(root / FOLDER, domain), len(read_ledger(root, domain))
    if current is None:
        return f"the test set of {domain} is not locked; used {uses} times"
    files = "\n".join(
        f"  {name}  {entry['items']} items  sha256 {entry['sha256'][:12]}" for name, entry in current.files.items()
    )
    return f"the test set of {domain} is locked since {current.locked}; used {uses} times\n{files}"

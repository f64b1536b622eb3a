"""A run: one git worktree of the checkout as it is now, with its own dials, sharing one DVC cache.

    acclimate run open rank8 --set training.rank=8    # .acclimate/runs/rank8, ready for `dvc repro`
    acclimate run seal rank8                       # commit dvc.lock and params.yaml, tag acclimate/rank8
    acclimate run list
    acclimate run prune --keep 10

Runs do not see each other's files or later edits in the checkout, so several can be on their way at once.
A sealed run can be rebuilt from its tag: `git worktree add there acclimate/rank8`, then `dvc repro` there.
"""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, require_free_disk, write_json, write_text
from acclimate.core.home import home, state
from acclimate.core.params import load, with_changes
from acclimate.core.worktrees import (
    add_worktree,
    copy_inputs,
    git,
    remove_worktree,
    share_cache,
    share_compiled,
    snapshot,
)
from acclimate.core.yaml_text import parse_yaml

KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
SEALED = ("dvc.lock", "params.yaml", "champion/champion.json", "accepted/profile.json")
"""What a commit of a run holds besides the code: outputs, reports included, are named in dvc.lock by hash."""


@dataclass(frozen=True)
class Run:
    """What is known of a run since it was opened."""

    key: str
    opened: str
    """UTC, ISO 8601."""
    commit: str
    """The snapshot: HEAD, or a commit on top of it with what was not committed yet."""
    changes: dict[str, Any]


def key_of(name: str) -> str:
    """`name` (an Airflow run id, say) as a key: itself if it is one, else its letters and a hash of all of it."""
    if KEY.fullmatch(name):
        return name
    letters = re.sub(r"[^A-Za-z0-9]+", "-", re.sub(r"(\.\d+)?[+]00:00", "", name)).strip("-")[:48]
    return f"{letters or 'run'}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def run_path(root: Path, key: str) -> Path:
    """Where the worktree of run `key` stands.

    Raises:
        UserError: if `key` is no key, or there is no such run.
    """
    if not _record(root, key).exists():
        raise UserError(
            f"there is no run {key!r}",
            why="its stages would have nothing to work on",
            fix=f"open it with `acclimate run open {key}`; `acclimate run list` shows those that exist",
        )
    return _folder(root) / key


def open_run(root: Path, key: str, changes: dict[str, Any]) -> Path:
    """Create the worktree of run `key` with `changes` (dotted dial to value) in its params.yaml; idempotent.

    Safe to call at the same time from several processes, and again after a crash half-way.

    Raises:
        UserError: for a fault in params.yaml or in a change, too little disk, or a run of this name with
            other dials. Nothing is left behind.
    """
    with _locked(root):
        if _record(root, key).exists():
            _require_same_dials(root, key, changes)
            return run_path(root, key)
        params = _changed_params(root, changes)
        require_free_disk(root, load(root / "params.yaml").common.min_free_disk_mb)
        path = _folder(root) / key
        remove_worktree(root, path)  # what a crash left half-way: without a record it is no run
        try:
            commit = snapshot(root)
            add_worktree(root, path, commit)
            share_cache(root, path)
            copy_inputs(root, path)
            share_compiled(root, path)
            write_text(path / "params.yaml", params)
            opened = datetime.now(UTC).isoformat(timespec="seconds")
            write_json(_record(root, key), asdict(Run(key, opened, commit, changes)))
        except BaseException:
            remove_worktree(root, path)
            raise
    return path


def seal_run(root: Path, key: str) -> str:
    """Commit what the run needs to be rebuilt, tag it `acclimate/<key>` and return the commit; idempotent.

    A run that went on after it was sealed gets a further commit, and the tag moves to it.
    """
    path = run_path(root, key)
    with _locked(root):
        git(path, "add", "--force", "--", *[name for name in SEALED if (path / name).exists()])
        if git(path, "diff", "--cached", "--name-only"):
            git(path, "commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message", f"Run {key}")
        git(path, "tag", "--force", "--no-sign", f"acclimate/{key}")
        return git(path, "rev-parse", "HEAD")


def runs(root: Path) -> list[Run]:
    """Every run, the newest first."""
    found = [Run(**read_json(record)) for record in _folder(root).glob("*.json")]
    return sorted(found, key=lambda run: (run.opened, run.key), reverse=True)


@contextmanager
def in_use(root: Path, key: str) -> Iterator[Path]:
    """Hold run `key`, so that `prune` leaves it alone; given up with the process, however that ends."""
    path = run_path(root, key)
    with (_folder(root) / f"{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        yield path


def prune(root: Path, keep: int) -> list[str]:
    """Remove the worktrees of all but the newest `keep` runs, never of one in use; return their keys.

    Tags and the DVC cache stay: a sealed run can be rebuilt.
    """
    removed = []
    with _locked(root):
        for run in runs(root)[keep:]:
            with (_folder(root) / f"{run.key}.lock").open("w") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                _record(root, run.key).unlink()
                remove_worktree(root, _folder(root) / run.key)
                Path(lock.name).unlink()
            removed.append(run.key)
    return removed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """open, seal, list, prune."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    opening = verbs.add_parser("open", help="create the worktree of a run and print where it is")
    opening.add_argument("key")
    opening.add_argument(
        "--set", action="append", default=[], metavar="DIAL=VALUE", dest="changes", help="e.g. training.rank=8"
    )
    verbs.add_parser("seal", help="commit and tag what the run needs to be rebuilt").add_argument("key")
    verbs.add_parser("list", help="every run, the newest first")
    pruning = verbs.add_parser("prune", help="remove the worktrees of old runs")
    pruning.add_argument("--keep", type=int, required=True, metavar="N", help="how many of the newest stay")


def main(arguments: argparse.Namespace) -> int:
    """Do what the verb says; prints the result."""
    root = home()
    if arguments.verb == "open":
        print(open_run(root, arguments.key, _parsed(arguments.changes)))
    elif arguments.verb == "seal":
        print(seal_run(root, arguments.key))
    elif arguments.verb == "prune":
        print(f"removed {', '.join(prune(root, max(arguments.keep, 0))) or 'none'}")
    else:
        for run in runs(root):
            changes = ", ".join(f"{dial}={value}" for dial, value in run.changes.items())
            print(f"{run.key}  {run.opened}  {run.commit[:10]}  {changes}".rstrip())
    return 0


def _parsed(changes: list[str]) -> dict[str, Any]:
    wrong = [change for change in changes if "=" not in change]
    if wrong:
        raise UserError(
            f"--set {wrong[0]} has no '='", why="it names no value", fix="write --set DIAL=VALUE, e.g. training.rank=8"
        )
    return {dial: parse_yaml(value) for dial, _, value in (change.partition("=") for change in changes)}


def _folder(root: Path) -> Path:
    return state(root) / "runs"


def _record(root: Path, key: str) -> Path:
    """The file whose presence means that the run is whole; written last, removed first."""
    if not KEY.fullmatch(key):
        raise UserError(
            f"{key!r} cannot name a run",
            why="the name becomes a folder and a git tag",
            fix="use up to 80 letters, digits, - and _, beginning with a letter or digit",
        )
    return _folder(root) / f"{key}.json"


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    """One process at a time in this folder; the kernel frees the lock when its holder dies."""
    _folder(root).mkdir(parents=True, exist_ok=True)
    with (_folder(root) / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _changed_params(root: Path, changes: dict[str, Any]) -> str:
    load(root / "params.yaml")
    text = with_changes((root / "params.yaml").read_text(encoding="utf-8"), changes)
    with tempfile.TemporaryDirectory() as folder:
        trial = Path(folder) / "params.yaml"
        trial.write_text(text, encoding="utf-8")
        try:
            load(trial)
        except UserError as fault:
            asked = ", ".join(f"{dial}={value}" for dial, value in changes.items())
            raise UserError(
                fault.what.replace(f"{folder}/", ""), why=fault.why, fix=f"ask for something else than {asked}"
            ) from None
    return text


def _require_same_dials(root: Path, key: str, changes: dict[str, Any]) -> None:
    text = (run_path(root, key) / "params.yaml").read_text(encoding="utf-8")
    if parse_yaml(with_changes(text, changes)) != parse_yaml(text):
        asked = ", ".join(f"{dial}={value}" for dial, value in changes.items())
        raise UserError(
            f"run {key!r} exists with other dials than {asked}",
            why="what it has already made was made with its own",
            fix="give the new run another name",
        )

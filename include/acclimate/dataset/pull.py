"""The files of a version: a worktree of its commit, `dvc checkout` there, and what came of it moved away whole."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, whole_directory
from acclimate.core.worktrees import add_worktree, git, remove_worktree, share_cache
from acclimate.core.yaml_text import parse_yaml
from acclimate.dataset.versions import FOLDER, RECORD, Version

MIX = "artifacts/mix"


def pull(root: Path, version: Version, destination: Path) -> Path:
    """Put every output of the data stages, the dials and the documents of `version` into `destination`.

    The layout is that of a checkout (artifacts/, reports/, params.yaml, dvc.lock), with the data card at the top.

    Raises:
        UserError: if something else is at `destination`, or neither cache nor remote has the files.
    """
    if (destination / RECORD).exists() and read_json(destination / RECORD)["name"] == version.name:
        return destination
    if destination.exists():
        raise UserError(
            f"{destination} exists already",
            why="pulling would replace what is in it",
            fix="name a folder that does not exist, or remove this one",
        )
    destination.parent.mkdir(parents=True, exist_ok=True)
    with _worktree(root, version, destination.parent.resolve()) as worktree:
        _check_out(worktree, _outputs(worktree))
        with whole_directory(destination) as out:
            for name in ("artifacts", "reports", "params.yaml", "dvc.lock"):
                shutil.move(worktree / name, out / name)
            for document in (worktree / FOLDER).iterdir():
                shutil.move(document, out / document.name)
    return destination


@contextmanager
def fetched(root: Path, version: Version | None) -> Iterator[Path]:
    """A folder with artifacts/mix of `version`; the current one, which has its own, for None."""
    if version is None:
        yield Path()
        return
    with tempfile.TemporaryDirectory() as folder, _worktree(root, version, Path(folder)) as worktree:
        _check_out(worktree, [MIX])
        yield worktree


@contextmanager
def _worktree(root: Path, version: Version, parent: Path) -> Iterator[Path]:
    """A worktree of the version's commit below `parent`, on the checkout's cache, gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix=".pull-", dir=parent))
    try:
        add_worktree(root, path, git(root, "rev-parse", f"refs/tags/{version.name}^{{commit}}"))
        share_cache(root, path)
        yield path
    finally:
        remove_worktree(root, path)


def _outputs(worktree: Path) -> list[str]:
    """What the stages of adapt_data have written, as the version's own dvc.yaml and dvc.lock say."""
    stages, lock = (
        parse_yaml((worktree / name).read_text(encoding="utf-8"))["stages"] for name in ("dvc.yaml", "dvc.lock")
    )
    of_data = [name for name, stage in stages.items() if stage["meta"]["dag"] == "adapt_data" and name in lock]
    return [out["path"] for name in of_data for out in lock[name]["outs"]]


def _check_out(worktree: Path, outputs: Sequence[str]) -> None:
    """Have DVC put `outputs` there, from the cache, else from a remote."""
    said = _dvc(worktree, "checkout", outputs)
    if said is not None and (said := _dvc(worktree, "pull", outputs)) is not None:
        raise UserError(
            f"the files of this version are neither in DVC's cache nor in a remote: {said}",
            why="git has their hashes only",
            fix="run `dvc push` where they were made and `dvc remote add` here, or run the stages again from its tag",
        )


def _dvc(worktree: Path, verb: str, outputs: Sequence[str]) -> str | None:
    """None if `dvc <verb>` did it, else its last line."""
    command = [str(Path(sys.executable).with_name("dvc")), verb, "--quiet", *outputs]
    done = subprocess.run(command, cwd=worktree, capture_output=True, text=True, check=False)
    return (done.stderr.strip().splitlines() or ["it says nothing"])[-1] if done.returncode else None

"""What git and DVC have to be told so that a worktree is a run of its own on a shared cache."""

from __future__ import annotations

import configparser
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.locks import inputs_lock, locked

COPIED = ("inputs", "accepted")
_NAMES = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "acclimate"), ("EMAIL", "acclimate@localhost"))
}


def git(folder: Path, *arguments: str, index: Path | None = None) -> str:
    """What `git …` prints in `folder`, run under Acclimate's own name and without the user's hooks.

    Args:
        folder: the checkout or worktree.
        arguments: of git.
        index: an index file to use instead of the folder's own.

    Raises:
        UserError: with git's own words.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = {**inherited, **_NAMES, **({"GIT_INDEX_FILE": str(index)} if index else {})}
    command = ["git", "-c", f"core.hooksPath={os.devnull}", *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise UserError(
            f"git {arguments[0]} failed in {folder}: {done.stderr.strip()}",
            why="a run is a git worktree, and is rebuilt from a commit",
            fix="put right what git says above, then try again",
        )
    return done.stdout.strip()


def snapshot(
    root: Path, files: Mapping[str, Path] | None = None, *, message: str = "Uncommitted changes of the checkout"
) -> str:
    """A commit of the checkout as it is: HEAD if nothing differs, else one on top of it that no branch names.

    Changes to tracked files count, committed or not, and so do new files below include/ and testset/: the code
    that `dvc repro` would run here, and what it would judge by. The user's index, branch and stash stay as they are.

    Args:
        root: the checkout or worktree.
        files: further paths of the commit, ignored ones too, to the file whose content each gets.
        message: of the commit, if there has to be one.
    """
    own = root / git(root, "rev-parse", "--git-path", "index")
    with tempfile.TemporaryDirectory() as folder:
        index = Path(folder) / "index"
        if own.exists():
            shutil.copy2(own, index)  # with its file times, so that git need not read every file
        git(root, "add", "--update", index=index)
        for watched in ("include", "testset"):
            if (root / watched).exists():
                git(root, "add", "--all", "--", watched, index=index)
        for name, file in (files or {}).items():
            blob = git(root, "hash-object", "-w", "--no-filters", "--", str(file.resolve()))
            git(root, "update-index", "--add", "--cacheinfo", f"100644,{blob},{name}", index=index)
        tree = git(root, "write-tree", index=index)
    head = git(root, "rev-parse", "--verify", "HEAD")
    if tree == git(root, "rev-parse", f"{head}^{{tree}}"):
        return head
    return git(root, "commit-tree", tree, "-p", head, "-m", message)


def add_worktree(root: Path, path: Path, commit: str) -> None:
    """Check `commit` out at `path`, on no branch."""
    git(root, "worktree", "add", "--quiet", "--detach", str(path), commit)


def remove_worktree(root: Path, path: Path) -> None:
    """Remove the worktree at `path`, whole or half-made; no complaint if there is none."""
    if path.exists():
        shutil.rmtree(path)
    git(root, "worktree", "prune", "--expire", "now")


def share_cache(root: Path, path: Path) -> None:
    """Let DVC in the worktree use the checkout's cache and its local settings, such as a remote's credentials."""
    config = configparser.ConfigParser(interpolation=None)
    local = root / ".dvc/config.local"
    config.read(local)
    shared = configparser.ConfigParser(interpolation=None)
    shared.read([root / ".dvc/config", local])
    cache = (root / ".dvc" / shared.get("cache", "dir", fallback="cache")).resolve()
    for section, name, value in [
        ("cache", "dir", cache),
        # DVC keeps a little state per worktree in /var/tmp unless told; here it goes when the worktree goes.
        ("core", "site_cache_dir", path / ".dvc/tmp/site"),
    ]:
        if not config.has_section(section):
            config.add_section(section)
        config.set(section, name, str(value))
    with (path / ".dvc/config.local").open("w", encoding="utf-8") as file:
        config.write(file)
    (path / ".dvc/config.local").chmod(0o600)


def share_compiled(root: Path, path: Path) -> None:
    """Give the worktree the kernels that the checkout has compiled, if all their sources are the same.

    All, because a kernel has the code of those it calls built in. numba takes machine code as that of a source by
    the source's time and size; the kernels' own stamp goes along, which says of what all of it was made.
    """
    ours, theirs = (folder / "include/acclimate/data/kernels" for folder in (root, path))
    sources = {source.name: source.read_bytes() for source in ours.glob("*.py")}
    if sources != {source.name: source.read_bytes() for source in theirs.glob("*.py")}:
        return
    for name in sources:
        shutil.copystat(ours / name, theirs / name)
    for compiled in [*ours.glob("__pycache__/*.nb[ci]"), *ours.glob("__pycache__/sources")]:
        (theirs / "__pycache__").mkdir(exist_ok=True)
        shutil.copy2(compiled, theirs / "__pycache__")


def copy_inputs(root: Path, path: Path) -> None:
    """Give the worktree what git does not know of inputs/ and of accepted/, with which a run compares its documents.

    Copies, not links: a document edited in place must not change under a run that has already hashed it.
    """
    tracked = set(git(root, "ls-files", "-z", "--", *COPIED).split("\0"))
    with locked(inputs_lock(root), shared=True):  # not while `fetch` is changing them
        for source in _files(root):
            name = source.relative_to(root)
            if name.as_posix() not in tracked:
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                # A link that leads elsewhere, or nowhere, stays one: `ingest` refuses it and says so.
                inside = source.is_file() and source.resolve().is_relative_to((root / name.parts[0]).resolve())
                shutil.copy2(source, path / name, follow_symlinks=inside)


def _files(root: Path) -> Iterator[Path]:
    """Every file and every link below the folders that a run copies; not what git keeps of a clone put there."""
    for folder in COPIED:
        for place, folders, files in os.walk(root / folder):
            yield from (Path(place) / name for name in files)
            yield from (Path(place) / name for name in folders if (Path(place) / name).is_symlink())
            folders[:] = [name for name in folders if name != ".git"]

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from acclimate.core.dag_runs import note_dag_run, run_of
from acclimate.core.errors import UserError
from acclimate.core.params import load
from acclimate.core.runs import in_use, key_of, open_run, prune, run_path, runs, seal_run
from acclimate.core.worktrees import add_worktree, git, share_compiled, snapshot

CHECKOUT = Path(__file__).parents[2]
OPEN = """
import sys
from pathlib import Path
from acclimate.core.runs import open_run
open_run(Path(sys.argv[1]), "a", {})
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A committed checkout with the real params.yaml, one module, one user document."""
    root = tmp_path / "checkout"
    for folder in ("include", "inputs", "champion", ".dvc"):
        (root / folder).mkdir(parents=True)
    shutil.copy2(CHECKOUT / "params.yaml", root / "params.yaml")
    (root / "include/code.py").write_text("VERSION = 1\n")
    (root / "inputs/README.md").write_text("documents go here\n")
    (root / "champion/champion.json").write_text('{"version": null}\n')
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (root / ".gitignore").write_text("/.acclimate/\n/inputs/*\n!/inputs/README.md\n")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")
    (root / "inputs/mine.jsonl").write_text('{"text": "mine"}\n')
    return root


def worktrees(root: Path) -> int:
    return git(root, "worktree", "list", "--porcelain").count("worktree ")


def test_a_run_is_the_checkout_as_it_is_uncommitted_edits_new_modules_and_user_documents_included(root: Path) -> None:
    (root / "include/code.py").write_text("VERSION = 2\n")
    (root / "include/new.py").write_text("NEW = True\n")
    path = open_run(root, "a", {})
    assert (path / "include/code.py").read_text() == "VERSION = 2\n"
    assert (path / "include/new.py").exists()
    assert (path / "inputs/mine.jsonl").read_text() == '{"text": "mine"}\n'


def test_taking_a_snapshot_leaves_branch_index_and_stash_as_they_were(root: Path) -> None:
    (root / "include/code.py").write_text("VERSION = 2\n")
    before = [git(root, *ask) for ask in (("status", "--porcelain"), ("rev-parse", "HEAD"), ("stash", "list"))]
    open_run(root, "a", {})
    after = [git(root, *ask) for ask in (("status", "--porcelain"), ("rev-parse", "HEAD"), ("stash", "list"))]
    assert after == before


def test_an_unchanged_checkout_is_its_own_snapshot(root: Path) -> None:
    open_run(root, "a", {})
    assert runs(root)[0].commit == git(root, "rev-parse", "HEAD")


def test_later_edits_do_not_reach_an_open_run(root: Path) -> None:
    path = open_run(root, "a", {})
    (root / "include/code.py").write_text("VERSION = 3\n")
    (root / "inputs/mine.jsonl").write_text("edited in place\n")
    assert open_run(root, "a", {}) == path
    assert (path / "include/code.py").read_text() == "VERSION = 1\n"
    assert (path / "inputs/mine.jsonl").read_text() == '{"text": "mine"}\n'


def test_changes_are_in_the_params_of_the_run_and_nowhere_else(root: Path) -> None:
    path = open_run(root, "a", {"training.rank": 8, "training.strategy": "dora"})
    train = load(path / "params.yaml").training
    assert (train.rank, train.strategy) == (8, "dora")
    assert load(root / "params.yaml").training.rank == 16
    assert runs(root)[0].changes == {"training.rank": 8, "training.strategy": "dora"}


def test_a_change_that_breaks_a_rule_leaves_nothing_behind(root: Path) -> None:
    with pytest.raises(UserError, match=r"params\.yaml:\d+: training\.rank = 0") as fault:
        open_run(root, "a", {"training.rank": 0})
    assert fault.value.fix == "ask for something else than training.rank=0"
    assert (worktrees(root), list((root / ".acclimate/runs").iterdir())) == (1, [root / ".acclimate/runs/.lock"])


def test_an_existing_run_refuses_other_dials_and_accepts_its_own(root: Path) -> None:
    path = open_run(root, "a", {"training.rank": 8})
    assert open_run(root, "a", {"training.rank": 8}) == path
    with pytest.raises(UserError, match=r"exists with other dials than training\.rank=4"):
        open_run(root, "a", {"training.rank": 4})


@pytest.mark.parametrize("key", ["", "..", "a/b", "-a", "a.b", "a" * 81])
def test_a_name_that_is_no_folder_or_tag_is_refused(root: Path, key: str) -> None:
    with pytest.raises(UserError, match="cannot name a run"):
        open_run(root, key, {})


def test_too_little_disk_is_told_before_anything_is_made(root: Path) -> None:
    text = (root / "params.yaml").read_text().replace("min_free_disk_mb: 2000 ", "min_free_disk_mb: 2000000000 ")
    (root / "params.yaml").write_text(text)
    with pytest.raises(UserError, match="2000000000 MB needed"):
        open_run(root, "a", {})
    assert worktrees(root) == 1


def test_a_crash_half_way_does_not_block_the_next_try(root: Path) -> None:
    half_made = root / ".acclimate/runs/a"
    half_made.parent.mkdir(parents=True)
    git(root, "worktree", "add", "--quiet", "--detach", str(half_made), "HEAD")
    (half_made / "params.yaml").write_text("half")
    shutil.rmtree(half_made / "include")
    path = open_run(root, "a", {})
    assert (path / "include/code.py").exists()
    assert load(path / "params.yaml") == load(root / "params.yaml")


def test_several_processes_that_open_the_same_run_at_once_all_succeed(root: Path) -> None:
    def process(_number: int) -> int:
        return subprocess.run([sys.executable, "-c", OPEN, str(root)], check=False).returncode

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(process, range(4))) == [0, 0, 0, 0]
    assert worktrees(root) == 2


def test_dvc_in_the_worktree_uses_the_cache_and_the_local_settings_of_the_checkout(root: Path) -> None:
    (root / ".dvc/config.local").write_text("['remote \"store\"']\n    password = secret%1\n")
    path = open_run(root, "a", {})
    config = configparser.ConfigParser(interpolation=None)
    config.read(path / ".dvc/config.local")
    assert config["cache"]["dir"] == str(root / ".dvc/cache")
    assert config["'remote \"store\"'"]["password"] == "secret%1"
    assert (path / ".dvc/config.local").stat().st_mode & 0o077 == 0
    assert git(path, "status", "--porcelain") == ""


def test_sealing_commits_lock_and_params_and_tags_them_once(root: Path) -> None:
    path = open_run(root, "a", {"training.rank": 8})
    (path / "dvc.lock").write_text("schema: '2.0'\n")
    commit = seal_run(root, "a")
    assert seal_run(root, "a") == commit == git(root, "rev-parse", "acclimate/a")
    assert git(root, "rev-parse", f"{commit}^") == git(root, "rev-parse", "HEAD")
    assert yaml.safe_load(git(root, "show", f"{commit}:params.yaml"))["training"]["rank"] == 8
    assert git(root, "log", "-1", "--format=%an <%ae>", commit) == "acclimate <acclimate@localhost>"


def test_a_run_that_goes_on_after_it_was_sealed_is_sealed_again_on_top(root: Path) -> None:
    path = open_run(root, "a", {})
    (path / "dvc.lock").write_text("one\n")
    first = seal_run(root, "a")
    (path / "dvc.lock").write_text("two\n")
    second = seal_run(root, "a")
    assert git(root, "rev-parse", "acclimate/a^") == first
    assert git(root, "show", f"{second}:dvc.lock") == "two"


def test_the_users_hooks_do_not_run_on_our_commits(root: Path) -> None:
    for hook in ("pre-commit", "commit-msg", "post-checkout"):
        (root / ".git/hooks" / hook).write_text("#!/bin/sh\nexit 1\n")
        (root / ".git/hooks" / hook).chmod(0o755)
    path = open_run(root, "a", {"training.rank": 8})
    assert seal_run(root, "a") == git(path, "rev-parse", "HEAD")


def test_pruning_keeps_the_newest_and_the_one_in_use_and_every_tag(root: Path) -> None:
    for second, key in enumerate("abcd"):
        open_run(root, key, {})
        record = root / f".acclimate/runs/{key}.json"
        record.write_text(json.dumps(json.loads(record.read_text()) | {"opened": f"2026-11-20T00:00:0{second}+00:00"}))
    seal_run(root, "b")
    with in_use(root, "a"):
        assert prune(root, 1) == ["c", "b"]
    assert [run.key for run in runs(root)] == ["d", "a"]
    assert worktrees(root) == 3
    assert git(root, "rev-parse", "--verify", "acclimate/b")
    assert prune(root, 1) == ["a"]


def test_a_pruned_run_is_said_not_to_exist(root: Path) -> None:
    open_run(root, "a", {})
    prune(root, 0)
    with pytest.raises(UserError, match="there is no run 'a'"):
        run_path(root, "a")


def test_airflow_run_ids_become_distinct_short_keys() -> None:
    assert key_of("nightly_7") == "nightly_7"
    one, other = key_of("manual__2026-11-20T19:03:56.123+00:00"), key_of("manual__2026-11-20T19:03:56.124+00:00")
    assert re.fullmatch(r"manual-2026-11-20T19-03-56-[0-9a-f]{6}", one)
    assert one != other
    assert len(key_of("x:" * 200)) <= 80
    assert key_of("::").startswith("run-")


def test_a_dag_run_is_found_by_its_id_and_unknown_before(root: Path) -> None:
    run_id = "asset_triggered__2026-11-20T19:03:56+00:00"
    assert run_of(root, "adapt_model", run_id) is None
    note_dag_run(root, "adapt_model", run_id, "a")
    assert run_of(root, "adapt_model", run_id) == "a"
    assert run_of(root, "adapt_release", run_id) is None


def test_a_run_gets_what_was_accepted_last_and_its_commit_keeps_the_profile(root: Path) -> None:
    (root / ".gitignore").write_text("/.acclimate/\n/accepted/*\n!/accepted/README.md\n")
    (root / "accepted").mkdir()
    for name in ("manifest.parquet", "profile.json"):
        (root / "accepted" / name).write_bytes(b"first")
    path = open_run(root, "a", {})
    (root / "accepted/profile.json").write_bytes(b"later")
    assert (path / "accepted/profile.json").read_bytes() == b"first"
    commit = seal_run(root, "a")
    assert git(root, "show", f"{commit}:accepted/profile.json") == "first"
    # A row per record: it is in the cache, by the hash that dvc.lock holds.
    assert git(root, "ls-tree", "--name-only", commit, "accepted/") == "accepted/profile.json"


@pytest.mark.parametrize("changed", [False, True])
def test_a_run_gets_compiled_kernels_only_if_the_sources_of_all_are_the_same(root: Path, changed: bool) -> None:
    kernels = Path("include/acclimate/data/kernels")
    (root / kernels / "__pycache__").mkdir(parents=True)
    (root / ".gitignore").write_text("__pycache__/\n")
    (root / kernels / "__pycache__/sources").write_text("a digest")
    for name in ("caller", "called"):
        (root / kernels / f"{name}.py").write_text("first\n")
        (root / kernels / f"__pycache__/{name}.f-1.py311.nbi").write_text("machine code")
    commit = snapshot(root)
    if changed:
        (root / kernels / "called.py").write_text("later\n")
    path = root.parent / "worktree"
    add_worktree(root, path, commit)
    share_compiled(root, path)
    shared = sorted(found.name for found in (path / kernels).glob("__pycache__/*"))
    assert shared == ([] if changed else ["called.f-1.py311.nbi", "caller.f-1.py311.nbi", "sources"])
    same_time = (path / kernels / "caller.py").stat().st_mtime_ns == (root / kernels / "caller.py").stat().st_mtime_ns
    assert same_time is not changed


def test_a_run_copies_links_clones_and_odd_names_of_inputs_too(root: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (root / "inputs/link").symlink_to(root / "inputs/mine.jsonl")
    (root / "inputs/out").symlink_to(tmp_path / "elsewhere")
    (root / "inputs/nowhere").symlink_to("gone")
    (root / "inputs/docs").mkdir()
    git(root / "inputs/docs", "init", "--quiet")
    (root / "inputs/docs/page.md").write_text("a page")
    (root / "inputs" / os.fsdecode(b"caf\xe9.txt")).write_text("latin")
    path = open_run(root, "a", {})
    assert (path / "inputs/link").read_text() == '{"text": "mine"}\n'
    assert not (path / "inputs/link").is_symlink(), "a document edited in place must not change under a run"
    assert (path / "inputs/out").is_symlink(), "ingest refuses it with a reason"
    assert (path / "inputs/nowhere").is_symlink()
    assert (path / "inputs/docs/page.md").read_text() == "a page"
    assert not (path / "inputs/docs/.git").exists()
    assert (path / "inputs" / os.fsdecode(b"caf\xe9.txt")).exists()


def test_a_snapshot_can_hold_files_that_the_checkout_ignores(root: Path, tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text("a card\n")
    commit = snapshot(root, {"dataset/card.md": tmp_path / "card.md"}, message="Data set")
    assert git(root, "show", f"{commit}:dataset/card.md") == "a card"
    assert git(root, "log", "-1", "--format=%s", commit) == "Data set"
    assert git(root, "status", "--porcelain") == "", "neither the index nor a file has changed"

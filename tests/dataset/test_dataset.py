"""acclimate dataset: versions are found, described, compared and given back, and the checkout stays as it is."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from acclimate.cli import main
from acclimate.core.files import read_json, read_jsonl
from acclimate.core.worktrees import git
from acclimate.dataset.commands import COMMANDS

Capture = pytest.CaptureFixture[str]


def said(capsys: Capture, *arguments: str) -> str:
    assert main(["dataset", *arguments]) == 0
    return capsys.readouterr().out.rstrip("\n")


def refusal(capsys: Capture, *arguments: str) -> str:
    assert main(["dataset", *arguments]) == 2
    return capsys.readouterr().err


def test_the_list_has_the_newest_first_with_size_hash_and_parent(
    checkout: Path, names: tuple[str, str], capsys: Capture
) -> None:
    newest, oldest = said(capsys, "list").splitlines()
    mix = read_json(checkout / "reports/mix.json")
    assert newest.startswith(f"{names[1]}  ")
    assert f"  {mix['records']:,} records  " in newest
    assert f"sha256 {mix['dataset_sha256'][:16]}" in newest
    assert newest.endswith(f"after {names[0].rpartition('/')[2]}")
    assert "after" not in oldest


def test_somebodys_own_tag_is_no_version(checkout: Path, names: tuple[str, str], capsys: Capture) -> None:
    git(checkout, "tag", "dataset/v1")
    try:
        assert "dataset/v1" not in said(capsys, "list")
    finally:
        git(checkout, "tag", "--delete", "dataset/v1")


def test_the_name_holds_domain_date_and_hash(checkout: Path, names: tuple[str, str]) -> None:
    train = (checkout / "artifacts/mix/train.jsonl").read_bytes()
    date = read_version(checkout, names[1])["date"][:10]
    assert names[1] == f"dataset/scientific_python/{date}-{hashlib.sha256(train).hexdigest()[:8]}"


def read_version(checkout: Path, name: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(git(checkout, "show", f"{name}:dataset/version.json"))
    return found


def test_tagging_again_makes_no_second_version_and_leaves_branch_and_files(
    checkout: Path, names: tuple[str, str], capsys: Capture
) -> None:
    asks = (("status", "--porcelain"), ("rev-parse", "HEAD"), ("tag", "--list"), ("rev-parse", names[1]))
    before = [git(checkout, *ask) for ask in asks]
    assert said(capsys, "tag").startswith(f"{names[1]}: ")
    assert [git(checkout, *ask) for ask in asks] == before


def test_a_version_holds_the_lock_the_dials_and_its_documents(checkout: Path, names: tuple[str, str]) -> None:
    files = git(checkout, "ls-tree", "-r", "--name-only", names[0]).splitlines()
    documents = {"dataset/card.md", "dataset/croissant.json", "dataset/version.json"}
    assert set(files) >= {"dvc.lock", "params.yaml", "dvc.yaml"} | documents
    assert git(checkout, "show", f"{names[1]}:dvc.lock") == (checkout / "dvc.lock").read_text().strip()


@pytest.mark.parametrize("part", [0, 1, 2, 3])
def test_a_version_answers_to_its_whole_name_and_to_its_ends(
    names: tuple[str, str], capsys: Capture, part: int
) -> None:
    name = names[0]
    asked = (name, name.removeprefix("dataset/"), name.rpartition("/")[2], name[-8:])[part]
    assert said(capsys, "card", asked).startswith(f"# Training set {name.rpartition('/')[2]}")


def test_an_unknown_version_is_refused_with_those_that_exist(names: tuple[str, str], capsys: Capture) -> None:
    for verb in ("card", "pull", "diff"):
        error = refusal(capsys, verb, "2020-01-01-00000000")
        assert "there is no data set '2020-01-01-00000000'" in error
        assert all(name in error for name in names)


def test_pulling_gives_back_the_files_of_that_version_and_touches_nothing_else(
    checkout: Path, names: tuple[str, str], tmp_path: Path, capsys: Capture
) -> None:
    here = (checkout / "artifacts/mix/train.jsonl").read_bytes()
    assert said(capsys, "pull", names[0], "--to", str(tmp_path / "old")) == str(tmp_path / "old")
    old = (tmp_path / "old/artifacts/mix/train.jsonl").read_bytes()
    assert hashlib.sha256(old).hexdigest() == read_version(checkout, names[0])["sha256"]
    assert (checkout / "artifacts/mix/train.jsonl").read_bytes() == here != old
    assert {path.name for path in (tmp_path / "old").iterdir()} == {
        *("artifacts", "reports", "params.yaml", "dvc.lock"),
        *("card.md", "croissant.json", "version.json"),
    }
    assert [path.name for path in tmp_path.iterdir()] == ["old"]
    assert git(checkout, "worktree", "list", "--porcelain").count("worktree ") == 1
    assert said(capsys, "pull", names[0], "--to", str(tmp_path / "old")) == str(tmp_path / "old"), "there already"


def test_pulling_over_something_else_is_refused(names: tuple[str, str], tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    assert "exists already" in refusal(capsys, "pull", names[0], "--to", str(tmp_path / "mine"))
    assert (tmp_path / "mine/thesis.txt").exists()


def test_files_that_are_nowhere_are_said_to_be(
    made: Path, names: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    clone = tmp_path / "clone"
    git(made, "clone", "--quiet", str(made), str(clone))
    monkeypatch.setenv("ACCLIMATE_HOME", str(clone))
    monkeypatch.chdir(clone)
    assert names[0] in said(capsys, "list")
    assert "neither in DVC's cache nor in a remote" in refusal(capsys, "pull", names[0], "--to", str(tmp_path / "old"))
    assert not (tmp_path / "old").exists()


def test_a_training_set_that_dvc_has_not_recorded_is_no_version(
    empty_checkout: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    copy = Path(shutil.copytree(empty_checkout, tmp_path / "copy"))
    monkeypatch.setenv("ACCLIMATE_HOME", str(copy))
    monkeypatch.chdir(copy)
    assert "there is no artifacts/mix/train.jsonl" in refusal(capsys, "tag")
    for folder in ("artifacts", "reports"):
        shutil.copytree(made / folder, copy / folder)
    assert "the mix is not in dvc.lock" in refusal(capsys, "tag")
    with (copy / "artifacts/mix/train.jsonl").open("a") as train:
        train.write("{}\n")
    assert "is not the file that reports/mix.json is about" in refusal(capsys, "tag")


def test_the_diff_counts_what_came_went_and_stayed(names: tuple[str, str], checkout: Path, capsys: Capture) -> None:
    line, page = said(capsys, "diff", names[0], names[1]).splitlines()
    report = read_json(checkout / "reports/dataset_diff.json")
    now = [row["id"] for row in read_jsonl(checkout / "artifacts/mix/train.jsonl")]
    assert report["new_records"] == len(now)
    assert report["old_records"] - report["went"] == report["new_records"] - report["came"] > 0
    assert report["changed"] == report["renamed"] == 0
    assert line == report["headline"]
    html = (checkout / page).read_text(encoding="utf-8")
    assert "<svg" in html
    assert "<script" not in html


def test_a_diff_with_one_version_is_with_this_checkout(names: tuple[str, str], capsys: Capture) -> None:
    assert f"{names[1].rpartition('/')[2]} → this checkout: 0 came, 0 went, 0 changed" in said(capsys, "diff", names[1])


def test_accepting_hands_over_what_the_stages_left(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    root = Path(shutil.copytree(made, tmp_path / "root"))
    monkeypatch.setenv("ACCLIMATE_HOME", str(root))
    monkeypatch.chdir(root)
    assert said(capsys, "accept").endswith("accepted: nothing to compare with here")
    (root / "artifacts/ingest").mkdir()
    (root / "artifacts/ingest/manifest.parquet").write_bytes(b"manifest")
    (root / "accepted/manifest.parquet").write_bytes(b"older")
    assert said(capsys, "accept").endswith("accepted: manifest.parquet")
    assert [path.read_bytes() for path in (root / "accepted").iterdir()] == [b"manifest"]


def test_there_are_six_verbs_and_each_is_explained(capsys: Capture) -> None:
    with pytest.raises(SystemExit):
        main(["dataset", "--help"])
    explained = capsys.readouterr().out
    assert len(COMMANDS) == 6
    assert all(f"\n    {verb} " in explained for verb in COMMANDS)

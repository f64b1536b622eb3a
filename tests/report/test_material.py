from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from acclimate.core.files import write_json, write_jsonl
from acclimate.core.reports import Funnel, report_path, write_report
from acclimate.report.blocks import Missing
from acclimate.report.material import Material, Seconds


@dataclass(frozen=True)
class CleanReport:
    funnel: Funnel

    def headline(self) -> str:
        return self.funnel.sentence()


@dataclass(frozen=True)
class RenamedReport:
    records: Funnel


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


def test_a_report_comes_back_as_the_dataclass_that_wrote_it(tmp_path: Path) -> None:
    written = CleanReport(Funnel(3, 2, {"too short": 1}))
    write_report(report_path("clean", tmp_path), "clean", written)
    assert Material(tmp_path).report("clean", CleanReport) == written


def test_a_stage_that_has_not_run_names_the_command_that_runs_it(tmp_path: Path) -> None:
    assert Material(tmp_path).report("clean", CleanReport) == Missing("There is no report of clean.", "dvc repro clean")
    assert Material(tmp_path).report("register", CleanReport) == Missing(
        "There is no report of register.", "acclimate register"
    )


def test_a_report_with_other_fields_is_missing_and_says_which_field(tmp_path: Path) -> None:
    write_report(report_path("clean", tmp_path), "clean", CleanReport(Funnel(3, 3, {})))
    missing = Material(tmp_path).report("clean", RenamedReport)
    text = "The report of clean is from another version of it (records: field required)."
    assert missing == Missing(text, "dvc repro clean", "outdated")


def test_outside_git_there_is_no_commit_and_a_reason(tmp_path: Path) -> None:
    state = Material(tmp_path).git
    assert state.commit is None
    assert "not a git repository" in str(state.problem)
    assert Material(tmp_path).committed_params is None


def test_git_state_names_the_commit_and_what_changed_since(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text("training: {rank: 16}\n")
    git(tmp_path, "init")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "x")
    assert Material(tmp_path).git.changed == ()
    (tmp_path / "params.yaml").write_text("training: {rank: 8}\n")
    material = Material(tmp_path)
    assert len(str(material.git.commit)) == 40
    assert material.git.changed == ("params.yaml",)
    assert material.committed_params == {"training": {"rank": 16}}
    assert material.params == {"training": {"rank": 8}}


def test_only_the_first_rejects_of_each_reason_are_read(tmp_path: Path) -> None:
    rows = [{"reason": reason, "id": str(place)} for place, reason in enumerate("aabab")]
    write_jsonl(tmp_path / "artifacts/clean/rejected.jsonl", rows)
    found = Material(tmp_path).rejects("clean", 2)
    assert {reason: [row["id"] for row in of_reason] for reason, of_reason in found.items()} == {
        "a": ["0", "1"],
        "b": ["2", "4"],
    }


def test_seconds_are_read_per_stage(tmp_path: Path) -> None:
    write_json(tmp_path / "timings/clean.json", {"start_up_s": 0.5, "work_s": 2.0})
    assert Material(tmp_path).seconds == {"clean": Seconds(0.5, 2.0)}

"""The verbs as a person types them, against a real registry."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.cli import main
from acclimate.core.files import read_json
from acclimate.core.params import with_changes
from acclimate.release.register import register
from acclimate.release.registry import connect

MODEL = "acclimate-scientific-python"
Score = Callable[..., None]
Type = Callable[..., str]


@pytest.fixture
def run(
    gated_run: Path, home_folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Type:
    """run("list"): what `acclimate registry list` prints in the checkout of the first run."""
    subprocess.run(["git", "init", "-q"], cwd=home_folder, check=True)
    monkeypatch.chdir(gated_run)

    def typed(*words: str, code: int = 0) -> str:
        capsys.readouterr()
        assert main(["registry", *words]) == code
        out, err = capsys.readouterr()
        return err if code else out

    return typed


def with_bento(version: str) -> None:
    connect().set_model_version_tag(MODEL, version, "bento", f"{MODEL}:v{version}-00000000")


def test_list_shows_versions_of_every_domain_under_the_base_that_they_adapt(
    run: Type, gated_run: Path, another_run: Path
) -> None:
    assert "no version yet" in run("list")
    register(gated_run)
    params = another_run / "params.yaml"
    text = params.read_text(encoding="utf-8")
    params.write_text(with_changes(text, {"ingest.domain": "documents"}), encoding="utf-8")
    register(another_run)
    lines = run("list").splitlines()
    base = read_json(gated_run / "reports/base.json")["base_sha256"]
    assert lines[0] == f"base local:tiny  sha256 {base[:12]}  licence PSF-2.0"
    assert lines[1].split()[:4] == ["model", "version", "registered", "aliases"]
    assert [line.split()[0] for line in lines[2:]] == ["acclimate-documents", MODEL]
    assert "challenger  promote  domain_cloze 0.450" in lines[3]
    assert "dddddddddddd" in lines[3]
    assert lines[3].endswith("run-a")


def test_promote_twice_and_rollback_twice_are_each_one_change(run: Type, gated_run: Path, another_run: Path) -> None:
    for number, checkout in enumerate((gated_run, another_run), start=1):
        register(checkout)
        with_bento(str(number))
    assert run("promote", "1", "--reason", "first") == f"{MODEL} version 1 replaces none as champion\n"
    assert run("promote", "1") == f"{MODEL} version 1 stays champion\n"
    assert run("promote", "challenger") == f"{MODEL} version 2 replaces version 1 as champion\n"
    rolled_back = f"{MODEL}: version 2 rolled back, 1 is champion again\n"
    assert run("rollback", "--reason", "slow") == rolled_back
    assert run("rollback", "--reason", "slow") == rolled_back
    told = [line.replace("verdict of the gate", "gate").split("  ")[3:] for line in run("audit").splitlines()]
    assert told == [
        ["register", f"{MODEL} 1", "challenger none → 1: gate: promote"],
        ["register", f"{MODEL} 2", "challenger 1 → 2: gate: promote"],
        ["promote", f"{MODEL} 1", "champion none → 1: first"],
        ["promote", f"{MODEL} 2", "champion 1 → 2, challenger 2 → none, previous none → 1: gate: promote"],
        ["rollback", f"{MODEL} 2", "champion 2 → 1, previous 1 → none: slow"],
    ]


def test_lineage_leads_from_the_data_to_the_bento_and_the_audit(run: Type, gated_run: Path) -> None:
    register(gated_run)
    with_bento("1")
    run("promote", "1", "--reason", "first")
    told = run("lineage", "champion")
    assert told.startswith(f"{MODEL} version 1  champion\n")
    dataset = f"sha256 {'d' * 64}  (not tagged"
    for part in ("run-a  MLflow ", dataset, "licence PSF-2.0", f"{MODEL}:v1-00000000", "challenger 1 → none: first"):
        assert part in told, part


def test_compare_prints_the_table_and_writes_the_numbers(
    run: Type, gated_run: Path, another_run: Path, scored: Score
) -> None:
    scored(another_run, 420)
    for checkout in (gated_run, another_run):
        register(checkout)
    lines = run("compare", "1", "challenger").splitlines()
    assert lines[0] == f"{MODEL}: version 1 → version 2"
    assert "  train_domain.learning_rate: 0.008 → 0.004" in lines
    domain = next(line for line in lines if "domain_cloze" in line).split()
    assert domain[:4] == ["domain_cloze", "0.450", "0.525", "+0.075"]
    report = read_json(gated_run / "reports/registry_compare.json")
    assert report["metrics"]["domain_cloze"]["n"] == 800


def test_pull_prints_where_the_adapter_is_and_is_on_record_once(run: Type, gated_run: Path, home_folder: Path) -> None:
    register(gated_run)
    where = f"{home_folder}/.acclimate/adapters/{MODEL}/1\n"
    assert run("pull", "1") == run("pull", "challenger") == where
    assert [line.split("  ")[3] for line in run("audit").splitlines()] == ["register", "pull"]


def test_another_domain_is_named_on_the_command_line(run: Type, gated_run: Path) -> None:
    register(gated_run)
    assert "acclimate-law has no version '1'" in run("--domain", "law", "lineage", "1", code=2)

"""One name everywhere, and how many there are."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import yaml

from acclimate.cli import parser
from acclimate.core.params import Params, load
from acclimate.pipeline import ACTIONS, STAGES
from orchestration.graph import read_graph

CHECKOUT = Path(__file__).parents[2]
DVC = yaml.safe_load((CHECKOUT / "dvc.yaml").read_text())["stages"]

# baseline, evaluate and evaluate_quantized score models alike, by one section in common; the train stages have the
# kind of adapter in common.
WITHOUT_SECTION = {"evaluate"}
SHARED_SECTIONS = {"common", "score", "training"}
SECTIONS_OF_ACTIONS = {"judge", "package", "registry", "endpoint", "canary", "manifests", "transform", "drift"}


def test_there_are_eighteen_stages_and_dvc_yaml_has_the_same_in_the_same_order() -> None:
    assert list(DVC) == list(STAGES)
    assert len(STAGES) == 18


def test_there_are_twenty_six_actions_and_none_is_called_like_a_stage() -> None:
    assert len(ACTIONS) == 26
    assert not ACTIONS.keys() & STAGES.keys()


def test_every_section_of_params_yaml_is_a_stage_or_an_action_or_shared() -> None:
    sections = set(yaml.safe_load((CHECKOUT / "params.yaml").read_text()))
    assert sections == (STAGES.keys() - WITHOUT_SECTION) | SHARED_SECTIONS | SECTIONS_OF_ACTIONS
    assert len(sections) == len(Params.model_fields) == 28
    assert ACTIONS.keys() >= SECTIONS_OF_ACTIONS


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_has_its_name_in_module_command_report_and_tests(name: str) -> None:
    assert STAGES[name].module.endswith(f".{name}")
    assert DVC[name]["cmd"] == f"acclimate {name}"
    assert f"reports/{name}.json" in DVC[name]["outs"]
    plane = STAGES[name].module.split(".")[1]
    assert (CHECKOUT / f"tests/{plane}/test_{name}.py").exists()


@pytest.mark.parametrize("name", STAGES)
def test_dvc_yaml_and_the_pipeline_table_say_the_same_of_a_stage(name: str) -> None:
    stage, dvc = STAGES[name], DVC[name]
    read = [dep for dep in dvc["deps"] if not dep.startswith("include/") and dep != "requirements.txt"]
    assert sorted(read) == stage.reads
    assert sorted(dvc["outs"]) == sorted([f"reports/{name}.json", *([str(stage.out)] if stage.writes else [])])
    assert sorted(dvc.get("params", [])) == sorted(stage.sections)


def test_every_section_that_a_stage_is_given_exists() -> None:
    params = load(CHECKOUT / "params.yaml")
    for stage in STAGES.values():
        for section in stage.sections:
            assert params.section(section) is not None


def test_every_stage_and_action_is_a_command() -> None:
    for name in STAGES:
        assert parser(name).parse_args([name]).command == name
    listed = parser(None).format_help()
    for name in [*STAGES, *ACTIONS]:
        assert f"  {name}" in listed


def test_the_one_option_of_a_stage_is_told_in_its_help_and_has_a_module() -> None:
    options = {name: stage.option for name, stage in STAGES.items() if stage.option}
    assert [*options] == ["gate"]
    for name, option in options.items():
        assert callable(importlib.import_module(option.module).main)
        assert vars(parser(name).parse_args([name, option.flag, "3"])) == {"command": name, "instead": "3"}


def test_every_stage_says_how_airflow_runs_it_and_what_it_is_for() -> None:
    dags = {node.name: node.dag for node in read_graph(CHECKOUT).values()}
    assert len([dag for dag in dags.values() if dag == "adapt_data"]) == 8
    assert len([dag for dag in dags.values() if dag == "adapt_model"]) == 8
    assert len([dag for dag in dags.values() if dag == "adapt_release"]) == 2
    assert all(node.desc for node in read_graph(CHECKOUT).values())

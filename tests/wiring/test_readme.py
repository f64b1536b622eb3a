"""The README's table of stages is the pipeline; its commands run in tests/end_to_end."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from acclimate.pipeline import ACTIONS, STAGES
from acclimate.services.settings import Ports

CHECKOUT = Path(__file__).parents[2]
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")


def test_the_table_names_every_stage_in_order() -> None:
    assert re.findall(r"^\| `acclimate (\w+)` \|", README, re.MULTILINE) == list(STAGES)


def test_every_action_of_a_run_is_named() -> None:
    assert [name for name, action in ACTIONS.items() if action.timed and f"`{name}`" not in README] == ["report"]
    assert "acclimate report" in README


def test_addresses_are_the_default_ports() -> None:
    ports = Ports()
    for url in (ports.airflow_url, ports.mlflow_url, ports.endpoint_url):
        assert url in README


PAGES = (
    "README.md",
    "docs/data.md",
    "docs/gate.md",
    "docs/judging.md",
    "docs/registry.md",
    "docs/release.md",
    "docs/serving.md",
    "docs/canary.md",
    "docs/model.md",
    "docs/training.md",
    "inputs/README.md",
    "inputs/evaluation/README.md",
)


@pytest.mark.parametrize("page", PAGES)
def test_pictures_and_links_exist(page: str) -> None:
    text = (CHECKOUT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http|#)([^)]+)\)", text):
        assert ((CHECKOUT / page).parent / target).exists(), target

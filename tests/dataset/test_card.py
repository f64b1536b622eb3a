"""The card says what the reports say, with whatever stages there are; its metadata load in another tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from acclimate.cli import main
from acclimate.core.files import read_jsonl
from acclimate.dataset.card import card
from acclimate.dataset.documents import licences_of
from acclimate.dataset.versions import Version

VERSION = Version(
    "dataset/pottery/2026-11-20-abcdef01", "pottery", "2026-11-20T10:00:00+00:00", "a" * 64, 3, 90, 30, []
)
PARAMS: dict[str, Any] = {
    "common": {"seed": 7},
    "ingest": {
        "domain": "pottery",
        "sources": [
            {"name": "shelf", "domain": "pottery", "licence": "CC0-1.0"},
            {"name": "stdlib", "domain": "general", "licence": "PSF-2.0"},
            {"name": "other", "domain": "weaving", "licence": "unknown"},
        ],
    },
}
SOURCE = {"name": "shelf", "domain": "pottery", "documents": 1_200, "pairs": 3, "bytes": 9, "versions": {"kiln": "1.2"}}


def test_licences_are_those_of_the_sources_that_were_read() -> None:
    assert licences_of(PARAMS) == {"shelf": "CC0-1.0", "stdlib": "PSF-2.0"}


def test_a_source_stands_with_its_licence_and_versions() -> None:
    text = card(VERSION, {"ingest": {"sources": [SOURCE]}}, PARAMS, licences_of(PARAMS))
    assert "| shelf | pottery | CC0-1.0 | kiln 1.2 | 1,200 | 3 | 9 |" in text


def test_rejections_stand_with_their_reason_and_cannot_break_the_table() -> None:
    funnel = {"records_in": 5, "records_out": 4, "rejected": {"a | b\nc": 1}}
    text = card(VERSION, {"clean": {"funnel": funnel}}, PARAMS, {})
    assert r"| clean | 5 | 4 | a \| b c 1 |" in text


def test_redactions_are_counted_and_their_absence_is_said() -> None:
    found, nothing = (card(VERSION, {"clean": {"redacted": counts}}, PARAMS, {}) for counts in ({"email": 1_200}, {}))
    assert "| email | 1,200 |" in found
    assert "Looked for by `clean`; nothing was found." in nothing


def test_what_has_no_report_has_no_section() -> None:
    headings = [line for line in card(VERSION, {}, PARAMS, {}).splitlines() if line.startswith("## ")]
    assert headings == ["## Known limits"]


def test_croissant_metadata_are_valid_and_load_the_records(
    names: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mlcroissant = pytest.importorskip("mlcroissant", reason="a development dependency")
    monkeypatch.setenv("CROISSANT_CACHE", str(tmp_path / "cache"))
    assert main(["dataset", "pull", names[0], "--to", str(tmp_path / "pulled")]) == 0
    capsys.readouterr()
    dataset = mlcroissant.Dataset(tmp_path / "pulled/croissant.json")
    assert dataset.metadata.ctx.issues.errors == set()
    loaded = [{name.split("/")[-1]: value for name, value in row.items()} for row in dataset.records("train")]
    written = read_jsonl(tmp_path / "pulled/artifacts/mix/train.jsonl")
    assert [{name: value.decode() for name, value in row.items()} for row in loaded] == written
    metadata = json.loads((tmp_path / "pulled/croissant.json").read_text(encoding="utf-8"))
    assert {"name", "description", "license", "url", "distribution", "recordSet", "conformsTo"} <= metadata.keys()

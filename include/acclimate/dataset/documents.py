"""What a version says about itself: card.md for people, croissant.json for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from acclimate.core.files import read_json
from acclimate.core.reports import report_path
from acclimate.core.yaml_text import parse_yaml
from acclimate.dataset.card import card
from acclimate.dataset.croissant import metadata
from acclimate.dataset.versions import TRAIN, Version
from acclimate.pipeline import STAGES

CARD = "card.md"
CROISSANT = "croissant.json"
DATA_STAGES = list(STAGES)[: list(STAGES).index("mix") + 1]


def documents(checkout: Path, version: Version) -> dict[str, str]:
    """Name to text of both documents about the training set in `checkout`.

    Args:
        checkout: where the stages have run.
        version: what it is called.
    """
    params = parse_yaml((checkout / "params.yaml").read_text(encoding="utf-8"))
    reports = {name: read_json(path) for name in DATA_STAGES if (path := report_path(name, checkout)).exists()}
    size = (checkout / TRAIN).stat().st_size
    licences = licences_of(params)
    return {
        CARD: card(version, reports, params, licences),
        CROISSANT: json.dumps(metadata(version, licences, size), indent=2, ensure_ascii=False) + "\n",
    }


def licences_of(params: dict[str, Any]) -> dict[str, str]:
    """Source to the licence that params.yaml names for it, of the sources of this run."""
    domain = params["ingest"]["domain"]
    sources = params["ingest"]["sources"]
    return {
        source["name"]: source.get("licence", "unknown")
        for source in sources
        if source["domain"] in (domain, "general")
    }

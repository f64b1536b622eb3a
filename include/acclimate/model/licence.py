"""The licence of the base model: what may be done with every adapter of it.

    licence_of_card(Path("model/README.md"))    # "apache-2.0": what the card's front matter says

A model made here has the licences of the texts it was made from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import yaml

from acclimate.core.yaml_text import parse_yaml

CARD = "README.md"
UNKNOWN = "unknown"
_FRONT_MATTER = re.compile(r"---\n(.*?)\n---", re.DOTALL)


def licence_of_card(card: Path) -> str:
    """The `license` in the YAML front matter of a model card (Hugging Face, "Model cards"); else `unknown`.

    A card is written by hand: one that is no YAML, or has something else there, says nothing.
    """
    found = _FRONT_MATTER.match(card.read_text(encoding="utf-8", errors="replace")) if card.is_file() else None
    try:
        told = parse_yaml(found[1]) if found else None
    except yaml.YAMLError:
        return UNKNOWN
    named = told.get("license_name") or told.get("license") if isinstance(told, dict) else None
    return named.strip() if isinstance(named, str) and named.strip() else UNKNOWN


def licence_of_texts(licences: Iterable[str | None]) -> str:
    """Every licence among the texts, in order: 'PSF-2.0' or 'CC-BY-4.0, PSF-2.0'; a text may have none."""
    return ", ".join(sorted({licence or UNKNOWN for licence in licences})) or UNKNOWN

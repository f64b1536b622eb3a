"""Whose terms hold for a packaged model: those of its base, and of the texts that it was adapted with.

| source | licence | records |
|---|---|---|
| scientific_python | BSD-3-Clause | 3,120 |
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from acclimate.core.files import read_parquet
from acclimate.model.licence import UNKNOWN

Licences = Mapping[tuple[str, str], int]
"""Source and licence to the number of records."""


def training_licences(records: Path) -> Licences:
    """What stands in artifacts/mix/records.parquet, record by record; a record may have no licence."""
    table = read_parquet(records).select(["source", "licence"])
    found = Counter((row["source"], row["licence"] or UNKNOWN) for row in table.to_pylist())
    return dict(sorted(found.items()))


def notice(manifest: Mapping[str, Any], licences: Licences) -> str:
    """The licence notice as Markdown.

    Args:
        manifest: of the Bento.
        licences: of the training set.
    """
    base = manifest["base"]
    rows = [f"| {source} | {licence} | {count:,} |" for (source, licence), count in licences.items()]
    unknown = sum(count for (_, licence), count in licences.items() if licence == UNKNOWN)
    doubts = []
    if base["licence"] == UNKNOWN:
        doubts.append("Nobody has said under which licence the base may be used: ask whoever published it.")
    if unknown:
        doubts.append(f"Nobody has said under which licence {unknown:,} of the training records may be used.")
    blocks = [
        f"# Licences of {manifest['model']} version {manifest['version']}",
        f"The base model is {base['model']}, licence {base['licence']}. It was adapted with these texts, "
        f"whose sources name their licences in params.yaml or record by record:",
        "\n".join(["| source | licence | records |", "|---|---|---|", *rows]),
        *doubts,
        "The packages that serve it are listed with their licences in sbom.cdx.json.",
    ]
    return "\n\n".join(blocks) + "\n"

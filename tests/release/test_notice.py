from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from acclimate.core.files import write_parquet
from acclimate.release.notice import notice, training_licences

MANIFEST = {"model": "acclimate-law", "version": "3", "base": {"model": "owner/name", "licence": "apache-2.0"}}


def test_records_are_counted_by_source_and_licence(tmp_path: Path) -> None:
    facts = {"source": ["b", "a", "b", "b"], "licence": ["MIT", None, "MIT", "ISC"]}
    write_parquet(tmp_path / "records.parquet", pa.table(facts))
    assert training_licences(tmp_path / "records.parquet") == {("a", "unknown"): 1, ("b", "ISC"): 1, ("b", "MIT"): 2}


def test_the_notice_names_base_sources_and_what_nobody_knows() -> None:
    text = notice(MANIFEST, {("a", "unknown"): 1200, ("b", "MIT"): 2})
    assert "The base model is owner/name, licence apache-2.0." in text
    assert "| b | MIT | 2 |" in text
    assert "Nobody has said under which licence 1,200 of the training records may be used." in text
    assert "whoever published it" not in text


def test_a_base_without_a_licence_is_a_doubt() -> None:
    base = {"model": "owner/name", "licence": "unknown"}
    text = notice(MANIFEST | {"base": base}, {("b", "MIT"): 2})
    assert "Nobody has said under which licence the base may be used" in text

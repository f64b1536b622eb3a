"""candidates: every record becomes a candidate of one kind, and its text is found again by its place."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.data.mixing import candidates
from acclimate.data.mixing.candidates import KINDS, Measures, scan, training_texts
from acclimate.data.seeded import chance

Row = dict[str, Any]
ALL = Measures(seed=1729, max_document_characters=40, difficulty=True, density=True)


@pytest.fixture
def files(
    document: Callable[..., Row], write_documents: Callable[[Path, Sequence[Row]], Path], tmp_path: Path
) -> tuple[Path, Path]:
    rows = [document(f"Text {number}. {'clay and fire ' * 5}") for number in range(30)]
    pairs = [document(f"Question: {number}?\nAnswer: {'é' * 60}", type="qa_pair") for number in range(20)]
    mixed = [row for couple in zip(rows, pairs, strict=False) for row in couple] + rows[20:]
    general = [document(f"Note {number}.", domain="general", quality_score=0.5) for number in range(10)]
    domain = write_documents(tmp_path / "domain.parquet", mixed)
    return domain, write_documents(tmp_path / "general.parquet", general)


@pytest.mark.parametrize("batch", [1, 7, 4096])
def test_what_is_found_out_does_not_depend_on_the_size_of_a_batch(
    files: tuple[Path, Path], batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = scan(*files, ALL)
    monkeypatch.setattr(candidates, "_BATCH", batch)
    for kind, pool in scan(*files, ALL).items():
        for name in ("places", "chances", "bytes", "quality", "grades", "densities"):
            assert np.array_equal(getattr(pool, name), getattr(whole[kind], name), equal_nan=name == "quality")
        assert pool.facts.equals(whole[kind].facts)


def test_pairs_of_the_domain_are_questions_and_everything_general_is_replay(files: tuple[Path, Path]) -> None:
    pools = scan(*files, ALL)
    assert [len(pools[kind].bytes) for kind in KINDS] == [30, 20, 10]
    assert pools["general_replay"].mean_quality() == 0.5
    assert pools["domain_documents"].mean_quality() is None


def test_the_text_at_a_place_has_the_bytes_that_were_counted(files: tuple[Path, Path]) -> None:
    for kind, pool in scan(*files, ALL).items():
        texts = training_texts(files[kind == KINDS[2]], pool.places, 40).column("text").to_pylist()
        assert [len(text.encode()) for text in texts] == pool.bytes.tolist()
        assert pool.chances[0] == chance(1729, f"mix/{pool.facts['id'][0].as_py()}")
        if kind == "domain_questions":
            assert all(text.endswith("é" * 60) for text in texts), "questions are whole"
        else:
            assert all(len(text) <= 40 for text in texts)


def test_what_is_not_asked_for_is_not_measured(files: tuple[Path, Path]) -> None:
    for pool in scan(*files, Measures(1729, 40, difficulty=False, density=False)).values():
        assert len(pool.grades) == len(pool.densities) == 0

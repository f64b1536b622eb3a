from pathlib import Path

import pytest

from acclimate.data import kernels


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(kernels, "CACHE", tmp_path / "__pycache__")
    kernels._forget_stale()
    (tmp_path / "__pycache__/sketch.sketch-1.py311.1.nbc").write_text("machine code")
    return tmp_path / "__pycache__"


def test_machine_code_of_these_sources_stays(cache: Path) -> None:
    kernels._forget_stale()
    assert len(list(cache.glob("*.nbc"))) == 1


def test_after_a_change_of_any_source_all_machine_code_goes_and_is_made_anew_once(cache: Path) -> None:
    (cache / "sources").write_text("the digest of other sources")
    kernels._forget_stale()
    assert list(cache.glob("*.nbc")) == []
    (cache / "tokens.words-1.py311.1.nbc").write_text("new machine code")
    kernels._forget_stale()
    assert len(list(cache.glob("*.nbc"))) == 1

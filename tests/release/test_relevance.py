from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from acclimate.core.files import write_jsonl, write_parquet
from acclimate.core.records import GENERAL
from acclimate.release.relevance import Texts, fit, measure, relevance_of

LAW = [f"Question: Which court hears case {number}?\nAnswer: The high court of appeal." for number in range(40)]
COOKING = [f"Question: How long does dish {number} simmer?\nAnswer: Until it is tender." for number in range(30)]


def written(folder: Path, domain: list[str], general: list[str]) -> tuple[Path, Path]:
    """The first half as a training set, the second as a test store."""
    halves = {"domain_questions": domain, "general_replay": general}
    rows = [
        {"id": text, "kind": kind, "text": text} for kind, texts in halves.items() for text in texts[: len(texts) // 2]
    ]
    write_jsonl(folder / "train.jsonl", rows)
    unseen = [*((text, "law") for text in domain[len(domain) // 2 :])]
    unseen += [(text, GENERAL) for text in general[len(general) // 2 :]]
    table = pa.table({"text": [text for text, _ in unseen], "domain": [domain for _, domain in unseen]})
    write_parquet(folder / "test.parquet", table)
    return folder / "train.jsonl", folder / "test.parquet"


def test_questions_are_told_apart_and_how_well_is_measured_on_texts_that_were_not_learned(tmp_path: Path) -> None:
    told = relevance_of(*written(tmp_path, LAW, [*COOKING, *COOKING]))
    assert told is not None
    relevance, measured = told
    assert relevance.of("Which court hears an appeal?") > 0.7
    assert relevance.of("How long does soup simmer?") < 0.3
    counted = (measured["fitted_to"], measured["domain_texts"], measured["general_texts"], measured["auc"])
    assert counted == (50, 20, 30, 1.0)
    perfect = {"threshold": 0.5, "domain_kept": 1.0, "general_sent_away": 1.0, "balanced_accuracy": 1.0}
    assert measured["thresholds"][-1] == perfect


def test_fitted_again_it_is_the_same_to_the_byte(tmp_path: Path) -> None:
    texts = Texts(LAW, COOKING)
    assert fit(texts).tensors() == fit(texts).tensors()


def test_what_is_got_wrong_is_counted_by_kind() -> None:
    measured = measure(fit(Texts(LAW, COOKING)), Texts([*LAW[:3], COOKING[0]], [*COOKING[:1], LAW[0]]), fitted_to=70)
    at_half = measured.thresholds[-1]
    assert (at_half.domain_kept, at_half.general_sent_away, at_half.balanced_accuracy) == (0.75, 0.5, 0.625)
    kept = [at.domain_kept for at in measured.thresholds]
    assert kept == sorted(kept, reverse=True), "a higher threshold keeps no more"


@pytest.mark.parametrize(("domain", "general"), [(LAW[:30], COOKING), (LAW, COOKING[:6])])
def test_from_too_few_texts_nothing_is_made(tmp_path: Path, domain: list[str], general: list[str]) -> None:
    assert relevance_of(*written(tmp_path, domain, general)) is None


def test_without_a_test_store_nothing_is_made(tmp_path: Path) -> None:
    dataset, test = written(tmp_path, LAW, [*COOKING, *COOKING])
    test.unlink()
    assert relevance_of(dataset, test) is None

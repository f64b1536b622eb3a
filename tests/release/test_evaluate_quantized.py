from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.core.params import CommonParams, EvaluateQuantizedParams, ScoreParams, load
from acclimate.core.reports import read_report
from acclimate.model.adapter import load_adapted, load_tokenizer
from acclimate.model.score import score
from acclimate.release.evaluate_quantized import EvaluateQuantizedReport, run

COMMON = CommonParams(seed=1, threads=1, min_free_disk_mb=0)
SCORE = ScoreParams(batch_items=8, max_items=None)
GATE = load(Path(__file__).parents[2] / "params.yaml").gate.model_copy(update={"resamples": 500})


@pytest.fixture(scope="module")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("evaluation")
    for task in ("domain", "general"):
        cloze = [
            {"id": f"{task}{i}", "document": str(i), "cluster": str(i), "left": f"Return the {noun} of", "label": i % 2}
            | {"right": " as a string.", "choices": [" a file", " an array"]}
            for i, noun in enumerate(("size", "name", "mode") * 8)
        ]
        text = [
            {"id": f"{task}{i}", "document": str(i), "cluster": str(i), "text": f"Return the {noun} of a file."}
            for i, noun in enumerate(("size", "name", "mode") * 4)
        ]
        write_jsonl(out / f"{task}_cloze.jsonl", cloze)
        write_jsonl(out / f"{task}_text.jsonl", text)
    return out


@pytest.fixture(scope="module")
def candidate(finished_run: Path, evaluation: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of the candidate before quantisation."""
    out = tmp_path_factory.mktemp("candidate")
    base = finished_run / "artifacts/base"
    model = load_adapted(base, finished_run / "artifacts/compose")
    score(model, load_tokenizer(base), evaluation, SCORE, out, seed=1)
    return out


def judged(finished_run: Path, candidate: Path, evaluation: Path, out: Path, share: float) -> EvaluateQuantizedReport:
    return run(
        EvaluateQuantizedParams(min_retention=share),
        GATE,
        SCORE,
        COMMON,
        quantized=finished_run / "artifacts/quantize/quantized",
        evaluated=candidate,
        evaluation=evaluation,
        out=out,
    )


def test_the_quantised_model_is_measured_on_every_task_and_named_by_its_hash(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    report = judged(finished_run, candidate, evaluation, tmp_path, 0.5)
    assert report.verdict == "promote"
    assert report.quantized_sha256 == read_report("quantize", finished_run)["quantized_sha256"]
    assert list(report.metrics) == [
        "domain_cloze",
        "general_cloze",
        "domain_bits_per_byte",
        "general_bits_per_byte",
    ]
    bits = report.metrics["domain_bits_per_byte"]
    assert bits["difference"] != 0
    assert bits["passed"]
    assert read_jsonl(tmp_path / "domain_text.jsonl") != read_jsonl(candidate / "domain_text.jsonl")
    assert report.headline().startswith("promote: domain cloze")


def test_losing_more_than_allowed_is_a_verdict_with_its_reason(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    better = tmp_path / "better"
    for path in candidate.glob("*.jsonl"):
        rows = read_jsonl(path)
        if path.stem == "domain_text":
            rows = [{**row, "log_likelihood": row["log_likelihood"] / 2} for row in rows]
        write_jsonl(better / path.name, rows)
    report = judged(finished_run, better, evaluation, tmp_path / "out", 0.9)
    assert report.verdict == "reject"
    assert report.reasons[0].startswith("domain bits per byte")
    assert "% kept (90% or more asked)" in report.reasons[0]


def test_a_sample_too_small_to_show_it_is_said_to_be(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    report = judged(finished_run, candidate, evaluation, tmp_path, 1.0)
    assert all("no bound asked: too few items to show it of any model" in reason for reason in report.reasons)


def test_a_model_that_is_not_quantised_is_refused(finished_run: Path, candidate: Path, evaluation: Path) -> None:
    with pytest.raises(UserError, match="holds no model quantised with GPTQ"):
        run(
            EvaluateQuantizedParams(min_retention=0.9),
            GATE,
            SCORE,
            COMMON,
            quantized=finished_run / "artifacts/quantize/merged",
            evaluated=candidate,
            evaluation=evaluation,
            out=Path("never"),
        )
    assert not Path("never").exists()

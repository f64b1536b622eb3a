from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, write_json, write_jsonl
from acclimate.core.params import CommonParams, EvaluateQuantizedParams, PackageParams, ScoreParams, load
from acclimate.core.reports import read_report
from acclimate.model.adapter import load_adapted, load_tokenizer
from acclimate.model.score import score
from acclimate.release.evaluate_quantized import EvaluateQuantizedReport, run
from acclimate.release.forms.made import Made
from acclimate.release.forms.making import make_apart

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


PACKAGED = PackageParams(weights="quantized", max_prompt_tokens=96, max_new_tokens=16)


def asked(
    share: float, *, max_size_mb: float | None = None, max_memory_mb: float | None = None
) -> EvaluateQuantizedParams:
    return EvaluateQuantizedParams(
        min_retention=share, max_size_mb=max_size_mb, max_memory_mb=max_memory_mb, form_items=6
    )


def judged(
    finished_run: Path,
    candidate: Path,
    evaluation: Path,
    out: Path,
    params: EvaluateQuantizedParams,
    *,
    package: PackageParams = PACKAGED,
    forms: Path | None = None,
    timings: Path | None = None,
) -> EvaluateQuantizedReport:
    quantize = finished_run / "artifacts/quantize"
    return run(
        params,
        package,
        GATE,
        SCORE,
        COMMON,
        quantized=quantize / "quantized",
        merged=quantize / "merged",
        forms=forms or quantize / "forms",
        evaluated=candidate,
        evaluation=evaluation,
        out=out,
        timings=timings,
    )


def test_the_quantised_model_is_measured_on_every_task_and_named_by_its_hash(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    report = judged(finished_run, candidate, evaluation, tmp_path, asked(0.5))
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
    report = judged(finished_run, better, evaluation, tmp_path / "out", asked(0.9))
    assert report.verdict == "reject"
    assert report.reasons[0].startswith("domain bits per byte")
    assert "% kept (90% or more asked)" in report.reasons[0]


def test_a_sample_too_small_to_show_it_is_said_to_be(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    report = judged(finished_run, candidate, evaluation, tmp_path, asked(1.0))
    assert all("no bound asked: too few items to show it of any model" in reason for reason in report.reasons)


def test_a_model_that_is_not_quantised_is_refused(finished_run: Path, candidate: Path, evaluation: Path) -> None:
    with pytest.raises(UserError, match="holds no model quantised with GPTQ"):
        run(
            asked(0.9),
            PACKAGED,
            GATE,
            SCORE,
            COMMON,
            quantized=finished_run / "artifacts/quantize/merged",
            merged=finished_run / "artifacts/quantize/merged",
            forms=finished_run / "artifacts/quantize/forms",
            evaluated=candidate,
            evaluation=evaluation,
            out=Path("never"),
        )
    assert not Path("never").exists()


def test_what_is_packaged_is_rejected_if_it_is_too_large_on_disk_or_in_memory(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    within = asked(0.5, max_size_mb=1.0, max_memory_mb=1.0)
    assert judged(finished_run, candidate, evaluation, tmp_path / "a", within).verdict == "promote"
    report = judged(finished_run, candidate, evaluation, tmp_path / "b", asked(0.5, max_size_mb=0.01))
    assert report.verdict == "reject"
    assert report.reasons[0] == "size: gptq-4 takes 0.1 MB on disk (at most 0.01 MB asked)"
    report = judged(finished_run, candidate, evaluation, tmp_path / "c", asked(0.5, max_memory_mb=0.01))
    assert report.reasons[0] == "memory: gptq-4 takes 0.5 MB in memory once it is loaded (at most 0.01 MB asked)"


def test_where_the_merged_model_is_packaged_the_quantised_one_cannot_block_it(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    merged = PACKAGED.model_copy(update={"weights": "merged"})
    better = tmp_path / "better"
    for path in candidate.glob("*.jsonl"):
        rows = read_jsonl(path)
        if path.stem == "domain_text":
            rows = [{**row, "log_likelihood": row["log_likelihood"] / 2} for row in rows]
        write_jsonl(better / path.name, rows)
    report = judged(finished_run, better, evaluation, tmp_path / "a", asked(0.9), package=merged)
    assert (report.verdict, report.weights) == ("promote", "merged")
    assert report.metrics["domain_bits_per_byte"]["passed"] is False
    bound = asked(0.9, max_size_mb=0.01)
    adapter = PACKAGED.model_copy(update={"weights": "adapter"})
    report = judged(finished_run, candidate, evaluation, tmp_path / "b", bound, package=adapter)
    assert report.weights == "adapter"
    assert report.reasons[0].startswith("size: merged takes")
    assert "what is packaged is the adapter on its base, which the gate has judged" in report.reasons


@pytest.mark.timeout(400)
def test_every_form_is_a_row_of_the_table_and_none_of_them_decides(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    params, quantize = load(finished_run / "params.yaml"), finished_run / "artifacts/quantize"
    forms = tmp_path / "forms"
    made = make_apart(
        "gguf-q8_0", params.quantize, params.common, merged=quantize / "merged", texts=["Return it."], out=forms
    )
    broken = Made("gguf-f16", 7, "0" * 64)
    (forms / "gguf-f16").mkdir()
    (forms / "gguf-f16/model.gguf").write_bytes(b"GGUF no more")
    write_json(forms / "forms.json", [asdict(of) for of in (made, broken, Made("gptq-8", None, None, failure="none"))])
    report = judged(
        finished_run, candidate, evaluation, tmp_path / "out", asked(0.5), forms=forms, timings=tmp_path / "timings"
    )
    assert report.verdict == "promote"
    _, _, gguf, unread, unmade = report.forms
    assert [of.form for of in report.forms] == ["merged", "gptq-4", "gguf-q8_0", "gguf-f16", "gptq-8"]
    disk = {of.form: of.bytes or 0 for of in report.forms}
    memory = {of.form: of.memory_bytes or 0 for of in report.forms}
    assert memory["merged"] == memory["gptq-4"] > memory["gguf-q8_0"] > 0  # a CPU unpacks GPTQ
    assert disk["merged"] > disk["gptq-4"]
    assert gguf.failure is None
    assert gguf.storage == {"Q8_0": 15, "F32": 5}
    assert gguf.metrics["domain_cloze"]["n"] == 6
    assert gguf.metrics.keys() == {"domain_cloze", "general_cloze"}
    assert unread.failure is not None
    assert unmade.failure == "none"
    assert read_json(tmp_path / "timings/forms.json").keys() == {"merged", "gptq-4", "gguf-q8_0"}


@pytest.mark.timeout(400)
def test_where_a_gguf_form_is_packaged_it_is_what_is_judged_on_all_items(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    params, quantize = load(finished_run / "params.yaml"), finished_run / "artifacts/quantize"
    forms = tmp_path / "forms"
    made = make_apart(
        "gguf-q8_0", params.quantize, params.common, merged=quantize / "merged", texts=["Return it."], out=forms
    )
    write_json(forms / "forms.json", [asdict(made)])
    packaged = PACKAGED.model_copy(update={"weights": "gguf-q8_0"})
    report = judged(finished_run, candidate, evaluation, tmp_path / "a", asked(0.5), package=packaged, forms=forms)
    assert (report.verdict, report.weights, report.quantized_sha256) == ("promote", "gguf-q8_0", made.sha256)
    assert [metric["n"] for metric in report.metrics.values()] == [24, 24, 12, 12]
    assert report.metrics["domain_bits_per_byte"]["passed"]
    assert report.tasks["domain_text"]["n"] == len(read_jsonl(tmp_path / "a/domain_text.jsonl")) == 12
    _, gptq, gguf = report.forms
    # The other forms are compared, on fewer items.
    assert [of.metrics["domain_cloze"]["n"] for of in (gptq, gguf)] == [6, 24]
    tight = asked(0.5, max_size_mb=0.01)
    report = judged(finished_run, candidate, evaluation, tmp_path / "b", tight, package=packaged, forms=forms)
    assert (report.verdict, report.reasons[0].split(" (")[0]) == ("reject", "size: gguf-q8_0 takes 0.1 MB on disk")


def test_a_gguf_form_that_is_packaged_and_was_not_made_is_told_with_the_reason(
    finished_run: Path, candidate: Path, evaluation: Path, tmp_path: Path
) -> None:
    packaged = PACKAGED.model_copy(update={"weights": "gguf-q8_0"})
    write_json(tmp_path / "forms.json", [asdict(Made("gguf-q8_0", None, None, failure="it is of wax"))])
    with pytest.raises(UserError, match=r"gguf-q8_0, which package\.weights names, was not made: it is of wax"):
        judged(finished_run, candidate, evaluation, tmp_path / "a", asked(0.5), package=packaged, forms=tmp_path)
    write_json(tmp_path / "forms.json", [asdict(Made("gguf-q8_0", 7, "0" * 64))])
    (tmp_path / "gguf-q8_0").mkdir()
    (tmp_path / "gguf-q8_0/model.gguf").write_bytes(b"GGUF no more")
    with pytest.raises(UserError, match=r"gguf-q8_0, which package\.weights names, could not be measured"):
        judged(finished_run, candidate, evaluation, tmp_path / "b", asked(0.5), package=packaged, forms=tmp_path)

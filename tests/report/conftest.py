"""A whole run as its own stages would have reported it: the real dataclasses, written by write_report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import write_json, write_jsonl
from acclimate.core.params import EvaluateQuantizedParams, load
from acclimate.core.records import Reject
from acclimate.core.reports import Funnel, report_path, write_report
from acclimate.data.clean import CleanReport
from acclimate.data.contamination.meaning import RephrasedReport
from acclimate.data.decontaminate import DecontaminateReport, TaskOverlap
from acclimate.data.dedup import DedupReport
from acclimate.data.evaluation.agreement import Agreement
from acclimate.data.evaluation.held_out import TaskReport
from acclimate.data.evaluation_set import DifficultyReport, EvaluationSetReport, SourceKindReport
from acclimate.data.ingest import IngestReport, SourceCount
from acclimate.data.mix import KindReport, MixReport
from acclimate.data.sources.manifest import Changes
from acclimate.data.split import SplitReport, StoreShare
from acclimate.data.validate import ExpectationCount, ValidateReport
from acclimate.model import gate
from acclimate.model.align import AlignReport, Preferred
from acclimate.model.base import BaseReport
from acclimate.model.baseline import BaselineReport
from acclimate.model.compare import Pair, Rows
from acclimate.model.compose import ComposeReport, Part
from acclimate.model.composing.export_check import Difference
from acclimate.model.evaluate import Champion, EvaluateReport
from acclimate.model.gate import GateReport
from acclimate.model.grounds import Grounds
from acclimate.model.rules import reasons, verdict
from acclimate.model.score import Summary, summarise
from acclimate.model.training.report import Trained, TrainReport
from acclimate.release import evaluate_quantized
from acclimate.release.evaluate_quantized import COMPARED, JUDGED, EvaluateQuantizedReport
from acclimate.release.gptq import LayerError
from acclimate.release.quantize import QuantizeReport

EVIL = "<script>alert('x')</script>"
TASKS = ("domain_cloze", "general_cloze", "domain_text", "general_text")


def data_reports() -> dict[str, Any]:
    share = StoreShare(documents=700, bytes=700_000, document_share=0.75, byte_share=0.74)
    cloze = TaskReport(
        wanted=800,
        items=790,
        documents=300,
        clusters=280,
        held_out_documents=310,
        candidates=4_000,
        passed_over={"boilerplate": 155},
        terms=900,
        note="only 790 candidates were left",
    )
    overlap = TaskOverlap(items=790, checked=780, found=12, dropped=14)
    return {
        "ingest": IngestReport(
            "scientific_python",
            [SourceCount("numpy_docs", "scientific_python", 800, 400, 1_234_567, 28, {"numpy": "2.2.6"}, 0)],
            Funnel(1_228, 1_200, {"same text from the same source": 28}),
            {"numpy_docs": Changes(new=12, changed=3, unchanged=1_185, removed=1)},
        ),
        "validate": ValidateReport(
            [ExpectationCount("rows", "expect_column_values_to_not_be_null", "text", 1_200, 0)],
            0.0,
            Funnel(1_200, 1_200, {}),
        ),
        "clean": CleanReport(
            changed=12,
            markup=3,
            boilerplate={"notice": 4},
            repeated_lines={},
            redacted={"email": 38},
            redacted_records=33,
            languages={"en": 1_200},
            quality={"0.9": 400, "1.0": 800},
            failed_rules={"stop_words": 47},
            rejected_of={"numpy_docs": {"too few words": 200}},
            funnel=Funnel(1_200, 1_000, {"too few words": 200}),
        ),
        "split": SplitReport(
            funnel=Funnel(1_000, 1_000, {}),
            clusters=900,
            clusters_of_several=40,
            largest_cluster=12,
            giants={},
            stores={"scientific_python": {"train": share, "validation": share, "test": share}},
            tasks=dict.fromkeys(TASKS, cloze),
        ),
        "evaluation_set": EvaluationSetReport(
            funnel=Funnel(230, 200, {"no room in its quota": 26, "waits for review": 3, "not JSON": 1}),
            wanted=200,
            kinds={
                "customer_queries": SourceKindReport(wanted=80, examples=0, usable=0, waiting=3),
                "benchmarks": SourceKindReport(wanted=120, examples=200, usable=226, waiting=0),
            },
            difficulties={"easy": DifficultyReport(wanted=80, examples=80, usable=90)},
            difficulty_from={"annotators": 12, "computed": 188},
            unmet_share=0.4,
            notes=["customer_queries: 0 of 80; 3 wait for review, 80 to add"],
            queue={"kept out of the set until reviewed": 3, "in the set unreviewed": 188},
            reviewed=12,
            agreement={"verdict": Agreement(12, 3, 0.71, 0.55, 0.84, "")},
            expectations=13,
            examples_sha256="9" * 64,
        ),
        "dedup": DedupReport(
            funnel=Funnel(1_000, 900, {"near-duplicate": 100}),
            stores={
                "train": Funnel(800, 710, {"near-duplicate": 90}),
                "validation": Funnel(80, 80, {}),
                "test": Funnel(120, 110, {"near-duplicate": 10}),
            },
            sets={"train": 50, "validation": 0, "test": 5},
            bands=21,
            rows=6,
            recall_at_threshold=0.9999,
            engine="local",
            less_similar=3,
        ),
        "decontaminate": DecontaminateReport(
            funnel=Funnel(710, 690, {"shares a passage with an item": 20}),
            domain=Funnel(500, 485, {"shares a passage with an item": 15}),
            general=Funnel(210, 205, {"shares a passage with an item": 5}),
            flagged=33,
            tasks=dict.fromkeys(TASKS, overlap),
            rephrased=RephrasedReport("tfidf", 0.6, 40, 20, 30, 38, 2, 1),
            preferences=Funnel(300, 298, {"both answers are the same": 2}),
        ),
        "mix": MixReport(
            dataset_sha256="d" * 64,
            strategy="static_balanced",
            records=400,
            bytes=119_000,
            estimated_tokens=41_034,
            wanted_bytes=120_000,
            kinds={
                "domain_documents": KindReport(0.4, 0.41, 100, 48_790, 16_824, 0.96, 300, 200_000),
                "domain_questions": KindReport(0.4, 0.39, 200, 46_410, 16_003, 0.99, 200, 90_000),
                "general_replay": KindReport(0.2, 0.2, 100, 23_800, 8_207, None, 190, 70_000),
            },
            difficulty={"easy": 0.5, "medium": 0.3, "hard": 0.2},
            stages={},
            low_quality_share=0.25,
            mean_similarity=0.17,
            warnings=["25% have a quality below 0.7, more than 20%"],
            notes=["domain_questions has 90,000 bytes"],
        ),
    }


def model_reports() -> dict[str, Any]:
    return {
        "base": BaseReport(
            model="local:tiny",
            origin="pre-trained here on the general text",
            parameters=4_500_000,
            vocabulary=4_096,
            texts=205,
            tokens_seen=901_120,
            first_loss=8.372,
            final_loss=2.751,
            loss_curve=[[11, 8.1], [22, 5.2], [33, 3.4]],
            licence="PSF-2.0",
            base_sha256="b" * 64,
        ),
        "train_domain": TrainReport(trained("base", 120, 245_760, "1" * 64)),
        "train_task": TrainReport(trained("base with the domain adapter", 40, 80_000, "2" * 64)),
        "align": AlignReport(
            trained("base with the adapters of train_domain and train_task", 100, 60_000, "3" * 64),
            Preferred(57, 52, 0.412, 0.31, 0.514, 0.0001, 0.72, 0.59, 0.82),
            left_out=3,
        ),
        "compose": ComposeReport(
            [
                Part("train_domain", 16, 1.0, "1" * 64),
                Part("train_task", 16, 1.0, "2" * 64),
                Part("align", 16, 1.0, "3" * 64),
            ],
            combination="sequential, then aligned",
            kept_share=1.0,
            rank=48,
            merged=Difference(1.9e-5, "model.layers.3.mlp.down_proj", 2.4e-6, 1024),
            allowed_difference=1e-3,
            adapter_sha256="a" * 64,
        ),
    }


def trained(start: str, steps: int, tokens: int, adapter_sha256: str) -> Trained:
    return Trained(
        start=start,
        strategy="lora",
        base_weights="float32",
        base_bytes=11_009_024,
        processes=1,
        precision="float32",
        trainable_parameters=425_984,
        trainable_share=0.087,
        texts=400,
        dataset_tokens=300_000,
        steps=steps,
        trained_tokens=tokens,
        rows_at_once=8,
        halved=False,
        learned_tokens=tokens // 2,
        epochs=0.82,
        repeated=False,
        first_loss=4.101,
        final_loss=2.873,
        loss_curve=[[3, 4.0], [6, 3.4], [9, 3.0]],
        penalty="EWC, weight 1, measured on 64,000 tokens of general text",
        penalty_cost=0.0213,
        adapter_sha256=adapter_sha256,
    )


def cloze_row(name: str, cluster: str, *, correct: bool, sure: float) -> dict[str, Any]:
    """An item of four choices whose first is right and whose answer is likelier than the others by `sure` nats."""
    likelihoods = [-9.0] * 4
    likelihoods[0 if correct else 1] += sure
    return {"id": name, "cluster": cluster, "label": 0, "correct": correct, "log_likelihoods": likelihoods}


def item_rows(domain: int, general: int, nats_per_byte: float) -> Rows:
    """Per-item results of a model with `domain` and `general` of ten cloze items right, forty times over."""
    rows: dict[str, list[dict[str, Any]]] = {
        task: [cloze_row(f"{task}:{i}", f"c{i}", correct=i % 10 < right, sure=nats_per_byte) for i in range(400)]
        for task, right in {"domain_cloze": domain, "general_cloze": general}.items()
    }
    for task in ("domain_text", "general_text"):
        rows[task] = [
            {"id": f"{task}:{i}", "cluster": f"c{i}", "log_likelihood": -nats_per_byte * (100 + i), "bytes": 100 + i}
            for i in range(20)
        ]
    return rows


BASE, CANDIDATE, CHAMPION = item_rows(3, 8, 2.0), item_rows(6, 8, 1.8), item_rows(4, 8, 1.9)
QUANTIZED = item_rows(6, 8, 1.81)
GATE = load(Path(__file__).parents[2] / "params.yaml").gate.model_copy(update={"resamples": 200})


def judge(candidate: Rows) -> GateReport:
    """The verdict of the real gate over `candidate`, with a base and a champion."""
    grounds = Grounds(
        params=GATE,
        seed=1,
        rows={"base": BASE, "candidate": candidate, "champion": CHAMPION},
        candidate_sha256="a" * 64,
        champion={"version": "3", "sha256": "c" * 64},
        testset={"domain_cloze.jsonl": "9" * 64},
        dataset={"sha256": "d" * 64, "certified_sha256": "d" * 64},
        submission=2,
        measured={},
    )
    return gate.decide(grounds)


def judge_quantized(quantized: Rows) -> EvaluateQuantizedReport:
    """The verdict of the real rules over a quantised candidate, without a model."""
    pairs = {metric: Pair.of(metric, CANDIDATE, quantized, resamples=200, seed=1) for metric in JUDGED}
    checks = evaluate_quantized.judge(
        pairs, EvaluateQuantizedParams(min_retention=0.9, max_size_mb=None, max_memory_mb=None, form_items=None), GATE
    )
    return EvaluateQuantizedReport(
        verdict=verdict(list(checks.values())),
        reasons=reasons(list(checks.values())),
        metrics={metric: pair.describe() | checks[metric].numbers for metric, pair in pairs.items()},
        compared=COMPARED,
        tasks=tasks(quantized),
        quantized_sha256="f" * 64,
    )


def tasks(rows: Rows) -> dict[str, Summary]:
    return {task: summarise(of_task, seed=1) for task, of_task in rows.items()}


def decision_reports() -> dict[str, Any]:
    return {
        "baseline": BaselineReport(tasks(BASE)),
        "evaluate": EvaluateReport("a" * 64, Champion("3", "c" * 64, "b" * 64), tasks(CANDIDATE), tasks(CHAMPION)),
        "gate": judge(CANDIDATE),
        "quantize": QuantizeReport(
            bits=4,
            group_size=128,
            calibration_texts=128,
            merged_bytes=19_400_000,
            quantized_bytes=6_200_000,
            adapter_sha256="a" * 64,
            merged_sha256="e" * 64,
            quantized_sha256="f" * 64,
            layers=[LayerError(0, 1e-6, 2.1e-5, "mlp.down_proj")],
        ),
        "evaluate_quantized": judge_quantized(QUANTIZED),
    }


@pytest.fixture(scope="session")
def whole_run() -> dict[str, Any]:
    return data_reports() | model_reports() | decision_reports()


@pytest.fixture
def reports(whole_run: dict[str, Any]) -> dict[str, Any]:
    """Stage to its report, of a run whose candidate passed; a copy to take from."""
    return dict(whole_run)


@pytest.fixture
def failing_gate() -> GateReport:
    """The verdict over an adapter that changes nothing."""
    return judge(BASE)


@pytest.fixture(scope="session")
def write_run() -> Callable[[Path, dict[str, Any]], Path]:
    """Write reports, rejects, timings and dials of a run below a folder, and return the folder."""
    return _write_run


def _write_run(root: Path, reports: dict[str, Any]) -> Path:
    for stage, report in reports.items():
        write_report(report_path(stage, root), stage, report)
        write_json(root / "timings" / f"{stage}.json", {"start_up_s": 0.25, "work_s": 3.5})
        if getattr(report, "funnel", None) and report.funnel.rejected:
            rejects = [Reject("1", "numpy_docs", "f.jsonl:3", reason, EVIL, EVIL) for reason in report.funnel.rejected]
            write_jsonl(root / "artifacts" / stage / "rejected.jsonl", (asdict(reject) for reject in rejects))
    (root / "params.yaml").write_text("ingest:\n  domain: scientific_python\ntraining:\n  rank: 16  # <script>\n")
    return root

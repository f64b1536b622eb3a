"""evaluation_set: quotas met or named, everything accounted for, equal bytes for equal inputs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, write_jsonl
from acclimate.core.params import CommonParams, EvaluationSetParams
from acclimate.data.evaluation.annotations import Annotation, add_annotations
from acclimate.data.evaluation.examples import SOURCE_KINDS, example_id, read_examples, read_pending
from acclimate.data.evaluation_set import EvaluationSetReport, run

Row = dict[str, Any]
Make = Callable[..., Row]
Draw = Callable[..., EvaluationSetReport]

COMMON = CommonParams(seed=1729, threads=1, min_free_disk_mb=0)


@pytest.fixture
def draw_set(
    tmp_path: Path,
    corpus: list[Row],
    document: Make,
    write_documents: Callable[[Path, Sequence[Row]], Path],
    evaluation_set_params: EvaluationSetParams,
) -> Draw:
    """draw_set(given, pairs=40, out="out", **dials): the stage on a test store with that many pairs of the domain."""

    def make(given: dict[str, list[Row]], pairs: int = 40, out: str = "out", **dials: Any) -> EvaluationSetReport:
        rows = [
            document(
                f"pair {i}", type="qa_pair", question=f"What does part{i} of it do?", answer=f"It turns wheel{i} on."
            )
            | {"quality_score": 1.0}
            for i in range(pairs)
        ]
        stores = {"train": corpus, "test": [*corpus[:2], *rows]}
        for store, documents in stores.items():
            clustered = [row | {"cluster": row["group"]} for row in documents]
            write_documents(tmp_path / "stores" / f"{store}.parquet", clustered)
        (tmp_path / "given").mkdir(exist_ok=True)
        for kind, lines in given.items():
            write_jsonl(tmp_path / "given" / f"{kind}.jsonl", lines)
        (tmp_path / out).mkdir()
        params = evaluation_set_params.model_copy(update=dials)
        return run(params, COMMON, given=tmp_path / "given", stores=tmp_path / "stores", out=tmp_path / out)

    return make


def _line(kind: str, number: int, **fields: Any) -> Row:
    truth = {"answer": f"The answer to {kind} {number} is simple."}
    asked = {"question": f"What is {kind} number {number}?", "ground_truth": truth, "annotation_confidence": 0.9}
    return asked | fields


def _all_kinds(number: int) -> dict[str, list[Row]]:
    return {kind: [_line(kind, i) for i in range(number)] for kind in SOURCE_KINDS}


def test_without_peoples_examples_benchmarks_fill_the_set_and_the_report_says_so(
    draw_set: Draw, tmp_path: Path
) -> None:
    report = draw_set({})
    assert report.headline() == (
        "20 examples: benchmarks 20; 85 % of the places lack their kind: "
        "customer_queries 0 of 8, expert 0 of 6, failure_cases 0 of 2, edge_cases 0 of 1"
    )
    assert report.notes[0] == "customer_queries: 0 of 8; 8 to add to inputs/evaluation/customer_queries.jsonl"
    assert "17 of benchmarks stand in places of the kinds that are short" in report.notes
    assert {example.source_kind for example in read_examples(tmp_path / "out/examples.jsonl")} == {"benchmarks"}
    assert report.funnel.rejected == {"no room in its quota": 20}


def test_with_enough_of_every_kind_every_quota_is_met(draw_set: Draw, tmp_path: Path) -> None:
    report = draw_set(_all_kinds(10))
    assert report.headline() == (
        "20 examples: customer_queries 8, expert 6, benchmarks 3, failure_cases 2, edge_cases 1; every quota is met"
    )
    assert report.unmet_share == 0
    assert report.funnel.records_in == 90
    assert len(read_jsonl(tmp_path / "out/rejected.jsonl")) == 70


def test_left_places_stay_empty_and_are_counted(draw_set: Draw) -> None:
    report = draw_set({"expert": [_line("expert", i) for i in range(2)]}, on_shortfall="leave")
    assert {name: kind.examples for name, kind in report.kinds.items() if kind.examples} == {
        "expert": 2,
        "benchmarks": 3,
    }
    assert "expert: 2 of 6; 4 to add to inputs/evaluation/expert.jsonl" in report.notes
    assert "5 examples, 20 wanted" in report.notes
    assert report.unmet_share == 0.75


def test_an_unmet_quota_stops_the_run_if_that_is_wanted(draw_set: Draw) -> None:
    with pytest.raises(UserError, match="  - customer_queries: 0 of 8; 8 to add"):
        draw_set({}, on_shortfall="stop")


def test_examples_that_nobody_is_sure_of_wait_first_in_the_queue(draw_set: Draw, tmp_path: Path) -> None:
    unsure = _line("expert", 1, annotation_confidence=0.5)
    report = draw_set({"expert": [unsure, {"question": "What is a kiln for?"}]})
    pending = read_pending(tmp_path / "out/pending.jsonl")
    assert [one.reason for one in pending[:3]] == [
        "confidence 0.5 and nobody has reviewed it; more than 0.8 needed",
        "it has no answer yet",
        "nobody has reviewed it",
    ]
    assert report.queue == {"kept out of the set until reviewed": 2, "in the set unreviewed": 20}
    assert report.kinds["expert"].waiting == 2
    assert "expert: 0 of 6; 2 wait for review, 6 to add to inputs/evaluation/expert.jsonl" in report.notes


def test_a_review_takes_an_example_in_and_another_one_out(draw_set: Draw, tmp_path: Path) -> None:
    good, bad = _line("expert", 1, annotation_confidence=None), _line("expert", 2)
    ids = [example_id(line["question"], line["ground_truth"]["answer"]) for line in (good, bad)]
    labels = [
        Annotation(example=ids[0], annotator="ada", verdict="edit", answer="It is the first of them.", confidence=0.9),
        Annotation(example=ids[1], annotator="ada", verdict="reject", confidence=0.9),
    ]
    add_annotations(tmp_path / "given/reviews.jsonl", labels, now="now")
    report = draw_set({"expert": [good, bad]})
    (expert,) = (one for one in read_examples(tmp_path / "out/examples.jsonl") if one.source_kind == "expert")
    assert (expert.id, expert.ground_truth.answer, expert.annotators) == (ids[0], "It is the first of them.", 1)
    assert report.funnel.rejected["rejected in review"] == 1
    assert report.reviewed == 1


def test_who_accepts_an_answer_that_nobody_gave_has_reviewed_nothing(draw_set: Draw, tmp_path: Path) -> None:
    asked = {"question": "What is a kiln for?"}
    empty = Annotation(example=example_id(asked["question"], ""), annotator="ada", verdict="accept", confidence=1.0)
    add_annotations(tmp_path / "given/reviews.jsonl", [empty], now="now")
    report = draw_set({"expert": [asked]})
    (waiting, *_) = read_pending(tmp_path / "out/pending.jsonl")
    assert (waiting.example.annotators, waiting.example.annotation_confidence) == (0, 0)
    assert report.notes[-1] == (
        "1 reviews accept an answer that nobody has proposed and count for nothing; 'edit' gives one"
    )


def test_every_line_is_accounted_for(draw_set: Draw, tmp_path: Path) -> None:
    lines = [_line("expert", 1), _line("expert", 1), _line("expert", 2, quality_score=0.1), {"answer": "of nothing"}]
    lines += [_line("expert", 1, question="What is EXPERT number 1"), {"question": "??"}, {"question": "??"}]
    report = draw_set({"expert": lines}, pairs=5)
    assert report.funnel.records_in == 12
    assert report.funnel.records_out == 6
    assert report.funnel.rejected == {
        "low quality": 2,
        "same question and answer": 2,
        "near-duplicate": 1,
        "no question": 1,
    }
    rejected = {row["reason"]: row for row in read_jsonl(tmp_path / "out/rejected.jsonl")}
    assert rejected["no question"]["origin"] == "inputs/evaluation/expert.jsonl:4"
    assert rejected["near-duplicate"]["origin"] == "inputs/evaluation/expert.jsonl:5"
    assert rejected["same question and answer"]["detail"] == "as inputs/evaluation/expert.jsonl:6"


def test_equal_inputs_give_equal_bytes(draw_set: Draw, tmp_path: Path) -> None:
    reports = [draw_set(_all_kinds(10), out=out) for out in "ab"]
    assert json.dumps(asdict(reports[0])) == json.dumps(asdict(reports[1]))
    for name in ("examples.jsonl", "pending.jsonl", "rejected.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_nothing_at_all_is_a_set_of_nothing_with_its_reasons(draw_set: Draw) -> None:
    report = draw_set({}, pairs=0)
    assert report.headline().startswith("0 examples: none; 100 % of the places lack their kind")
    assert report.notes[-1] == "0 examples, 20 wanted"

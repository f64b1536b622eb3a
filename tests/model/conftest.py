"""A model of 30 thousand parameters and the texts it is made from, trained once for all tests of this folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from acclimate.core.files import write_jsonl, write_parquet
from acclimate.core.params import (
    BaseParams,
    CommonParams,
    ObserveParams,
    ScoreParams,
    StepsParams,
    TrainDomainParams,
    TrainingParams,
    TrainTaskParams,
)
from acclimate.core.records import Document, document_id, document_schema, pair_text
from acclimate.model.training.report import Trained

GENERAL = [
    f"os.path.{verb}{noun}\n\n{verb.title()} the {noun} of {count} files and return it as a string."
    for verb in ("get", "set", "split", "join")
    for noun in ("name", "size", "mode", "owner", "root")
    for count in (1, 2, 3)
]
DOMAIN = [
    f"numpy.{verb}{noun}\n\n{verb.title()} the {noun} of an array along axis {axis}."
    for verb in ("arg", "cum", "nan")
    for noun in ("sum", "max", "min", "mean")
    for axis in (0, 1, 2)
]


@pytest.fixture(scope="session")
def common() -> CommonParams:
    return CommonParams(seed=7, threads=1, min_free_disk_mb=0)


@pytest.fixture(scope="session")
def base_params() -> BaseParams:
    return BaseParams(
        model="local:tiny",
        revision=None,
        licence=None,
        vocabulary=320,
        hidden=32,
        layers=2,
        heads=2,
        sequence_tokens=32,
        batch_sequences=4,
        steps=12,
        learning_rate=0.01,
    )


@pytest.fixture(scope="session")
def training_params() -> TrainingParams:
    return TrainingParams(
        strategy="lora",
        base_weights="float32",
        rank=4,
        alpha=8,
        dropout=0.0,
        processes=1,
        sharding="none",
        rows_at_once=None,
        gradient_checkpointing=False,
        separate_texts=False,
        checkpoint_steps=100,
    )


@pytest.fixture(scope="session")
def domain_params() -> TrainDomainParams:
    return TrainDomainParams(
        enabled=True,
        steps=6,
        sequence_tokens=32,
        batch_sequences=2,
        learning_rate=0.01,
        schedule="cosine",
        warmup_share=0.1,
        replay_order="even",
        penalty="none",
        penalty_weight=1.0,
    )


@pytest.fixture(scope="session")
def task_params(domain_params: TrainDomainParams) -> TrainTaskParams:
    steps = {name: getattr(domain_params, name) for name in StepsParams.model_fields}
    own = {"start_from": "domain", "template": "plain", "replay_share": 0.2, "sequence_tokens": 64}
    return TrainTaskParams.model_validate({**steps, **own})


@pytest.fixture(scope="session")
def general(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("general") / "general.parquet"
    rows = [
        Document(
            id=document_id("stdlib", text), text=text, source="stdlib", type="raw_text", domain="general", group="os"
        ).model_dump()
        for text in GENERAL
    ]
    write_parquet(path, pa.Table.from_pylist(rows, schema=document_schema()))
    return path


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mix") / "train.jsonl"
    rows = [{"id": f"d{place}", "kind": "domain_documents", "text": text} for place, text in enumerate(DOMAIN)]
    rows += [{"id": f"q{place}", "kind": "domain_questions", **pair(text)} for place, text in enumerate(DOMAIN)]
    rows += [{"id": f"g{place}", "kind": "general_replay", "text": text} for place, text in enumerate(GENERAL[:9])]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def pair(text: str) -> dict[str, str]:
    """A question about a docstring, as mix writes it."""
    name, answer = text.split("\n\n")
    question = f"What does {name} do?"
    return {"text": pair_text(question, answer), "question": question, "answer": answer}


@pytest.fixture(scope="session")
def tiny_base(
    tmp_path_factory: pytest.TempPathFactory, base_params: BaseParams, common: CommonParams, general: Path
) -> Path:
    from acclimate.model.base import run

    out = tmp_path_factory.mktemp("base")
    run(base_params, common, general=general, out=out)
    return out


@pytest.fixture(scope="session")
def tiny_adapter(
    tmp_path_factory: pytest.TempPathFactory,
    domain_params: TrainDomainParams,
    training_params: TrainingParams,
    common: CommonParams,
    tiny_base: Path,
    dataset: Path,
    general: Path,
) -> Path:
    from acclimate.model.train_domain import run

    out = tmp_path_factory.mktemp("adapter")
    inputs = {"base": tiny_base, "dataset": dataset, "general": general}
    run(
        domain_params, training_params, common, **inputs, out=out, checkpoints=out / "checkpoints"
    )  # none is due so soon
    return out


@pytest.fixture(scope="session")
def train(
    domain_params: TrainDomainParams,
    training_params: TrainingParams,
    common: CommonParams,
    tiny_base: Path,
    dataset: Path,
    general: Path,
) -> Callable[..., Trained]:
    """train(out, checkpoints=…, base=…, dataset=…, steps=…, strategy=…): what train_domain reports."""

    def run(
        out: Path, *, checkpoints: Path, base: Path = tiny_base, dataset: Path = dataset, **dials: object
    ) -> Trained:
        from acclimate.model import train_domain

        own = {name: value for name, value in dials.items() if name in TrainDomainParams.model_fields}
        shared = {name: value for name, value in dials.items() if name not in own}
        out.mkdir(parents=True, exist_ok=True)
        report = train_domain.run(
            domain_params.model_copy(update=own),
            training_params.model_copy(update=shared),
            common,
            base=base,
            dataset=dataset,
            general=general,
            out=out,
            checkpoints=checkpoints,
        )
        assert report.trained is not None
        return report.trained

    return run


@pytest.fixture(scope="session")
def evaluation(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cloze items and four texts per task, with what a template engine or a parser could stumble over."""
    out = tmp_path_factory.mktemp("evaluation")
    lefts = ("Get the {{name}} of ", "[1] Return the ", "{% raw %} Join\n  ", "Split the ", "os.path.", "7")
    for task in ("domain", "general"):
        cloze = [
            {"id": f"{task}{i}", "document": f"d{i}", "cluster": f"c{i // 2}", "left": left, "right": " as a string."}
            | {"choices": ["name", "size", "mode", "owner"], "label": i % 4}
            for i, left in enumerate(lefts)
        ]
        texts = ["Set the gr\u00f6\u00dfe.", "12", "[1, 2]", "Get the name of 2 files and return it as a string. " * 4]
        rows = [
            {"id": f"{task}{i}", "document": f"d{i}", "cluster": f"c{min(i, 2)}", "text": text}
            for i, text in enumerate(texts)
        ]
        write_jsonl(out / f"{task}_cloze.jsonl", cloze)
        write_jsonl(out / f"{task}_text.jsonl", rows)
    return out


@pytest.fixture(scope="session")
def score_params() -> ScoreParams:
    """Every dimension, each of a few items."""
    observe = ObserveParams(
        examples=30,
        answers=12,
        answer_tokens=8,
        timed_answers=2,
        embedder="tfidf",
        robustness_items=4,
        groups="group",
        toxicity=["english"],
        memorisation_texts=3,
        memorised_words=5,
        tasks=[],
        behaviour=["context"],
    )
    return ScoreParams(batch_items=4, max_items=None, observe=observe)


@pytest.fixture(scope="session")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty-six questions about two packages, half of them easy, each naming a term of the domain."""
    path = tmp_path_factory.mktemp("evaluation_set") / "examples.jsonl"
    rows = []
    for place, (package, verb, noun) in enumerate(
        (package, verb, noun)
        for package in ("numpy", "scipy")
        for verb in ("arg", "cum", "nan")
        for noun in ("sum", "max", "min", "mean", "ptp", "std")
    ):
        name = f"{package}.f{place}"
        answer = f"Gives {verb} {noun} of x{place} y{place} z{place % 7}."
        rows.append(
            {
                "id": f"e{place:02d}",
                "question": f"What does {name} do?",
                "ground_truth": {
                    "answer": answer,
                    "answer_type": "text",
                    "key_concepts": [noun, verb],
                    "evaluation_criteria": [],
                },
                "type": "factual",
                "difficulty": "easy" if place % 2 else "hard",
                "difficulty_from": "computed",
                "domain_category": package,
                "source_kind": "benchmarks",
                "source": "docs",
                "group": name,
                "cluster": name,
                "quality_score": 1.0,
                "annotation_confidence": 0.9,
                "annotators": 0,
                "complexity_score": 0.5,
            }
        )
    write_jsonl(path, rows)
    return path


@pytest.fixture(scope="session")
def behaviour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """inputs/behaviour with one capability: two cases, one of each of two kinds."""
    folder = tmp_path_factory.mktemp("behaviour")
    (folder / "context.yaml").write_text(
        """
capability: context
tests:
  - {name: a phrase, kind: minimum_functionality, prompt: Return the, expected: " name", others: [" zebra"]}
  - {name: capitals, kind: invariance, prompt: Get the, changed: get the, choices: [" name", " mode"]}
  - {name: subject, kind: directional, prompt: Get the, changed: "Files. Get the", expected: " name"}
""",
        encoding="utf-8",
    )
    return folder


@pytest.fixture(scope="session")
def own_tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """inputs/tasks with a task of two questions, two choices each, the data beside it; and one whose data is gone."""
    folder = tmp_path_factory.mktemp("tasks")
    questions = [
        {"question": "Get the name of", "choices": ["files", "zebras"], "label": 0},
        {"question": "Return it as a", "choices": ["string", "kettle"], "label": 0},
    ]
    write_jsonl(folder / "pairs.jsonl", questions)
    text = f"""
task: own_pairs
dataset_path: json
dataset_kwargs: {{data_files: {{test: {folder / "pairs.jsonl"}}}}}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{question}}}}"
doc_to_choice: "{{{{choices}}}}"
doc_to_target: "{{{{label}}}}"
metric_list: [{{metric: acc}}]
"""
    (folder / "pairs.yaml").write_text(text)
    (folder / "lost.yaml").write_text(text.replace("own_pairs", "own_pairs_lost").replace("pairs.jsonl", "no.jsonl"))
    return folder

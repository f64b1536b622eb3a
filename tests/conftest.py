"""A finished run of a tiny model, made once for the tests of release, serving and watch."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.core.files import read_json, sha256, write_json, write_jsonl, write_parquet
from acclimate.core.params import load, with_changes
from acclimate.core.records import pair_text
from acclimate.core.reports import report_path, write_report

ROOT = Path(__file__).resolve().parents[1]
SMALL = {
    "common.threads": 1,
    "common.min_free_disk_mb": 0,
    "base.vocabulary": 320,
    "base.hidden": 64,
    "base.heads": 2,
    "base.layers": 2,
    "base.sequence_tokens": 128,
    "base.batch_sequences": 2,
    "base.steps": 4,
    "train_domain.steps": 3,
    "train_domain.sequence_tokens": 64,
    "train_domain.batch_sequences": 2,
    "train_task.steps": 2,
    "train_task.sequence_tokens": 64,
    "train_task.batch_sequences": 2,
    "quantize.group_size": 32,
    "quantize.calibration_texts": 8,
    "package.max_prompt_tokens": 96,
    "package.max_new_tokens": 16,
    "drift.min_requests": 20,
    "drift.permutations": 200,
    "gate.resamples": 300,
}
ANSWER = "It reduces an array."
QUESTIONS = [
    f"What does numpy.{verb}{noun} do along axis {axis}?"
    for verb in ("arg", "cum", "nan")
    for noun in ("sum", "max", "min", "mean")
    for axis in range(3)
]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several processes share the tests, the whole loop comes first: the others fit in beside it."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: "end_to_end" not in item.keywords)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout whose stages have run, with a tiny model; the two gates' verdicts are written here."""
    import pyarrow as pa

    checkout = tmp_path_factory.mktemp("finished") / "run-a"
    checkout.mkdir()
    text = (ROOT / "params.yaml").read_text(encoding="utf-8")
    (checkout / "params.yaml").write_text(with_changes(text, SMALL), encoding="utf-8")
    (checkout / "dvc.lock").write_text("schema: '2.0'\n", encoding="utf-8")
    rows = [
        {"id": str(place), "kind": "domain_questions", "text": pair_text(question, ANSWER)}
        | {"question": question, "answer": ANSWER}
        for place, question in enumerate(QUESTIONS)
    ]
    rows.append({"id": "g", "kind": "general_replay", "text": "os.path.join\n\nJoin two paths."})
    write_jsonl(checkout / "artifacts/mix/train.jsonl", rows)
    facts = {"source": ["docs"] * 36 + ["stdlib"], "licence": ["BSD-3-Clause"] * 36 + [None]}
    write_parquet(checkout / "artifacts/mix/records.parquet", pa.table(facts))
    write_json(report_path("mix", checkout), {"stage": "mix", "headline": "37 records", "dataset_sha256": "d" * 64})
    _base(checkout)
    adapt(checkout)
    _commit(checkout)
    return checkout


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database with all its tables: making them takes seconds, copying the file does not."""
    import mlflow

    path = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def home_folder(tmp_path: Path, migrated_database: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An ACCLIMATE_HOME of its own, with an empty registry."""
    home = tmp_path / "home"
    (home / ".acclimate/mlflow").mkdir(parents=True)
    shutil.copyfile(migrated_database, home / ".acclimate/mlflow/mlflow.db")
    monkeypatch.setenv("ACCLIMATE_HOME", str(home))
    for name in ("MLFLOW_TRACKING_URI", "ACCLIMATE_ENDPOINT_URL", "ACCLIMATE_ENDPOINT_KEY"):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def gated_run(finished_run: Path, home_folder: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, and an empty registry to release it into."""
    shutil.copyfile(finished_run / "params.yaml", home_folder / "params.yaml")
    return Path(shutil.copytree(finished_run, tmp_path / "run-a"))


@pytest.fixture
def scored() -> Callable[..., None]:
    """scored(checkout, 420): as `judge`."""
    return judge


@pytest.fixture(scope="session")
def other_finished_run(finished_run: Path) -> Path:
    """The finished run's checkout with the same base and another adapter, trained and quantised once."""
    other = Path(shutil.copytree(finished_run, finished_run.with_name("run-b")))
    text = (other / "params.yaml").read_text(encoding="utf-8")
    (other / "params.yaml").write_text(with_changes(text, {"train_domain.learning_rate": 0.004}), encoding="utf-8")
    for folder in ("train_domain", "train_task", "align", "compose", "quantize"):
        shutil.rmtree(other / "artifacts" / folder)
    adapt(other)
    return other


@pytest.fixture
def another_run(gated_run: Path, other_finished_run: Path, tmp_path: Path) -> Path:
    """Beside the gated run, a copy of a second one with the same base and another adapter."""
    return Path(shutil.copytree(other_finished_run, tmp_path / "run-b"))


def adapt(checkout: Path) -> None:
    """Train, merge and quantise for real, judge made-up results, and write the quantised model's verdict."""
    from acclimate.model import align, compose, train_domain, train_task
    from acclimate.release import quantize

    params = load(checkout / "params.yaml")
    base, dataset = checkout / "artifacts/base", checkout / "artifacts/mix/train.jsonl"
    names = ("train_domain", "train_task", "align", "compose", "quantize")
    domain, task, aligned, adapter, quantized = (checkout / "artifacts" / name for name in names)
    for folder in (domain, task, aligned, adapter, quantized):
        folder.mkdir()
    general, none = checkout / "general.parquet", checkout / "checkpoints"  # none is due in so few steps
    given = {"base": base, "dataset": dataset, "checkpoints": none}
    training, common = params.training, params.common
    reports = {
        "train_domain": train_domain.run(params.train_domain, training, common, **given, general=general, out=domain),
        "train_task": train_task.run(params.train_task, training, common, **given, domain=domain, out=task),
        "align": align.run(
            *(params.align, params.compose, params.train_task, training, common),
            base=base,
            domain=domain,
            task=task,
            pairs=checkout / "pairs.jsonl",  # off: not read
            out=aligned,
            checkpoints=none,
        ),
    }
    composed = compose.run(
        params.compose,
        params.train_task,
        params.common,
        base=base,
        domain=domain,
        task=task,
        align=aligned,
        dataset=dataset,
        out=adapter,
    )
    for stage, report in {**reports, "compose": composed}.items():
        write_report(report_path(stage, checkout), stage, report)
    small = quantize.run(params.quantize, params.common, base=base, adapter=adapter, dataset=dataset, out=quantized)
    write_report(report_path("quantize", checkout), "quantize", small)
    _verdicts(checkout, composed.adapter_sha256, small.quantized_sha256)


def _base(checkout: Path) -> None:
    import pyarrow as pa

    from acclimate.model import base

    params = load(checkout / "params.yaml")
    general = checkout / "general.parquet"
    texts = [f"os.path.{name}\n\nReturn the {name} of a file as a string." for name in ("size", "name", "mode")] * 20
    write_parquet(general, pa.table({"text": texts, "licence": ["PSF-2.0"] * len(texts)}))
    out = checkout / "artifacts/base"
    out.mkdir(parents=True)
    write_report(report_path("base", checkout), "base", base.run(params.base, params.common, general=general, out=out))


def _verdicts(checkout: Path, adapter_sha256: str, quantized_sha256: str) -> None:
    artifacts = checkout / "artifacts"
    write_json(artifacts / "evaluate/evaluated.json", {"candidate_sha256": adapter_sha256, "champion": None})
    write_jsonl(artifacts / "split/evaluation/domain_cloze.jsonl", [{"id": "0"}])
    write_json(artifacts / "mix/certificate.json", {"train.jsonl": sha256(artifacts / "mix/train.jsonl")})
    judge(checkout, 360)
    verdict = {"stage": "evaluate_quantized", "headline": "promote", "verdict": "promote", "reasons": []}
    write_json(
        report_path("evaluate_quantized", checkout),
        verdict | {"quantized_sha256": quantized_sha256, "weights": "quantized"},
    )


def judge(checkout: Path, right: int, items: int = 800) -> None:
    """Give base and candidate made-up results, the latter with `right` items of the domain right, and run the gate."""
    from acclimate.model import gate

    params, artifacts = load(checkout / "params.yaml"), checkout / "artifacts"
    _results(artifacts / "baseline", right=240, items=items)
    _results(artifacts / "evaluate/candidate", right=right, items=items)
    report = gate.run(
        params.gate,
        params.common,
        baseline=artifacts / "baseline",
        evaluated=artifacts / "evaluate",
        evaluation=artifacts / "split/evaluation",
        dataset=artifacts / "mix/train.jsonl",
        certificate=artifacts / "mix/certificate.json",
        ledger=checkout / "ledger.jsonl",
        measurements=checkout / "measurements",
    )
    assert report.verdict == "promote", report.reasons
    write_report(report_path("gate", checkout), "gate", report)


def _results(folder: Path, *, right: int, items: int) -> None:
    """Results of a model that answers the first `right` of the items of the domain, and 600 of the general ones."""
    for task, number in (("domain_cloze", right), ("general_cloze", 600)):
        rows = [
            {"id": str(i), "cluster": str(i), "label": 0, "correct": i < number}
            | {"log_likelihoods": [-8.0 if i < number else -10.0, -9.0]}
            for i in range(items)
        ]
        write_jsonl(folder / f"{task}.jsonl", rows)
    for task in ("domain_text", "general_text"):
        rows = [{"id": str(i), "cluster": str(i), "log_likelihood": -20.0 - i, "bytes": 10} for i in range(8)]
        write_jsonl(folder / f"{task}.jsonl", rows)


def _commit(checkout: Path) -> None:
    identity = {f"GIT_{who}_{what}": "t" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    for command in (["init", "-q"], ["add", "params.yaml"], ["commit", "-q", "-m", "run"]):
        subprocess.run(["git", *command], cwd=checkout, check=True, env={**os.environ, **identity})


def change_report(checkout: Path, stage: str, **changes: object) -> None:
    """Overwrite fields of a report."""
    path = report_path(stage, checkout)
    path.write_text(json.dumps({**read_json(path), **changes}), encoding="utf-8")


@pytest.fixture(scope="session")
def package_gguf() -> Callable[[Path, str], None]:
    """package_gguf(checkout, "gguf-q8_0"): make the form, and let it be what is judged and packaged."""
    return _package_gguf


def _package_gguf(checkout: Path, form: str) -> None:
    from dataclasses import asdict

    from acclimate.release.forms.making import make_apart

    path, quantize = checkout / "params.yaml", checkout / "artifacts/quantize"
    text = path.read_text(encoding="utf-8").replace("forms: [] ", f"forms: [{form}] ")
    path.write_text(with_changes(text, {"package.weights": form}), encoding="utf-8")
    params = load(path)
    made = make_apart(
        form, params.quantize, params.common, merged=quantize / "merged", texts=["Return it."], out=quantize / "forms"
    )
    assert made.failure is None
    write_json(quantize / "forms/forms.json", [asdict(made)])
    verdict = report_path("evaluate_quantized", checkout)
    write_json(verdict, read_json(verdict) | {"quantized_sha256": made.sha256, "weights": form})

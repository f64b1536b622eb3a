"""The whole loop at full budget through a real embedded Airflow, as `make demo` runs it, and what it proves."""

from __future__ import annotations

import hashlib
import json
import random
import re
import shutil
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from acclimate.core.files import read_json, read_jsonl, write_jsonl
from acclimate.core.ledger import read_ledger
from acclimate.core.params import load
from acclimate.core.reports import read_report
from acclimate.model.gate import GateReport
from acclimate.release.weights import folder_sha256
from acclimate.services.airflow_api import AirflowApi
from acclimate.services.processes import recorded
from acclimate.services.settings import load_secrets

from .conftest import Checkout, free_port

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(3000)]


@dataclass(frozen=True)
class Demo:
    """A finished demo whose services still run."""

    checkout: Checkout
    ports: dict[str, int]
    output: str

    @property
    def tracking(self) -> str:
        return f"http://127.0.0.1:{self.ports['mlflow']}"

    def make(self, target: str) -> list[str]:
        """`make <target>` on these ports, with the environments of the tested checkout taken as installed."""
        installed = ["-o", ".venv/.installed", "-o", ".venv-airflow/.installed"]
        return ["make", *installed, target, *(f"{name.upper()}_PORT={port}" for name, port in self.ports.items())]

    @property
    def run(self) -> Path:
        """The worktree of the first run."""
        key = next(line.split()[1] for line in self.output.splitlines() if line.startswith("run "))
        return self.checkout.path / ".acclimate/runs" / key.rstrip(":")

    @property
    def api(self) -> AirflowApi:
        url = f"http://127.0.0.1:{self.ports['airflow']}"
        return AirflowApi(url, load_secrets(self.checkout.path).password)

    def endpoint(self, path: str, body: dict[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        url = f"http://127.0.0.1:{self.ports['endpoint']}{path}"
        request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.loads(response.read())


@pytest.fixture(scope="module")
def demo(new_checkout: Callable[[str], Checkout]) -> Iterator[Demo]:
    checkout = new_checkout("loop")
    demo = Demo(checkout, {name: free_port() for name in ("airflow", "mlflow", "endpoint")}, "")
    try:
        output = checkout.succeed(*demo.make("demo"))
        print(output)
        yield Demo(checkout, demo.ports, output)
    finally:
        print(checkout.run("acclimate", "stop").stdout)


def test_the_gate_passes_on_merit(demo: Demo) -> None:
    gate = read_report("gate", demo.run)
    assert gate["verdict"] == "promote", gate["reasons"]
    domain, general = gate["metrics"]["domain_cloze"], gate["metrics"]["general_cloze"]
    assert domain["candidate"] >= 1.25 * domain["base"]
    assert domain["p_value"] < 0.05
    assert general["candidate"] >= 0.9 * general["base"]


def test_the_items_suffice_for_an_interval_narrower_than_four_points_to_each_side(demo: Demo) -> None:
    report = read_report("baseline", demo.run)
    for task in ("domain_cloze", "general_cloze"):
        assert report["tasks"][task]["n"] >= 601, task


def test_no_evaluation_item_stands_in_the_training_set(demo: Demo) -> None:
    texts = "\n".join(_words(row["text"]) for row in read_jsonl(demo.run / "artifacts/mix/train.jsonl"))
    for task in ("domain_cloze", "general_cloze"):
        for item in read_jsonl(demo.run / f"artifacts/split/evaluation/{task}.jsonl"):
            window = _words(item["left"] + item["choices"][item["label"]] + item["right"])
            assert window not in texts, item["id"]


def test_what_is_served_is_what_was_gated(demo: Demo) -> None:
    health = demo.endpoint("/api/v1/health")["roles"]["champion"]
    judged = read_report("evaluate_quantized", demo.run)
    assert judged["verdict"] == "promote"
    assert health["sha256"] == judged["quantized_sha256"] == folder_sha256(demo.run / "artifacts/quantize/quantized")
    assert str(health["version"]) == str(read_report("register", demo.run)["version"])


def test_the_endpoint_answers_and_counts(demo: Demo) -> None:
    answer = demo.endpoint("/api/v1/generate", {"question": "What does scipy.linalg.solve do?", "max_new_tokens": 16})
    assert answer["text"].strip()
    assert 1 <= answer["new_tokens"] <= 16
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{demo.ports['endpoint']}/metrics", timeout=30).read().decode()
    assert "tokens" in metrics


def test_the_test_set_is_locked_and_every_scoring_on_it_is_in_the_ledger(demo: Demo) -> None:
    lock = read_json(demo.checkout.path / "testset/lock.json")["scientific_python"]
    for name, entry in lock["files"].items():
        assert _sha256(demo.run / "artifacts/split/evaluation" / name) == entry["sha256"]
    uses = [use for use in read_ledger(demo.checkout.path, "scientific_python") if use.run == demo.run.name]
    assert [use.stage for use in uses] == ["baseline", "evaluate", "evaluate_quantized"]
    assert uses[1].models["adapter"] == read_report("gate", demo.run)["candidate_sha256"]


def test_the_demo_prints_what_it_promises(demo: Demo) -> None:
    for promised in (
        "gate: PROMOTE",
        "domain_cloze",
        "model version",
        "endpoint",
        "report",
        "answer:",
        "orchestration is",
    ):
        assert promised in demo.output, promised


def test_the_run_can_be_rebuilt_from_its_tag(demo: Demo) -> None:
    tag = f"acclimate/{demo.run.name}"
    lock = yaml.safe_load(demo.checkout.succeed("git", "show", f"{tag}:dvc.lock"))
    assert set(lock["stages"]) >= {"mix", "train_domain", "train_task", "compose", "gate", "evaluate_quantized"}


def test_repro_without_airflow_gives_the_same_bytes(demo: Demo, new_checkout: Callable[[str], Checkout]) -> None:
    """Where equality of what is proven: the training set and everything before it, the task adapter and the candidate.

    That pre-training and the domain adapter, most of the loop's time, come out equal in another process is shown
    with models of this size and few steps by tests/model/test_determinism.py. Here they are pulled, as a colleague
    would pull them; that DVC then runs nothing else says that all they were made from is equal too.
    """
    laptop = new_checkout("laptop")
    laptop.succeed("dvc", "repro", "mix")
    for artifact in ("mix/train.jsonl", "decontaminate/general.parquet"):
        assert _sha256(laptop.path / "artifacts" / artifact) == _sha256(demo.run / "artifacts" / artifact), artifact
    assert read_report("mix", laptop.path) == read_report("mix", demo.run)
    shutil.copyfile(demo.run / "dvc.lock", laptop.path / "dvc.lock")
    laptop.succeed("dvc", "remote", "add", "--local", "colleague", str(demo.checkout.path / ".dvc/cache"))
    laptop.succeed("dvc", "pull", "--remote", "colleague", "base", "train_domain")
    output = laptop.succeed("dvc", "repro", "compose")
    assert re.findall(r"Running stage '(\w+)'", output) == ["train_task", "align", "compose"]
    for artifact in ("train_task/adapter_model.safetensors", "compose/adapter_model.safetensors"):
        assert _sha256(laptop.path / "artifacts" / artifact) == _sha256(demo.run / "artifacts" / artifact), artifact


def test_training_on_nonsense_fails_the_gate(demo: Demo, tmp_path: Path) -> None:
    rows = read_jsonl(demo.run / "artifacts/mix/train.jsonl")
    words = [word for row in rows for word in row["text"].split()]
    random.Random(0).shuffle(words)
    position = 0
    for row in rows:
        count = len(row["text"].split())
        row["text"] = " ".join(words[position : position + count])
        if "question" in row:
            row["question"], row["answer"] = row["text"][: len(row["question"])], row["text"][len(row["question"]) :]
        position += count
    write_jsonl(tmp_path / "nonsense.jsonl", rows)
    report = _failed_gate(demo, tmp_path, dataset=tmp_path / "nonsense.jsonl")
    assert report.metrics["domain_cloze"]["relative_gain"] < 0.25


def test_an_adapter_that_was_not_trained_fails_the_gate(demo: Demo, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_bytes((demo.run / "artifacts/compose/adapter_config.json").read_bytes())
    tensors = load_file(demo.run / "artifacts/compose/adapter_model.safetensors")
    # peft starts every adapter with B = 0: the model is the base model still.
    save_file(
        {name: t * 0 if "lora_B" in name else t for name, t in tensors.items()}, adapter / "adapter_model.safetensors"
    )
    report = _failed_gate(demo, tmp_path, adapter=adapter)
    assert report.metrics["domain_cloze"]["difference"] == pytest.approx(0, abs=0.005)


def test_a_second_demo_changes_nothing_and_says_so(demo: Demo) -> None:
    before = demo.endpoint("/api/v1/health")["roles"]["champion"]
    output = demo.checkout.succeed(*demo.make("demo"))
    assert "unchanged, from the cache" in output
    assert "the champion already" in output
    assert demo.endpoint("/api/v1/health")["roles"]["champion"] == before


def test_the_report_is_a_tab_of_the_dag_run(demo: Demo) -> None:
    run_id = demo.api.get("dags/adapt_model/dagRuns", limit=1, order_by="run_after")["dag_runs"][0]["dag_run_id"]
    page = demo.api.page("/acclimate/dag-run", dag_id="adapt_model", run_id=run_id)
    assert "<svg" in page
    assert "domain_cloze" in page or "domain cloze" in page


def test_the_watch_is_quiet_about_trained_questions_and_sees_others(demo: Demo) -> None:
    rows = read_jsonl(demo.run / "artifacts/mix/train.jsonl")
    trained = [row["text"] for row in rows if row["kind"] == "domain_questions"]
    for text in random.Random(1).sample(trained, 80):
        question = text.removeprefix("Question: ").partition("\nAnswer:")[0]
        demo.endpoint("/api/v1/generate", {"question": question, "max_new_tokens": 2})
    quiet = _watch(demo)
    assert (quiet["status"], quiet["n"] >= 80) == ("quiet", True), quiet
    for number in range(80):
        other = f"Which minister opened bridge number {number} over the river, and who paid the builders?"
        demo.endpoint("/api/v1/generate", {"question": other, "max_new_tokens": 2})
    drifted = _watch(demo)
    assert (drifted["status"], drifted["n"]) == ("drift", quiet["n"] + 80), drifted
    assert "bridge" in drifted["words"]


def test_a_failed_stage_ends_the_demo_with_its_error_and_its_log(demo: Demo) -> None:
    params = demo.checkout.path / "params.yaml"
    good = params.read_text(encoding="utf-8")
    demo.checkout.set({"ingest.domain": "documents"})
    try:
        done = demo.checkout.run(*demo.make("demo"))
    finally:
        params.write_text(good, encoding="utf-8")
    assert done.returncode == 2, "make passes on that the command failed"
    assert "adapt_data.ingest failed" in done.stdout
    assert "no file matches inputs/*.jsonl" in done.stdout
    assert "the whole log: http://127.0.0.1:" in done.stdout


README_COMMANDS = {
    "make demo": "test_a_second_demo_changes_nothing_and_says_so",
    "make stop": "test_stop_ends_exactly_what_was_started",
    "source .venv/bin/activate": "the checkouts of these tests have the environment's commands on their PATH",
    "make check": "what .ci/run runs",
    "make test": "what runs this",
}
"""Commands of the README that another test runs, or that run this one; every other is run below."""


def test_every_other_command_in_the_readme_runs(demo: Demo) -> None:
    readme = (demo.checkout.path / "README.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```bash\n(.*?)```", readme, re.DOTALL) for line in block.splitlines()]
    assert set(README_COMMANDS) < set(commands)
    for command in commands:
        if command in README_COMMANDS:
            continue
        own = command.replace(":3000/", f":{demo.ports['endpoint']}/")
        done = demo.checkout.run("bash", "-c", f"export MLFLOW_TRACKING_URI={demo.tracking}; {own}")
        # The first champion has no one before it: the command says so.
        refused = command.startswith("acclimate registry rollback") and "previous" in done.stdout
        assert done.returncode == (2 if refused else 0), f"{own}\n{done.stdout[-3000:]}"
        assert done.stdout.strip() or command == "dvc repro", command


def test_stop_ends_exactly_what_was_started(demo: Demo) -> None:
    services = recorded(demo.checkout.path)
    assert len(services) == 6
    assert all(service.alive() for service in services)
    demo.checkout.succeed(*demo.make("stop"))
    assert not any(service.alive() for service in services)
    for port in demo.ports.values():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))


def _failed_gate(demo: Demo, tmp_path: Path, *, dataset: Path | None = None, adapter: Path | None = None) -> GateReport:
    """Train on `dataset` (or take `adapter`), evaluate, gate against the demo's base: it must fail on the domain."""
    from acclimate.model import compose, evaluate, gate, train_domain, train_task

    params = load(demo.run / "params.yaml")
    base, evaluation = demo.run / "artifacts/base", demo.run / "artifacts/split/evaluation"
    if adapter is None:
        assert dataset is not None
        domain, task, adapter = (tmp_path / name for name in ("domain", "task", "composed"))
        for folder in (domain, task, adapter):
            folder.mkdir()
        common, training = params.common, params.training
        given = {"base": base, "dataset": dataset, "checkpoints": tmp_path / "checkpoints"}
        general = demo.run / "artifacts/decontaminate/general.parquet"
        train_domain.run(params.train_domain, training, common, **given, general=general, out=domain)
        shutil.rmtree(given["checkpoints"])
        train_task.run(params.train_task, training, common, **given, domain=domain, out=task)
        compose.run(
            params.compose,
            params.train_task,
            common,
            base=base,
            domain=domain,
            task=task,
            align=demo.run / "artifacts/align",
            dataset=dataset,
            out=adapter,
        )
    evaluated, champion = tmp_path / "evaluated", tmp_path / "champion"
    evaluated.mkdir()
    champion.mkdir()
    (champion / "champion.json").write_text('{"version": null}')
    evaluate.run(
        params.score.model_copy(update={"observe": None}),
        params.train_task,
        params.common,
        base=base,
        adapter=adapter,
        champion=champion,
        dataset=demo.run / "artifacts/mix/train.jsonl",
        evaluation=evaluation,
        examples=demo.run / "artifacts/evaluation_set/examples.jsonl",
        tasks=demo.run / "inputs/tasks",
        behaviour=demo.run / "inputs/behaviour",
        out=evaluated,
    )
    report = gate.run(
        params.gate,
        params.common,
        baseline=demo.run / "artifacts/baseline",
        evaluated=evaluated,
        evaluation=evaluation,
        dataset=demo.run / "artifacts/mix/train.jsonl",
        certificate=demo.run / "artifacts/mix/certificate.json",
        ledger=tmp_path / "ledger.jsonl",
        measurements=tmp_path,
    )
    assert report.verdict == "reject", report.reasons
    assert not report.metrics["domain_cloze"]["passed"], report.reasons
    return report


def _watch(demo: Demo) -> dict[str, Any]:
    """Run adapt_watch to its end and return what it found."""
    run_id = demo.api.trigger("adapt_watch", {})
    deadline = time.monotonic() + 180
    while (state := demo.api.run("adapt_watch", run_id)["state"]) not in ("success", "failed"):
        assert time.monotonic() < deadline, state
        time.sleep(0.5)
    assert state == "success"
    found: dict[str, Any] = read_json(demo.checkout.path / ".acclimate/watch/drift.json")
    return found


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _words(text: str) -> str:
    return " ".join(text.lower().split())

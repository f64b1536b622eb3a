"""Register the gated adapter of this run in MLflow as challenger.

    acclimate register        # writes reports/register.json

What is registered runs by itself (base and adapter as safetensors, the code beside them) and carries
its evidence: params, metrics, every report, the dataset's hash, the git commit, the gate's verdict and all that was
computed from (`acclimate gate --replay VERSION`).
Registering the same adapter again finds the version that is there, and signs it anew where the key has changed.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version as installed
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import sha256, write_json, write_jsonl
from acclimate.core.home import home, state
from acclimate.core.ledger import read_ledger
from acclimate.core.params import Params, load
from acclimate.core.reports import PLOTS, report_path
from acclimate.core.yaml_text import parse_yaml
from acclimate.model.scoring.measurements import FOLDER
from acclimate.release import exhibits
from acclimate.release.evidence import ADAPTER_FILES, Evidence, read_evidence, require_promote
from acclimate.release.keys import signing_key
from acclimate.release.reference import reference_questions
from acclimate.release.registry import CHALLENGER, aliases, connect, experiment, model_name, tracking_uri
from acclimate.release.signing import sign
from acclimate.release.stage_runs import data_inputs, flattened, log_stages
from acclimate.release.versions import audit
from acclimate.release.versions.pull import distrust

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

RUNTIME = ("torch", "transformers", "tokenizers", "safetensors", "peft", "mlflow")
"""What the registered model needs where it is loaded, pinned to what it was made with."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: params.yaml and the reports say it all."""


def main(arguments: argparse.Namespace) -> int:
    """Register the run in the current folder and say under which version."""
    done = register(Path())
    print(f"registered {done['model']} version {done['version']} ({', '.join(done['aliases']) or 'no alias'})")
    return 0


def register(checkout: Path) -> dict[str, Any]:
    """Register the adapter of the run in `checkout`, or find it registered; writes reports/register.json.

    Raises:
        UserError: if the gate did not pass, its candidate is not the adapter on disk, this adapter was
            rolled back before, or the registry does not answer.
    """
    params = load(checkout / "params.yaml")
    evidence = read_evidence(checkout)
    require_promote(evidence.gate, "gate")
    client = connect()
    name = model_name(params.ingest.domain)
    with audit.alone():
        found = _registered(client, name, evidence) or _log_and_create(client, name, checkout, params, evidence)
        _require_not_rolled_back(found)
        _sign_anew(client, found, checkout)
        standing = _as_challenger(client, found, checkout)
    version = str(found.version)
    report = {
        "model": name,
        "version": version,
        "run_id": found.run_id,
        "adapter_sha256": evidence.adapter_sha256,
        "aliases": [alias for alias, at in standing.items() if at == version],
        "urls": _urls(client, name, found),
    }
    write_json(report_path("register", checkout), report)
    return report


def _as_challenger(client: MlflowClient, version: Any, checkout: Path) -> audit.Standing:
    """Where the aliases stand when `version` is challenger, unless it has an alias already."""
    before = aliases(client, version.name)
    number = str(version.version)
    if number in before.values():
        return before
    after = before | {CHALLENGER: number}
    why = f"verdict of the gate: {version.tags['gate.verdict']}"
    audit.note(checkout, "register", version, why=why, before=before, after=after)
    client.set_registered_model_alias(version.name, CHALLENGER, number)
    return after


def _sign_anew(client: MlflowClient, version: Any, checkout: Path) -> None:
    """Replace the adapter's files in the registry by those of the checkout where they are not trusted any more.

    The gate's evidence vouches for the files here: these are the ones that it judged.
    """
    fault = distrust(version)
    if fault is None:
        return
    standing = aliases(client, version.name)
    audit.note(checkout, "sign", version, why=str(fault), before=standing, after=standing)
    logged = version.source.removeprefix("models:/")  # what was registered from: a logged model, by its id
    with _signed_adapter(checkout) as adapter:
        client.log_model_artifacts(logged, str(adapter), f"artifacts/{adapter.name}")


def _registered(client: MlflowClient, name: str, evidence: Evidence) -> Any | None:
    same = f"name = '{name}' and tags.adapter_sha256 = '{evidence.adapter_sha256}'"
    found = [
        version
        for version in client.search_model_versions(same)
        if version.tags.get("base_sha256") == evidence.base_sha256
    ]
    return min(found, key=lambda version: int(version.version), default=None)


def _require_not_rolled_back(version: Any) -> None:
    if reason := version.tags.get("rolled_back"):
        raise UserError(
            f"this adapter is version {version.version} of {version.name}, rolled back: {reason}",
            why="registering it again would let the same fault be released a second time",
            fix="train another candidate, or delete the version's tag rolled_back in MLflow if the reason is gone",
        )


def _log_and_create(client: MlflowClient, name: str, checkout: Path, params: Params, evidence: Evidence) -> Any:
    """One MLflow run with all evidence, then the version with all its tags in one call.

    A crash before that call leaves a run without a version, never a version without evidence.
    """
    import mlflow

    experiment_id = experiment(client, name)
    tags = {"run": evidence.run, "git_commit": evidence.git_commit}
    with mlflow.start_run(experiment_id=experiment_id, run_name=evidence.run, tags=tags) as run:
        mlflow.log_params(flattened(parse_yaml((checkout / "params.yaml").read_text(encoding="utf-8"))))
        _log_metrics(evidence)
        _log_datasets(client, run, checkout, evidence)
        _log_files(checkout)
        evidence_sha256 = _log_evidence(checkout)
        log_stages(client, run, checkout)
        model_uri = _log_model(checkout, params, evidence)
        uses = len(read_ledger(home(), params.ingest.domain))
        tags = _tags(run.info.run_id, checkout, evidence, uses) | {"evidence_sha256": evidence_sha256}
        return mlflow.register_model(model_uri, name, tags=tags)


def _tags(run_id: str, checkout: Path, evidence: Evidence, testset_uses: int) -> dict[str, str]:
    """What `acclimate registry` shows of a version without opening its run."""
    base, adapter, metrics = evidence.reports["base"], checkout / "artifacts/compose", evidence.gate["metrics"]
    return {
        "base": base["model"],
        "base_licence": base["licence"],
        "adapter_bytes": str(sum((adapter / file).stat().st_size for file in ADAPTER_FILES)),
        "scores": json.dumps({name: of["candidate"] for name, of in metrics.items() if "candidate" in of}),
        "run": evidence.run,
        "mlflow_run": run_id,
        "git_commit": evidence.git_commit,
        "dataset_sha256": evidence.dataset_sha256,
        "adapter_sha256": evidence.adapter_sha256,
        "base_sha256": evidence.base_sha256,
        "gate.verdict": evidence.gate["verdict"],
        "gate.reasons": json.dumps(evidence.gate["reasons"]),
        "testset_uses": str(testset_uses),
    }


def _log_metrics(evidence: Evidence) -> None:
    import mlflow

    for metric, row in evidence.gate["metrics"].items():
        numbers = {part: row.get(part) for part in ("base", "candidate", "champion", "difference", "p_value")}
        mlflow.log_metrics({f"{metric}.{part}": float(n) for part, n in numbers.items() if n is not None})
    for stage in ("train_domain", "train_task", "align"):
        trained = evidence.reports.get(stage, {}).get("trained")
        if trained is not None:
            for step, loss in trained["loss_curve"]:
                mlflow.log_metric(f"{stage}.loss", loss, step=int(step))
            mlflow.log_metric(f"{stage}.final_loss", trained["final_loss"])


def _log_datasets(client: MlflowClient, run: Run, checkout: Path, evidence: Evidence) -> None:
    where = {"git_commit": evidence.git_commit, "git_tag": f"acclimate/{evidence.run}"}
    trained = {"artifacts/mix/train.jsonl": evidence.dataset_sha256}
    items = sorted((checkout / "artifacts/split/evaluation").glob("*.jsonl"))
    judged = {str(path.relative_to(checkout)): sha256(path) for path in items}
    inputs = [*data_inputs(trained, where, "training"), *data_inputs(judged, where, "evaluation")]
    client.log_inputs(run.info.run_id, inputs)


def _log_files(checkout: Path) -> None:
    import mlflow

    for path in sorted((checkout / "reports").glob("*.json")):
        mlflow.log_artifact(str(path), "reports")
    if (plots := checkout / PLOTS).exists():
        mlflow.log_artifacts(str(plots), "plots")
    for path in (checkout / "reports/run.html", checkout / "dvc.lock", checkout / "params.yaml"):
        if path.exists():
            mlflow.log_artifact(str(path))
    with tempfile.TemporaryDirectory() as folder:
        questions = reference_questions(checkout / "artifacts/mix/train.jsonl")
        write_jsonl(Path(folder) / "questions.jsonl", ({"question": question} for question in questions))
        mlflow.log_artifact(str(Path(folder) / "questions.jsonl"), "reference")


def _log_evidence(checkout: Path) -> str:
    """Keep what the verdict was computed from with the run, and return the hash that vouches for it."""
    import mlflow

    with tempfile.TemporaryDirectory() as folder:
        manifest_sha256 = exhibits.write(exhibits.grounds_of(checkout, state() / FOLDER), Path(folder))
        mlflow.log_artifacts(folder, exhibits.FOLDER)
    return manifest_sha256


def _log_model(checkout: Path, params: Params, evidence: Evidence) -> str:
    import mlflow

    from acclimate.release import pyfunc_model

    base = params.base
    by_reference = base.model != "local:tiny" and not Path(base.model).is_dir()
    with _signed_adapter(checkout) as adapter:
        artifacts = {"adapter": str(adapter)}
        if not by_reference:
            artifacts["base"] = str(checkout / "artifacts/base")
        logged = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(Path(pyfunc_model.__file__)),
            artifacts=artifacts,
            model_config={"base_id": base.model, "base_revision": base.revision} if by_reference else {},
            pip_requirements=[f"{package}=={installed(package)}" for package in RUNTIME],
            metadata={"adapter_sha256": evidence.adapter_sha256, "base_sha256": evidence.base_sha256},
        )
    return str(logged.model_uri)


@contextmanager
def _signed_adapter(checkout: Path) -> Iterator[Path]:
    """The adapter's own files and their signature, in a folder "adapter": MLflow names artifacts by the last folder."""
    with tempfile.TemporaryDirectory() as scratch:
        adapter = Path(scratch) / "adapter"
        adapter.mkdir()
        for file in ADAPTER_FILES:
            shutil.copyfile(checkout / "artifacts/compose" / file, adapter / file)
        sign(adapter, signing_key())
        yield adapter


def _urls(client: MlflowClient, name: str, version: Any) -> dict[str, str]:
    """Pages of the MLflow UI; empty when the registry is a file and has none."""
    uri = tracking_uri().rstrip("/")
    if not uri.startswith("http"):
        return {}
    run = client.get_run(version.run_id)
    return {
        "version": f"{uri}/#/models/{name}/versions/{version.version}",
        "run": f"{uri}/#/experiments/{run.info.experiment_id}/runs/{run.info.run_id}",
    }

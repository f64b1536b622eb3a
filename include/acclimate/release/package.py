"""Build the Bento of this run's registered version: what the gates judged, and nothing else, signed.

    acclimate package         # a Bento acclimate-<domain>:v<version>-<sha8>; writes reports/package.json

What is in it: release/contents.py. Its files are signed as they stand in the built Bento, and the service checks the
signature before it loads them.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.core.home import state
from acclimate.core.params import Params, load
from acclimate.core.reports import report_path
from acclimate.model.training.chat import prompt_form
from acclimate.release import keys
from acclimate.release.adapter_form import assemble, share, weights_sha256
from acclimate.release.contents import PUBLIC_KEY, SBOM, Ingredients, fill
from acclimate.release.evidence import Evidence, read_evidence, read_required, require_promote
from acclimate.release.registry import CHALLENGER, CHAMPION, aliases, connect
from acclimate.release.relevance import relevance_of
from acclimate.release.signing import sign, verify
from acclimate.release.stage_runs import log_stages
from acclimate.release.weights import folder_sha256
from acclimate.serving.guardrails.rails import Rails
from acclimate.serving.shared_base import ADAPTER, BASE


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: the section `package` of params.yaml has the dials."""


def main(arguments: argparse.Namespace) -> int:
    """Build the Bento of the run in the current folder and say its tag."""
    done = package(Path())
    print(f"packaged {done['model']} version {done['version']} as {done['bento']}")
    return 0


def package(checkout: Path) -> dict[str, Any]:
    """Build the Bento, or find it built; tags the model version with it and writes reports/package.json.

    Raises:
        UserError: if a gate did not pass, the model is not the one that was judged, the registry holds
            another adapter, or the limits exceed what the model can read.
    """
    params = load(checkout / "params.yaml")
    evidence = read_evidence(checkout)
    require_promote(evidence.gate, "gate")
    registered = read_required(checkout, "register")
    client = connect()
    version = client.get_model_version(registered["model"], registered["version"])
    _require_same_adapter(version, evidence)
    _require_standing(aliases(client, registered["model"]), registered)
    Rails(params.endpoint.guardrails)  # what the service could not read is refused here
    with _judged_model(checkout, params, evidence) as model:
        parts = _parts(checkout, params, evidence, registered, model)
        tag = f"{registered['model']}:v{registered['version']}-{parts.manifest['sha256'][:8]}"
        if not _stands(tag, parts):
            _build(tag, parts)
    client.set_model_version_tag(registered["model"], registered["version"], "bento", tag)
    # What ran since registration: quantisation and its gate.
    log_stages(client, client.get_run(version.run_id), checkout)
    report = {
        "model": registered["model"],
        "version": registered["version"],
        "bento": tag,
        "manifest": parts.manifest,
        "signing_key_sha256": keys.fingerprint(parts.public_key),
        "bill_of_materials": _counted(source_path(tag) / SBOM),
    }
    write_json(report_path("package", checkout), report)
    return report


def bento_store() -> Path:
    """BENTOML_HOME: where Bentos are built and served from."""
    return state() / "bentoml"


def bento_path(tag: str) -> Path:
    """The folder of a built Bento in the store."""
    name, _, version = tag.partition(":")
    return bento_store() / "bentos" / name / version


def source_path(tag: str) -> Path:
    """The folder of a built Bento with what we put into it: what is signed and served."""
    return bento_path(tag) / "src"


def bento_environment() -> dict[str, str]:
    """The environment in which bentoml is run: our store, no reports home."""
    return {**os.environ, "BENTOML_HOME": str(bento_store()), "BENTOML_DO_NOT_TRACK": "True", "DO_NOT_TRACK": "1"}


def require_room(model: Path, params: Params) -> None:
    """Raise UserError if prompt and completion together exceed the positions the model knows."""
    positions = read_json(model / "config.json").get("max_position_embeddings")
    asked = params.package.max_prompt_tokens + params.package.max_new_tokens
    if positions is not None and asked > positions:
        raise UserError(
            f"package.max_prompt_tokens + package.max_new_tokens = {asked}, the model reads {positions} tokens",
            why="beyond what it was trained on, a model writes nonsense",
            fix=f"lower one of them in params.yaml so that both together are at most {positions}",
        )


def _require_same_adapter(version: Any, evidence: Evidence) -> None:
    registered = version.tags.get("adapter_sha256", "")
    if registered != evidence.adapter_sha256:
        raise UserError(
            f"version {version.version} of {version.name} is adapter {registered[:8]}, "
            f"this run trained {evidence.adapter_sha256[:8]}",
            why="the Bento would not be the version whose name it bears",
            fix="run `acclimate register` here, then package again",
        )


def _require_standing(standing: dict[str, str | None], registered: dict[str, Any]) -> None:
    if registered["version"] not in (standing[CHALLENGER], standing[CHAMPION]):
        raise UserError(
            f"version {registered['version']} of {registered['model']} is not the challenger "
            f"(that is {standing[CHALLENGER] or 'none'})",
            why="another run has registered since; only the challenger can be released",
            fix="run `acclimate register` here again if this run is to be released",
        )


@contextmanager
def _judged_model(checkout: Path, params: Params, evidence: Evidence) -> Iterator[Path]:
    """A folder with what params.package.weights names, shown to be what the gates judged."""
    quantize = read_required(checkout, "quantize")
    if quantize["adapter_sha256"] != evidence.adapter_sha256:
        raise _not_judged("reports/quantize.json", quantize["adapter_sha256"], evidence.adapter_sha256)
    verdict = read_required(checkout, "evaluate_quantized")
    require_promote(verdict, "evaluate_quantized")
    weights = params.package.weights
    if verdict["weights"] != weights:
        raise UserError(
            f"package.weights is {weights}, the verdict of evaluate_quantized is on the {verdict['weights']} model",
            why="only what was judged may be served",
            fix="run `dvc repro evaluate_quantized`, then package again",
        )
    if weights == ADAPTER:
        base = checkout / "artifacts/base"
        if (found := weights_sha256(base)) != evidence.base_sha256:
            raise _not_judged("artifacts/base", found, evidence.base_sha256)
        with tempfile.TemporaryDirectory() as scratch:
            assemble(base, checkout / "artifacts/compose", model := Path(scratch) / "model")
            yield model
        return
    judged = quantize["merged_sha256"] if weights == "merged" else verdict["quantized_sha256"]
    folder = f"artifacts/quantize/{'forms/' if params.package.is_gguf else ''}{weights}"
    if (found := folder_sha256(checkout / folder)) != judged:
        raise _not_judged(folder, found, judged)
    yield checkout / folder


def _not_judged(what: str, found: str, judged: str) -> UserError:
    return UserError(
        f"{what} is {found[:8]}, the gate judged {judged[:8]}",
        why="only what was judged may be served",
        fix="run `dvc repro evaluate_quantized`, then package again",
    )


def _parts(checkout: Path, params: Params, evidence: Evidence, registered: dict[str, Any], model: Path) -> Ingredients:
    """What the Bento is made of."""
    artifacts, of_adapter = checkout / "artifacts", params.package.weights == ADAPTER
    require_room(model / BASE if of_adapter else model, params)
    manifest = _manifest(params, evidence, registered, model)
    manifest["prompt"] = prompt_form(params.train_task.template, artifacts / "base")
    told = relevance_of(artifacts / "mix/train.jsonl", artifacts / "dedup/test.parquet") if of_adapter else None
    if of_adapter:
        manifest["base_folder_sha256"] = folder_sha256(model / BASE)
        manifest["relevance"] = None if told is None else told[1]
    return Ingredients(
        model,
        artifacts / "compose",
        artifacts / "mix/records.parquet",
        manifest,
        params.endpoint.model_dump(mode="json"),
        keys.public_half(keys.signing_key()),
        None if told is None else told[0].tensors(),
    )


def _manifest(params: Params, evidence: Evidence, registered: dict[str, Any], model: Path) -> dict[str, Any]:
    """What the service says of itself and holds itself to; nothing in it depends on when or where it was built."""
    return {
        "model": registered["model"],
        "version": registered["version"],
        "domain": params.ingest.domain,
        "weights": params.package.weights,
        "sha256": folder_sha256(model),
        "adapter_sha256": evidence.adapter_sha256,
        "base_sha256": evidence.base_sha256,
        "base": {
            "model": evidence.reports["base"]["model"],
            "revision": params.base.revision,
            "licence": evidence.reports["base"]["licence"],
        },
        "dataset_sha256": evidence.dataset_sha256,
        "git_commit": evidence.git_commit,
        "run": evidence.run,
        "max_prompt_tokens": params.package.max_prompt_tokens,
        "max_new_tokens": params.package.max_new_tokens,
        "threads": params.common.threads,
        "gate": {"verdict": evidence.gate["verdict"], "reasons": evidence.gate["reasons"]},
    }


def _stands(tag: str, parts: Ingredients) -> bool:
    """Whether the Bento is built already, of the same parts, whole, and signed with the key of today."""
    source = source_path(tag)
    if not source.exists():
        return False
    try:
        verify(source, source / PUBLIC_KEY)
    except UserError:  # ended half-way, or changed since: built anew
        return False
    key = (source / PUBLIC_KEY).read_text(encoding="utf-8")
    same = {"manifest.json": parts.manifest, "settings.json": parts.settings}
    return key == parts.public_key and all(
        (source / name).exists() and read_json(source / name) == value for name, value in same.items()
    )


def _build(tag: str, parts: Ingredients) -> None:
    name, _, version = tag.partition(":")
    shutil.rmtree(bento_path(tag), ignore_errors=True)  # of the same tag with other parts
    with tempfile.TemporaryDirectory() as context:
        fill(Path(context), parts)
        command = [sys.executable, "-m", "bentoml", "build", "--name", name, "--version", version]
        done = subprocess.run(
            command, cwd=context, env=bento_environment(), capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, f"bentoml build failed:\n{done.stdout}\n{done.stderr}"
    if parts.manifest["weights"] == ADAPTER:
        share(source_path(tag) / "model" / BASE, bento_store() / "bases")
    # Not before: bentoml rewrites bentofile.yaml when it builds.
    sign(source_path(tag), keys.signing_key())


def _counted(sbom: Path) -> dict[str, int]:
    """How many components of each type a bill of materials lists, and of how many libraries the licence is unknown."""
    components = read_json(sbom)["components"]
    counts = Counter(str(component["type"]) for component in components)
    unknown = [part for part in components if part["type"] == "library" and "licenses" not in part]
    return {**dict(sorted(counts.items())), "library_without_licence": len(unknown)}

"""Bentos of adapters: whole and signed by themselves, and with their base on the disk once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, write_json, write_jsonl, write_parquet
from acclimate.core.params import with_changes
from acclimate.core.records import GENERAL
from acclimate.core.reports import report_path
from acclimate.release.adapter_form import share
from acclimate.release.keys import trusted_key
from acclimate.release.package import bento_store, package, source_path
from acclimate.release.register import register
from acclimate.release.signing import verify
from acclimate.release.weights import file_sha256, folder_sha256


def as_adapter(checkout: Path) -> Path:
    """The run, with its adapter to be packaged beside its base."""
    dials = checkout / "params.yaml"
    dials.write_text(with_changes(dials.read_text(encoding="utf-8"), {"package.weights": "adapter"}), encoding="utf-8")
    verdict = report_path("evaluate_quantized", checkout)
    write_json(verdict, read_json(verdict) | {"weights": "adapter"})
    return checkout


def test_two_bentos_are_whole_signed_and_hold_their_base_on_the_disk_once(gated_run: Path, another_run: Path) -> None:
    sources = []
    for run in (gated_run, another_run):
        register(as_adapter(run))
        report = package(run)
        source = source_path(report["bento"])
        verify(source, trusted_key())
        manifest = report["manifest"]
        assert manifest["sha256"] == folder_sha256(source / "model")
        assert manifest["base_folder_sha256"] == folder_sha256(source / "model/base")
        judged = read_json(run / "reports/compose.json")["adapter_sha256"]
        assert file_sha256(source / "model/adapter/adapter_model.safetensors") == judged == manifest["adapter_sha256"]
        assert file_sha256(source / "model/base/model.safetensors") == manifest["base_sha256"]
        assert not (source / "adapter").exists()
        pins = (source / "requirements.txt").read_text(encoding="utf-8").splitlines()
        packages = {pin.partition("==")[0] for pin in pins}
        assert "peft" in packages
        assert "gptqmodel" not in packages
        sources.append(source)
    one, two = ((source / "model/base/model.safetensors").stat() for source in sources)
    assert one.st_ino == two.st_ino
    assert one.st_nlink == 3
    assert [path.name for path in (bento_store() / "bases").iterdir()] == [manifest["base_folder_sha256"]]
    assert not list(sources[0].rglob(".*.partial"))

    adapters = [source / "model/adapter/adapter_model.safetensors" for source in sources]
    assert file_sha256(adapters[0]) != file_sha256(adapters[1])
    assert package(another_run)["bento"] == report["bento"], "a Bento that stands is kept"


def test_a_bento_loads_and_answers_with_nothing_of_acclimate_but_what_it_carries(gated_run: Path) -> None:
    register(as_adapter(gated_run))
    source = source_path(package(gated_run)["bento"])
    code = f"""
import sys
sys.path = [{str(source)!r}, *(place for place in sys.path if not place.endswith("include"))]
from pathlib import Path
from acclimate.serving.models import load, packaged_in
from acclimate.serving.generation import Prompt, Row, complete
model = load(packaged_in(Path({str(source)!r})))
print(complete(model, [Row(Prompt(model.tokens("numpy"), 3))])[0].new_tokens, model.bare.name)
"""
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "3 base"


def test_what_tells_texts_apart_is_signed_and_how_well_it_does_is_in_the_manifest(gated_run: Path) -> None:
    register(as_adapter(gated_run))
    mix = gated_run / "artifacts/mix/train.jsonl"
    rows = [{"id": f"g{n}", "kind": "general_replay", "text": f"os.path.size{n}\n\nReturn it."} for n in range(40)]
    write_jsonl(mix, [*read_jsonl(mix), *rows])
    texts = [f"What does numpy.sum{n} do along axis 1?" for n in range(30)]
    texts += [f"os.path.name{n}\n\nReturn the name of a file." for n in range(40)]
    (gated_run / "artifacts/dedup").mkdir()
    table = pa.table({"text": texts, "domain": ["docs"] * 30 + [GENERAL] * 40})
    write_parquet(gated_run / "artifacts/dedup/test.parquet", table)
    report = package(gated_run)
    measured = report["manifest"]["relevance"]
    assert (measured["domain_texts"], measured["general_texts"]) == (30, 40)
    assert measured["auc"] > 0.9
    told = source_path(report["bento"]) / "relevance.safetensors"
    told.write_bytes(told.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"relevance\.safetensors was changed"):
        verify(source_path(report["bento"]), trusted_key())


def test_another_base_than_the_judged_one_is_refused(gated_run: Path) -> None:
    register(as_adapter(gated_run))
    weights = gated_run / "artifacts/base/model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    with pytest.raises(UserError, match=r"artifacts/base is .* the gate judged"):
        package(gated_run)


def test_a_kept_base_that_was_changed_is_put_there_anew(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub/weights").write_text("weights")
    share(tmp_path / "one", tmp_path / "bases")
    (kept,) = (tmp_path / "bases").iterdir()
    (kept / "sub/weights").write_text("changed")  # through the link, `one` is changed with it: its signature tells
    share(tmp_path / "two", tmp_path / "bases")
    assert folder_sha256(kept) == kept.name
    assert (tmp_path / "two/sub/weights").read_text() == "weights"
    assert (kept / "sub/weights").samefile(tmp_path / "two/sub/weights")

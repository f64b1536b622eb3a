"""A checkout with a training set in two versions, made by the real dvc and the real mix."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from acclimate.cli import main
from acclimate.core.certificate import certify
from acclimate.core.files import write_parquet
from acclimate.core.params import with_changes
from acclimate.core.records import Document, document_id, document_schema
from acclimate.core.worktrees import git

CHECKOUT = Path(__file__).parents[2]
DVC_YAML = """
stages:
  mix:
    cmd: acclimate mix
    deps: [artifacts/decontaminate/domain.parquet, artifacts/decontaminate/general.parquet]
    params: [mix, common]
    outs: [artifacts/mix, reports/mix.json]
    meta: {dag: adapt_data}
"""
IGNORED = "/.acclimate/\n/artifacts/\n/reports/\n/timings/\n/accepted/*\n"


def texts(path: Path, domain: str, numbers: range, kind: str = "raw_text") -> None:
    """Documents of some 120 bytes that differ in a number."""
    rows = []
    for number in numbers:
        text = f"{domain} {kind} {number}. The clay of pot {number} is fired at {900 + number} degrees until it rings."
        given: dict[str, Any] = {"source": "shelf", "type": kind, "domain": domain, "text": text, "group": str(number)}
        rows.append(Document(id=document_id("shelf", text), quality_score=0.9, licence="CC0-1.0", **given).model_dump())
    path.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(path, pa.Table.from_pylist(rows, schema=document_schema()))


def repro(checkout: Path, documents: range) -> None:
    """Run the mix over so many documents, as `dvc repro` does."""
    folder = checkout / "artifacts/decontaminate"
    texts(folder / "domain.parquet", "pottery", documents)
    texts(folder / "general.parquet", "general", range(40))
    certify(folder, ["domain.parquet", "general.parquet"])
    command = [str(Path(sys.executable).with_name("dvc")), "repro", "--quiet", "mix"]
    paths = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    subprocess.run(command, cwd=checkout, check=True, env={**os.environ, "PATH": paths})


@pytest.fixture(scope="session")
def empty_checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A committed checkout in which no stage has run."""
    root = tmp_path_factory.mktemp("versions") / "checkout"
    (root / ".dvc").mkdir(parents=True)
    text = (CHECKOUT / "params.yaml").read_text(encoding="utf-8")
    small = {"mix.kilobytes": 8, "mix.domain_documents": 0.8, "mix.domain_questions": 0.0, "common.min_free_disk_mb": 0}
    (root / "params.yaml").write_text(with_changes(text, small), encoding="utf-8")
    (root / "dvc.yaml").write_text(DVC_YAML)
    (root / ".gitignore").write_text(IGNORED)
    (root / ".dvc/config").write_text("[core]\n    analytics = false\n    check_update = false\n")
    (root / ".dvc/.gitignore").write_text("/config.local\n/tmp\n/cache\n")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "first")
    return root


@pytest.fixture(scope="session")
def made(empty_checkout: Path) -> Path:
    """Two versions: of documents 0–39, and of 30–69; the second is still in the checkout."""
    root = Path(shutil.copytree(empty_checkout, empty_checkout.with_name("made")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCLIMATE_HOME", str(root))
        patch.chdir(root)
        for documents in (range(40), range(30, 70)):
            repro(root, documents)
            assert main(["dataset", "tag"]) == 0
    return root


@pytest.fixture
def checkout(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The checkout with two versions as the current folder; only for tests that leave it as it is."""
    monkeypatch.setenv("ACCLIMATE_HOME", str(made))
    monkeypatch.chdir(made)
    return made


@pytest.fixture
def names(checkout: Path) -> tuple[str, str]:
    """The older and the newer version."""
    listed = git(checkout, "tag", "--list", "dataset/*", "--format=%(refname:short) %(contents:subject)")
    found = [line.split()[0] for line in listed.splitlines()]
    parents = [name for name in found if '"parents": []' in git(checkout, "show", f"{name}:dataset/version.json")]
    return parents[0], next(name for name in found if name != parents[0])

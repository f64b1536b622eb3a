from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.files import sha256
from acclimate.release.pins import Package, closure
from acclimate.release.sbom import sbom

MANIFEST = {
    "model": "acclimate-law",
    "version": "3",
    "weights": "merged",
    "base": {"model": "owner/name", "revision": "c" * 40, "licence": "apache-2.0"},
    "base_sha256": "b" * 64,
    "adapter_sha256": "a" * 64,
    "dataset_sha256": "d" * 64,
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    return tmp_path


def made(model: Path, packages: list[Package], licences: list[str]) -> dict[str, Any]:
    """The bill of materials, shown to follow the published schema of CycloneDX 1.6."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = sbom(MANIFEST, model, packages, licences)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    found: dict[str, Any] = json.loads(text)
    return found


def component(bom: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (part for part in bom["components"] if part["name"] == name)
    return dict(found)


def test_the_model_is_listed_file_by_file_with_its_hashes(model: Path) -> None:
    served = component(made(model, [], ["MIT"]), "acclimate-law-merged")
    assert served["type"] == "machine-learning-model"
    (file,) = served["components"]
    digest = sha256(model / "model.safetensors")
    assert (file["name"], file["hashes"]) == ("model.safetensors", [{"alg": "SHA-256", "content": digest}])


def test_what_the_model_was_made_of_is_listed_with_hash_and_licence(model: Path) -> None:
    bom = made(model, [], ["CC-BY-4.0", "unknown"])
    base, data = component(bom, "owner/name"), component(bom, "acclimate-law-training-set")
    assert (base["version"], base["licenses"]) == ("c" * 40, [{"license": {"id": "Apache-2.0"}}])
    assert data["licenses"] == [{"license": {"id": "CC-BY-4.0"}}, {"license": {"name": "unknown"}}]
    assert data["hashes"] == [{"alg": "SHA-256", "content": "d" * 64}]
    depends = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    assert depends["model"] == ["adapter", "base", "training-set"]


def test_several_licences_of_which_one_is_an_expression_still_follow_the_schema(model: Path) -> None:
    data = component(made(model, [], ["MIT OR Apache-2.0", "MIT"]), "acclimate-law-training-set")
    assert data["licenses"] == [{"license": {"id": "MIT"}}, {"license": {"name": "MIT OR Apache-2.0"}}]


def test_packages_are_listed_with_version_licence_and_what_they_need(model: Path) -> None:
    packages = [Package("one", "1.0", "MIT", ("two",)), Package("two", "2.0", None, ())]
    bom = made(model, packages, ["MIT"])
    one = component(bom, "one")
    assert (one["version"], one["purl"], one["licenses"]) == ("1.0", "pkg:pypi/one@1.0", [{"license": {"id": "MIT"}}])
    assert "licenses" not in component(bom, "two")
    depends = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
    assert depends["pypi/one"] == ["pypi/two"]


def test_the_licences_of_the_packages_that_are_really_shipped_follow_the_schema(model: Path) -> None:
    bom = made(model, closure(["transformers", "model-signing"]), ["MIT"])
    assert component(bom, "transformers")["version"]

"""The bill of materials of a Bento: CycloneDX 1.6, JSON (ECMA-424).

    {"bomFormat": "CycloneDX", "specVersion": "1.6",
     "metadata": {"component": {"name": "acclimate-scientific-python", "version": "3", …}},
     "components": [{"type": "machine-learning-model", "name": "local:tiny", "hashes": [{"alg": "SHA-256", …}], …},
                    {"type": "library", "name": "torch", "version": "2.13.0", "purl": "pkg:pypi/torch@2.13.0", …}]}

Models and data come with their hashes. Packages come with none: which file of a version is installed depends on the
machine that installs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.files import sha256
from acclimate.release.pins import Package

if TYPE_CHECKING:
    from cyclonedx.model import HashType
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License


def sbom(manifest: Mapping[str, Any], model: Path, packages: Sequence[Package], data_licences: Iterable[str]) -> str:
    """The bill of materials as JSON.

    Args:
        manifest: of the Bento.
        model: the folder of the model that is served.
        packages: everything that is installed to serve it.
        data_licences: of the texts that it was adapted with.
    """
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6

    root = Component(name=manifest["model"], version=manifest["version"], type=ComponentType.APPLICATION)
    bom = Bom(metadata=BomMetaData(component=root))
    served = _served(manifest, model)
    made_of = _made_of(manifest, data_licences)
    libraries = {package.name: _library(package) for package in packages}
    for component in (served, *made_of, *libraries.values()):
        bom.components.add(component)
    bom.register_dependency(root, [served, *libraries.values()])
    bom.register_dependency(served, made_of)
    for package in packages:
        bom.register_dependency(libraries[package.name], [libraries[name] for name in package.needs])
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def _served(manifest: Mapping[str, Any], model: Path) -> Component:
    """The model that is served, file by file."""
    from cyclonedx.model.component import Component, ComponentType

    files = [
        Component(
            name=path.relative_to(model).as_posix(),
            type=ComponentType.FILE,
            hashes=[_sha256(sha256(path))],
            bom_ref=f"model/{path.relative_to(model).as_posix()}",
        )
        for path in sorted(model.rglob("*"))
        if path.is_file()
    ]
    return Component(
        name=f"{manifest['model']}-{manifest['weights']}",
        version=manifest["version"],
        type=ComponentType.MACHINE_LEARNING_MODEL,
        bom_ref="model",
        components=files,
    )


def _made_of(manifest: Mapping[str, Any], data_licences: Iterable[str]) -> list[Component]:
    """Base, adapter and training set."""
    from cyclonedx.model.component import Component, ComponentType

    base = manifest["base"]
    return [
        Component(
            name=base["model"],
            version=base["revision"],
            type=ComponentType.MACHINE_LEARNING_MODEL,
            hashes=[_sha256(manifest["base_sha256"])],
            licenses=_licences([base["licence"]]),
            bom_ref="base",
        ),
        Component(
            name=f"{manifest['model']}-adapter",
            version=manifest["version"],
            type=ComponentType.MACHINE_LEARNING_MODEL,
            hashes=[_sha256(manifest["adapter_sha256"])],
            bom_ref="adapter",
        ),
        Component(
            name=f"{manifest['model']}-training-set",
            version=manifest["dataset_sha256"][:12],
            type=ComponentType.DATA,
            hashes=[_sha256(manifest["dataset_sha256"])],
            licenses=_licences(data_licences),
            bom_ref="training-set",
        ),
    ]


def _library(package: Package) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        licenses=_licences([] if package.licence is None else [package.licence]),
        purl=PackageURL("pypi", name=package.name, version=package.version),
        bom_ref=f"pypi/{package.name}",
    )


def _licences(named: Iterable[str]) -> list[License]:
    """By SPDX id or expression where they are such; CycloneDX allows one expression alone, or several of the rest."""
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression

    licences = [LicenseFactory().make_from_string(name) for name in sorted(set(named))]
    if len(licences) == 1:
        return list(licences)
    return [
        DisjunctiveLicense(name=licence.value) if isinstance(licence, LicenseExpression) else licence
        for licence in licences
    ]


def _sha256(digest: str) -> HashType:
    from cyclonedx.model import HashAlgorithm, HashType

    return HashType(alg=HashAlgorithm.SHA_256, content=digest)

"""What a Bento needs where it is served: every package, directly or not, at the version that it was judged with."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution

from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

LONGEST_LICENCE = 64
"""Characters; a longer `License` field is the text of a licence, not its name (PEP 639 ended that use of it)."""
_CLASSIFIER = "License :: OSI Approved :: "
Need = tuple[NormalizedName, frozenset[str]]
"""A package, and the extras that are asked of it."""


@dataclass(frozen=True)
class Package:
    """An installed package: its name as indexes write it, its public version, what it says of its licence."""

    name: str
    version: str
    """Without a local part: torch 2.13.0+cpu and its CUDA build are the same release."""
    licence: str | None
    needs: tuple[str, ...]
    """Names of the packages that it needs on this machine."""


def closure(names: Iterable[str]) -> list[Package]:
    """The installed packages `names` and all that they need on this machine, by name.

    Raises:
        importlib.metadata.PackageNotFoundError: if one of them is not installed.
    """
    found: dict[str, Package] = {}
    seen: set[Need] = set()
    waiting: list[Need] = [(canonicalize_name(name), frozenset()) for name in names]
    while waiting:
        asked = waiting.pop()
        if asked in seen:
            continue
        seen.add(asked)
        name, extras = asked
        installed = distribution(name)
        needed = _needed(installed, extras)
        waiting += needed
        before = found[name].needs if name in found else ()
        needs = tuple(sorted({*before, *(other for other, _ in needed)}))
        found[name] = Package(name, Version(installed.version).public, licence(installed), needs)
    return sorted(found.values(), key=lambda package: package.name)


def requirements(packages: Iterable[Package]) -> str:
    """The packages as a requirements file in which every version is pinned."""
    return "".join(f"{package.name}=={package.version}\n" for package in packages)


def licence(installed: Distribution) -> str | None:
    """The SPDX expression of a package (PEP 639), else its `License` field, else its classifiers, else None."""
    metadata = installed.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    field = metadata["License"].strip() if "License" in metadata else ""
    if field and "\n" not in field and len(field) <= LONGEST_LICENCE and field.upper() != "UNKNOWN":
        return field
    classifiers = metadata.get_all("Classifier") or []
    named = sorted(line.removeprefix(_CLASSIFIER) for line in classifiers if line.startswith(_CLASSIFIER))
    return ", ".join(named) or None


def _needed(installed: Distribution, extras: frozenset[str]) -> list[Need]:
    """What `installed` with `extras` needs here."""
    needed = []
    for line in installed.requires or []:
        requirement = Requirement(line)
        environments = [{"extra": extra} for extra in (*extras, "")]
        if requirement.marker is None or any(requirement.marker.evaluate(e) for e in environments):
            needed.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return needed

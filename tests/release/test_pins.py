from __future__ import annotations

from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

from acclimate.release.pins import Package, closure, licence, requirements


def install(site: Path, name: str, *lines: str) -> PathDistribution:
    """A package as pip leaves it: its metadata alone."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    text = "\n".join(["Metadata-Version: 2.4", f"Name: {name}", "Version: 1.0+cpu", *lines]) + "\n"
    (folder / "METADATA").write_text(text, encoding="utf-8")
    return PathDistribution(folder)


def test_everything_that_is_needed_here_is_pinned_at_its_public_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(tmp_path, "One_Package", "Requires-Dist: two[fast]>=1", 'Requires-Dist: three; sys_platform == "nowhere"')
    install(tmp_path, "two", 'Requires-Dist: four; extra == "fast"', 'Requires-Dist: five; extra == "slow"')
    install(tmp_path, "four", "Requires-Dist: two")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = closure(["one.package"])
    assert requirements(found) == "four==1.0\none-package==1.0\ntwo==1.0\n"
    assert {package.name: package.needs for package in found} == {
        "one-package": ("two",),
        "two": ("four",),
        "four": ("two",),
    }


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["License-Expression: MIT", "License: something else"], "MIT"),
        (["License: BSD-3-Clause"], "BSD-3-Clause"),
        (["License: UNKNOWN", "Classifier: License :: OSI Approved :: MIT License"], "MIT License"),
        ([f"License: {'All rights ' * 20}", "Classifier: License :: OSI Approved :: ISC License"], "ISC License"),
        (["Classifier: Programming Language :: Python"], None),
    ],
)
def test_a_licence_is_what_the_package_says_most_exactly(tmp_path: Path, lines: list[str], said: str | None) -> None:
    assert licence(install(tmp_path, "one", *lines)) == said


def test_a_package_without_needs_stands_alone() -> None:
    assert requirements([Package("a", "1.0", None, ())]) == "a==1.0\n"

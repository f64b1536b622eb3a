import sys
from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import PythonDocsSource
from acclimate.core.records import Document, Reject
from acclimate.data.sources.python_docs import group_of, package_versions, read_documents


def _source(*packages: str) -> PythonDocsSource:
    return PythonDocsSource(
        kind="python_docs", name="docs", domain="tools", packages=list(packages), licence="BSD-3-Clause"
    )


@pytest.fixture
def shed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An importable package whose import would fail."""
    package = tmp_path / "shedpackage"
    (package / "tests").mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (package / "saws.py").write_text('def cut():\n    """Cut a plank of wood in two."""\n')
    (package / "tests" / "test_saws.py").write_text('def test_cut():\n    """Not documentation of the package."""\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    return package


def test_a_docstring_becomes_a_document_and_a_pair_of_the_same_group(shed: Path) -> None:
    records = [record for record in read_documents(_source("shedpackage")) if isinstance(record, Document)]
    assert [(record.type, record.text) for record in records] == [
        ("raw_text", "shedpackage.saws.cut\n\nCut a plank of wood in two."),
        ("qa_pair", "Question: What does shedpackage.saws.cut do?\nAnswer: Cut a plank of wood in two."),
    ]
    assert {(r.group, r.domain, r.source, r.licence) for r in records} == {
        ("shedpackage.cut", "tools", "docs", "BSD-3-Clause")
    }


def test_a_package_is_read_without_being_imported(shed: Path) -> None:
    list(read_documents(_source("shedpackage")))
    assert "shedpackage" not in sys.modules


def test_a_file_that_is_no_python_is_rejected_by_name(shed: Path) -> None:
    (shed / "old.py").write_text("print 'Python 2'\n")
    rejects = [record for record in read_documents(_source("shedpackage")) if isinstance(record, Reject)]
    assert [(reject.origin, reject.reason) for reject in rejects] == [("shedpackage/old.py", "not parsable")]


@pytest.mark.parametrize("package", ["no_such_package_anywhere", "not a name", "os.path"])
def test_a_package_that_is_not_installed_is_a_fault_of_the_user(package: str) -> None:
    with pytest.raises(UserError, match="is not installed"):
        list(read_documents(_source(package)))


def test_the_standard_library_brings_its_docstrings_and_the_language_reference() -> None:
    records = [record for record in read_documents(_source("stdlib")) if isinstance(record, Document)]
    titles = {record.text.split("\n")[0] for record in records if record.type == "raw_text"}
    assert {"json.dumps", "decimal.Decimal.sqrt", "lambda"} <= titles
    assert not any(title.startswith(("test.", "idlelib.", "lib2to3.")) for title in titles)


def test_versions_are_the_distributions_and_pythons_own() -> None:
    import numpy

    assert package_versions(_source("numpy", "stdlib")) == {
        "numpy": numpy.__version__,
        "stdlib": ".".join(map(str, sys.version_info[:3])),
    }


@pytest.mark.parametrize(
    ("name", "group"),
    [("numpy.ndarray.argsort", "numpy.argsort"), ("numpy.argsort", "numpy.argsort"), ("pandas", "pandas")],
)
def test_what_a_package_says_twice_under_one_last_name_is_one_group(name: str, group: str) -> None:
    assert group_of(name) == group

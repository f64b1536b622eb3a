"""The source `python_docs`: the documentation of installed packages as documents and question-answer pairs.

    {"text": "numpy.savetxt ⏎⏎ Save an array to a text file. …", "type": "raw_text", "group": "numpy.savetxt", …}
    {"question": "What does numpy.savetxt do?", "answer": "Save an array to a text file.", …}

Packages are located, never imported; their files are read in sorted order, so that one lock file gives
one corpus. 'stdlib' means the standard library's docstrings and the language reference in
pydoc_data.topics (the text behind `help("lambda")`).
"""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import os
import platform
import re
import sysconfig
from collections.abc import Iterator
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.params import PythonDocsSource
from acclimate.core.records import Document, Reject, document_id, pair_text
from acclimate.data.sources.docstrings import Docstring, module_docstrings
from acclimate.data.sources.questions import question_and_answer

STDLIB = "stdlib"
_TOPICS = "pydoc_data.topics"
# Tests, vendored copies of other projects, and programs that come with Python without being its library.
_SKIPPED = frozenset(
    {"test", "tests", "testing", "_test", "benchmarks", "idlelib", "lib2to3", "ensurepip", "turtledemo", "pydoc_data"}
    | {"_lib", "_vendor", "vendor", "_vendored", "externals", "array_api_compat", "array_api_extra"}
    | {"site-packages", "dist-packages", "lib-dynload", "__pycache__"}
)
# Public modules whose Python source is a file with a private name.
_PUBLIC_NAMES = {"_collections_abc": "collections.abc", "_pydecimal": "decimal", "_pyio": "io"}


def read_documents(source: PythonDocsSource) -> Iterator[Document | Reject]:
    """Each docstring of the source's packages as a document, followed by its pair where it has a usable summary.

    A file that cannot be parsed is one Reject.

    Raises:
        UserError: if a package is not installed.
    """
    for package in source.packages:
        root, module = _locate(package)
        for path in _python_files(root):
            origin = "/".join([*module, path.relative_to(root).as_posix()])
            try:
                docstrings = _file_docstrings(path, origin)
            except (SyntaxError, ValueError) as fault:
                yield Reject(document_id(source.name, origin), source.name, origin, "not parsable", str(fault), "")
                continue
            for docstring in docstrings:
                yield from _documents(source, docstring)
        if package == STDLIB:
            for topic in _topics(root):
                yield from _documents(source, topic)


def package_versions(source: PythonDocsSource) -> dict[str, str]:
    """What each package of the source was when it was read: its distribution's version, or Python's own."""
    distributions = importlib.metadata.packages_distributions() if source.packages != [STDLIB] else {}
    versions = {}
    for package in source.packages:
        names = distributions.get(package, [])
        versions[package] = importlib.metadata.version(names[0]) if names else platform.python_version()
    return versions


def _file_docstrings(path: Path, origin: str) -> list[Docstring]:
    parts = origin.rpartition(".")[0].split("/")
    parts[0] = _PUBLIC_NAMES.get(parts[0], parts[0])
    text = path.read_text(encoding="utf-8", errors="replace")
    return module_docstrings(text, ".".join(parts).removesuffix(".__init__"))


def _locate(package: str) -> tuple[Path, list[str]]:
    """The directory of a package and the module path that it stands for."""
    if package == STDLIB:
        return Path(sysconfig.get_path("stdlib")), []
    # Only a top-level name is looked up without importing anything.
    spec = importlib.util.find_spec(package) if package.isidentifier() else None
    if spec is None or not spec.submodule_search_locations:
        raise UserError(
            f"the Python package {package!r} is not installed",
            why="its documentation was to be part of the corpus",
            fix="install it, or remove it from `packages` of its source under ingest.sources in params.yaml",
        )
    return Path(next(iter(spec.submodule_search_locations))), [package]


def _python_files(root: Path) -> Iterator[Path]:
    for directory, names, files in os.walk(root):
        # Folders such as config-3.11-x86_64-linux-gnu hold build settings.
        names[:] = sorted(name for name in names if name not in _SKIPPED and not name.startswith("config-"))
        for name in sorted(files):
            if re.search(r"\.pyi?$", name) and not name.startswith(("test_", "conftest.")):
                yield Path(directory, name)


def _topics(stdlib: Path) -> Iterator[Docstring]:
    """The language reference: one dictionary literal of topic to text."""
    tree = ast.parse((stdlib / "pydoc_data" / "topics.py").read_text(encoding="utf-8"))
    values = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    assert len(values) == 1, "pydoc_data.topics is one assignment"
    for topic, text in sorted(ast.literal_eval(values[0] or "").items()):
        yield Docstring(f"{_TOPICS}.{topic}", "module", text.strip())


def _documents(source: PythonDocsSource, docstring: Docstring) -> Iterator[Document]:
    title = docstring.name.removeprefix(f"{_TOPICS}.")
    yield _document(source, docstring, f"{title}\n\n{docstring.text}")
    asked = question_and_answer(docstring)
    if asked is not None:
        yield _document(source, docstring, pair_text(*asked), *asked)


def _document(
    source: PythonDocsSource, docstring: Docstring, text: str, question: str | None = None, answer: str | None = None
) -> Document:
    return Document(
        id=document_id(source.name, text),
        text=text,
        source=source.name,
        type="raw_text" if question is None else "qa_pair",
        licence=source.licence,
        domain=source.domain,
        group=group_of(docstring.name),
        question=question,
        answer=answer,
    )


def group_of(name: str) -> str:
    """What may not be told apart by a split: the objects of a package that share their last name.

    `numpy.argsort` and `numpy.ndarray.argsort` are one text told twice, like the methods that subclasses
    repeat. With whole names as groups, and near-duplicate clusters (Jaccard of 5-grams ≥ 0.5) kept
    together, 9.5 % of held-out documents still stood more than half (of their 13-grams) in training
    documents; with these groups 4.5 %. The largest cluster (fit, predict, transform, …) then holds 6 % of
    the domain's documents.
    """
    package, _, rest = name.lower().partition(".")
    return f"{package}.{rest.rpartition('.')[2]}" if rest else package

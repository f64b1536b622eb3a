"""dvc.yaml names every module that a stage runs: a change in one re-runs the stage."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from dvc.repo import Repo

from acclimate.pipeline import STAGES
from orchestration.graph import read_graph

CHECKOUT = Path(__file__).parents[2]
INCLUDE = CHECKOUT / "include"
# Need not be deps. They carry records, dials and messages without deciding what is in an output: were they deps of
# every stage, a reworded error would train every model again.
PLUMBING = {
    f"include/acclimate/core/{name}.py"
    for name in ("corpus", "errors", "files", "home", "locks", "progress", "records", "reports")
}


@cache
def imported(module: Path) -> frozenset[Path]:
    """The acclimate modules that `module` imports at run time, anywhere in its body."""
    found = set()
    for node in _runtime_nodes(ast.parse(module.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            # `from acclimate.model import score` names a module, `from acclimate.model.score import run` does not.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        paths = (INCLUDE / f"{name.replace('.', '/')}.py" for name in names if name.startswith("acclimate."))
        found |= {path for path in paths if path.exists()}
    return frozenset(found)


def _runtime_nodes(tree: ast.AST) -> list[ast.AST]:
    nodes = []
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING":
            continue
        nodes += [child, *_runtime_nodes(child)]
    return nodes


def closure(module: Path) -> set[str]:
    """`module` and everything it imports, directly or not; the plumbing, but not what only the plumbing imports."""
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = str(waiting[-1].relative_to(CHECKOUT))
        current = waiting.pop()
        if name not in seen:
            seen.add(name)
            waiting += [] if name in PLUMBING else imported(current)
    return seen


@pytest.mark.parametrize("name", STAGES)
def test_every_module_that_a_stage_imports_is_a_dep_and_no_other_is(name: str) -> None:
    used = closure(INCLUDE / f"{STAGES[name].module.replace('.', '/')}.py")
    named = {dep for dep in read_graph(CHECKOUT)[name].deps if dep.startswith("include/") and dep.endswith(".py")}
    assert sorted(used - PLUMBING - named) == []
    assert sorted(named - used) == []


def test_our_reading_of_dvc_yaml_is_the_graph_that_dvc_sees() -> None:
    theirs = {
        stage.addressing: {upstream.addressing for upstream in graph.successors(stage)}
        for graph in [Repo(str(CHECKOUT)).index.graph]
        for stage in graph.nodes
    }
    assert {name: set(node.upstream) for name, node in read_graph(CHECKOUT).items()} == theirs


def test_dvc_sees_the_same_params_and_outs() -> None:
    graph = read_graph(CHECKOUT)
    for stage in Repo(str(CHECKOUT)).index.stages:
        node = graph[stage.addressing]
        assert {str(out.def_path) for out in stage.outs} == set(node.outs)
        assert {key for dep in stage.deps for key in getattr(dep, "params", [])} == set(node.params)

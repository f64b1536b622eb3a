from __future__ import annotations

import ast
from pathlib import Path

import acclimate
from acclimate.core.libraries import SERVED_WITHOUT
from acclimate.release.contents import SHIPPED

OWN = Path(acclimate.__file__).parent


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    names |= {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names}


def test_the_service_imports_nothing_that_its_process_sets_aside() -> None:
    shipped = {path for name in SHIPPED for path in OWN.glob(name)}
    assert OWN / "core/libraries.py" in shipped
    assert {path.name: found for path in shipped if (found := imported(path) & set(SERVED_WITHOUT))} == {}

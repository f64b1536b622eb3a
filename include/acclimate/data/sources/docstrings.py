"""Docstrings of Python source text, found by reading its syntax tree: nothing is imported or run.

    found = module_docstrings(source, "numpy.lib._npyio_impl")
    found[3]     # Docstring(name="numpy.savetxt", kind="function", text="Save an array to a text file. …")

A docstring is listed under the name its readers use: a private module stands for the public package
around it (`scipy.stats._stats_py.zscore` is `scipy.stats.zscore`), and where numpy and pandas say the
public place themselves (`@set_module("pandas")`, a dispatcher made with `module="numpy"`), that holds.
C extensions document themselves through calls of numpy's `add_newdoc`; those count too.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["module", "class", "function"]
_DISPATCHER = "array_function_dispatch"
Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Docstring:
    """The documentation of one public object."""

    name: str
    """Qualified public name, e.g. 'numpy.ndarray.argsort'."""
    kind: Kind
    text: str
    """Indentation removed as inspect.cleandoc does; never empty."""


def module_docstrings(source: str, module: str) -> list[Docstring]:
    """Every docstring of a module: its own, its public classes' and functions', their methods', and add_newdoc's.

    Args:
        source: the module's text.
        module: its dotted path.

    Raises:
        SyntaxError: if the text is not Python of the running version.
        ValueError: if it holds a NUL character.
    """
    tree = ast.parse(source)
    found = list(_defined(tree, module))
    if "add_newdoc(" in source:
        calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call) and _called(node) == "add_newdoc")
        found += [doc for call in calls for doc in _add_newdoc(call, module)]
    return found


def public_module(module: str) -> str:
    """The package a reader would look in: `module` up to its first private part.

    A top-level private module (`_pydecimal`) has no public package around it and keeps its name.
    """
    parts = module.split(".")
    private = [index for index, part in enumerate(parts) if part.startswith("_")]
    return ".".join(parts[: private[0]]) if private and private[0] > 0 else module


def _defined(tree: ast.Module, module: str) -> Iterator[Docstring]:
    public = public_module(module)
    # A private module's own docstring describes an implementation, under a name that the package has already.
    if public == module and (text := ast.get_docstring(tree)):
        yield Docstring(module, "module", text)
    dispatched = _dispatched_module(tree) or public
    for node in _public_definitions(tree):
        name = f"{_decorated_module(node, dispatched) or public}.{node.name}"
        yield from _own(node, name)
        if isinstance(node, ast.ClassDef):
            for member in _public_definitions(node):
                yield from _own(member, f"{name}.{member.name}")


def _public_definitions(node: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    for child in node.body:
        if isinstance(child, Definition) and not child.name.startswith("_"):
            yield child


def _own(node: Definition, name: str) -> Iterator[Docstring]:
    if text := ast.get_docstring(node):
        yield Docstring(name, "class" if isinstance(node, ast.ClassDef) else "function", text)


def _decorated_module(node: Definition, dispatched: str) -> str | None:
    """Where a decorator puts the object: `@set_module("pandas")` says it, `@array_function_dispatch` implies it."""
    for decorator in node.decorator_list:
        if not isinstance(decorator, ast.Call):
            continue
        if _called(decorator) == _DISPATCHER:
            return dispatched
        if _called(decorator) == "set_module" and decorator.args:
            return _literal_text(decorator.args[0])
    return None


def _dispatched_module(tree: ast.Module) -> str | None:
    """The module in `array_function_dispatch = functools.partial(…, module="numpy.linalg")`, numpy's own idiom."""
    for node in tree.body:
        match node:
            case ast.Assign(
                targets=[ast.Name(id=name)], value=ast.Call(keywords=[ast.keyword(arg="module", value=at)])
            ):
                if name == _DISPATCHER:
                    return _literal_text(at)
    return None


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _add_newdoc(call: ast.Call, module: str) -> Iterator[Docstring]:
    """The three forms: (place, name, text), (place, name, (member, text)), and scipy.special's (name, text).

    Calls whose parts are computed (in loops over type names) are left out: reading them means running them.
    """
    match call.args:
        case [place, name, ast.Tuple(elts=[member, text])]:
            parts = [_literal_text(part) for part in (place, name, member)]
        case [place, name, text]:
            parts = [_literal_text(part) for part in (place, name)]
        case [name, text]:
            parts = [public_module(module), _literal_text(name)]
        case _:
            return
    written = _literal_text(text)
    names = [part for part in parts if part is not None]
    if written is None or len(names) < len(parts) or any(name.startswith("_") for name in names[1:]):
        return
    if cleaned := inspect.cleandoc(written).strip():
        yield Docstring(".".join([public_module(names[0]), *names[1:]]), "function", cleaned)


def _literal_text(node: ast.expr) -> str | None:
    """The string a node stands for: a literal, or a literal with a placeholder replaced by something computed."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Call(func=ast.Attribute(value=ast.Constant(value=str(text)), attr="replace"), args=[placeholder, _]):
            old = _literal_text(placeholder)
            return text if old is None else text.replace(old, "")
    return None

"""Which files below inputs/ a source reads: those its pattern names, in order of path.

Names that begin with a dot are passed over, notes of whoever put the files there, and so is what no document is made
of: this folder's README, what models are judged by in evaluation/, tasks/ and behaviour/, the pairs of answers in
preference/, and for a source of files the mirrors in fetched/. A symbolic link that leads out of inputs/ is refused,
because DVC would not see a change behind it, and neither would a reader of params.yaml.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from acclimate.core.errors import UserError
from acclimate.core.params import FilesSource, Reading
from acclimate.data.sources.content import Fault, is_utf8

_NOT_FOR_TRAINING = ("README.md", "evaluation", "tasks", "behaviour", "preference")
_FETCHED = "fetched"
"""Each folder in it is the mirror of one remote source, and that source's alone to read."""


def matching_files(source: Reading, pattern: str, inputs: Path) -> list[Path | Fault]:
    """The files that `pattern` names below `inputs`, sorted.

    A link that leads out of it is a Fault, and so is a file whose name, or whose folder's, is not UTF-8.

    Raises:
        UserError: if there is none, `pattern` is no pattern, or it leads out of inputs/.
    """
    if ".." in PurePosixPath(pattern).parts:
        raise UserError(
            f"the source {source.name!r} reads inputs/{pattern}, which leads out of inputs/",
            why="DVC watches inputs/; a change elsewhere would not re-run ingest",
            fix="put the files below inputs/ and change its `path` in params.yaml",
        )
    try:
        paths = sorted(path for path in inputs.glob(pattern) if _is_read(path.relative_to(inputs), source))
    except ValueError as fault:
        raise UserError(
            f"the source {source.name!r} reads inputs/{pattern}: {fault}",
            why="no file can be found by it",
            fix="change its `path` in params.yaml, e.g. to inputs/*.jsonl or inputs/**/*.jsonl",
        ) from None
    links = [_outside(path, inputs) for path in _linked_folders(source, pattern, inputs)]
    found = [_checked(path, inputs) for path in paths if path.is_file() or path.is_symlink()]
    if not any(isinstance(path, Path) for path in found):
        raise _nothing_found(source, pattern, inputs, [*found, *links])
    return [*found, *links]


def _is_read(relative: Path, source: Reading) -> bool:
    others = (*_NOT_FOR_TRAINING, _FETCHED) if isinstance(source, FilesSource) else _NOT_FOR_TRAINING
    return relative.parts[0] not in others and not any(part.startswith(".") for part in relative.parts)


def _checked(path: Path, inputs: Path) -> Path | Fault:
    if not _stays_inside(path, inputs):
        return _outside(path, inputs)
    name = path.relative_to(inputs).as_posix()
    return path if is_utf8(name) else Fault(name, "name is not UTF-8", "no record could say where it comes from")


def _stays_inside(path: Path, inputs: Path) -> bool:
    return path.resolve().is_relative_to(inputs.resolve()) and path.is_file()


def _outside(path: Path, inputs: Path) -> Fault:
    detail = "copy the files instead: DVC would not see a change behind the link"
    return Fault(path.relative_to(inputs).as_posix(), "symbolic link out of inputs/", detail)


def _linked_folders(source: Reading, pattern: str, inputs: Path) -> Iterator[Path]:
    """Linked folders that '**' would lead into if it followed links: they are told of, not passed over in silence."""
    fixed, recursive, _ = pattern.partition("**")
    if not recursive:
        return
    for folder, names, _files in os.walk(inputs / fixed):
        for name in sorted(names):
            path = Path(folder, name)
            if (
                path.is_symlink()
                and _is_read(path.relative_to(inputs), source)
                and not _stays_in_as_folder(path, inputs)
            ):
                yield path


def _stays_in_as_folder(path: Path, inputs: Path) -> bool:
    return path.resolve().is_relative_to(inputs.resolve())


def _nothing_found(source: Reading, pattern: str, inputs: Path, refused: list[Path | Fault]) -> UserError:
    links = f" (refused: {refused[0]})" if refused else ""
    if isinstance(source, FilesSource):
        fix = "put files there (inputs/README.md shows what they may hold), or change the source in params.yaml"
    else:
        fix = "run `acclimate fetch`, which brings its content there"
    return UserError(
        f"no file matches inputs/{pattern}, the path of the source {source.name!r}{links}",
        why="the source would contribute nothing to the corpus",
        fix=fix,
    )

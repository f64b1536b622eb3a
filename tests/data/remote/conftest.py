from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from acclimate.data.remote.mirror import Place

Tree = dict[str, tuple[bytes, int, int]]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.of(tmp_path, "shelf")


@pytest.fixture
def tree() -> Callable[[Place], Tree]:
    """What lies in a mirror: name to content, inode and time of change."""

    def seen(place: Place) -> Tree:
        stats = [(path, path.stat()) for path in sorted(place.mirror.iterdir())]
        return {path.name: (path.read_bytes(), stat.st_ino, stat.st_mtime_ns) for path, stat in stats}

    return seen

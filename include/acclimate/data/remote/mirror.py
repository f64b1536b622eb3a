"""The local copy of a remote source, always whole: inputs/fetched/<source>/ and what is known about it.

    inputs/fetched/papers/.manifest.json        what the remote side called it, its version, our name for it
    inputs/fetched/papers/part-1-9f2c….jsonl    the content, byte for byte
    .acclimate/fetch/papers/                    what is half-done; a killed fetch goes on from there

A fetch builds the next state beside the present one, with hard links to what has not changed, and swaps the two
folders. So `ingest` never reads a mixture of two states, and a failed fetch leaves the last one as it was.
Where nothing changed, nothing is touched: no file time, no byte, so DVC sees no change either. The manifest holds
no time of a fetch for the same reason.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from acclimate.core.files import read_json, write_json

MANIFEST = ".manifest.json"


@dataclass(frozen=True)
class Place:
    """Where one source is fetched to."""

    root: Path
    """The main checkout."""
    mirror: Path
    work: Path
    """For what is half-done; on the same file system as `mirror`, where DVC and runs do not look."""

    @classmethod
    def of(cls, root: Path, source: str) -> Place:
        """The folders of `source` in the checkout `root`."""
        return cls(root, root / "inputs/fetched" / source, root / ".acclimate/fetch" / source)


@dataclass(frozen=True)
class Item:
    """One file of the mirror."""

    file: str
    version: str
    """What the remote side calls this state of it; equal versions have equal content."""
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a mirror holds, and what it no longer does."""

    origin: str
    """Where it comes from, without secrets."""
    items: dict[str, Item] = field(default_factory=dict)
    """By what the remote side calls them."""
    removed: dict[str, str] = field(default_factory=dict)
    """What the remote side has taken away, and its last version: the tombstones."""
    refused: dict[str, str] = field(default_factory=dict)
    """What was not copied, and why."""


@dataclass(frozen=True)
class Fetched:
    """What one fetch of one source found, counted in `unit`."""

    unit: str
    new: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    refused: int = 0
    bytes: int = 0
    """That came in."""

    def line(self) -> str:
        """'3 objects new, 1 changed, 120 unchanged, 2 removed, 1.4 MB'."""
        refused = f", {self.refused} refused (see {MANIFEST})" if self.refused else ""
        counts = f"{self.new:,} {self.unit} new, {self.changed:,} changed, {self.unchanged:,} unchanged"
        return f"{counts}, {self.removed:,} removed{refused}, {self.bytes / 1e6:.1f} MB"


def present(place: Place) -> Manifest | None:
    """What the last fetch left in the mirror; None before the first one."""
    previous = place.work / "previous"
    if previous.exists() and not place.mirror.exists():  # killed between the two renames of replace()
        os.replace(previous, place.mirror)
    path = place.mirror / MANIFEST
    if not path.exists():
        return None
    stored = read_json(path)
    items = {key: Item(**item) for key, item in stored.pop("items").items()}
    return Manifest(**stored, items=items)


def intact(place: Place, manifest: Manifest | None) -> dict[str, Item]:
    """The items whose files are there and as long as they should be; the others have to be fetched again."""
    items = manifest.items if manifest else {}
    return {key: item for key, item in items.items() if _is_whole(place.mirror / item.file, item.bytes)}


def replace(place: Place, manifest: Manifest, fresh: Mapping[str, Path]) -> None:
    """Make the mirror what `manifest` says.

    Args:
        place: of the source.
        manifest: the new state.
        fresh: file name to where its content was put; it stays there too, for a fetch that has to begin again.
            Every other file is the mirror's own.
    """
    if manifest == present(place) and intact(place, manifest) == manifest.items:
        strays = {path.name for path in place.mirror.iterdir()} - {item.file for item in manifest.items.values()}
        if strays == {MANIFEST}:
            return
    following, previous = place.work / "next", place.work / "previous"
    for folder in (following, previous):
        shutil.rmtree(folder, ignore_errors=True)
    following.mkdir(parents=True)
    for item in manifest.items.values():
        os.link(fresh.get(item.file, place.mirror / item.file), following / item.file)
    write_json(following / MANIFEST, asdict(manifest))
    place.mirror.parent.mkdir(parents=True, exist_ok=True)
    if place.mirror.exists():
        os.replace(place.mirror, previous)
    os.replace(following, place.mirror)
    shutil.rmtree(previous, ignore_errors=True)


def _is_whole(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size

"""The source `huggingface`: a dataset of the hub, or a folder in its form, as JSONL shards.

Read as a stream, so that a dataset of any size needs the memory of one shard. A hub dataset is pinned to a commit:
while that, the split and the limit stay, nothing is downloaded again. No code of a dataset is ever run (`datasets`
does not since 4.0; nothing here asks it to). A killed fetch goes on after the last whole shard.
A gated dataset needs HF_TOKEN in the environment.
"""

from __future__ import annotations

import hashlib
import json
import math
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, time
from itertools import islice
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256, write_json
from acclimate.core.params import HuggingFaceSource
from acclimate.core.progress import progress
from acclimate.data.remote.faults import UnreachableError, one_line
from acclimate.data.remote.mirror import Fetched, Item, Manifest, Place, intact, present, replace
from acclimate.data.remote.shards import shards


@dataclass
class Progress:
    """How far the stream was read: what a killed fetch goes on from."""

    origin: str
    state: dict[str, Any] | None = None
    """Of the stream, after the last whole shard."""
    records: int = 0
    files: dict[str, int] = field(default_factory=dict)
    """Shard to its bytes."""


def fetch(source: HuggingFaceSource, place: Place) -> Fetched:
    """Bring the mirror to the records of the dataset.

    Raises:
        UserError: if there is no such dataset, configuration or split, it is not ours to read, or it is broken.
        UnreachableError: if the hub does not answer.
    """
    before = present(place)  # first, since it mends what a killed fetch left
    origin = _origin(source, place.root)
    known = intact(place, before)
    if before and before.origin == origin and known == before.items:
        return Fetched("shards", unchanged=len(known))
    streamed = _stream(source, place, origin)
    items = {file: Item(file, file, size) for file, size in sorted(streamed.files.items())}
    new = items.keys() - known.keys()
    replace(place, Manifest(origin, items), {file: place.work / "shards" / file for file in new})
    shutil.rmtree(place.work / "shards", ignore_errors=True)
    (place.work / "progress.json").unlink(missing_ok=True)
    return Fetched(
        unit="shards",
        new=len(new),
        unchanged=len(items) - len(new),
        removed=len(known.keys() - items.keys()),
        bytes=sum(items[file].bytes for file in new),
    )


def _origin(source: HuggingFaceSource, root: Path) -> str:
    """What the records follow from: equal origins have equal records."""
    version = f"files {_folder_hash(source, root)}" if source.is_folder else f"commit {source.revision}"
    chosen = {"config": source.config, "files": source.data_files, "split": source.split, "records": source.max_records}
    named = [f"{name} {value}" for name, value in chosen.items() if value is not None]
    return ", ".join([f"huggingface:{source.dataset}", version, *named])


def _folder_hash(source: HuggingFaceSource, root: Path) -> str:
    folder = root / source.dataset
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {source.dataset}",
            why="its documents would be missing from the corpus",
            fix="mend `dataset`: a folder relative to the checkout, or a hub id with a `revision`",
        )
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = "".join(f"{path.relative_to(folder).as_posix()}\0{sha256(path)}\n" for path in files)
    return hashlib.sha256(listed.encode()).hexdigest()[:16]


def _stream(source: HuggingFaceSource, place: Place, origin: str) -> Progress:
    """Write what is not written yet into work/shards."""
    folder, journal = place.work / "shards", place.work / "progress.json"
    done = Progress(**read_json(journal)) if journal.exists() else Progress(origin)
    if done.origin != origin:
        done = Progress(origin)
    if done.state is None:
        shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    with _told(source):
        dataset = _opened(source, place)
        if done.state is not None:
            dataset.load_state_dict(done.state)
        left = None if source.max_records is None else source.max_records - done.records
        records = progress(islice(dataset, left), f"fetching {source.name}", unit="record")
        for content in shards(_lines(records)):
            file = _unused_name(content, done.files)
            (folder / file).write_bytes(content)
            done.files[file] = len(content)
            done.records += content.count(b"\n")
            done.state = dataset.state_dict()
            write_json(journal, asdict(done))  # last: what it names is whole
    return done


def _opened(source: HuggingFaceSource, place: Place) -> Any:
    import datasets

    if not source.is_folder and Path(source.dataset).exists():
        raise UserError(
            f"{source.dataset!r} is to be the hub's, and a folder of this name stands here too",
            why="the library would read the folder, whatever `revision` says",
            fix=f"write ./{source.dataset} for the folder, or run the command elsewhere",
        )
    datasets.disable_progress_bars()
    dataset = datasets.load_dataset(
        str((place.root / source.dataset).resolve()) if source.is_folder else source.dataset,
        name=source.config,
        data_files=source.data_files,
        split=source.split,
        revision=source.revision,
        streaming=True,
        cache_dir=str(place.work / "cache"),
    )
    # Pictures and sound stay the bytes that they are, which _plain() leaves out.
    return dataset.decode(False) if dataset.features else dataset


def _lines(records: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    for record in records:
        yield json.dumps(_plain(record), ensure_ascii=False, allow_nan=False).encode() + b"\n"


def _plain(value: Any) -> Any:
    """`value` as JSON can say it; what it cannot (not-a-number, bytes) becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes) or (isinstance(value, float) and not math.isfinite(value)):
        return None
    return value if isinstance(value, str | int | float | None) else str(value)


def _unused_name(content: bytes, files: dict[str, int]) -> str:
    """A name from the content; a shard that comes twice is there twice, nothing is lost here."""
    name = hashlib.sha256(content).hexdigest()[:16]
    file, times = f"{name}.jsonl", 1
    while file in files:
        times += 1
        file = f"{name}-{times}.jsonl"
    return file


@contextmanager
def _told(source: HuggingFaceSource) -> Iterator[None]:
    """Turn what `datasets` raises (it has no common ancestor) into what to do.

    Of records that do not fit together, a column that is a number here and an object there, it says so with
    whatever its reading ran into: TypeError, KeyError, AttributeError.
    """
    from datasets.exceptions import DatasetsError
    from httpx2 import HTTPError

    try:
        yield
    except (DatasetsError, OSError, HTTPError, ValueError, RuntimeError, TypeError, KeyError, AttributeError) as fault:
        # What the hub says of a dataset comes as a DatasetsError; a plain OSError says that it was not to be asked.
        passing = isinstance(fault, OSError | HTTPError) and not isinstance(fault, DatasetsError)
        unreachable = passing and not source.is_folder
        fix = (
            "see that the hub can be reached, then run `acclimate fetch` again"
            if unreachable
            else "mend `dataset`, `revision`, `config`, `data_files` or `split`; a gated dataset needs HF_TOKEN"
        )
        raise (UnreachableError if unreachable else UserError)(
            f"huggingface:{source.dataset}: {one_line(fault)}",
            why="its documents would be missing from the corpus, or be those of the last fetch",
            fix=fix,
        ) from None

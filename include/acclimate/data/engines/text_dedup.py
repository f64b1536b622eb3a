"""dedup with the published package text-dedup (0.4.0): MinHash with its own words and bands, and no check of a pair.

Texts that share a band are one set; nothing compares them. What that costs is in docs/data.md and, measured on one
input, in bench/results/dedup.md. Which of a set survives, and how similar the others are to it, is worked out here as
for every engine.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.files import read_json, write_json
from acclimate.data.engines import process, text_dedup_job
from acclimate.data.engines.environments import engine_python
from acclimate.data.similarity.copies import Copies, similarities, superfluous
from acclimate.data.similarity.sketches import PERMUTATIONS, Banding, Nearness, spill, text_batches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Places = NDArray[np.int64]
    Texts = tuple[NDArray[np.uint8], Places]

ENGINE = "text-dedup"


def find_each(
    paths: Sequence[Path], nearness: Nearness, *, scratch: Path, threads: int
) -> tuple[list[Copies], Banding]:
    """What text-dedup finds in each of these files, and the banding that it chose.

    Raises:
        UserError: if its environment was not made, or it fails.
    """
    request = {
        "paths": [str(path.absolute()) for path in paths],
        "scratch": str(scratch.absolute()),
        "threshold": nearness.threshold,
        "shingle_words": nearness.shingle_words,
        "permutations": PERMUTATIONS,
        "processes": threads,
    }
    write_json(scratch / "request.json", request)
    # -P: the folder of the job has a text_dedup of its own.
    command = [str(engine_python(ENGINE)), "-P", text_dedup_job.__file__, str(scratch / "request.json")]
    # Nothing is to be fetched, and nothing kept outside of the checkout.
    kept_here = {"HF_HUB_OFFLINE": "1", "HF_HOME": str(scratch / "cache")}
    process.run(ENGINE, command, {**os.environ, **kept_here}, files=len(paths), scratch=scratch)
    answer = read_json(scratch / "answer.json")
    labels = [_labels(scratch / f"sets-{number}.npy", records) for number, records in enumerate(answer["records"])]
    found = [_copies(path, of_path, nearness, scratch) for path, of_path in zip(paths, labels, strict=True)]
    return found, Banding(answer["bands"], answer["rows"])


def _labels(path: Path, records: int) -> Places:
    """[records]: the smallest record of each one's set; the file has pairs of a record and a name of its set."""
    labels = np.arange(records)
    members, names = np.load(path).T
    _, sets = np.unique(names, return_inverse=True)
    smallest = np.full(len(members), records)
    np.minimum.at(smallest, sets, members)
    labels[members] = smallest[sets]
    return labels


def _copies(path: Path, labels: Places, nearness: Nearness, scratch: Path) -> Copies:
    several = np.flatnonzero(np.bincount(labels, minlength=len(labels))[labels] > 1)
    gone, stay = superfluous([path], several, labels[several])
    involved = np.union1d(gone, stay)
    shingles = scratch / f"shingles-{path.stem}"
    shingles.mkdir()
    sketches = spill(_of_records(text_batches([path]), involved), nearness, shingles, threads=1)
    similarity = similarities(np.searchsorted(involved, gone), np.searchsorted(involved, stay), sketches.sets)
    return Copies(len(labels), gone, stay, similarity)


def _of_records(batches: Iterator[Texts], records: Places) -> Iterator[Texts]:
    """The texts of these records alone."""
    first = 0
    for data, offsets in batches:
        last = first + len(offsets) - 1
        here = records[np.searchsorted(records, first) : np.searchsorted(records, last)] - first
        lengths = (offsets[1:] - offsets[:-1])[here]
        ends = np.cumsum(np.concatenate([np.zeros(1, dtype=np.int64), lengths]))
        places = np.repeat(offsets[here] - ends[:-1], lengths) + np.arange(ends[-1])
        yield data[places], ends
        first = last

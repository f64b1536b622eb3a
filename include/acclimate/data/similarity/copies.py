"""Which records of Parquet files are copies of which, and which of a set stays.

    copies = find_copies([Path("train.parquet")], nearness, scratch=Path("out/scratch"), threads=2)
    copies.kept        # [records]: True where a record stays

find_copies is the search of our own; other engines (data/engines) come with sets of theirs and share the rest.

Which of a set of near-duplicates survives: the best quality score, then the earliest date, then the smallest
id; an unknown score or date comes last. Texts are read once, some thousand at a time; in memory stays what there is to
say of records that have a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.mapped import stretches
from acclimate.data.similarity.near_duplicates import near_duplicates
from acclimate.data.similarity.sketches import Nearness, ShingleSets, spill, text_batches

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

_PAIRS_MAPPED = 1 << 8
RANK_COLUMNS = ("quality_score", "created_date", "id")


@dataclass(frozen=True)
class Copies:
    """The records that go, by their place in the corpus, ascending."""

    records: int
    gone: Places
    survivors: Places
    """[gone]: the record that stays in place of each."""
    similarity: NDArray[np.float64]
    """[gone]: exact Jaccard of the two."""

    @property
    def kept(self) -> NDArray[np.bool_]:
        """[records]: whether a record stays."""
        stay = np.ones(self.records, dtype=bool)
        stay[self.gone] = False
        return stay


def find_copies(paths: Sequence[Path], nearness: Nearness, *, scratch: Path, threads: int) -> Copies:
    """Every record of these files that a better one of its set makes superfluous.

    Args:
        paths: Parquet files with `text` and RANK_COLUMNS; records are numbered through all of them.
        nearness: What counts as near.
        scratch: An empty directory for about as many bytes as the texts have; what is in it afterwards can go.
        threads: How many work at a time; the result does not depend on it.
    """
    sketches = spill(text_batches(paths), nearness, scratch, threads=threads)
    components = near_duplicates(sketches, nearness, threads=threads)
    later = components.deposed()
    several = np.union1d(later, components.labels(later))
    gone, stay = superfluous(paths, several, components.labels(several))
    return Copies(len(sketches.streams), gone, stay, similarities(gone, stay, sketches.sets, threads=threads))


def superfluous(paths: Sequence[Path], several: Places, labels: Places) -> tuple[Places, Places]:
    """The records that go, ascending, and what stays in place of each.

    Args:
        paths: Parquet files with RANK_COLUMNS.
        several: The records that have copies, ascending.
        labels: [several]: what the set of each is called.
    """
    best = survivors(_ranked(paths, several), several, labels)
    return several[best != several], best[best != several]


def similarities(left: Places, right: Places, sets: ShingleSets, *, threads: int = 1) -> NDArray[np.float64]:
    """[pairs]: the exact Jaccard of texts left[i] and right[i]."""
    from acclimate.data.kernels.similarity import jaccard

    found = np.empty(len(left))

    def work_out(part: slice) -> None:
        found[part] = jaccard(left[part], right[part], sets.shingles, sets.starts, 0.0)
        sets.forget_pages()

    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work_out, stretches(len(left), _PAIRS_MAPPED)):
            pass  # raises what a thread has raised
    return found


def survivors(ranked: pa.Table, records: Places, labels: Places) -> Places:
    """[records]: the best record with the same label; `ranked` has the RANK_COLUMNS of each."""
    if len(records) == 0:
        return records
    quality = np.array([-np.inf if score is None else score for score in ranked["quality_score"].to_pylist()])
    # A record without a date comes after all others. (Arrow's to_numpy would import pandas.)
    dates = ranked["created_date"].to_pylist()
    days = np.array([np.iinfo(np.int32).max if date is None else date.toordinal() for date in dates], dtype=np.int32)
    order = np.lexsort((np.array(ranked["id"].to_pylist()), days, -quality, labels))
    first = np.flatnonzero(np.diff(labels[order], prepend=-1))
    best = np.empty(len(records), dtype=np.int64)
    best[order] = np.repeat(records[order[first]], np.diff(first, append=len(order)))
    return best


def _ranked(paths: Sequence[Path], records: Places) -> pa.Table:
    """What decides between these records."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from acclimate.data.kernels.buffers import of_places

    tables, first = [], 0
    for path in paths:
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                table = file.read_row_group(group, columns=list(RANK_COLUMNS))
                here = records[np.searchsorted(records, first) : np.searchsorted(records, first + len(table))]
                tables.append(table.take(of_places(here - first)))
                first += len(table)
    return pa.concat_tables(tables)

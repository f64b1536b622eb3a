"""Which ids stand in a corpus more than once, in whatever part, found with eight bytes of memory a record.

Ids are compared by a 64-bit hash. Our own ids are hashes of 64 bits themselves (records.document_id), so this adds
no new kind of mistake: of a million different ids two have the same hash once in 37 million corpora, and then both
records are quarantined, not lost in silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.corpus import part_paths

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa


@dataclass(frozen=True)
class RepeatedIds:
    """Hashes of the ids that stand more than once, ascending, and how often [ids]."""

    hashes: np.ndarray[Any, Any]
    counts: np.ndarray[Any, Any]

    def occurrences(self, ids: pa.ChunkedArray) -> np.ndarray[Any, Any]:
        """How often each id stands in the whole corpus [records]; 1 where there is no id."""
        import numpy as np

        counts = np.ones(len(ids), dtype=np.int64)
        if len(self.hashes):
            hashes = _hashes(ids)
            at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
            known = (self.hashes[at] == hashes) & ids.is_valid().to_numpy()
            counts[known] = self.counts[at[known]]
        return counts


def repeated_ids(corpus: Path) -> RepeatedIds:
    """Read the ids of every part; records without an id are left out."""
    import numpy as np
    import pyarrow.parquet as pq

    parts = (pq.read_table(path, columns=["id"])["id"].drop_null() for path in part_paths(corpus))
    hashes = np.concatenate([np.empty(0, np.uint64), *(_hashes(ids) for ids in parts)])
    hashes.sort()
    again = hashes[1:][hashes[1:] == hashes[:-1]]
    found, further = np.unique(again, return_counts=True)
    return RepeatedIds(found, further + 1)


def _hashes(ids: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    """SipHash of each id with a fixed key; of '' where there is none."""
    from pandas.util import hash_array

    return hash_array(ids.fill_null("").to_numpy(zero_copy_only=False).astype(object), categorize=False)

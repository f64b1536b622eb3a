"""acclimate dedup: one text of every set of near-duplicates, in each store by itself.

    artifacts/dedup/{train,validation,test}.parquet      what is kept
    artifacts/dedup/rejected.jsonl                       what is not: the survivor's id and the similarity to it

The split has put near-duplicates into one store already; here the copies go. Which one survives: the
best quality score, then the earliest date, then the smallest id; an unknown score or date comes last.
A set is connected through pairs at the threshold, so a copy may be less similar than that to its survivor.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.core.files import read_parquet, write_jsonl, write_parquet
from acclimate.core.params import CommonParams, DedupParams
from acclimate.core.records import Reject
from acclimate.core.reports import Funnel
from acclimate.data.near_duplicates import Banding, ShingleSets, near_duplicates

STORES = ("train", "validation", "test")
REASON = "near-duplicate"

Row = dict[str, Any]


@dataclass(frozen=True)
class Copy:
    """A text that goes, by its place in the store, because another stays."""

    row: int
    survivor: int
    similarity: float
    """Exact Jaccard of the two."""


@dataclass(frozen=True)
class DedupReport:
    """What went, and how the copies were looked for."""

    funnel: Funnel
    stores: dict[str, Funnel]
    sets: dict[str, int]
    """Store to the number of sets of near-duplicates in it."""
    bands: int
    rows: int
    recall_at_threshold: float
    """The chance that a pair exactly at the threshold is looked at; a pair above it has a better one."""

    def headline(self) -> str:
        """'26,842 in, 25,900 out (near-duplicate 942)'."""
        return self.funnel.sentence()


def run(params: DedupParams, common: CommonParams, *, stores: Path, out: Path) -> DedupReport:
    """Deduplicate every store in the directory `stores`."""
    funnels: dict[str, Funnel] = {}
    sets: dict[str, int] = {}
    rejects: list[Reject] = []
    for store in STORES:
        table = read_parquet(stores / f"{store}.parquet")
        rows = table.to_pylist()
        copies = find_copies(rows, params, common.seed)
        gone = [_reject(rows, copy, store) for copy in copies]
        kept = table.take(np.setdiff1d(np.arange(len(rows)), [copy.row for copy in copies]))
        write_parquet(out / f"{store}.parquet", kept)
        funnels[store] = Funnel.of(len(rows), kept.num_rows, gone)
        sets[store] = len({copy.survivor for copy in copies})
        rejects += gone
    write_jsonl(out / "rejected.jsonl", [asdict(reject) for reject in rejects])
    banding = Banding.at(params.threshold)
    return DedupReport(
        funnel=Funnel.of(
            sum(funnel.records_in for funnel in funnels.values()),
            sum(funnel.records_out for funnel in funnels.values()),
            rejects,
        ),
        stores=funnels,
        sets=sets,
        bands=banding.bands,
        rows=banding.rows,
        recall_at_threshold=round(banding.recall(params.threshold), 6),
    )


def find_copies(rows: Sequence[Row], params: DedupParams, seed: int) -> list[Copy]:
    """Every record that a better one of its set makes superfluous, in the order of `rows`."""
    shingles = ShingleSets.of([row["text"] for row in rows], params.shingle_words)
    labels = near_duplicates(shingles, threshold=params.threshold, seed=seed).labels().tolist()
    members: dict[int, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        members[label].append(row)
    survivors = {label: min(places, key=lambda place: _rank(rows[place])) for label, places in members.items()}
    gone = np.array([row for row, label in enumerate(labels) if survivors[label] != row], dtype=np.int64)
    stay = np.array([survivors[labels[row]] for row in gone], dtype=np.int64)
    similarity = shingles.jaccard(shingles.rows[gone], shingles.rows[stay])
    return [Copy(*found) for found in zip(gone.tolist(), stay.tolist(), similarity.tolist(), strict=True)]


def _rank(row: Row) -> tuple[float, date, str]:
    """Smaller is better."""
    quality = row["quality_score"]
    return (-quality if quality is not None else 1.0, row["created_date"] or date.max, row["id"])


def _reject(rows: Sequence[Row], copy: Copy, store: str) -> Reject:
    row, survivor = rows[copy.row], rows[copy.survivor]
    return Reject(
        id=row["id"],
        source=row["source"],
        origin=f"split: {store}",
        reason=REASON,
        detail=f"of {survivor['id']}, Jaccard {copy.similarity:.3f}",
        excerpt=row["text"][:120],
    )

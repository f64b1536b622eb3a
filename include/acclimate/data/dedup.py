"""acclimate dedup: one text of every set of near-duplicates, in each store by itself.

    artifacts/dedup/{train,validation,test}.parquet      what is kept
    artifacts/dedup/rejected.jsonl                       what is not: the survivor's id and the similarity to it

The split has put near-duplicates into one store already; here the copies go. Which one survives is said
in copies.py. A set is connected through pairs at the threshold, so a copy may be less similar than that to
its survivor. Shingles and what else grows with the corpus are files beside the output, about as many bytes as the text
has, and gone when the stage ends.
Other engines than our own search, and what they cost, are in data/engines and docs/data.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from acclimate.core.files import write_jsonl
from acclimate.core.params import CommonParams, DedupParams
from acclimate.core.records import Reject
from acclimate.core.reports import Funnel
from acclimate.data.engines import spark, text_dedup
from acclimate.data.similarity.copies import Copies, find_copies
from acclimate.data.similarity.kept import numbered_batches, write_kept
from acclimate.data.similarity.sketches import Banding, Nearness

STORES = ("train", "validation", "test")
REASON = "near-duplicate"


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
    engine: str
    less_similar: int
    """Rejects less similar to their survivor than the threshold: others connect them, or the engine does not check."""

    def headline(self) -> str:
        """'26,842 in, 25,900 out (near-duplicate 942)', and the engine if it is not our own."""
        return self.funnel.sentence() + (f", found by {self.engine}" if self.engine != "local" else "")


def run(params: DedupParams, common: CommonParams, *, stores: Path, out: Path) -> DedupReport:
    """Deduplicate every store in the directory `stores`."""
    nearness = Nearness(params.threshold, params.shingle_words, common.seed)
    funnels: dict[str, Funnel] = {}
    sets: dict[str, int] = {}
    rejects: list[Reject] = []
    paths = [stores / f"{store}.parquet" for store in STORES]
    with TemporaryDirectory(prefix=".scratch-", dir=out) as scratch:
        found, banding = _found(params, common, paths, nearness, Path(scratch))
    for store, path, copies in zip(STORES, paths, found, strict=True):
        gone = _rejects(path, copies, store)
        write_kept(path, copies, out / path.name, threads=common.threads)
        funnels[store] = Funnel.of(copies.records, copies.records - len(copies.gone), gone)
        sets[store] = len(np.unique(copies.survivors))
        rejects += gone
    write_jsonl(out / "rejected.jsonl", [asdict(reject) for reject in rejects])
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
        engine=params.engine,
        less_similar=sum(int((copies.similarity < params.threshold).sum()) for copies in found),
    )


def _found(
    params: DedupParams, common: CommonParams, paths: Sequence[Path], nearness: Nearness, scratch: Path
) -> tuple[list[Copies], Banding]:
    """What the engine finds in each file, and how it proposes pairs."""
    if params.engine == "text-dedup":
        return text_dedup.find_each(paths, nearness, scratch=scratch, threads=common.threads)
    if params.engine == "spark":
        master = params.spark_master or f"local[{common.threads}]"
        return spark.find_each(paths, nearness, scratch=scratch, master=master)
    return [_found_here(path, common.threads, nearness, scratch) for path in paths], nearness.banding


def _found_here(path: Path, threads: int, nearness: Nearness, scratch: Path) -> Copies:
    with TemporaryDirectory(dir=scratch) as shingles:
        return find_copies([path], nearness, scratch=Path(shingles), threads=threads)


def _rejects(path: Path, copies: Copies, store: str) -> list[Reject]:
    """One reject for each record that goes, naming the one that stays."""
    import pyarrow.parquet as pq

    names: dict[int, str] = {}
    rows: dict[int, dict[str, str]] = {}
    wanted = np.union1d(copies.gone, copies.survivors)
    with pq.ParquetFile(path) as file:
        for first, batch in numbered_batches(file, ["id", "source", "text"]):
            here = wanted[np.searchsorted(wanted, first) : np.searchsorted(wanted, first + len(batch))]
            for record, row in zip(here.tolist(), batch.take(here - first).to_pylist(), strict=True):
                names[record] = row["id"]
                rows[record] = {"source": row["source"], "excerpt": row["text"][:120]}
    pairs = zip(copies.gone.tolist(), copies.survivors.tolist(), copies.similarity.tolist(), strict=True)
    return [
        Reject(
            id=names[record],
            origin=f"split: {store}",
            reason=REASON,
            detail=f"of {names[survivor]}, Jaccard {similarity:.3f}",
            **rows[record],
        )
        for record, survivor, similarity in pairs
    ]

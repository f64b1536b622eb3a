"""acclimate split: training, validation and test store, and the evaluation items drawn from test.

    artifacts/split/{train,validation,test}.parquet      documents and their `cluster`
    artifacts/split/evaluation/<task>.jsonl              see evaluation_items.py; from testset/ once that is locked

Documents that are near-duplicates of each other, or belong to one group (a function's docstring and the
question about it), form a cluster, and a cluster goes into one store whole. Which one is drawn
from the seed and the cluster's name alone, with the same chances in every domain: new documents do not
move old ones, so a later model is not tested on what an earlier one was trained on. The shares are
therefore of clusters in expectation; the report says what was reached, by documents and by bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.corpus import read_corpus
from acclimate.core.errors import UserError
from acclimate.core.files import write_jsonl, write_parquet
from acclimate.core.params import CommonParams, SplitParams
from acclimate.core.records import GENERAL
from acclimate.core.reports import Funnel
from acclimate.data.evaluation.evaluation_items import TASKS
from acclimate.data.evaluation.held_out import TaskReport, draw_tasks, locked_tasks
from acclimate.data.evaluation.locking import LockedSet, locked_set
from acclimate.data.seeded import chance
from acclimate.data.similarity.components import Components
from acclimate.data.similarity.near_duplicates import near_duplicates
from acclimate.data.similarity.sketches import Nearness, sketch_texts

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

STORES = ("train", "validation", "test")
SHINGLE_WORDS = 5
"""Words per n-gram of split.cluster_threshold."""
GIANT_SHARE = 0.1
"""A cluster with more than this share of what the test store should hold of a domain is for training: were it
drawn for the test store, that store would be about little else."""
SMALL_CLUSTER = 10
"""A cluster of up to this many documents is never a giant, however small the corpus."""


@dataclass(frozen=True)
class StoreShare:
    """What one store holds of one domain."""

    documents: int
    bytes: int
    document_share: float
    byte_share: float


@dataclass(frozen=True)
class SplitReport:
    """How the documents were divided and what the test store yielded."""

    funnel: Funnel
    clusters: int
    clusters_of_several: int
    largest_cluster: int
    giants: dict[str, int]
    """Clusters sent to training for their size, with their number of documents."""
    stores: dict[str, dict[str, StoreShare]]
    """Domain to store to what it holds."""
    tasks: dict[str, TaskReport]
    locked: str | None = None
    """Since when (UTC, ISO 8601) the items are locked and were taken from testset/; None if they were drawn."""

    def headline(self) -> str:
        """'24,876 documents in 12,300 clusters; items: domain_cloze 800, …'."""
        items = ", ".join(f"{task} {report.items:,}" for task, report in self.tasks.items())
        since = f", locked since {self.locked[:10]}" if self.locked else ""
        return f"{self.funnel.records_in:,} documents in {self.clusters:,} clusters; items: {items}{since}"


def run(params: SplitParams, common: CommonParams, *, documents: Path, testset: Path, out: Path) -> SplitReport:
    """Divide the documents at `documents`, and draw the evaluation items or take those locked in `testset`.

    Raises:
        UserError: if a store or an evaluation task would be empty, or a locked file was changed.
    """
    table = read_corpus(documents)
    clusters = cluster_names(
        table.column("text").to_pylist(), table.column("group").to_pylist(), params.cluster_threshold, common.seed
    )
    domains = table.column("domain").to_pylist()
    locked = _locked(testset, domains)
    held = locked_clusters(locked, table.column("id").to_pylist(), clusters) if locked else set()
    giants = giant_clusters(clusters, domains, params.test_share, held)
    stores = draw_stores(clusters, params, common.seed, giants=giants, held=held)
    shares = _shares(table, stores)
    _require_documents(shares, params)
    divided = _write_stores(table, clusters, stores, out)
    items, tasks = (
        locked_tasks(locked)
        if locked
        else draw_tasks(params, common.seed, divided["train"].to_pylist(), divided["test"].to_pylist())
    )
    for task, drawn_items in items.items():
        write_jsonl(out / "evaluation" / f"{task}.jsonl", [asdict(item) for item in drawn_items])
    sizes = Counter(clusters)
    return SplitReport(
        funnel=Funnel.of(table.num_rows, sum(store.num_rows for store in divided.values()), []),
        clusters=len(sizes),
        clusters_of_several=sum(size > 1 for size in sizes.values()),
        largest_cluster=max(sizes.values()),
        giants=giants,
        stores=shares,
        tasks=tasks,
        locked=locked.locked if locked else None,
    )


def cluster_names(texts: list[str], groups: list[str], threshold: float, seed: int) -> list[str]:
    """[texts]: the cluster of each text, called by the first of its groups in alphabetical order.

    Named so, a cluster keeps its name when the wording of its documents changes.
    """
    nearness = Nearness(threshold, SHINGLE_WORDS, seed)
    components = near_duplicates(sketch_texts(texts, nearness), nearness)
    _join_equal(components, groups)
    labels = components.labels().tolist()
    names: dict[int, str] = {}
    for label, group in zip(labels, groups, strict=True):
        names[label] = min(names.get(label, group), group)
    return [names[label] for label in labels]


def draw_stores(
    clusters: list[str], params: SplitParams, seed: int, *, giants: Collection[str], held: Collection[str]
) -> NDArray[np.object_]:
    """[documents]: the store of each, given its cluster; giants go to training, those held out to the test store."""
    drawn = {name: store_of(name, params, seed) for name in set(clusters)}
    drawn |= dict.fromkeys(giants, "train") | dict.fromkeys(held, "test")
    return np.array([drawn[name] for name in clusters], dtype=object)


def giant_clusters(
    clusters: list[str], domains: list[str], test_share: float, held: Collection[str] = ()
) -> dict[str, int]:
    """Clusters too large for a held-out store in any domain, with their number of documents, largest first.

    Those in `held` are in the test store already and none of them.
    """
    limits = {
        domain: max(SMALL_CLUSTER, GIANT_SHARE * test_share * documents)
        for domain, documents in Counter(domains).items()
    }
    parts = Counter(zip(clusters, domains, strict=True))
    giants = {cluster for (cluster, domain), size in parts.items() if size > limits[domain] and cluster not in held}
    sizes = Counter(clusters)
    return {name: sizes[name] for name in sorted(giants, key=lambda name: (-sizes[name], name))}


def store_of(cluster: str, params: SplitParams, seed: int) -> str:
    """The store a cluster is drawn for: test and validation with the chance of their shares."""
    drawn = chance(seed, f"split/{cluster}")
    if drawn < params.test_share:
        return "test"
    return "validation" if drawn < params.test_share + params.validation_share else "train"


def locked_clusters(locked: LockedSet, ids: list[str], clusters: list[str]) -> set[str]:
    """The clusters that hold a document of a locked item, whatever they are called by now."""
    documents = {row["document"] for task in TASKS for row in locked.read(f"{task}.jsonl")}
    return {cluster for identity, cluster in zip(ids, clusters, strict=True) if identity in documents}


def _locked(testset: Path, domains: list[str]) -> LockedSet | None:
    """What is locked for the corpus's domain."""
    found = (locked_set(testset, domain) for domain in sorted(set(domains) - {GENERAL}))
    return next(filter(None, found), None)


def _join_equal(components: Components, groups: list[str]) -> None:
    first: dict[str, int] = {}
    for text, group in enumerate(groups):
        components.join(first.setdefault(group, text), text)


def _shares(table: pa.Table, stores: NDArray[np.object_]) -> dict[str, dict[str, StoreShare]]:
    sizes = np.array([len(text.encode()) for text in table.column("text").to_pylist()], dtype=np.int64)
    domains = np.array(table.column("domain").to_pylist(), dtype=object)
    shares: dict[str, dict[str, StoreShare]] = defaultdict(dict)
    for domain in sorted(set(domains)):
        here = domains == domain
        for store in STORES:
            chosen = here & (stores == store)
            documents, size = int(chosen.sum()), int(sizes[chosen].sum())
            shares[domain][store] = StoreShare(
                documents, size, round(documents / int(here.sum()), 4), round(size / int(sizes[here].sum()), 4)
            )
    return dict(shares)


def _require_documents(shares: dict[str, dict[str, StoreShare]], params: SplitParams) -> None:
    wanted = {"train": 1.0, "validation": params.validation_share, "test": params.test_share}
    empty = [
        f"{store} has no document of {domain}"
        for domain, stores in shares.items()
        for store, share in stores.items()
        if share.documents == 0 and wanted[store] > 0
    ]
    if len(shares) < 2 or GENERAL not in shares:
        empty.append(f"the corpus has only documents of {', '.join(shares)}" if shares else "the corpus is empty")
    if empty:
        raise UserError(
            "; ".join(empty),
            why="the domain and general text are both trained on and both tested, each in its own store",
            fix="add documents to the source, or raise split.test_share or split.validation_share in params.yaml",
        )


def _write_stores(table: pa.Table, clusters: list[str], stores: NDArray[np.object_], out: Path) -> dict[str, pa.Table]:
    import pyarrow as pa

    table = table.append_column(pa.field("cluster", pa.string(), nullable=False), pa.array(clusters))
    divided = {store: table.filter(pa.array(stores == store)) for store in STORES}
    for store, part in divided.items():
        write_parquet(out / f"{store}.parquet", part)
    return divided

"""acclimate split: training, validation and test store, and the evaluation items drawn from test.

    artifacts/split/{train,validation,test}.parquet      documents and their `cluster`
    artifacts/split/evaluation/<task>.jsonl              see evaluation_items.py

Documents that are near-duplicates of each other, or belong to one group (a function's docstring and the
question about it), form a cluster, and a cluster goes into one store whole. Which one is drawn
from the seed and the cluster's name alone, with the same chances in every domain: new documents do not
move old ones, so a later model is not tested on what an earlier one was trained on. The shares are
therefore of clusters in expectation; the report says what was reached, by documents and by bytes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
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
from acclimate.data.held_out import TaskReport, draw_tasks
from acclimate.data.near_duplicates import Components, ShingleSets, near_duplicates
from acclimate.data.seeded import chance

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

    def headline(self) -> str:
        """'24,876 documents in 12,300 clusters; items: domain_cloze 800, …'."""
        items = ", ".join(f"{task} {report.items:,}" for task, report in self.tasks.items())
        return f"{self.funnel.records_in:,} documents in {self.clusters:,} clusters; items: {items}"


def run(params: SplitParams, common: CommonParams, *, documents: Path, out: Path) -> SplitReport:
    """Divide the documents at `documents` and draw the evaluation items.

    Raises:
        UserError: if a store or an evaluation task would be empty.
    """
    table = read_corpus(documents)
    clusters = cluster_names(
        table.column("text").to_pylist(), table.column("group").to_pylist(), params.cluster_threshold, common.seed
    )
    domains = table.column("domain").to_pylist()
    giants = giant_clusters(clusters, domains, params.test_share)
    drawn = {name: "train" if name in giants else store_of(name, params, common.seed) for name in set(clusters)}
    stores = np.array([drawn[name] for name in clusters], dtype=object)
    shares = _shares(table, stores)
    _require_documents(shares, params)
    divided = _write_stores(table, clusters, stores, out)
    items, tasks = draw_tasks(params, common.seed, divided["train"].to_pylist(), divided["test"].to_pylist())
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
    )


def cluster_names(texts: list[str], groups: list[str], threshold: float, seed: int) -> list[str]:
    """[texts]: the cluster of each text, called by the first of its groups in alphabetical order.

    Named so, a cluster keeps its name when the wording of its documents changes.
    """
    components = near_duplicates(ShingleSets.of(texts, SHINGLE_WORDS), threshold=threshold, seed=seed)
    _join_equal(components, groups)
    labels = components.labels().tolist()
    names: dict[int, str] = {}
    for label, group in zip(labels, groups, strict=True):
        names[label] = min(names.get(label, group), group)
    return [names[label] for label in labels]


def giant_clusters(clusters: list[str], domains: list[str], test_share: float) -> dict[str, int]:
    """Clusters too large for a held-out store in any domain, with their number of documents, largest first."""
    limits = {
        domain: max(SMALL_CLUSTER, GIANT_SHARE * test_share * documents)
        for domain, documents in Counter(domains).items()
    }
    parts = Counter(zip(clusters, domains, strict=True))
    giants = {cluster for (cluster, domain), size in parts.items() if size > limits[domain]}
    sizes = Counter(clusters)
    return {name: sizes[name] for name in sorted(giants, key=lambda name: (-sizes[name], name))}


def store_of(cluster: str, params: SplitParams, seed: int) -> str:
    """The store a cluster is drawn for: test and validation with the chance of their shares."""
    drawn = chance(seed, f"split/{cluster}")
    if drawn < params.test_share:
        return "test"
    return "validation" if drawn < params.test_share + params.validation_share else "train"


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

"""Near-duplicates on Spark, in the environment of the engine: python -m acclimate.data.engines.spark_job REQUEST.json.

    texts ─ sketch ─┬─ equal words ────────────────────────────┐
                    └─ buckets ─ groups ─ exact search of each ┴─ edges ─ components ─ survivors ─ similarity

The result is that of near_duplicates(): the components of the graph whose edges are the texts with equal words, and
the pairs that share a band and reach the threshold. Every bucket is put under its smallest record, the hub; the
buckets of one hub are a group, and a group, which holds each of its buckets whole, goes to near_duplicates() itself.
So each edge is found in some group, and nothing else: what a group joins, it joins by edges of the same graph. No list
of pairs is ever made, copies cost what they number, and nothing is capped; the members of one group must fit into a
worker's memory, with 8 bytes for each word.

Spark has no unsigned numbers: hashes travel as the signed ones of the same bits, sets of shingles as bytes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.engines.spark_components import stars
from acclimate.data.engines.spark_tables import joined, numbers, packed, read_only, whole_groups
from acclimate.data.similarity.copies import RANK_COLUMNS, survivors
from acclimate.data.similarity.near_duplicates import near_duplicates
from acclimate.data.similarity.sketches import BATCH_TEXTS, Nearness, ShingleSets, Sketches, sketcher

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    Batches = Iterator[pa.RecordBatch]


JAVA_ALONE = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""On one machine, where the compiler's and the collector's threads take the cores that the Python workers need."""
COPIES = "record long, survivor long, similarity double"
PARTITION_BYTES = 16_000_000
"""Parquet of one task: some 60 MB of text."""
TASKS_PER_CORE = 2
"""At least so many, so that cores finish at about the same time."""


def main(request: Path) -> None:
    """Do what the request asks, and print a line for every file done."""
    from pyspark.sql import functions as of

    wanted = json.loads(request.read_text(encoding="utf-8"))
    scratch, nearness = Path(wanted["scratch"]), Nearness(**wanted["nearness"])
    spark = session(wanted["master"], scratch)
    try:
        records = []
        for number, path in enumerate(wanted["paths"]):
            texts = spark.read.parquet(path).withColumn("record", of.col("_metadata.row_index"))
            records.append(texts.count())
            spark.conf.set("spark.sql.shuffle.partitions", _partitions(spark, Path(path).stat().st_size))
            found = copies(spark, texts, nearness) if records[-1] > 1 else spark.createDataFrame([], COPIES)
            found.write.parquet(str(scratch / f"gone-{number}"))
            print(path, flush=True)
            spark.catalog.clearCache()
    finally:
        spark.stop()
    (scratch / "answer.json").write_text(json.dumps(records), encoding="utf-8")


def copies(spark: SparkSession, texts: DataFrame, nearness: Nearness) -> DataFrame:
    """The records that go, and for each of them the one that stays, and how similar it is to that."""
    from pyspark import StorageLevel

    partitions = int(str(spark.conf.get("spark.sql.shuffle.partitions")))
    # Spread twice: the texts, since a file of one row group is read by one task; and what is known of them, so that it
    # lies where the joins by record want it and is not sent again by each of them.
    sketched = (
        texts.select("record", "text")
        .repartition(partitions, "record")
        .mapInArrow(partial(_sketched, nearness=nearness), "record long, words long, shingles binary, keys binary")
        .repartition(partitions, "record")
        .persist(StorageLevel.DISK_ONLY)
    )
    equal, distinct = _equal(sketched)
    sets = stars(_near(sketched, distinct, nearness).union(equal))
    return _similar(_superfluous(texts, sets), sketched)


def _partitions(spark: SparkSession, size: int) -> int:
    """Tasks for a file of so many bytes."""
    return max(TASKS_PER_CORE * int(spark.sparkContext.defaultParallelism), -(-size // PARTITION_BYTES))


def _sketched(batches: Batches, nearness: Nearness) -> Batches:
    """Each text's shingles and band keys; without those texts that have no words: they are nobody's copies."""
    import pyarrow as pa

    from acclimate.data.kernels.buffers import of_column

    sketch = sketcher(nearness)
    for batch in batches:
        for texts in of_column(pa.chunked_array([batch["text"]])):
            shingles, sizes, words, keys = sketch(texts)
            filled = sizes > 0
            of_bands = np.full(int(filled.sum()), len(keys))
            yield pa.RecordBatch.from_pydict(
                {
                    "record": batch["record"].filter(pa.array(filled)),
                    "words": words[filled].view(np.int64),
                    "shingles": packed(shingles, sizes[filled]),
                    "keys": packed(keys.T[filled].ravel(), of_bands),
                }
            )


def _equal(sketched: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Edges from texts to the first with the same words; and those first ones (`record`)."""
    from pyspark.sql import Window
    from pyspark.sql import functions as of

    same = Window.partitionBy("words")
    firsts = sketched.select("record", "words").withColumn("first", of.min("record").over(same))
    return firsts.where("record > first").select("record", "first").toDF("child", "parent"), firsts.where(
        "record = first"
    ).select("record")


def _near(sketched: DataFrame, distinct: DataFrame, nearness: Nearness) -> DataFrame:
    """Edges that connect whatever near-duplicates connect among the `distinct` texts."""
    from pyspark.sql import Window
    from pyspark.sql import functions as of

    keys = sketched.select("record", "keys").join(distinct, "record", "left_semi")
    buckets = keys.mapInArrow(_spread, "record long, key long")
    hubs = buckets.withColumn("hub", of.min("record").over(Window.partitionBy("key")))
    members = hubs.where("record > hub").select("hub", "record").distinct().persist()
    groups = members.union(members.select("hub", of.col("hub").alias("record")).distinct())
    of_groups = groups.join(sketched, "record").select("hub", "record", "shingles", "keys")
    return (
        of_groups.repartition("hub")
        .sortWithinPartitions("hub")
        .mapInArrow(partial(_edges, nearness=nearness), "child long, parent long")
    )


def _spread(batches: Batches) -> Batches:
    """One row for each band key of each text."""
    import pyarrow as pa

    for batch in batches:
        keys, starts = numbers(batch["keys"])
        records = np.repeat(batch["record"].to_numpy(), np.diff(starts))
        yield pa.RecordBatch.from_pydict({"record": records, "key": keys.view(np.int64)})


def _edges(batches: Batches, nearness: Nearness) -> Batches:
    """What the exact search joins in each group, or across the groups of a table: that are edges of the same graph."""
    import pyarrow as pa

    for table in whole_groups(batches, "hub"):
        records, rows = np.unique(table["record"].to_numpy(), return_index=True)
        distinct = table.take(rows)
        keys = numbers(distinct["keys"])[0].reshape(len(records), -1)
        of_bands = read_only(np.ascontiguousarray(keys.T))
        sets = ShingleSets(*numbers(distinct["shingles"]))
        sketches = Sketches(sets, read_only(records.astype(np.uint64)), of_bands.__getitem__)
        labels = near_duplicates(sketches, nearness).labels()
        joined = np.flatnonzero(labels != np.arange(len(labels)))
        yield pa.RecordBatch.from_pydict({"child": records[joined], "parent": records[labels[joined]]})


def _superfluous(texts: DataFrame, sets: DataFrame) -> DataFrame:
    """Who goes (`record`), and who stays in its place (`survivor`)."""
    members = sets.union(sets.select("parent", "parent").distinct()).toDF("record", "label")
    ranked = texts.select("record", *RANK_COLUMNS).join(members, "record")
    by_set = ranked.repartition("label").sortWithinPartitions("label")
    return by_set.mapInArrow(_chosen, "record long, survivor long")


def _chosen(batches: Batches) -> Batches:
    import pyarrow as pa

    for table in whole_groups(batches, "label"):
        records = table["record"].to_numpy()
        best = survivors(table, records, table["label"].to_numpy())
        gone = best != records
        yield pa.RecordBatch.from_pydict({"record": records[gone], "survivor": best[gone]})


def _similar(gone: DataFrame, sketched: DataFrame) -> DataFrame:
    """The exact similarity of each pair."""
    own = sketched.select("record", "shingles")
    theirs = own.toDF("survivor", "of_survivor")
    pairs = gone.join(own, "record").join(theirs, "survivor")
    return pairs.mapInArrow(_compared, COPIES)


def _compared(batches: Batches) -> Batches:
    import pyarrow as pa

    from acclimate.data.kernels.similarity import jaccard

    for batch in batches:
        one, other = numbers(batch["shingles"]), numbers(batch["of_survivor"])
        shingles, starts = joined(one, other)
        places = np.arange(batch.num_rows)
        similarity = jaccard(places, batch.num_rows + places, shingles, starts, 0.0)
        yield pa.RecordBatch.from_pydict(
            {"record": batch["record"], "survivor": batch["survivor"], "similarity": similarity}
        )


def session(master: str, scratch: Path) -> SparkSession:
    """A Spark session that leaves nothing outside of `scratch` on this machine."""
    from pyspark.sql import SparkSession

    alone = master.startswith("local")
    settings = {
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(BATCH_TEXTS),
        "spark.sql.execution.arrow.maxBytesPerBatch": "64m",
        "spark.sql.execution.arrow.useLargeVarTypes": "true",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": f"-Djava.io.tmpdir={scratch} -XX:-UsePerfData {JAVA_ALONE if alone else ''}",
        "spark.executorEnv.PYTHONPATH": os.environ["PYTHONPATH"],
        "spark.executorEnv.PYTHONSAFEPATH": "1",
    }
    if alone:
        settings |= {"spark.driver.host": "127.0.0.1", "spark.ui.enabled": "false", "spark.local.dir": str(scratch)}
    builder = SparkSession.builder.master(master).appName("acclimate dedup")
    spark: SparkSession = builder.config(map=settings).getOrCreate()
    spark.sparkContext.setCheckpointDir(str(scratch / "checkpoints"))
    return spark


if __name__ == "__main__":
    main(Path(sys.argv[1]))

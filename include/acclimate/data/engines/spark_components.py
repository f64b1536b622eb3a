"""Connected components on Spark: alternately the large-star and the small-star operation.

Kiveris, Lattanzi, Mirrokni, Rastogi, Vassilvitskii 2014, Connected Components in MapReduce and Beyond, algorithm 3.
Both keep the components as they are and pull every vertex towards the smallest of its component; when each
component is a star around that vertex, they are found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame


def stars(edges: DataFrame) -> DataFrame:
    """Every vertex with an edge (`child`) and the smallest vertex of its component (`parent`), but for that itself.

    Args:
        edges: `parent` and `child`, two different vertices; the checkpoint directory holds what comes in between.
    """
    from pyspark.sql import functions as of

    edges = edges.select(of.greatest("child", "parent").alias("child"), of.least("child", "parent").alias("parent"))
    while True:
        # Without the checkpoint a round would begin with all rounds before it.
        edges = _small_star(_large_star(edges)).checkpoint()
        if _are_stars(edges):
            return edges


def _large_star(edges: DataFrame) -> DataFrame:
    """Join each vertex's larger neighbours to the smallest of it and all its neighbours."""
    from pyspark.sql import functions as of

    both = edges.union(edges.select("parent", "child")).toDF("neighbour", "vertex")
    smallest = both.withColumn("smallest", of.least("vertex", _smallest("neighbour", "vertex")))
    return smallest.where("neighbour > vertex").select("neighbour", "smallest").distinct().toDF("child", "parent")


def _small_star(edges: DataFrame) -> DataFrame:
    """Join each vertex and its smaller neighbours to the smallest of these."""
    smallest = edges.withColumn("smallest", _smallest("parent", "child"))
    parents = smallest.where("parent > smallest").select("parent", "smallest")
    return smallest.select("child", "smallest").union(parents).distinct().toDF("child", "parent")


def _smallest(column: str, of_each: str) -> Column:
    from pyspark.sql import Window
    from pyspark.sql import functions as of

    return of.min(column).over(Window.partitionBy(of_each))


def _are_stars(edges: DataFrame) -> bool:
    """Whether no vertex has two parents, and none is both child and parent."""
    from pyspark.sql import functions as of

    roles = edges.selectExpr("child AS vertex", "1 AS parents", "0 AS children")
    roles = roles.union(edges.selectExpr("parent AS vertex", "0 AS parents", "1 AS children"))
    counted = roles.groupBy("vertex").agg(of.sum("parents").alias("parents"), of.sum("children").alias("children"))
    return bool(counted.where("parents > 1 OR (parents > 0 AND children > 0)").isEmpty())

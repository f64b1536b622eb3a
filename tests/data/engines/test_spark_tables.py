"""What goes between Spark and the kernels comes back as it was, and groups are never cut."""

from __future__ import annotations

from itertools import groupby, pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.data.engines import spark_tables
from acclimate.data.engines.spark_tables import joined, numbers, packed, whole_groups

SIZES = st.lists(st.integers(0, 3), max_size=5)


@given(SIZES, SIZES)
@settings(max_examples=50, deadline=None)
def test_numbers_come_back_from_the_bytes_of_every_slice(sizes: list[int], more: list[int]) -> None:
    texts, others = _hashes(sizes), _hashes(more)
    column = _packed([*texts, *others]).slice(len(texts))
    assert _texts(*numbers(column)) == others
    assert _texts(*numbers(pa.chunked_array([_packed(texts), column]))) == [*texts, *others]
    assert _texts(*joined(numbers(_packed(texts)), numbers(column))) == [*texts, *others]


@given(st.lists(st.integers(0, 6), max_size=40).map(sorted), st.integers(1, 5), st.integers(1, 200))
@settings(max_examples=50, deadline=None)
def test_a_table_ends_where_a_group_does_and_none_is_much_larger_than_asked(
    groups: list[int], rows: int, enough: int
) -> None:
    batches = [pa.RecordBatch.from_pydict({"hub": groups[i : i + rows]}) for i in range(0, len(groups), rows)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spark_tables, "GROUP_BYTES", enough)
        tables = [table["hub"].to_pylist() for table in whole_groups(iter(batches), "hub")]
    assert [group for table in tables for group in table] == groups
    assert all(before[-1] != after[0] for before, after in pairwise(tables))
    largest = max((len(list(group)) for _, group in groupby(groups)), default=0)
    assert all(8 * len(table) <= enough + 8 * (2 * largest + rows) for table in tables)


def _hashes(sizes: list[int]) -> list[list[int]]:
    """Numbers of which the upper half are negative as signed ones."""
    return [[(2**64 - 1) // (1 + place + number) for number in range(size)] for place, size in enumerate(sizes)]


def _packed(texts: list[list[int]]) -> pa.Array:
    values = np.array([value for text in texts for value in text], dtype=np.uint64)
    return packed(values, np.array([len(text) for text in texts], dtype=np.int64))


def _texts(values: np.ndarray, starts: np.ndarray) -> list[list[int]]:  # type: ignore[type-arg]
    return [values[first:last].tolist() for first, last in pairwise(starts)]

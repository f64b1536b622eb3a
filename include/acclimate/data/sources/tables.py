"""CSV, TSV and Parquet as records: one a row, by column name."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any, BinaryIO

from acclimate.core.params import Reading
from acclimate.data.sources.content import MB, Budget, Content, Fault, Raw, UnreadableError, damaged

_BATCH_ROWS = 64
"""Rows of a Parquet file held as Python values at once."""


def read_csv(content: Content, source: Reading) -> Iterator[Raw | Fault]:
    """Each row under the names of the first; a row of another length, or with a wrong byte, is a Fault.

    Raises:
        UnreadableError: if two columns have one name, or from a quote on that is never closed.
    """
    yield from _read_rows(content, source, source.delimiter or ",")


def read_tsv(content: Content, source: Reading) -> Iterator[Raw | Fault]:
    """See read_csv."""
    yield from _read_rows(content, source, source.delimiter or "\t")


def _read_rows(content: Content, source: Reading, delimiter: str) -> Iterator[Raw | Fault]:
    csv.field_size_limit(int(content.limits.max_record_mb * MB))
    stream, encoding = content.byte_lines(source.encoding)
    rows = csv.reader(_decoded(stream, encoding), delimiter=delimiter, strict=True)
    try:
        header = next(rows, [])
        _require_distinct(header)
        start = rows.line_num + 1
        for row in rows:
            where = f":{start}"
            start = rows.line_num + 1
            if row:
                yield _row(header, row, where, encoding)
    except csv.Error as fault:
        raise UnreadableError("broken csv", f"line {rows.line_num}: {fault}") from None


def _decoded(stream: BinaryIO, encoding: str) -> Iterator[str]:
    """Lines with their ends; a wrong byte becomes a lone surrogate, so that it costs its row and not the file."""
    return io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")


def _require_distinct(header: list[str]) -> None:
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise UnreadableError("duplicate column", f"{', '.join(map(repr, twice))} in the first row")


def _row(header: list[str], row: list[str], where: str, encoding: str) -> Raw | Fault:
    if len(row) != len(header):
        return Fault(where, "ragged row", f"{len(row)} fields, {len(header)} columns", str(row)[:120])
    for name, value in zip(header, row, strict=True):
        if (wrong := _wrong_byte(value)) is not None:
            detail = f"character {wrong} of {name!r} is no {encoding.upper()}"
            return Fault(where, f"not {encoding.upper()}", detail, str(row)[:120])
    return Raw(where, dict(zip(header, row, strict=True)))


def _wrong_byte(value: str) -> int | None:
    try:
        value.encode()
    except UnicodeEncodeError as fault:
        return fault.start
    return None


def read_parquet_rows(content: Content, source: Reading) -> Iterator[Raw | Fault]:
    """Each row, some at a time.

    Raises:
        UnreadableError: if the file is damaged, or its rows take more than the limits allow: a dictionary column
            says one long text a million times in a few bytes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    file: Any = content.path or io.BytesIO(content.whole())
    budget = Budget(content.limits, file.stat().st_size if content.path else len(file.getbuffer()))
    number = 0
    try:
        with pq.ParquetFile(file) as parquet:
            for batch in parquet.iter_batches(batch_size=_BATCH_ROWS):
                budget.spend(batch.nbytes)
                for value in batch.to_pylist():
                    number += 1
                    yield Raw(f":row {number}", value)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as fault:
        raise damaged(fault) from None

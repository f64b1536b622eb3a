"""CSV, TSV and Parquet as records: one a row, by column name."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator
from typing import Any, BinaryIO

from acclimate.core.params import Reading
from acclimate.data.sources.content import MB, Budget, Content, Fault, Raw, UnreadableError, damaged

_BATCH_ROWS = 64
"""Rows of a Parquet file held as Python values at once."""


def read_csv(content: Content, source: Reading) -> Iterator[Raw | Fault]:
    """Each row under the names of the first; a row of another length, or with a wrong byte, is a Fault.

    Raises:
        UnreadableError: if two columns have one name; from a quote on that is never closed, or from a row on that
            is larger than a record may be.
    """
    yield from _read_rows(content, source, source.delimiter or ",")


def read_tsv(content: Content, source: Reading) -> Iterator[Raw | Fault]:
    """See read_csv."""
    yield from _read_rows(content, source, source.delimiter or "\t")


def _read_rows(content: Content, source: Reading, delimiter: str) -> Iterator[Raw | Fault]:
    stream, encoding = content.byte_lines(source.encoding)
    lines = _Lines(stream, encoding, content.limits.max_record_mb)
    # No field is longer than its row, which `lines` holds to the limit.
    csv.field_size_limit(int(content.limits.max_record_mb * MB))
    rows = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        header = next(rows, [])
        _require_distinct(header)
        start = rows.line_num + 1
        lines.begin_row()
        for row in rows:
            lines.begin_row()
            where = f":{start}"
            start = rows.line_num + 1
            if row:
                yield _row(header, row, where, encoding)
    except csv.Error as fault:
        raise UnreadableError("broken csv", f"line {rows.line_num}: {fault}") from None


class _Lines:
    """Lines with their ends, of which no row takes more characters than a record may have bytes.

    A wrong byte becomes a lone surrogate, so that it costs its row and not the file.
    """

    def __init__(self, stream: BinaryIO, encoding: str, max_record_mb: float) -> None:
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors="surrogateescape", newline="")
        self._max_record_mb = max_record_mb
        self._most = int(max_record_mb * MB)
        self._left = self._most
        self._number = 0

    def begin_row(self) -> None:
        """What comes next belongs to another row."""
        self._left = self._most

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self._number += 1
        line = self._text.readline(self._left + 1)
        if not line:
            raise StopIteration
        self._left -= len(line)
        if self._left < 0:
            detail = f"line {self._number}: a row over {self._max_record_mb:g} MB (ingest.limits.max_record_mb)"
            raise UnreadableError("record too large", detail)
        return line


def _require_distinct(header: list[str]) -> None:
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
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
                for value in _values(batch):
                    number += 1
                    yield Raw(f":row {number}", value)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as fault:
        raise damaged(fault) from None


def _values(batch: Any) -> list[dict[str, Any]]:
    """The rows of a record batch; if one holds a time beyond Python's years 1 to 9999, all its times are text."""
    import pyarrow as pa

    try:
        return list(batch.to_pylist())
    except (ValueError, OverflowError):
        columns = [column.cast(pa.string()) if _is_time(column.type) else column for column in batch.columns]
        return list(pa.RecordBatch.from_arrays(columns, names=batch.schema.names).to_pylist())


def _is_time(type_: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_timestamp(type_) or pa.types.is_date(type_))

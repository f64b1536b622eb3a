"""Which reader reads which file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from acclimate.core.params import Format, Reading
from acclimate.data.sources import json_records, tables, texts, xml_records
from acclimate.data.sources.content import Content, Fault, Raw, UnreadableError

Reader = Callable[[Content, Reading], Iterator[Raw | Fault]]

_READERS: dict[Format, Reader] = {
    "jsonl": json_records.read_jsonl,
    "json": json_records.read_json,
    "csv": tables.read_csv,
    "tsv": tables.read_tsv,
    "parquet": tables.read_parquet_rows,
    "txt": texts.read_text,
    "md": texts.read_text,
    "html": texts.read_html,
    "xml": xml_records.read_xml,
    "pdf": texts.read_pdf,
}
_OTHER_NAMES: dict[str, Format] = {"ndjson": "jsonl", "tab": "tsv", "markdown": "md", "htm": "html", "xhtml": "html"}
WHOLE_TEXTS: frozenset[Format] = frozenset({"txt", "md", "html", "pdf"})
TYPED: frozenset[Format] = frozenset({"jsonl", "json"})
"""Formats whose values say what they are: in the others a number may be text that looks like one."""


def format_of(content: Content, source: Reading) -> Format:
    """The format that the source names, or the one of the file's name.

    Raises:
        UnreadableError: if the name tells none.
    """
    if source.format is not None:
        return source.format
    suffix = content.name.lower().rpartition(".")[2]
    found = _OTHER_NAMES.get(suffix) or next((name for name in _READERS if name == suffix), None)
    if found is None:
        raise UnreadableError(
            "unknown format", f"name ends in none of {', '.join(_READERS)}; or give the source a `format`"
        )
    return found


def read_records(content: Content, source: Reading, format_: Format) -> Iterator[Raw | Fault]:
    """What stands in the content, record by record.

    Raises:
        UnreadableError: where it cannot be read any further.
    """
    return _READERS[format_](content, source)

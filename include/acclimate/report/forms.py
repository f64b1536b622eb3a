"""The forms of the model side by side: size, memory, scores against the unquantised model, speed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from acclimate.release.forms.measuring import NEW_TOKENS, PROMPTS, Speed
from acclimate.release.forms.table import Form
from acclimate.report import formats
from acclimate.report.blocks import Block, Cell, Column, Note, Table

SCORES = ("domain_cloze", "general_cloze")


def forms(rows: Sequence[Form], speeds: Mapping[str, Speed]) -> list[Block]:
    """The table, and what is to be known to read it; nothing where the report is older than the table."""
    if not rows:
        return []
    columns = (
        Column("form"),
        Column("on disk", "number"),
        Column("in memory", "number"),
        *(Column(formats.words(score), "number") for score in SCORES),
        Column("items", "number"),
        Column("ms for one", "number"),
        Column("tokens/s", "number"),
    )
    note = (
        "Scores are in brackets set against the unquantised model's on the same items: the 95 % interval of the "
        "difference (cluster bootstrap). In memory are the weights once loaded: a CPU unpacks GPTQ to float32. "
        f"ms for one: the median of {PROMPTS} prompts, one at a time, until {NEW_TOKENS} tokens are written; tokens/s: "
        "the same prompts together. GGUF files are read by llama.cpp, the others by transformers."
    )
    blocks: list[Block] = [Table("Forms of the model", columns, tuple(_row(row, speeds.get(row.form)) for row in rows))]
    stored = [
        f"{row.form}: {', '.join(f'{count} × {kind}' for kind, count in row.storage.items())}"
        for row in rows
        if row.storage
    ]
    if stored:
        note += f" Tensors of the GGUF files by type: {'; '.join(stored)}."
    blocks.append(Note(note))
    return [*blocks, *(Note(f"{row.form}: {row.failure}", "warning") for row in rows if row.failure)]


def _row(row: Form, speed: Speed | None) -> tuple[Cell, ...]:
    own = row.form == "merged"
    numbers = [row.metrics.get(score) for score in SCORES]
    items = {of["n"] for of in numbers if of is not None}
    return (
        row.form,
        None if row.bytes is None else formats.size(row.bytes),
        None if row.memory_bytes is None else formats.size(row.memory_bytes),
        *(_score(of, own=own) for of in numbers),
        " / ".join(formats.count(n) for n in sorted(items)) or None,
        None if speed is None else f"{speed.latency_p50_ms:,.1f}",
        None if speed is None else f"{speed.tokens_per_second:,.0f}",
    )


def _score(of: Mapping[str, Any] | None, *, own: bool) -> Cell:
    if of is None:
        return None
    value = formats.decimal(of["candidate"])
    return value if own else f"{value} ({formats.interval(*of['interval'], sign=True)})"

"""The chosen candidates as one table in training order: their texts, and what is known of each.

    train.jsonl        id, kind, text; of domain_questions also question, answer and, where there is one, context
    records.parquet    id, kind, source, licence, language, quality, bytes, estimated_tokens, difficulty, stage,
                       content

`content` is the beginning of the SHA-256 of the training text: what tells whether a record of the same id has
changed between two versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.data.mixing import curriculum, difficulty
from acclimate.data.mixing.candidates import KINDS, PAIR, Pool, training_texts
from acclimate.data.seeded import chance

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from acclimate.core.params import CommonParams, MixParams


QUESTIONS = KINDS[1]


def training_set(
    params: MixParams,
    common: CommonParams,
    pools: Mapping[str, Pool],
    chosen: Mapping[str, NDArray[np.int64]],
    files: tuple[Path, Path],
) -> pa.Table:
    """The training set in training order: text, and what is known of each record."""
    import pyarrow as pa

    both = pa.concat_tables(
        [
            _of_file(pools, chosen, kinds, path, params.max_document_characters)
            for kinds, path in zip((KINDS[:2], KINDS[2:]), files, strict=True)
        ]
    )
    texts = both.column("text").combine_chunks()
    chances = np.array([chance(common.seed, f"order/{identity}") for identity in both.column("id").to_pylist()])
    hard = difficulty.hardness(texts, both.column("difficulty").combine_chunks())
    sizes = both.column("bytes").to_numpy()
    order, stages = _order(params, both, hard, chances)
    described = {
        "estimated_tokens": np.rint(sizes / params.bytes_per_token).astype(np.int64),
        "difficulty": pa.array([difficulty.GRADES[grade] for grade in difficulty.grades(hard)], type=pa.string()),
        "stage": pa.array(stages, type=pa.string()),
        "content": pa.array([sha256(text.as_py().encode()).hexdigest()[:16] for text in texts], type=pa.string()),
    }
    both = both.drop_columns(["difficulty"])
    for name, column in described.items():
        both = both.append_column(name, pa.array(column))
    return both.take(pa.array(order))


def training_rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    """The rows of train.jsonl."""
    for batch in table.select(["id", "kind", "text", *PAIR]).to_batches(4096):
        for row in batch.to_pylist():
            parts = {name: row.pop(name) for name in PAIR}
            if row["kind"] == QUESTIONS:
                row |= {name: part for name, part in parts.items() if part is not None}
            yield row


def _order(
    params: MixParams, table: pa.Table, hard: NDArray[np.float64], chances: NDArray[np.float64]
) -> tuple[NDArray[np.int64], list[str | None]]:
    """The rows in training order, and the stage of each row, None where there are none."""
    if params.strategy != "curriculum_progression":
        return _shuffled(chances, table.column("id")), [None] * len(chances)
    kinds = np.array([KINDS.index(kind) for kind in table.column("kind").to_pylist()])
    order, stages = curriculum.progression(kinds, hard, table.column("bytes").to_numpy(), chances)
    names = list(curriculum.STAGES)
    return order, [names[stage] for stage in stages]


def _of_file(
    pools: Mapping[str, Pool],
    chosen: Mapping[str, NDArray[np.int64]],
    kinds: Sequence[str],
    path: Path,
    max_document_characters: int,
) -> pa.Table:
    """What was chosen from one file, in the file's order."""
    import pyarrow as pa

    parts = []
    for kind in kinds:
        pool, rows = pools[kind], np.sort(chosen[kind])
        facts = pool.facts.take(pa.array(rows))
        facts = facts.add_column(1, "kind", pa.array([kind] * len(rows), type=pa.string()))
        facts = facts.append_column("bytes", pa.array(pool.bytes[rows]))
        parts.append(facts.append_column("place", pa.array(pool.places[rows])))
    table = pa.concat_tables(parts).sort_by("place")
    places = table.column("place").to_numpy()
    table = table.drop_columns(["place"]).rename_columns({"quality_score": "quality"})
    read = training_texts(path, places, max_document_characters)
    for name in read.column_names:
        table = table.append_column(name, read.column(name))
    return table


def _shuffled(chances: NDArray[np.float64], ids: pa.ChunkedArray) -> NDArray[np.int64]:
    import pyarrow as pa
    import pyarrow.compute as pc

    table = pa.table({"chance": chances, "id": ids})
    keys = [("chance", "ascending"), ("id", "ascending")]
    return np.asarray(pc.sort_indices(table, sort_keys=keys).to_numpy(), dtype=np.int64)

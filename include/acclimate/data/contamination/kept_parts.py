"""The training texts that stay, domain and general text apart, and how many went for which reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.core.errors import UserError
from acclimate.core.records import GENERAL, Reject
from acclimate.core.reports import Funnel
from acclimate.data.contamination.text_blocks import blocks

if TYPE_CHECKING:
    from acclimate.core.params import DecontaminateParams

PARTS = ("domain", "general")


def write_parts(train: Path, rejects: dict[int, Reject], params: DecontaminateParams, out: Path) -> dict[str, Funnel]:
    """Write what is kept of domain and general text, each to its file, block by block.

    Raises:
        UserError: if no domain or no general text is left.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[str, list[int]] = {part: [] for part in PARTS}
    with ExitStack() as files:
        schema = pq.read_schema(train).remove_metadata()
        writers = {
            part: files.enter_context(pq.ParquetWriter(out / f"{part}.parquet", schema, compression="zstd"))
            for part in PARTS
        }
        for first, block in blocks(train):
            general = np.array([domain == GENERAL for domain in block.column("domain").to_pylist()], dtype=np.bool_)
            stays = np.array([first + row not in rejects for row in range(block.num_rows)], dtype=np.bool_)
            for part, mine in (("domain", ~general), ("general", general)):
                rows[part] += (np.flatnonzero(mine) + first).tolist()
                writers[part].write_batch(block.filter(pa.array(mine & stays)))
    return {part: _funnel(part, rows[part], rejects, params) for part in PARTS}


def _funnel(part: str, rows: Sequence[int], rejects: dict[int, Reject], params: DecontaminateParams) -> Funnel:
    gone = [rejects[row] for row in rows if row in rejects]
    if len(gone) == len(rows):
        raise UserError(
            f"no {part} training text is left of {len(rows)}: all overlap an evaluation item",
            why="without domain text nothing is learnt, without general text what the model knows is forgotten",
            fix="add documents, lower split.test_share, or raise decontaminate.drop_words "
            f"(now {params.drop_words}) in params.yaml",
        )
    return Funnel.of(len(rows), len(rows) - len(gone), gone)


def together(funnels: dict[str, Funnel]) -> Funnel:
    """Both parts as one."""
    rejected: Counter[str] = sum((Counter(funnel.rejected) for funnel in funnels.values()), Counter())
    return Funnel(
        sum(funnel.records_in for funnel in funnels.values()),
        sum(funnel.records_out for funnel in funnels.values()),
        dict(sorted(rejected.items(), key=lambda count: (-count[1], count[0]))),
    )

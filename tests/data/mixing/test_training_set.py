"""training_set: what was chosen, in training order, with the text and the facts of the same record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from acclimate.core.params import CommonParams, MixParams
from acclimate.data.mixing.candidates import KINDS, Measures, scan
from acclimate.data.mixing.training_set import training_rows, training_set

Row = dict[str, Any]
COMMON = CommonParams(seed=1729, threads=1, min_free_disk_mb=0)


@pytest.mark.parametrize("strategy", ["static_balanced", "curriculum_progression"])
def test_text_and_facts_of_a_row_are_of_one_record(
    strategy: str,
    document: Callable[..., Row],
    write_documents: Callable[[Path, Sequence[Row]], Path],
    mix_params: MixParams,
    tmp_path: Path,
) -> None:
    rows = [
        document(f"Text {number}.", source=f"s{number}", type=("raw_text", "qa_pair")[number % 2])
        for number in range(40)
    ]
    general = [document(f"Note {number}.", domain="general", source=f"g{number}") for number in range(10)]
    files = (write_documents(tmp_path / "d.parquet", rows), write_documents(tmp_path / "g.parquet", general))
    pools = scan(*files, Measures(1729, 200, difficulty=False, density=False))
    chosen = {kind: np.arange(len(pools[kind].bytes))[::-1][:9] for kind in KINDS}
    table = training_set(mix_params.model_copy(update={"strategy": strategy}), COMMON, pools, chosen, files)
    texts = {row["id"]: row for row in [*rows, *general]}
    assert table.num_rows == 27
    assert len(set(table["id"].to_pylist())) == 27
    for row in table.to_pylist():
        assert row["text"] == texts[row["id"]]["text"]
        assert row["source"] == texts[row["id"]]["source"]
        assert (row["kind"] == "general_replay") == (texts[row["id"]]["domain"] == "general")
    assert [list(row) for row in training_rows(table)] == [["id", "kind", "text"]] * 27

from pathlib import Path

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.core.corpus import write_parts
from acclimate.data.validation.repeated_ids import repeated_ids

IDS = st.lists(st.lists(st.one_of(st.none(), st.sampled_from("abcdé") | st.text(max_size=2))), min_size=1, max_size=4)


def _tables(parts: list[list[str | None]]) -> list[pa.Table]:
    return [pa.table({"id": pa.array(ids, pa.string())}) for ids in parts]


@settings(deadline=None)  # the first example imports pandas
@given(IDS)
def test_an_id_is_counted_in_the_whole_corpus_whatever_the_part(
    tmp_path_factory: object, parts: list[list[str | None]]
) -> None:
    folder = tmp_path_factory.mktemp("parts")  # type: ignore[attr-defined]
    write_parts(folder, _tables(parts))
    found = [repeated_ids(folder).occurrences(table["id"]).tolist() for table in _tables(parts)]
    everything = [identity for ids in parts for identity in ids]
    assert found == [[1 if of is None else everything.count(of) for of in ids] for ids in parts]


def test_a_hundred_thousand_times_the_same_id_is_counted(tmp_path: Path) -> None:
    table = pa.table({"id": ["same"] * 50_000})
    write_parts(tmp_path, [table, table])
    assert np.unique(repeated_ids(tmp_path).occurrences(table["id"])).tolist() == [100_000]

"""What changed between two manifests: every record of either is counted once."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.core.files import write_parquet
from acclimate.core.records import Document
from acclimate.data.sources.manifest import Changes, ManifestWriter, compare, manifest_schema

Rows = list[tuple[str, str, str, str]]


def _compare(now: Rows, before: Rows) -> tuple[dict[str, Changes], dict[str, str | None]]:
    with TemporaryDirectory() as folder:
        paths = [Path(folder, name) for name in ("now.parquet", "before.parquet")]
        for path, rows in zip(paths, (now, before), strict=True):
            columns = [dict(zip(manifest_schema().names, row, strict=True)) for row in rows]
            write_parquet(path, pa.Table.from_pylist(columns, schema=manifest_schema()))
        changes, gone = compare(paths[0], paths[1], set())
    return changes, {f"{stone.source} {stone.id}": stone.replaced_by for stone in gone}


MANIFEST = st.dictionaries(
    st.tuples(st.sampled_from("st"), st.sampled_from("abcdef")),
    st.tuples(st.sampled_from("1234"), st.sampled_from("xy")),
).map(lambda rows: [(source, place, name, content) for (source, name), (place, content) in rows.items()])


@settings(max_examples=60, deadline=None)
@given(MANIFEST, MANIFEST)
def test_every_record_of_either_manifest_is_counted_once(now: Rows, before: Rows) -> None:
    changes, gone = _compare(now, before)
    for source in {row[0] for row in [*now, *before]}:
        ids_now = {row[2]: row[3] for row in now if row[0] == source}
        ids_before = {row[2]: row[3] for row in before if row[0] == source}
        one = changes[source]
        assert one.new + one.changed + one.unchanged == len(ids_now)
        assert one.unchanged == len(ids_now.items() & ids_before.items())
        stones = {name: there for name, there in gone.items() if name.startswith(f"{source} ")}
        assert set(stones) == {f"{source} {name}" for name in ids_before.keys() - ids_now.keys()}
        assert one.removed == sum(there is None for there in stones.values())
        successors = [there for there in stones.values() if there is not None]
        assert len(set(successors)) == len(successors), "a record replaces one other"
        assert set(successors) <= ids_now.keys() - ids_before.keys()


@given(MANIFEST)
@settings(max_examples=20, deadline=None)
def test_a_manifest_does_not_differ_from_itself(rows: Rows) -> None:
    changes, gone = _compare(rows, rows[::-1])
    assert gone == {}
    assert all(one.sentence() == "no change" for one in changes.values())


def test_a_change_is_told_in_words() -> None:
    assert Changes(new=1_200, changed=0, unchanged=7, removed=1).sentence() == "1,200 new, 1 removed"


def test_the_digest_covers_every_field_of_a_record(tmp_path: Path) -> None:
    one = Document(id="a", text="One.", source="s", type="raw_text", domain="d", group="g")
    with ManifestWriter(tmp_path / "m.parquet") as listed:
        for document in (one, one.model_copy(), one.model_copy(update={"licence": "CC0-1.0"})):
            listed.add("here", document)
    import pyarrow.parquet as pq

    first, same, other = pq.read_table(tmp_path / "m.parquet")["sha256"].to_pylist()
    assert first == same != other

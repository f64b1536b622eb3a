from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from acclimate.core.errors import UserError
from acclimate.core.records import document_schema
from acclimate.data.validation.profile import EDGES, NAME, Profiler, read_profile, write_profile


def _table(*records: dict[str, Any]) -> pa.Table:
    usual = dict.fromkeys(document_schema().names) | {"id": "x", "type": "raw_text", "domain": "general"}
    usual |= {"source": "own", "language": "en", "group": "x", "text": "four"}
    schema = pa.schema([field.with_nullable(True) for field in document_schema()])
    return pa.Table.from_pylist([usual | record for record in records], schema=schema)


def _profiler(*parts: pa.Table, failed: tuple[int, ...] = ()) -> Profiler:
    profiler, start = Profiler(), 0
    for part in parts:
        profiler.add(part, np.array([row not in failed for row in range(start, start + len(part))]))
        start += len(part)
    return profiler


def test_a_source_is_counted_over_parts_and_apart_from_others() -> None:
    one = _table({"answer": "yes"}, {"text": "zwölf", "language": "de"}, {"source": "other"})
    two = _table({"text": None, "domain": "pottery"})
    profile = _profiler(one, two, failed=(3,)).profile()
    own = profile.sources["own"]
    assert list(profile.sources) == ["other", "own"]
    assert (own.records, own.passed, own.bytes, own.domains) == (3, 2, 4 + 6, {"general": 2})
    assert own.languages == {"de": pytest.approx(1 / 3, abs=1e-6), "en": pytest.approx(2 / 3, abs=1e-6)}
    assert (own.null_share["answer"], own.null_share["text"]) == (0.666667, 0.333333)
    assert own.lengths == {"4": 1, "5": 1}
    assert (profile.overall.records, profile.overall.passed) == (4, 3)
    assert profile.schema["created_date"] == "date32[day]"


def test_quantiles_are_at_most_one_class_below_the_exact_ones() -> None:
    lengths = [20, 30, 500, 501, 10_000]
    profile = _profiler(_table(*({"text": "x" * length} for length in lengths))).profile()
    median = profile.overall.length_quantiles["0.5"]
    assert 500 / 1.1 < median <= 500
    assert set(map(int, profile.overall.lengths)) <= set(EDGES)
    assert sum(profile.overall.lengths.values()) == 5


def test_a_text_of_no_or_too_many_characters_is_counted_at_the_ends() -> None:
    profile = _profiler(_table({"text": ""}, {"text": "x" * 17_000_000})).profile()
    assert profile.overall.lengths == {"1": 1, str(EDGES[-1]): 1}


def test_how_a_batch_is_cut_into_parts_does_not_show() -> None:
    records = [{"text": "x" * length, "source": f"s{length % 3}"} for length in range(1, 40)]
    whole = _profiler(_table(*records)).profile()
    assert _profiler(*(_table(record) for record in records)).profile() == whole


def test_a_batch_without_records_has_a_profile() -> None:
    profile = _profiler(_table()).profile()
    assert (profile.overall.records, profile.sources, profile.overall.length_quantiles) == (0, {}, {})


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    assert read_profile(tmp_path) is None
    profile = _profiler(_table({})).profile()
    write_profile(tmp_path, profile)
    assert read_profile(tmp_path) == profile


@pytest.mark.parametrize(
    ("content", "reason"),
    [('{"version": 1}', "schema: field required"), ("{", "invalid json"), (None, "version 0, this is version 1")],
)
def test_a_profile_that_cannot_be_read_is_refused_with_what_to_do(
    tmp_path: Path, content: str | None, reason: str
) -> None:
    write_profile(tmp_path, _profiler(_table({})).profile())
    path = tmp_path / NAME
    path.write_text(content or path.read_text().replace('"version": 1', '"version": 0'))
    with pytest.raises(UserError, match=reason) as refused:
        read_profile(tmp_path)
    assert "remove" in refused.value.fix

"""Shards: nothing lost, and an edit changes the file it is in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.remote import shards as module
from acclimate.data.remote.shards import shards

LINES = [b"record %d\n" % i for i in range(20_000)]


@given(st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"") + b"\n"), max_size=300))
def test_joined_they_are_the_lines(lines: list[bytes]) -> None:
    assert b"".join(shards(lines)) == b"".join(lines)
    assert b"" not in list(shards(lines))


def test_a_record_that_comes_or_goes_leaves_the_other_shards_as_they_are() -> None:
    whole = set(shards(LINES))
    assert 12 <= len(whole) <= 28
    assert len(set(shards([*LINES[:9000], b"new\n", *LINES[9000:]])) - whole) == 1
    assert len(set(shards([*LINES[:500], *LINES[501:]])) - whole) <= 2
    assert len(set(shards(LINES[1:])) - whole) <= 2


def test_one_record_a_hundred_thousand_times_does_not_become_as_many_files() -> None:
    border = next(line for line in LINES if module._is_border(line))
    assert len(list(shards([border] * 100_000))) == 1000


def test_a_shard_comes_as_soon_as_its_last_line_was_taken() -> None:
    taken = 0

    def lines() -> object:
        nonlocal taken
        for line in LINES:
            taken += 1
            yield line

    for count, shard in enumerate(shards(lines())):  # type: ignore[arg-type]
        if count == 0:
            assert shard.count(b"\n") == taken


def test_a_shard_fits_in_memory_whatever_the_hashes_are() -> None:
    giant = [b"x" * 9_000_000 + b"\n"] * 4
    assert [len(shard) for shard in shards(giant)] == [18_000_002, 18_000_002]

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from acclimate.core.chain import FIRST, Chain
from acclimate.core.errors import UserError


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    chain = Chain(tmp_path / "deep/records.jsonl", why="it matters", fix="mend it")
    names = ("one", "two", "three")
    for _ in names:
        chain.append(lambda number: {"number": number, "name": names[number - 1]})
    return chain


def test_records_come_back_in_order_each_with_the_hash_of_the_line_before(chain: Chain) -> None:
    records = chain.read()
    lines = chain.path.read_bytes().splitlines(keepends=True)
    assert [(record["number"], record["name"]) for record in records] == [(1, "one"), (2, "two"), (3, "three")]
    assert [record["previous"] for record in records] == [FIRST, *(hashlib.sha256(x).hexdigest() for x in lines[:2])]


def test_no_file_is_no_record(tmp_path: Path) -> None:
    assert Chain(tmp_path / "none.jsonl", why="", fix="").read() == []


@pytest.mark.parametrize("damage", ["changed", "spaces", "not an object", "without hash"])
def test_a_line_that_was_tampered_with_is_named_with_what_to_do(chain: Chain, damage: str) -> None:
    lines = chain.path.read_text().splitlines(keepends=True)
    lines[1] = {
        "changed": lines[1].replace("two", "2"),
        "spaces": lines[1].replace('": ', '":  '),
        "not an object": "[]\n",
        "without hash": json.dumps({"number": 2, "name": "two"}) + "\n",
    }[damage]
    chain.path.write_text("".join(lines))
    number = 3 if damage == "changed" else 2
    with pytest.raises(UserError, match=f"line {number} of .* does not follow") as fault:
        chain.read()
    assert (fault.value.why, fault.value.fix) == ("it matters", "mend it")
    with pytest.raises(UserError, match="does not follow"):
        chain.append(lambda number: {"number": number})

"""The index: adding in any portions keeps what one pass keeps; it survives a kill and refuses what is not its own."""

from __future__ import annotations

import json
import random
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.data.kernels.buffers import of_strings
from acclimate.data.similarity import crowds
from acclimate.data.similarity.near_duplicates import near_duplicates
from acclimate.data.similarity.near_index import NearIndex
from acclimate.data.similarity.sketches import Nearness, sketch_texts

NEARNESS = Nearness(threshold=0.5, shingle_words=3, seed=1729)


def _texts(seed: int, documents: int = 60) -> list[str]:
    choose = random.Random(seed)
    vocabulary = [f"w{i}" for i in range(200)]
    texts = ["", "one", "one", "--"]
    for _ in range(documents):
        base = choose.choices(vocabulary, k=40)
        for _ in range(choose.randint(1, 4)):
            texts.append(" ".join(choose.choice(vocabulary) if choose.random() < 0.06 else word for word in base))
    choose.shuffle(texts)
    return texts


def _kept_by_one_pass(texts: list[str]) -> list[bool]:
    labels = near_duplicates(sketch_texts(texts, NEARNESS), NEARNESS).labels()
    return [int(label) == text for text, label in enumerate(labels)]


@pytest.mark.parametrize("seed", range(4))
def test_adding_in_portions_keeps_what_one_pass_keeps(tmp_path: Path, seed: int) -> None:
    texts = _texts(seed)
    edges = [0, *sorted(random.Random(seed).sample(range(len(texts)), 3)), len(texts)]
    index = NearIndex.create(tmp_path / "index", NEARNESS)
    kept: list[bool] = []
    for start, end in pairwise(edges):
        added = NearIndex.open(tmp_path / "index", NEARNESS).add([of_strings(texts[start:end])], threads=2)
        for text in added.withdrawn.tolist():
            assert kept[text]
            kept[text] = False
        kept += added.kept.tolist()
        assert kept == _kept_by_one_pass(texts[:end])
    index = NearIndex.open(tmp_path / "index", NEARNESS)
    index.check()
    assert index.kept().tolist() == kept
    assert index.texts == len(texts)


def _crowd(seed: int, documents: int) -> list[str]:
    """Texts of which most is boilerplate, so that they share buckets; every eighth is a near copy of an earlier one."""
    choose = random.Random(seed)
    boilerplate = [f"b{i}" for i in range(180)]
    texts: list[list[str]] = []
    for text in range(documents):
        if text % 8 == 7:
            copied = list(choose.choice(texts))
            for _ in range(choose.randint(0, 9)):
                copied[choose.randrange(180, len(copied))] = f"new{text}"
            texts.append(copied)
        else:
            texts.append([*boilerplate, *(f"t{text}w{i}" for i in range(choose.randint(45, 70)))])
    return [" ".join(text) for text in texts]


@pytest.mark.parametrize("few", [8, 10**9])
def test_a_few_new_texts_of_a_crowd_join_what_one_pass_joins(
    few: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nearness, texts, before = Nearness(threshold=0.7, shingle_words=5, seed=1729), _crowd(3, 900), 820
    monkeypatch.setattr(crowds, "NEWCOMERS", few)  # above any crowd: the join that a first pass has
    compared: list[int] = []
    newcomers = crowds._compare_newcomers

    def noted(*given: Any) -> None:
        compared.append(len(given[2]))
        newcomers(*given)

    monkeypatch.setattr(crowds, "_compare_newcomers", noted)
    index = NearIndex.create(tmp_path / "index", nearness)
    index.add([of_strings(texts[:before])])
    added = index.add([of_strings(texts[before:])], threads=2)
    labels = near_duplicates(sketch_texts(texts, nearness), nearness).labels().tolist()
    assert index.kept().tolist() == [label == text for text, label in enumerate(labels)]
    assert 0 < added.kept.tolist().count(False) < len(texts) - before
    assert (compared != []) == (few == 8), "the new texts of a crowd are few, or there is no crowd in this test"


def test_a_text_between_two_kept_ones_withdraws_the_later(tmp_path: Path) -> None:
    words = [f"w{i}" for i in range(60)]
    one, other = [*words[:40], *"abcdefghij"], [*words[10:50], *"klmnopqrst"]
    between = words[:50]
    index = NearIndex.create(tmp_path / "index", NEARNESS)
    first = index.add([of_strings([" ".join(one), "quite another text", " ".join(other)])])
    assert first.kept.tolist() == [True, True, True]
    second = index.add([of_strings([" ".join(between)])])
    assert second.kept.tolist() == [False]
    assert second.withdrawn.tolist() == [2]


def test_what_a_killed_addition_left_does_not_count(tmp_path: Path) -> None:
    index = NearIndex.create(tmp_path / "index", NEARNESS)
    index.add([of_strings(["a b c d e", "f g h i j"])])
    for name in ("shingles", "starts", "parents", "joins", "keys-1"):
        with (tmp_path / "index" / name).open("ab") as file:
            file.write(b"left over")
    assert NearIndex.open(tmp_path / "index", NEARNESS).kept().tolist() == [True, True]
    added = NearIndex.open(tmp_path / "index", NEARNESS).add([of_strings(["F G H I J", "k l m n o"])])
    assert added.kept.tolist() == [False, True]
    NearIndex.open(tmp_path / "index", NEARNESS).check()


def test_whoever_opened_the_index_before_another_added_to_it_has_to_open_it_again(tmp_path: Path) -> None:
    texts = _texts(0)
    NearIndex.create(tmp_path / "index", NEARNESS)
    first, second = (NearIndex.open(tmp_path / "index", NEARNESS) for _ in range(2))
    first.add([of_strings(texts)])
    with pytest.raises(UserError, match="has been added to since it was opened"):
        second.add([of_strings(texts[:3])])
    index = NearIndex.open(tmp_path / "index", NEARNESS)
    index.check()
    assert index.texts == len(texts)


def test_a_damaged_header_is_the_users_to_mend_and_not_a_riddle(tmp_path: Path) -> None:
    NearIndex.create(tmp_path / "index", NEARNESS)
    (tmp_path / "index/index.json").write_text("")
    with pytest.raises(UserError, match=r"index\.json is damaged") as fault:
        NearIndex.open(tmp_path / "index", NEARNESS)
    assert "add all texts again" in fault.value.fix


def test_nothing_added_changes_nothing(tmp_path: Path) -> None:
    index = NearIndex.create(tmp_path / "index", NEARNESS)
    assert index.add([]).kept.tolist() == []
    assert index.add([of_strings(["a b c"])]).kept.tolist() == [True]
    assert index.add([]).withdrawn.tolist() == []
    assert NearIndex.open(tmp_path / "index", NEARNESS).kept().tolist() == [True]


def test_an_index_of_other_parameters_or_another_version_is_refused(tmp_path: Path) -> None:
    NearIndex.create(tmp_path / "index", NEARNESS)
    with pytest.raises(UserError, match="was made with"):
        NearIndex.open(tmp_path / "index", Nearness(0.8, 3, 1729))
    header = json.loads((tmp_path / "index/index.json").read_text())
    (tmp_path / "index/index.json").write_text(json.dumps({**header, "version": 0}))
    with pytest.raises(UserError, match="version 0"):
        NearIndex.open(tmp_path / "index", NEARNESS)
    with pytest.raises(UserError, match="holds no index"):
        NearIndex.open(tmp_path / "elsewhere", NEARNESS)


def test_a_damaged_index_is_refused(tmp_path: Path) -> None:
    NearIndex.create(tmp_path / "index", NEARNESS).add([of_strings(["a b c d e", "f g h i j"])])
    for name in ("shingles", "starts", "parents", "keys-0", "texts-0"):
        file = tmp_path / "index" / name
        written = file.read_bytes()
        file.write_bytes(bytes(len(written) - 1) + b"!")
        with pytest.raises(UserError, match=f"{name} is not what was written"):
            NearIndex.open(tmp_path / "index", NEARNESS).check()
        file.write_bytes(written[:-1])
        with pytest.raises(UserError, match=f"{name} is cut short"):
            NearIndex.open(tmp_path / "index", NEARNESS)
        file.write_bytes(written)
    NearIndex.open(tmp_path / "index", NEARNESS).check()

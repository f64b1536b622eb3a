"""decontaminate: fires on every disguise of a verbatim copy, and not on text that only resembles an item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, read_parquet, write_jsonl
from acclimate.core.params import DecontaminateParams
from acclimate.data.decontaminate import DecontaminateReport, overlap, run
from acclimate.data.evaluation_items import TASKS, ClozeItem, TextItem
from acclimate.data.words import WordStreams

Row = dict[str, Any]
Make = Callable[..., Row]
Write = Callable[[Path, Sequence[Row]], Path]

PARAMS = DecontaminateParams(drop_words=13, flag_words=8)
LEFT = "Before the glaze is put on, the pots are fired once at nine hundred and fifty "
RIGHT = " so that they keep their shape while they drink the water of the glaze"
CLOZE = ClozeItem("d1:78", "d1", "c1", LEFT, RIGHT, ["wheels", "degrees", "kilns", "glazes"], 1)
TEXT = TextItem(
    "d2:0", "d2", "c2", "Celadon owes its green to a little iron, fired where the flame gets too little air."
)
GENERAL = TextItem(
    "d3:0", "d3", "c3", "A train that leaves at noon and goes eighty miles an hour meets the other at two."
)
UNRELATED = "Slip is clay in water. It is poured into a mould, and after an hour what has not set is poured out again."


@pytest.fixture
def check(tmp_path: Path, document: Make, write_documents: Write) -> Callable[..., DecontaminateReport]:
    """check(*texts): decontaminate these domain texts, beside one unrelated domain and one general text."""

    def run_it(*texts: str, params: DecontaminateParams = PARAMS, items: Row | None = None) -> DecontaminateReport:
        rows = [document(text, id=f"t{place}") for place, text in enumerate(texts)]
        rows += [document(UNRELATED, id="unrelated"), document("Trains are late.", id="g", domain="general")]
        train = write_documents(tmp_path / "train.parquet", [{**row, "cluster": row["id"]} for row in rows])
        given = {"domain_cloze": CLOZE, "domain_text": TEXT, "general_text": GENERAL, **(items or {})}
        for task in TASKS:
            write_jsonl(tmp_path / f"evaluation/{task}.jsonl", [asdict(given[task])] if task in given else [])
        (tmp_path / "out").mkdir()
        return run(params, train=train, evaluation=tmp_path / "evaluation", out=tmp_path / "out")

    return run_it


def _kept(directory: Path, part: str = "domain") -> list[str]:
    kept: list[str] = read_parquet(directory / "out" / f"{part}.parquet").column("id").to_pylist()
    return kept


@pytest.mark.parametrize(
    "disguise",
    [
        CLOZE.text,
        CLOZE.text.upper(),
        CLOZE.text.replace(",", ";").replace(" ", " – "),
        CLOZE.text.replace(" ", "\u00a0"),
        CLOZE.text.replace(" ", "\n    "),
        CLOZE.text.replace("fired", "\ufb01red"),
        f"{UNRELATED} {CLOZE.text}. {UNRELATED}",
        f"Question: true or false? {CLOZE.text}\nAnswer: true.",
        # Thirteen words of it are enough, the missing term among them.
        "fired once at nine hundred and fifty degrees so that they keep their",
    ],
)
def test_a_copy_goes_however_it_is_written(
    check: Callable[..., DecontaminateReport], tmp_path: Path, disguise: str
) -> None:
    report = check(disguise)
    assert _kept(tmp_path) == ["unrelated"]
    assert report.funnel.rejected == {"contaminated": 1}
    (reject,) = read_jsonl(tmp_path / "out/rejected.jsonl")
    assert (reject["id"], reject["reason"], reject["detail"]) == ("t0", "contaminated", "domain_cloze d1:78")
    assert (report.tasks["domain_cloze"].found, report.tasks["domain_cloze"].dropped) == (1, 1)
    assert report.tasks["domain_text"].found == 0


@pytest.mark.parametrize(
    "text",
    [
        # The same gap with another choice in it, and fewer than 13 words to each side.
        "at nine hundred and fifty wheels so that they keep their shape",
        # Twelve words of it.
        "fired once at nine hundred and fifty degrees so that they keep",
        " ".join(reversed(CLOZE.text.split())),
        "The pots are fired before glazing at about 950 degrees; they then keep their shape in the wet glaze.",
    ],
)
def test_text_that_only_resembles_an_item_stays(
    check: Callable[..., DecontaminateReport], tmp_path: Path, text: str
) -> None:
    report = check(text)
    assert _kept(tmp_path) == ["t0", "unrelated"]
    assert read_jsonl(tmp_path / "out/rejected.jsonl") == []
    assert report.headline() == f"3 in, 3 out; {report.flagged} flagged; 3 of 3 items clean"


def test_eight_words_in_a_row_are_flagged_and_stay(check: Callable[..., DecontaminateReport], tmp_path: Path) -> None:
    report = check("fired once at nine hundred and fifty degrees, it says", "nine hundred and fifty degrees, it says")
    assert report.flagged == 1
    assert _kept(tmp_path) == ["t0", "t1", "unrelated"]


def test_words_of_two_texts_are_not_a_passage(check: Callable[..., DecontaminateReport], tmp_path: Path) -> None:
    words = CLOZE.text.split()
    check(" ".join(words[:12]), " ".join(words[12:24]))
    assert _kept(tmp_path) == ["t0", "t1", "unrelated"]


def test_a_short_item_is_looked_for_as_a_whole_and_a_very_short_one_not(
    check: Callable[..., DecontaminateReport], tmp_path: Path
) -> None:
    items = {
        "domain_text": TextItem("s:0", "s", "s", "Celadon owes its green to iron."),
        "general_text": TextItem("v:0", "v", "v", "Trains are late."),
    }
    report = check("As we know, CELADON owes its green to iron!", "Celadon owes its green to copper.", items=items)
    assert _kept(tmp_path) == ["t1", "unrelated"]
    assert _kept(tmp_path, "general") == ["g"]
    assert asdict(report.tasks["domain_text"]) == {
        "items": 1,
        "checked": 1,
        "uncheckable": 0,
        "found": 1,
        "clean": 1,
        "dropped": 1,
    }
    assert asdict(report.tasks["general_text"]) == {
        "items": 1,
        "checked": 0,
        "uncheckable": 1,
        "found": 0,
        "clean": 0,
        "dropped": 0,
    }
    assert report.headline().endswith("2 of 3 items clean")


def test_a_text_with_several_items_names_the_first_and_counts_for_each_task(
    check: Callable[..., DecontaminateReport], tmp_path: Path
) -> None:
    report = check(f"{TEXT.text} {CLOZE.text}")
    (reject,) = read_jsonl(tmp_path / "out/rejected.jsonl")
    assert reject["detail"] == "domain_cloze d1:78 and 1 more"
    assert [task.dropped for task in report.tasks.values()] == [1, 0, 1, 0]
    assert report.domain.rejected == {"contaminated": 1}
    assert report.general.rejected == {}


def test_the_number_of_words_is_the_dial(check: Callable[..., DecontaminateReport], tmp_path: Path) -> None:
    check("nine hundred and fifty degrees", params=DecontaminateParams(drop_words=5, flag_words=5))
    assert _kept(tmp_path) == ["unrelated"]


def test_without_general_text_left_the_run_stops(check: Callable[..., DecontaminateReport]) -> None:
    items = {"general_text": TextItem("g:0", "g", "g", "Trains are late, trains are late.")}
    with pytest.raises(UserError, match="no general training text is left of 1"):
        check(items=items, params=DecontaminateParams(drop_words=3, flag_words=3))


def test_no_item_and_no_text_overlap_nothing() -> None:
    nothing = WordStreams.of([])
    assert overlap(nothing, WordStreams.of([CLOZE.text]), 13).shape == (0, 2)
    assert overlap(WordStreams.of([CLOZE.text]), nothing, 13).shape == (0, 2)

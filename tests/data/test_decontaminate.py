"""decontaminate: fires on every disguise of an item, not on text that only resembles one, and certifies the rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.certificate import require_certified
from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, read_parquet, sha256, write_jsonl
from acclimate.core.params import DecontaminateParams
from acclimate.core.params.contamination import Benchmark
from acclimate.data import decontaminate
from acclimate.data.contamination.finds import COPY, FLAGGED, PASSAGE, REPHRASED, SHORT, Finds, Flags
from acclimate.data.contamination.kept_parts import PARTS
from acclimate.data.decontaminate import DecontaminateReport, run
from acclimate.data.evaluation.evaluation_items import TASKS, ClozeItem, TextItem
from acclimate.data.evaluation.examples import Example, GroundTruth, example_id, write_rows

Row = dict[str, Any]
Make = Callable[..., Row]
Write = Callable[[Path, Sequence[Row]], Path]
Check = Callable[..., DecontaminateReport]

PARAMS = DecontaminateParams(
    drop_words=13,
    flag_words=8,
    near_duplicate=0.8,
    validation="drop",
    boilerplate_documents=3,
    benchmarks=[],
    preferences=None,
    rephrased="off",
    embedder="tfidf",
    similarity=0.6,
    neighbours=5,
    judge=None,
)
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
HELD_OUT = "Raku pots are taken from the kiln while they glow and are smothered in straw or in sawdust at once."


@pytest.fixture
def check(tmp_path: Path, document: Make, write_documents: Write) -> Check:
    """check(*texts): decontaminate these domain texts, beside one unrelated domain and one general text."""

    def run_it(
        *texts: str | Row,
        items: Row | None = None,
        held_out: str = HELD_OUT,
        answers: dict[str, str] | None = None,
        **changes: Any,
    ) -> DecontaminateReport:
        given = [text if isinstance(text, dict) else document(text) for text in texts]
        rows = [{**row, "id": f"t{place}"} for place, row in enumerate(given)]
        rows += [document(UNRELATED, id="unrelated"), document("Trains are late.", id="g", domain="general")]
        train = write_documents(tmp_path / "train.parquet", [{**row, "cluster": row["id"]} for row in rows])
        tasks = {"domain_cloze": CLOZE, "domain_text": TEXT, "general_text": GENERAL, **(items or {})}
        for task in TASKS:
            write_jsonl(tmp_path / f"evaluation/{task}.jsonl", [asdict(tasks[task])] if task in tasks else [])
        (tmp_path / "out").mkdir()
        write_rows(tmp_path / "examples.jsonl", [_example(*asked) for asked in (answers or {}).items()])
        return run(
            PARAMS.model_copy(update=changes),
            train=train,
            validation=write_documents(tmp_path / "validation.parquet", [document(held_out, id="v")]),
            evaluation=tmp_path / "evaluation",
            examples=tmp_path / "examples.jsonl",
            inputs=tmp_path / "inputs",
            out=tmp_path / "out",
        )

    return run_it


def _example(question: str, answer: str) -> Example:
    fields: Row = {"type": "factual", "difficulty": "easy", "difficulty_from": "given", "source": "a book"}
    fields |= {"domain_category": "pottery", "source_kind": "expert", "group": "g", "cluster": "c", "annotators": 0}
    fields |= {"quality_score": 1.0, "annotation_confidence": 0.9, "complexity_score": 0.2}
    truth = GroundTruth(answer=answer, answer_type="text", key_concepts=[], evaluation_criteria=[])
    return Example(id=example_id(question, answer), question=question, ground_truth=truth, **fields)


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
        " ".join(f"_{word}_" if place % 4 else word for place, word in enumerate(CLOZE.text.split())),
        f"{UNRELATED} {CLOZE.text}. {UNRELATED}",
        f"Question: true or false? {CLOZE.text}\nAnswer: true.",
        # Thirteen words of it are enough, the missing term among them.
        "fired once at nine hundred and fifty degrees so that they keep their",
    ],
)
def test_a_copy_goes_however_it_is_written(check: Check, tmp_path: Path, disguise: str) -> None:
    report = check(disguise)
    assert _kept(tmp_path) == ["unrelated"]
    assert report.funnel.rejected == {PASSAGE: 1}
    (reject,) = read_jsonl(tmp_path / "out/rejected.jsonl")
    assert (reject["id"], reject["reason"], reject["detail"]) == ("t0", PASSAGE, "domain_cloze d1:78")
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
def test_text_that_only_resembles_an_item_stays(check: Check, tmp_path: Path, text: str) -> None:
    report = check(text)
    assert _kept(tmp_path) == ["t0", "unrelated"]
    assert read_jsonl(tmp_path / "out/rejected.jsonl") == read_jsonl(tmp_path / "out/hits.jsonl") == []
    assert report.headline() == f"3 in, 3 out; {report.flagged} flagged; 4 items kept out"


def test_eight_words_in_a_row_are_flagged_and_listed_and_stay(check: Check, tmp_path: Path) -> None:
    report = check("fired once at nine hundred and fifty degrees, it says", "nine hundred and fifty degrees, it says")
    assert report.flagged == 1
    assert _kept(tmp_path) == ["t0", "t1", "unrelated"]
    (hit,) = read_jsonl(tmp_path / "out/flagged.jsonl")
    assert (hit["id"], hit["action"], hit["rule"], hit["item"]) == ("t0", "flagged", FLAGGED, "d1:78")
    assert hit["text"][0] == ["fired once at nine hundred and fifty degrees", True]


def test_of_many_flagged_texts_those_that_share_most_are_listed(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decontaminate, "LISTED_FLAGS", 1)
    words = CLOZE.text.split()
    report = check(" ".join(words[:8]), " ".join(words[2:13]), " ".join(words[:9]))
    assert report.flagged == 3
    assert [hit["id"] for hit in read_jsonl(tmp_path / "out/flagged.jsonl")] == ["t1"]


def test_a_long_answer_of_an_example_is_looked_for_and_a_short_one_is_not(check: Check, tmp_path: Path) -> None:
    long = "because the glaze draws the water out of the clay and the wall of the pot gives way to it"
    report = check(
        f"It cracks {long}, as they say.",
        "In autumn, with straw.",
        answers={"Why does it crack?": long, "When is raku fired?": "In autumn, with straw."},
    )
    assert _kept(tmp_path) == ["t1", "unrelated"]
    (reject,) = read_jsonl(tmp_path / "out/rejected.jsonl")
    assert reject["detail"].startswith("evaluation_set_answers ")
    assert (report.tasks["evaluation_set"].items, report.tasks["evaluation_set_answers"].items) == (2, 1)


def test_a_text_that_goes_is_not_counted_as_flagged_too(check: Check) -> None:
    assert check(CLOZE.text).flagged == 0


def test_words_of_two_texts_are_not_a_passage(check: Check, tmp_path: Path) -> None:
    words = CLOZE.text.split()
    check(" ".join(words[:12]), " ".join(words[12:24]))
    assert _kept(tmp_path) == ["t0", "t1", "unrelated"]


def test_a_short_item_is_looked_for_as_a_whole(check: Check, tmp_path: Path) -> None:
    items = {"domain_text": TextItem("s:0", "s", "s", "Celadon owes its green to iron.")}
    report = check("As we know, CELADON owes its green to iron!", "Celadon owes its green to copper.", items=items)
    assert _kept(tmp_path) == ["t1", "unrelated"]
    assert report.funnel.rejected == {SHORT: 1}


def test_a_very_short_item_is_a_whole_text_or_a_whole_question_never_a_part(
    check: Check, document: Make, tmp_path: Path
) -> None:
    items = {"domain_text": TextItem("v:0", "v", "v", "What is raku?")}
    asked = document("Question: What is Raku?\nAnswer: A way of firing.", type="qa_pair", question="What is Raku?")
    report = check("what is RAKU", "He asked: what is raku? Nobody knew.", asked, items=items)
    assert _kept(tmp_path) == ["t1", "unrelated"]
    assert report.funnel.rejected == {COPY: 2}


def test_an_item_without_words_is_not_looked_for(check: Check) -> None:
    task = check(items={"domain_text": TextItem("e:0", "e", "e", "?!")}).tasks["domain_text"]
    assert (task.items, task.checked, task.found) == (1, 0, 0)


def test_a_near_duplicate_goes_though_no_passage_is_whole(check: Check, tmp_path: Path) -> None:
    long = " ".join(f"word{number}" for number in range(60))
    items = {"domain_text": TextItem("l:0", "l", "l", long)}
    edited = long.replace("word30", "other")
    report = check(edited, items=items, drop_words=40)
    assert _kept(tmp_path) == ["unrelated"]
    assert report.funnel.rejected == {COPY: 1}
    (hit,) = read_jsonl(tmp_path / "out/hits.jsonl")
    assert hit["similarity"] == pytest.approx(51 / 61, abs=1e-4)


def test_a_text_with_several_items_names_the_first_and_counts_for_each_task(check: Check, tmp_path: Path) -> None:
    report = check(f"{TEXT.text} {CLOZE.text}")
    (reject,) = read_jsonl(tmp_path / "out/rejected.jsonl")
    assert reject["detail"] == "domain_cloze d1:78 and 1 more"
    assert {name: task.dropped for name, task in report.tasks.items()} == {
        "domain_cloze": 1,
        "domain_text": 1,
        "general_text": 0,
        "validation": 0,
    }
    assert report.domain.rejected == {PASSAGE: 1}
    assert report.general.rejected == {}


@pytest.mark.parametrize(("consequence", "dropped", "found"), [("drop", 1, 1), ("flag", 0, 1), ("off", 0, None)])
def test_what_a_validation_document_leads_to_is_a_dial(
    check: Check, tmp_path: Path, consequence: str, dropped: int, found: int | None
) -> None:
    report = check(f"It is said that {HELD_OUT}", validation=consequence)
    assert len(read_jsonl(tmp_path / "out/rejected.jsonl")) == dropped
    assert (report.tasks["validation"].found if "validation" in report.tasks else None) == found
    assert [hit["action"] for hit in read_jsonl(tmp_path / "out/hits.jsonl")] == (
        [] if found is None else ["dropped" if dropped else "flagged"]
    )


def test_boilerplate_of_the_validation_store_costs_no_training_text_but_that_of_an_item_does(
    check: Check, tmp_path: Path
) -> None:
    copies = [f"{UNRELATED} {HELD_OUT} Number {number}." for number in ("one", "two", "three")]
    check(*copies, *[f"{TEXT.text} Number {number}." for number in ("one", "two", "three")])
    assert _kept(tmp_path) == ["t0", "t1", "t2", "unrelated"]


def test_items_of_a_benchmark_are_kept_out_and_counted_apart(check: Check, tmp_path: Path) -> None:
    item = "Which of these is fired at the highest temperature?"
    write_jsonl(tmp_path / "inputs/quiz.jsonl", [{"q": {"stem": item}}])
    benchmark = Benchmark(name="quiz", path="inputs/quiz.jsonl", text="q.stem")
    report = check(f"{item} Porcelain is.", benchmarks=[benchmark])
    assert (report.tasks["quiz"].items, report.tasks["quiz"].dropped) == (1, 1)
    assert _kept(tmp_path) == ["unrelated"]


@pytest.mark.parametrize(("consequence", "kept"), [("flag", ["t0", "unrelated"]), ("drop", ["unrelated"])])
def test_a_rephrased_item_is_flagged_or_dropped(
    check: Check, tmp_path: Path, consequence: str, kept: list[str]
) -> None:
    said_again = "Fired where the flame gets too little air, a little iron gives celadon its green."
    report = check(said_again, rephrased=consequence)
    assert _kept(tmp_path) == kept
    assert report.rephrased is not None
    assert (report.rephrased.texts, report.rephrased.items) == (1, 1)
    (hit,) = read_jsonl(tmp_path / "out/hits.jsonl")
    assert (hit["rule"], hit["item"], hit["judge"]) == (REPHRASED, "d2:0", None)
    assert 0.6 <= hit["similarity"] < 1


def test_what_is_written_is_certified_and_an_edit_is_noticed(check: Check, tmp_path: Path) -> None:
    check(CLOZE.text)
    for part in ("domain", "general"):
        require_certified(tmp_path / f"out/{part}.parquet")
    (tmp_path / "out/domain.parquet").write_bytes((tmp_path / "train.parquet").read_bytes())
    with pytest.raises(UserError, match="is not the file that was certified"):
        require_certified(tmp_path / "out/domain.parquet")


def test_what_the_texts_were_checked_against_is_noted(check: Check, tmp_path: Path) -> None:
    write_jsonl(tmp_path / "inputs/quiz.jsonl", [{"q": "Which of these is fired at the highest temperature?"}])
    check("Nothing.", benchmarks=[Benchmark(name="quiz", path="inputs/quiz.jsonl", text="q")])
    noted = read_json(tmp_path / "out/checked_against.json")
    assert noted["clean"] == {f"{part}.parquet": sha256(tmp_path / f"out/{part}.parquet") for part in PARTS}
    assert noted["against"]["evaluation/domain_cloze.jsonl"] == sha256(tmp_path / "evaluation/domain_cloze.jsonl")
    assert len(noted["against"]) == len(TASKS) + 2
    assert noted["benchmarks"].keys() == {"quiz"}
    assert noted["params"]["drop_words"] == 13


def test_what_the_search_misses_is_never_certified(
    check: Check, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decontaminate, "_shared_words", lambda *_: (Finds.together([]), Flags.together([])))
    with pytest.raises(UserError, match=r"domain\.parquet still holds evaluation items, in t0 for one"):
        check(CLOZE.text)
    assert not (tmp_path / "out/certificate.json").exists()


def test_the_number_of_words_is_the_dial(check: Check, tmp_path: Path) -> None:
    check("nine hundred and fifty degrees", drop_words=5, flag_words=5)
    assert _kept(tmp_path) == ["unrelated"]


def test_without_general_text_left_the_run_stops(check: Check) -> None:
    items = {"general_text": TextItem("g:0", "g", "g", "Trains are late.")}
    with pytest.raises(UserError, match="no general training text is left of 1"):
        check(items=items)


def test_equal_runs_write_equal_bytes(check: Check, tmp_path: Path) -> None:
    texts = (CLOZE.text, "Fired where the flame gets too little air, a little iron gives celadon its green.")
    check(*texts, rephrased="flag")
    (tmp_path / "out").rename(tmp_path / "first")
    check(*texts, rephrased="flag")
    first, second = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (tmp_path / "first", tmp_path / "out")
    )
    assert first == second

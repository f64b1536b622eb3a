"""The evaluation tasks: drawn from held-out raw text, without what is boilerplate in training."""

from __future__ import annotations

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import SplitParams
from acclimate.data.evaluation.evaluation_items import TASKS, ClozeItem, TextItem
from acclimate.data.evaluation.held_out import draw_tasks

PARAMS = SplitParams(
    validation_share=0.1,
    test_share=0.15,
    cluster_threshold=0.5,
    boilerplate_documents=3,
    cloze_items=50,
    cloze_left_characters=120,
    cloze_right_characters=40,
    bits_per_byte_documents=20,
)


def _halves(corpus: list[dict[str, object]]) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Every fourth document is for testing; each is a cluster of its own."""
    rows = [{**row, "cluster": row["id"]} for row in corpus]
    return [row for i, row in enumerate(rows) if i % 4], rows[::4]


def test_every_task_gets_its_items_from_its_own_half_of_the_test_store(corpus: list[dict[str, object]]) -> None:
    train, test = _halves(corpus)
    items, reports = draw_tasks(PARAMS, 1, train, test)
    assert sorted(items) == sorted(TASKS)
    assert {task: report.items for task, report in reports.items()} == {task: len(items[task]) for task in items}
    assert [len(items[task]) for task in TASKS] == [50, 50, 20, 20]
    texts = {row["id"]: row for row in test}
    for task, drawn in items.items():
        for item in drawn:
            assert (texts[item.document]["domain"] == "general") == task.startswith("general")
            assert item.text in str(texts[item.document]["text"])
    assert all(report.note == "" for report in reports.values())


def test_cloze_and_text_items_are_of_their_kind(corpus: list[dict[str, object]]) -> None:
    items, _ = draw_tasks(PARAMS, 1, *_halves(corpus))
    assert {type(item) for item in items["domain_cloze"]} == {ClozeItem}
    assert {type(item) for item in items["general_text"]} == {TextItem}


def test_text_that_stands_in_several_training_documents_is_not_used(corpus: list[dict[str, object]]) -> None:
    train, test = _halves(corpus)
    known = test[0]
    copies = [{**row, "text": f"Number {place}. {known['text']} The end."} for place, row in enumerate(train[:3])]
    items, reports = draw_tasks(PARAMS, 1, [*copies, *train[3:]], test)
    assert known["id"] not in {item.document for drawn in items.values() for item in drawn}
    assert reports["domain_text"].passed_over["boilerplate"] == 1
    assert reports["domain_cloze"].passed_over["boilerplate"] > 0
    # In two training documents it is no boilerplate yet: there decontamination can help.
    _, reports = draw_tasks(PARAMS, 1, [*copies[:2], *train[2:]], test)
    assert "boilerplate" not in reports["domain_text"].passed_over


def test_questions_are_never_cut_into_items(corpus: list[dict[str, object]]) -> None:
    train, test = _halves(corpus)
    asked = [{**row, "type": "qa_pair"} if place % 2 else row for place, row in enumerate(test)]
    items, _ = draw_tasks(PARAMS, 1, train, asked)
    raw = {row["id"] for row in asked if row["type"] == "raw_text"}
    assert {item.document for drawn in items.values() for item in drawn} <= raw


def test_fewer_items_than_wanted_is_said_with_the_reason(corpus: list[dict[str, object]]) -> None:
    params = PARAMS.model_copy(update={"cloze_items": 5000, "bits_per_byte_documents": 100})
    _, reports = draw_tasks(params, 1, *_halves(corpus))
    assert reports["domain_text"].note == "60 of 100: 60 held-out texts gave 60 candidates (all used)"
    assert "term has its items" in reports["domain_cloze"].note


def test_one_text_item_a_cluster(corpus: list[dict[str, object]]) -> None:
    train, test = _halves(corpus)
    together = [{**row, "cluster": f"c{place % 5}"} for place, row in enumerate(test)]
    items, reports = draw_tasks(PARAMS, 1, train, together)
    assert len({item.cluster for item in items["domain_text"]}) == len(items["domain_text"]) == 5
    assert reports["domain_text"].passed_over == {"cluster has its item": 55}


def test_a_task_without_any_item_is_refused(corpus: list[dict[str, object]]) -> None:
    train, test = _halves(corpus)
    pottery = [row for row in test if row["domain"] == "pottery"]
    with pytest.raises(UserError, match=r"general_cloze has no item.*general_text has no item"):
        draw_tasks(PARAMS, 1, train, pottery)

"""consensus: what several people say together about one example."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.evaluation.annotations import Annotation
from acclimate.data.evaluation.consensus import consensus

LABELS = st.lists(
    st.builds(
        lambda verdict, confidence, answer, difficulty: {
            "verdict": verdict,
            "confidence": confidence,
            "difficulty": difficulty,
            **({"answer": answer} if verdict == "edit" else {}),
        },
        st.sampled_from(["accept", "reject", "edit"]),
        st.floats(0.01, 1),
        st.sampled_from(["one", "two"]),
        st.sampled_from([None, "easy", "medium", "hard"]),
    ),
    min_size=1,
    max_size=6,
)


def label(annotator: str = "ada", **fields: Any) -> Annotation:
    return Annotation.model_validate(
        {"example": "0" * 16, "annotator": annotator, "verdict": "accept", "confidence": 0.9} | fields
    )


def test_one_person_is_trusted_as_far_as_that_person_is_sure() -> None:
    found = consensus([label(confidence=0.85)], "four")
    assert (found.keep, found.answer, found.confidence, found.annotators) == (True, "four", 0.85, 1)


def test_two_against_one_at_nine_tenths_are_worth_six_tenths() -> None:
    found = consensus([label("ada"), label("bob"), label("eve", verdict="reject")], "four")
    assert (found.keep, found.confidence) == (True, 0.6)


def test_a_rejection_that_all_agree_on_is_as_sure_as_they_are() -> None:
    found = consensus([label("ada", verdict="reject"), label("bob", verdict="reject", confidence=0.7)], "four")
    assert (found.keep, found.answer, found.confidence) == (False, "four", 0.8)


def test_corrections_agree_if_they_differ_in_case_and_white_space_only() -> None:
    edits = [label("bob", verdict="edit", answer="Five  valves"), label("ada", verdict="edit", answer="five valves")]
    found = consensus(edits, "four")
    assert (found.answer, found.confidence) == ("five valves", 0.9)


def test_two_corrections_split_the_confidence() -> None:
    edits = [label("ada", verdict="edit", answer="five"), label("bob", verdict="edit", answer="six")]
    assert consensus(edits, "four").confidence == 0.45


def test_a_correction_back_to_the_proposed_answer_endorses_it() -> None:
    found = consensus([label("ada"), label("bob", verdict="edit", answer="FOUR")], "four")
    assert (found.answer, found.confidence) == ("four", 0.9)


@pytest.mark.parametrize(
    ("levels", "together"),
    [
        (["easy", "hard"], "hard"),
        (["easy", "easy", "hard"], "easy"),
        ([None, "medium"], "medium"),
        ([None, None], None),
    ],
)
def test_difficulty_is_what_most_say_and_of_equals_the_harder(levels: list[str | None], together: str | None) -> None:
    labels = [label(str(place), difficulty=level) for place, level in enumerate(levels)]
    assert consensus(labels, "four").difficulty == together


@given(LABELS, st.randoms())
def test_the_order_of_the_labels_makes_no_difference_and_confidence_is_a_share(rows: Any, random: Any) -> None:
    labels = [label(f"person {place}", **row) for place, row in enumerate(rows)]
    shuffled = labels[:]
    random.shuffle(shuffled)
    found = consensus(labels, "one")
    assert consensus(shuffled, "one").answer == found.answer
    assert consensus(shuffled, "one").confidence == pytest.approx(found.confidence, abs=2e-4)
    assert 0 <= found.confidence <= max(one.confidence for one in labels) + 1e-4

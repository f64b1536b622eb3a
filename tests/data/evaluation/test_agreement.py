"""agreement: the alpha that the literature has, and none where there is none."""

from __future__ import annotations

import pytest

from acclimate.data.evaluation.agreement import MIN_EXAMPLES, agreement
from acclimate.data.evaluation.annotations import Annotation, Labels

# Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), example B: ten units, two observers, binary data.
# They differ on four; of the twenty values fourteen are 0: alpha = 1 - 19 · 4 / (14 · 6).
BINARY = ("0100000000", "1110010100")


def labels_of(*rows: str, words: dict[str, str], field: str = "verdict") -> Labels:
    """One string per annotator, one character per example; '.' where that person said nothing."""
    labels: Labels = {}
    for person, row in enumerate(rows):
        for place, mark in enumerate(row):
            if mark != ".":
                fields = {"example": f"{place:016x}", "annotator": str(person), "verdict": "accept", "confidence": 0.9}
                label = Annotation.model_validate(fields | {field: words[mark]})
                labels.setdefault(label.example, {})[label.annotator] = label
    return labels


def test_alpha_of_the_published_binary_example() -> None:
    found = agreement(labels_of(*BINARY, words={"0": "accept", "1": "reject"}), seed=1)["verdict"]
    assert found.alpha == pytest.approx(1 - 19 * 4 / (14 * 6), abs=5e-5)
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1 - 19 * 4 / (14 * 6) < found.high
    assert (found.examples, found.annotators) == (10, 2)


def test_full_agreement_is_one() -> None:
    found = agreement(labels_of(*["aabbaabbaabb"] * 3, words={"a": "accept", "b": "reject"}), seed=1)["verdict"]
    assert (found.alpha, found.low, found.high) == (1.0, 1.0, 1.0)


def test_difficulties_that_are_one_step_apart_agree_more_than_those_two_steps_apart() -> None:
    words = {"e": "easy", "m": "medium", "h": "hard"}
    near, far = (
        agreement(labels_of("eeeemmmmhhhh", other, words=words, field="difficulty"), seed=1)["difficulty"].alpha
        for other in ("meeemmmmhhhh", "heeemmmmhhhh")
    )
    assert near is not None
    assert far is not None
    assert near > far


def test_alpha_is_not_defined_where_nobody_ever_differs() -> None:
    found = agreement(labels_of("a" * 12, "a" * 12, words={"a": "accept"}), seed=1)["verdict"]
    assert found.alpha is None
    assert "not defined" in found.note


def test_examples_that_one_person_labelled_do_not_count() -> None:
    found = agreement(labels_of("a" * 20, "ab" + "." * 18, words={"a": "accept", "b": "reject"}), seed=1)["verdict"]
    assert (found.examples, found.alpha) == (2, None)
    assert found.note == f"2 examples were labelled by two people or more; {MIN_EXAMPLES} are needed"


def test_equal_labels_give_equal_intervals() -> None:
    labels = labels_of(*BINARY, words={"0": "accept", "1": "reject"})
    assert agreement(labels, seed=1) == agreement(dict(reversed(labels.items())), seed=1)

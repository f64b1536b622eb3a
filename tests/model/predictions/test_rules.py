from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acclimate.model.predictions.rules import RULES

LABELS = ["A", "B", "C", "D"]


@pytest.mark.parametrize(
    ("rule", "text", "answer"),
    [
        ("simple_evals", "Let me think.\nAnswer: C", "C"),
        ("simple_evals", "ANSWER :\t$b$", "B"),
        ("simple_evals", "Answer: A, or rather Answer: B", "A"),
        ("simple_evals", "The answer is B.", None),
        ("simple_evals", "Answer: E", None),
        ("mmlu_pro", "so the answer is (F).", "F"),
        ("mmlu_pro", "Answer: D\nAnswer: E", "D"),
        ("mmlu_pro", "It is B, no, C", "C"),
        ("mmlu_pro", "the answer is b", None),
        ("mmlu_pro", "", None),
        ("label", " (b). ", "B"),
        ("label", "B and C", None),
        ("label", "", None),
        ("gsm8k_strict", "5 + 5 = 10\n#### 1,010.", "1010"),
        ("gsm8k_strict", "It is 10.", None),
        ("gsm8k_flexible", "First 7, then $1,234.", "1234"),
        ("gsm8k_flexible", "none", None),
        ("text", "  \n", None),
    ],
)
def test_a_rule_reads_what_its_source_reads_and_never_guesses(rule: str, text: str, answer: str | None) -> None:
    assert RULES[rule].read(text, LABELS) == answer


def test_a_word_is_a_label_where_labels_are_words() -> None:
    assert RULES["label"].read("Yes.", ["yes", "no", "maybe"]) == "yes"
    assert RULES["label"].read("yes and no", ["yes", "no", "maybe"]) is None


def test_labels_that_differ_in_case_alone_are_not_told_apart_by_guessing() -> None:
    assert RULES["label"].read("a", ["A", "a"]) is None


@pytest.mark.parametrize("reference", ["Some steps.\n#### 1,200", "1200", "$1,200."])
def test_the_number_of_a_reference_is_what_follows_its_steps(reference: str) -> None:
    assert RULES["gsm8k_strict"].reference(reference) == "1200"


@pytest.fixture(scope="module")
def filters() -> dict[str, Any]:
    """lm-eval's own, configured as in its task gsm8k."""
    from lm_eval.filters.extraction import RegexFilter

    return {
        "gsm8k_strict": RegexFilter(r"#### (\-?[0-9\.\,]+)"),
        "gsm8k_flexible": RegexFilter(r"(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1),
    }


@pytest.mark.parametrize("rule", ["gsm8k_strict", "gsm8k_flexible"])
@given(text=st.text(alphabet="#19 -$.,\na", max_size=30))
@settings(max_examples=200, deadline=None)
def test_numbers_are_those_that_lm_eval_finds(rule: str, text: str, filters: dict[str, Any]) -> None:
    ((found,),) = filters[rule].apply([[text]], [{}])
    read = RULES[rule].read(text, [])
    assert (read is None) == (found == "[invalid]")
    if read is not None:
        assert read == RULES[rule].reference(found)

from __future__ import annotations

from acclimate.model.behaviour.failing import asked, capabilities, case_rows
from acclimate.model.behaviour.suites import Case, Kind


def case(name: str, kind: Kind, choices: tuple[str, ...] = (" a", " b")) -> Case:
    prompts = ("before",) if kind == "minimum_functionality" else ("before", "after")
    return Case(name, "skill", f"test of {kind}", kind, prompts, choices)


CASES = [
    case("1", "minimum_functionality"),
    case("2", "minimum_functionality"),
    case("3", "invariance"),
    case("4", "invariance"),
    case("5", "directional", (" a",)),
    case("6", "directional", (" a",)),
    case("7", "directional", (" a",)),
]
ANSWERS = [
    *([-1.0, -2.0], [-2.0, -1.0]),  # the expected one likelier; not
    *([-1.0, -2.0], [-3.0, -4.0]),  # the same choice, less sure
    *([-1.0, -2.0], [-2.0, -1.0]),  # another choice
    *([-5.0], [-4.0]),  # likelier
    *([-5.0], [-6.0]),  # less likely
    *([-5.0], [-4.95]),  # likelier by less than counts
]


def test_every_prompt_of_a_case_is_asked_about_its_choices() -> None:
    items = asked(CASES)
    assert len(items) == len(ANSWERS) == 12
    assert items[3] == {"id": "3/1", "left": "after", "choices": [" a", " b"], "right": "", "label": 0}


def test_each_kind_fails_by_its_own_rule() -> None:
    rows = case_rows(CASES, ANSWERS)
    assert [row["failed"] for row in rows] == [False, True, False, True, False, True, True]
    skill = capabilities(rows, seed=1)["skill"]
    assert (round(skill.failure_rate.value, 6), skill.failure_rate.n) == (round(4 / 7, 6), 7)
    assert 0 < skill.failure_rate.low < skill.failure_rate.high < 1
    assert {skill.kinds[test]: of.value for test, of in skill.tests.items()} == {
        "minimum_functionality": 0.5,
        "invariance": 0.5,
        "directional": 0.666667,
    }


def test_a_failed_case_is_shown_with_what_was_wanted() -> None:
    first, second, third = capabilities(case_rows(CASES, ANSWERS), seed=1)["skill"].examples
    assert (first.prompt, first.changed, first.wanted, first.got) == ("before", None, "a", "b")
    assert (second.changed, second.wanted, second.got) == ("after", "a", "b")
    assert (third.wanted, third.got) == ("a likelier", "-1.00 nats")


def test_no_cases_are_no_capabilities() -> None:
    assert capabilities(case_rows([], []), seed=1) == {}

from __future__ import annotations

from pathlib import Path

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import load
from acclimate.model.behaviour.suites import Case, read_cases

ROOT = Path(__file__).parents[3]

SUITE = """
capability: reductions
tests:
  - name: knows sums
    kind: minimum_functionality
    prompt: "{verb} the"
    expected: " {right}"
    others: [" file", " {{user}}"]
    fill: [{verb: Sum, right: elements}, {verb: Sort, right: array}]
  - name: capitals
    kind: invariance
    prompt: what?
    changed: WHAT?
    choices: [" a", " b"]
"""


def test_a_test_is_a_case_per_row_with_its_braces_filled(tmp_path: Path) -> None:
    (tmp_path / "reductions.yaml").write_text(SUITE)
    first, second, third = read_cases(tmp_path, ["reductions"])
    assert first == Case(
        "reductions/knows sums/0",
        "reductions",
        "knows sums",
        "minimum_functionality",
        ("Sum the",),
        (" elements", " file", " {user}"),
    )
    assert second.prompts == ("Sort the",)
    assert (third.prompts, third.choices) == (("what?", "WHAT?"), (" a", " b"))


def test_only_the_capabilities_that_are_named_are_tested_and_one_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SUITE)
    (tmp_path / "b.yaml").write_text(SUITE.replace("reductions", "sorting"))
    assert {case.capability for case in read_cases(tmp_path, ["sorting"])} == {"sorting"}
    assert read_cases(tmp_path, []) == []
    with pytest.raises(UserError, match="no file has the capability vocabulary"):
        read_cases(tmp_path, ["sorting", "vocabulary"])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (("    others:", "    other:"), "a.yaml: tests.0.other: Extra inputs are not permitted"),
        (("    changed: WHAT?\n", ""), "a test of kind invariance has changed and choices, this one has choices"),
        (("verb: Sort, ", ""), "no value for verb in the row {'right': 'array'} of fill"),
        (("kind: invariance", "kind: fairness"), "tests.1.kind: Input should be"),
        (("capability: reductions", "capability: [x"), "a.yaml: while parsing"),
        (("tests:", "cases:"), "a.yaml: tests: Field required"),
    ],
)
def test_a_fault_is_named_with_its_file_and_place(tmp_path: Path, change: tuple[str, str], fault: str) -> None:
    (tmp_path / "a.yaml").write_text(SUITE.replace(*change))
    with pytest.raises(UserError) as raised:
        read_cases(tmp_path, ["reductions"])
    assert fault in raised.value.what


def test_the_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(SUITE)
    (tmp_path / "b.yaml").write_text(SUITE)
    (tmp_path / "c.yaml").write_text("- a list")
    with pytest.raises(UserError) as fault:
        read_cases(tmp_path, ["reductions"])
    assert "2 faults" in fault.value.what
    assert "another file has the capability reductions too" in fault.value.what


def test_the_embedded_suites_have_every_kind_and_are_small() -> None:
    params = load(ROOT / "params.yaml")
    assert params.score.observe is not None
    cases = read_cases(ROOT / "inputs/behaviour", params.score.observe.behaviour)
    assert {case.kind for case in cases} == {"minimum_functionality", "invariance", "directional"}
    assert 30 <= len(cases) <= 60

from __future__ import annotations

from pathlib import Path

from acclimate.core.params import Criterion, JudgeParams, Juror
from acclimate.core.reports import report_path, write_report
from acclimate.model.judge.asking import Vote
from acclimate.model.judge.tally import tally
from acclimate.report.material import Material
from acclimate.report.page import compose
from acclimate.report.rendering import render

PARAMS = JudgeParams(
    jury=[Juror(name="large", endpoint="http://127.0.0.1:9/v1", model="some-model", prompt_price=5.0)],
    rubric=[Criterion(name="correctness", asks="Which is right?")],
    repeats=2,
    items=20,
    max_tokens=50,
)


def judged(root: Path, sides: tuple[str, str]) -> str:
    votes = [
        Vote(str(n), "large", repeat, "candidate", {"correctness": sides[repeat]}, "parsed", "", 100, 10)
        for n in range(12)
        for repeat in (0, 1)
    ]
    write_report(report_path("judge", root), "judge", tally(PARAMS, votes, seed=1))
    return render(compose(Material(root)))


def test_without_a_jury_there_is_no_section_of_it(tmp_path: Path) -> None:
    assert 'id="jury"' not in render(compose(Material(tmp_path)))


def test_the_win_rate_stands_beside_what_tells_whether_to_believe_it(tmp_path: Path) -> None:
    html = judged(tmp_path, ("candidate", "other"))
    assert html.index('id="scores"') < html.index('id="jury"') < html.index('id="gate"')
    assert "large (some-model)" in html
    assert "0.500" in html
    assert "On correctness the votes agree too little, or are too few" in html
    assert "<dd>0.012</dd>" in html

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acclimate.cli import main
from acclimate.core.files import write_json
from acclimate.core.ledger import note_use
from acclimate.core.reports import report_path
from acclimate.pipeline import STAGES
from acclimate.report import quotas
from acclimate.report.funnel import DATA_DOCS
from acclimate.report.material import Material
from acclimate.report.page import compose
from acclimate.report.rendering import render

Reports = dict[str, Any]
Write = Callable[[Path, Reports], Path]


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory, whole_run: Reports, write_run: Write) -> str:
    """The page of a run of which every stage has reported and the gate has passed."""
    return render(compose(Material(write_run(tmp_path_factory.mktemp("page"), whole_run))))


def test_an_empty_checkout_is_a_page_on_which_nothing_has_run(tmp_path: Path) -> None:
    page = compose(Material(tmp_path))
    assert page.header.verdict.text == "not yet decided"
    assert len(page.sections) == 13
    assert "There is no report of gate." in render(page)


@pytest.mark.parametrize("stage", STAGES)
def test_the_page_stands_without_any_one_stage_and_with_it_alone(
    tmp_path: Path, reports: Reports, write_run: Write, stage: str
) -> None:
    only = {stage: reports.pop(stage)}
    alone, without = (
        render(compose(Material(write_run(tmp_path / name, some))))
        for name, some in {"alone": only, "without": reports}.items()
    )
    assert alone.count("<section ") == without.count("<section ") == 13
    assert f"There is no report of {stage}." in without
    assert f"There is no report of {stage}." not in alone


def test_markup_in_a_rejected_document_stays_text(html: str) -> None:
    assert "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;" in html
    assert "<script" not in html


def test_every_reason_of_every_rejection_is_on_the_page(html: str, reports: Reports) -> None:
    for report in reports.values():
        funnel = getattr(report, "funnel", None)
        for reason, number in funnel.rejected.items() if funnel else ():
            assert re.search(rf">{reason}</td>\s*<td class=\"number\">{number:,}</td>", html), reason


def test_a_passing_gate_is_the_verdict_of_the_page(html: str) -> None:
    assert '<span class="verdict good"><small>Gate</small> promote</span>' in html


def test_a_failing_gate_shows_its_reasons(
    tmp_path: Path, reports: Reports, failing_gate: Any, write_run: Write
) -> None:
    html = render(compose(Material(write_run(tmp_path, reports | {"gate": failing_gate}))))
    assert '<span class="verdict bad"><small>Gate</small> reject</span>' in html
    assert failing_gate.reasons
    for reason in failing_gate.reasons:
        assert reason in html


def test_the_gate_tells_how_often_the_test_set_was_used(tmp_path: Path, reports: Reports, write_run: Write) -> None:
    run = write_run(tmp_path / "run", reports)
    assert "The locked test set was used" not in render(compose(Material(run, main=tmp_path)))
    for stage, domain in (
        ("baseline", "scientific_python"),
        ("evaluate", "scientific_python"),
        ("evaluate", "masonry"),
    ):
        (tmp_path / stage).mkdir(exist_ok=True)
        (tmp_path / stage / "model.safetensors").write_text(stage)
        models = {"base": tmp_path / stage}
        note_use(tmp_path, domain=domain, stage=stage, checkout=run, testset=tmp_path, models=models)
    assert "The locked test set was used 2 times, on 2 models, from " in render(compose(Material(run, main=tmp_path)))


def test_the_page_loads_nothing_and_stays_below_a_megabyte(html: str) -> None:
    assert len(html.encode()) < 1_000_000
    targets = re.findall(r'(?:src|href|action|data|poster)="([^"]*)"', html)
    assert targets
    assert {target for target in targets if not target.startswith("#")} == {DATA_DOCS, quotas.DATA_DOCS}
    assert not re.search(r"url\((?!#)|@import", html)


def test_every_id_is_there_once_and_every_anchor_leads_somewhere(html: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'<a href="#([^"]*)"', html)) <= set(ids)


def test_the_command_writes_equal_bytes_for_equal_runs_and_prints_the_path(
    tmp_path: Path,
    reports: Reports,
    write_run: Write,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(write_run(tmp_path, reports))
    assert main(["report"]) == 0
    first = Path("reports/run.html").read_bytes()
    assert main(["report"]) == 0
    assert Path("reports/run.html").read_bytes() == first
    assert capsys.readouterr().out.split() == ["reports/run.html"] * 2


def test_a_report_of_another_version_is_called_outdated(tmp_path: Path) -> None:
    write_json(report_path("gate", tmp_path), {"stage": "gate", "verdict": "promote"})
    page = compose(Material(tmp_path))
    assert page.header.verdict.text == "not yet decided"
    assert "The report of gate is from another version of it" in render(page)


def test_dials_that_differ_from_the_commit_are_listed(tmp_path: Path, reports: Reports, write_run: Write) -> None:
    write_run(tmp_path, reports)
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    for command in (["init"], ["add", "params.yaml"], ["commit", "-m", "x"]):
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True, capture_output=True)
    assert "Every dial is as committed" in render(compose(Material(tmp_path)))
    params = tmp_path / "params.yaml"
    params.write_text(params.read_text().replace("rank: 16", "rank: 8"))
    row = '<th scope="row" class="code">training.rank</th><td class="code">16</td><td class="code">8</td>'
    assert row in render(compose(Material(tmp_path)))


def test_the_numbers_of_the_gate_stand_in_its_table(html: str) -> None:
    numbers = re.search(
        r'<th scope="row" class="text">domain cloze</th>((?:<td[^>]*>.*?</td>)*)</tr>',
        html[html.index('id="gate"') :],
        re.DOTALL,
    )
    assert numbers
    cells = re.findall(r"<td[^>]*>(.*?)</td>", numbers[1], re.DOTALL)
    assert cells[:4] == ["0.300", "0.600", "0.400", "+0.300"]
    assert cells[5:8] == ["&lt; 0.0001", "&lt; 0.0001", "400"]
    assert cells[8].startswith("gain ≥ 25\N{NARROW NO-BREAK SPACE}%")


def test_what_the_page_is_made_of_is_imported_only_when_it_is_written() -> None:
    code = "import sys, acclimate.report; print(sorted({'matplotlib', 'jinja2', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""The dimensions that decide nothing, on the page."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.params import ObserveParams
from acclimate.data.evaluation.examples import Example, GroundTruth
from acclimate.model.scoring.answers import METRICS
from acclimate.model.scoring.dimensions import Assessment, Found, sum_up
from acclimate.model.scoring.efficiency import Efficiency
from acclimate.model.scoring.estimates import Estimate
from acclimate.model.scoring.exposure import Exposed, Exposure
from acclimate.model.scoring.measurements import keep
from acclimate.report.material import Material
from acclimate.report.page import compose
from acclimate.report.rendering import render

Reports = dict[str, Any]
Write = Callable[[Path, Reports], Path]

OBSERVE = ObserveParams(
    examples=60,
    answers=60,
    answer_tokens=8,
    timed_answers=2,
    embedder="tfidf",
    robustness_items=60,
    groups="group",
    toxicity=["english"],
    memorisation_texts=3,
    memorised_words=5,
    tasks=[],
    behaviour=[],
)
EXPOSURE = Exposure(
    planted=8,
    repeats=16.0,
    most_bits=10.0,
    base=Exposed(Estimate(1.2, 0.5, 2.0, 8, 8), 0.61),
    candidate=Exposed(Estimate(8.5, 7.9, 9.1, 8, 8), 1e-9),
    gain=Estimate(7.3, 6.5, 8.1, 8, 8),
    gain_p=0.00391,
    reading="learned by heart",
)
TRAINING = "Return the sorted copy of an array along its last axis."


def choices(n: int, right: bool) -> dict[str, Any]:
    values = [-1.0, -1.5, -2.0, -3.0]
    found = {"id": str(n), "cluster": f"{'numpy' if n % 2 else 'scipy'}.c{n}", "label": 0 if right else 1, "choice": 0}
    return {**found, "correct": right, "log_likelihoods": values, "group": found["cluster"]}


def facts(n: int) -> dict[str, str]:
    known = {"difficulty": "easy" if n % 3 else "hard", "domain_category": "x"}
    return known | {"source_kind": "expert", "source": "s", "type": "t"}


def capability(n: int, *, failed: bool) -> dict[str, Any]:
    """A case of a behavioural test."""
    told = {"prompts": ["Return the", "RETURN THE"], "wanted": "name", "got": "zebra" if failed else "name"}
    named = {"id": f"steadiness/capitals/{n}", "capability": "steadiness", "test": "capitals", "kind": "invariance"}
    return named | told | {"failed": failed}


def assessed(right: int, *, trained: bool) -> Assessment:
    """A model that has `right` of ten items right, and has read TRAINING or not."""
    cloze = [choices(n, n % 10 < right) for n in range(60)]
    text = [{"id": "t", "cluster": "t", "log_likelihood": -700.0, "bytes": 500}]
    answers = [
        {"id": row["id"], "cluster": row["cluster"], "text": TRAINING if n else "bullshit", **facts(n)}
        | dict.fromkeys(METRICS, right / 10)
        | {"group": row["group"]}
        for n, row in enumerate(cloze)
    ]
    asked = {"terminology": [row | facts(n) for n, row in enumerate(cloze)], "questions": answers}
    asked |= {"robustness_typos": cloze[:20], "behaviour": [capability(n, failed=n >= right) for n in range(10)]}
    if trained:
        asked |= {
            name: [{"id": "m", "cluster": "m", "words": 3}] for name in ("memorisation_texts", "memorisation_held_out")
        }
    examples = [
        Example(
            id=row["id"],
            question="What?",
            ground_truth=GroundTruth(answer="An array.", answer_type="phrase", key_concepts=[], evaluation_criteria=[]),
            type="t",
            difficulty="easy",
            difficulty_from="given",
            domain_category="x",
            source_kind="expert",
            source="s",
            group=row["group"],
            cluster=row["cluster"],
            quality_score=1,
            annotation_confidence=1,
            annotators=1,
            complexity_score=0.5,
        )
        for row in cloze
    ]
    found = Found({"domain_cloze": cloze, "domain_text": text}, asked, {}, examples, [TRAINING] if trained else [])
    return sum_up(found, OBSERVE, seed=1)


@pytest.fixture(scope="module")
def pair() -> tuple[Assessment, Assessment]:
    return assessed(3, trained=False), assessed(6, trained=True)


@pytest.fixture(scope="module")
def html(
    tmp_path_factory: pytest.TempPathFactory,
    whole_run: Reports,
    write_run: Write,
    pair: tuple[Assessment, Assessment],
) -> str:
    shown = {
        "baseline": replace(whole_run["baseline"], observed=pair[0]),
        "evaluate": replace(whole_run["evaluate"], observed=replace(pair[1], form="alpaca"), exposure=EXPOSURE),
    }
    run = write_run(tmp_path_factory.mktemp("page"), whole_run | shown)
    measured = Efficiency("A CPU, 2 of 2 threads", 8, 410.2, 598.7, 950.0, 1200.0)
    keep(run / ".acclimate/measurements", whole_run["evaluate"].candidate_sha256, measured)
    return render(compose(Material(run)))


def section(html: str) -> str:
    start = html.index('id="observed"')
    return html[start : html.index("</section>", start)]


def test_base_and_candidate_stand_side_by_side_in_every_dimension(html: str) -> None:
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", section(html)))
    assert "terminology accuracy base 0.300" in text
    assert "terminology accuracy candidate 0.600" in text
    assert "typos domain cloze candidate 100.0" in text
    assert "Reliability diagram" in text
    assert "domain cloze, candidate: best and worst group by group are" in text
    assert "candidate: answers with a profane word" in text
    assert ": bullshit" in text
    assert "candidate: training texts continued verbatim for 5 words" in text
    assert "base: training texts continued" not in text
    assert "Terminology: accuracy by slice" in text
    assert "steadiness all base 70.0" in text
    assert "capitals invariance candidate 40.0" in text
    assert "steadiness capitals Return the RETURN THE name zebra" in text
    assert "one answer, 95th percentile 599 ms" in text
    assert "Questions were asked of the base in the plain form, of the candidate in the alpaca form." in text
    assert "candidate 8.500 7.900 … 9.100 8 &lt; 0.0001" in text
    assert "8 random strings were planted 16 times each" in text
    assert "Reading: learned by heart." in text


def test_what_was_measured_of_another_candidate_is_not_shown(
    tmp_path: Path, whole_run: Reports, write_run: Write, pair: tuple[Assessment, Assessment]
) -> None:
    run = write_run(tmp_path, whole_run | {"evaluate": replace(whole_run["evaluate"], observed=pair[1])})
    keep(run / ".acclimate/measurements", "e" * 64, Efficiency("A CPU", 8, 410.2, 598.7, 950.0, 1200.0))
    assert "95th percentile" not in render(compose(Material(run)))


def test_an_answer_copied_from_the_training_set_is_counted(pair: tuple[Assessment, Assessment]) -> None:
    memory = pair[1].memorisation
    assert memory is not None
    assert memory.answers_with_passage.value == pytest.approx(59 / 60, abs=1e-6)
    assert memory.references_with_passage.value == 0


def test_the_page_stays_whole(html: str) -> None:
    ids = re.findall(r'\bid="([^"]*)"', html)
    assert len(ids) == len(set(ids))
    assert len(html.encode()) < 1_000_000


def test_a_run_that_observes_nothing_says_so(tmp_path: Path, reports: Reports, write_run: Write) -> None:
    html = render(compose(Material(write_run(tmp_path, reports))))
    assert "Nothing was observed: score.observe is null" in section(html)

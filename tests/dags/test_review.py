"""The review page: who may judge, from where, and that a judgement goes where the command puts it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from airflow.api_fastapi.core_api.security import get_user
from fastapi import HTTPException
from fastapi.testclient import TestClient

from acclimate.core.files import write_jsonl
from acclimate.data.evaluation.annotations import Annotation, read_annotations
from acclimate.data.evaluation.examples import Example, GroundTruth, Pending, example_id, write_rows
from orchestration.pages import app
from orchestration.review import SHOWN, may_judge

HERE = {"sec-fetch-site": "same-origin"}
ANSWER = "It is\n<b>it</b>."
IDS = [example_id(f"What is {number}?", ANSWER) for number in range(12)]


class Person:
    """Somebody who is logged in, as far as the page asks."""

    def get_name(self) -> str:
        return "ada"


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout in which an evaluation set has been drawn and twelve examples wait; where reviews go."""
    folder = tmp_path / "artifacts/evaluation_set"
    truth = GroundTruth(answer="what somebody made of it", answer_type="text", key_concepts=[], evaluation_criteria=[])
    examples = [
        Example(
            id=identity,
            question=f"What is {number}?",
            ground_truth=truth,
            type="definition",
            difficulty="easy",
            difficulty_from="computed",
            domain_category="pottery",
            source_kind="expert",
            source="a book",
            group=identity,
            cluster=identity,
            quality_score=1.0,
            annotation_confidence=0.0,
            annotators=0,
            complexity_score=0.2,
        )
        for number, identity in enumerate(IDS)
    ]
    write_rows(folder / "examples.jsonl", examples)
    write_rows(
        folder / "pending.jsonl",
        [Pending(reason="nobody has reviewed it", proposed_answer=ANSWER, example=one) for one in examples],
    )
    write_jsonl(folder / "rejected.jsonl", [])
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    return tmp_path / "inputs/evaluation/reviews.jsonl"


@pytest.fixture
def client() -> Iterator[TestClient]:
    """Ada, who may trigger adapt_data; login and permissions are Airflow's."""
    app.dependency_overrides |= {get_user: Person, may_judge: lambda: None}
    yield TestClient(app, follow_redirects=False)
    app.dependency_overrides.clear()


def judgement(**fields: str) -> dict[str, str]:
    return {"example": IDS[0], "use": "yes", "confidence": "0.85", "answer": "It is\r\n<b>it</b>."} | fields


def test_a_judgement_is_recorded_under_the_name_of_who_is_logged_in(client: TestClient, queue: Path) -> None:
    answer = client.post("/review", data=judgement(difficulty="hard"), headers=HERE)
    assert (answer.status_code, answer.headers["location"]) == (303, "/acclimate/review")
    (annotation,) = read_annotations(queue)
    assert annotation.recorded is not None
    assert annotation.says_the_same_as(
        Annotation(example=IDS[0], annotator="ada", verdict="accept", confidence=0.85, difficulty="hard")
    )


def test_an_answer_that_was_changed_is_a_correction_unless_the_example_is_refused(
    client: TestClient, queue: Path
) -> None:
    client.post("/review", data=judgement(answer="It is\r\nthat. "), headers=HERE)
    client.post("/review", data=judgement(example=IDS[1], use="no", answer="whatever"), headers=HERE)
    assert [(one.verdict, one.answer) for one in read_annotations(queue)] == [
        ("edit", "It is\nthat."),
        ("reject", None),
    ]


def test_what_one_has_judged_is_not_asked_again(client: TestClient, queue: Path) -> None:
    text = client.get("/review").text
    assert "12 examples wait for ada." in text
    assert text.count("<form ") == SHOWN
    client.post("/review", data=judgement(), headers=HERE)
    text = client.get("/review").text
    assert "11 examples wait for ada." in text
    assert IDS[0] not in text


def test_the_proposed_answer_is_shown_as_text(client: TestClient, queue: Path) -> None:
    text = client.get("/review").text
    assert "It is\n&lt;b&gt;it&lt;/b&gt;." in text
    assert "what somebody made of it" not in text
    assert "<b>" not in text


def test_the_page_may_send_forms_to_its_own_server_only_and_says_from_where(client: TestClient, queue: Path) -> None:
    headers = client.get("/review").headers
    assert "form-action 'self'" in headers["content-security-policy"]
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"sec-fetch-site": "cross-site", "origin": "http://testserver"},
        {"origin": "null"},
        {"origin": "http://elsewhere"},
        {"origin": "http://testserver.elsewhere"},
    ],
)
def test_a_form_from_elsewhere_is_refused(client: TestClient, queue: Path, headers: dict[str, str]) -> None:
    assert client.post("/review", data=judgement(), headers=headers).status_code == 403
    assert not queue.exists()


def test_a_browser_without_fetch_metadata_is_believed_by_its_origin(client: TestClient, queue: Path) -> None:
    assert client.post("/review", data=judgement(), headers={"origin": "http://testserver"}).status_code == 303


def test_who_may_not_trigger_the_pipeline_may_not_judge(client: TestClient, queue: Path) -> None:
    def refuse() -> None:
        raise HTTPException(403)

    app.dependency_overrides[may_judge] = refuse
    assert client.post("/review", data=judgement(), headers=HERE).status_code == 403
    assert client.get("/review").status_code == 200
    assert not queue.exists()


def test_a_stranger_is_turned_away(queue: Path) -> None:
    assert TestClient(app).get("/review").status_code == 401
    assert TestClient(app).post("/review", data=judgement(), headers=HERE).status_code == 401


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"use": "maybe"}, 422),
        ({"answer": " "}, 422),
        ({"confidence": "7"}, 422),
        ({"confidence": "nan"}, 422),
        ({"difficulty": "impossible"}, 422),
        ({"annotator": "somebody else"}, 422),
        ({"answer": "x" * 20_001}, 422),
        ({"example": "../../etc/passwd"}, 409),
        ({"example": "0" * 16}, 409),
    ],
)
def test_what_is_no_judgement_is_not_recorded(
    client: TestClient, queue: Path, fields: dict[str, str], status: int
) -> None:
    assert client.post("/review", data=judgement(**fields), headers=HERE).status_code == status
    assert not queue.exists()


def test_damaged_reviews_are_reported_and_left_alone(client: TestClient, queue: Path) -> None:
    queue.parent.mkdir(parents=True)
    queue.write_text("{broken\n")
    answer = client.post("/review", data=judgement(), headers=HERE)
    assert answer.status_code == 409
    assert "reviews.jsonl:1" in answer.text
    assert queue.read_text() == "{broken\n"


def test_without_an_evaluation_set_the_page_says_what_draws_one(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACCLIMATE_HOME", str(tmp_path))
    answer = client.get("/review")
    assert answer.status_code == 200
    assert "No evaluation set has been drawn yet" in answer.text

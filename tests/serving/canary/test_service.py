"""The canary in the service: who is asked over HTTP, who answers when the challenger cannot, what a rating does."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.testclient import TestClient

from acclimate.core.params import load
from acclimate.serving import app as application
from acclimate.serving.access import Access
from acclimate.serving.canary.record import Canary, read, replace
from acclimate.serving.engine import Library
from acclimate.serving.generation import Completion, Row
from acclimate.serving.models import Model
from acclimate.serving.places import Places
from acclimate.serving.state import Packaged, Serving

LENIENT = {"bounds": {"errors": 0.3, "slow": 0.9, "complaints": 0.3}, "min_requests": 5}
CHECKOUT = Path(__file__).parents[3]


class Letters:
    """A tokenizer of one token per letter."""

    eos_token_id, pad_token_id, bos_token_id, chat_template = 0, 0, None, None

    def __call__(self, text: str, **_: Any) -> dict[str, list[int]]:
        return {"input_ids": [ord(letter) for letter in text]}


def toy(packaged: Packaged, library: Library) -> Model:
    manifest = {
        "model": "acclimate-law",
        "version": packaged.version,
        "sha256": packaged.sha256,
        "prompt": "{question}",
    }
    engine: Any = SimpleNamespace(ends=frozenset({0}), joins=False)
    return Model({**manifest, "max_prompt_tokens": 99, "max_new_tokens": 9}, engine, Letters())


class Service:
    """The application with two models of which the challenger can be made to fail."""

    def __init__(self, client: TestClient, places: Places) -> None:
        self.client, self.places = client, places

    def ask(self, path: str = "/api/v1/generate", **fields: Any) -> Any:
        answer = self.client.post(path, json={"prompt": "a", **fields})
        assert answer.status_code == 200, answer.text
        return answer

    def canary(self) -> Canary:
        found = read(self.places.canary)
        assert found is not None
        return found

    def ask_until_over(self, each: Callable[[Any], None] = lambda _: None) -> list[str]:
        """One user after the other asks; the versions that answered."""
        versions: list[str] = []
        while not self.canary().over and len(versions) < 300:
            answer = self.ask(user=f"user {len(versions)}")
            versions.append(answer.json()["version"])
            each(answer)
        return versions


@pytest.fixture
def service(
    tmp_path: Path, begun: Callable[..., Canary], monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Service]:
    fails = getattr(request, "param", False)

    def complete(model: Model, rows: list[Row]) -> list[Completion]:
        if fails and model.version == "4":
            raise IndexError("a token that the network has not")
        return [Completion("b", 1, "stop") for _ in rows]

    monkeypatch.setattr(application, "load", toy)
    monkeypatch.setattr(application, "complete", complete)
    places = Places(tmp_path)
    champion, challenger = (Packaged(version=version, folder=tmp_path, sha256=version * 64) for version in "34")
    places.serving.write_text(Serving(champion=champion, challenger=challenger).model_dump_json(), encoding="utf-8")
    assert replace(places.canary, None, begun(**LENIENT))
    app = application.build(load(CHECKOUT / "params.yaml").endpoint, places, tmp_path)
    with TestClient(Access(app, places)) as client:
        until = time.monotonic() + 30
        while client.get("/api/v1/health").json()["roles"]["challenger"] is None:
            assert time.monotonic() < until
            time.sleep(0.02)
        yield Service(client, places)


def test_a_good_challenger_answers_a_rising_share_and_then_everybody(service: Service) -> None:
    shares = []
    versions = service.ask_until_over(lambda _: shares.append(service.client.get("/api/v1/health").json()["share"]))
    assert (service.canary().status, sorted(set(shares))) == ("passed", [0.0, 0.3, 0.6, 1.0])
    assert set(versions[:5]) == {"3"}
    assert {service.ask(user=f"late {number}").json()["version"] for number in range(9)} == {"4"}
    told = service.client.get("/api/v1/canary").json()
    assert (told["status"], told["requests"], "salt" in told) == ("passed", len(versions), False)


@pytest.mark.parametrize("service", [True], indirect=True)
def test_who_is_drawn_for_a_challenger_that_fails_is_answered_by_the_champion(service: Service) -> None:
    answers: list[Any] = []
    assert set(service.ask_until_over(answers.append)) == {"3"}
    canary = service.canary()
    assert (canary.status, canary.share) == ("rolled_back", 0.0)
    assert canary.reason.startswith("errors: 100.0% of ")
    assert canary.ended[-1].deciding_request == answers[-1].headers["x-request-id"]


@pytest.mark.parametrize("service", [True], indirect=True)
def test_a_stream_that_has_not_begun_is_the_champions_too(service: Service) -> None:
    for number in range(60):
        body = {"model": "acclimate-law", "user": f"user {number}", "stream": True}
        events = service.ask("/v1/completions", **body).text
        assert "error" not in events
        assert events.endswith("data: [DONE]\n\n")
    assert service.canary().status == "rolled_back"


def test_users_who_complain_about_the_challenger_bring_the_champion_back(service: Service) -> None:
    def rate(answer: Any) -> None:
        score = 0.0 if answer.json()["version"] == "4" else 1.0
        given = {"id": answer.headers["x-request-id"], "score": score}
        said = service.client.post("/api/v1/feedback", json=given)
        assert (said.status_code, said.json()) == (202, {"counted": score == 0.0})

    service.ask_until_over(rate)
    assert service.canary().reason.startswith("complaints: 100.0% of ")
    assert len(service.places.feedback.read_text().splitlines()) > 0


def test_who_names_a_model_gets_it_and_is_not_counted(service: Service) -> None:
    assert service.ask(model="challenger", user="ada").json()["version"] == "4"
    assert service.client.get("/api/v1/canary").json()["requests"] == 0


def test_many_requests_in_one_are_one_user(service: Service) -> None:
    batch = service.client.post("/api/v1/generate/batch", json={"requests": [{"prompt": "a"}] * 12})
    assert {answer["version"] for answer in batch.json()["answers"]} == {"3"}
    assert service.canary().status == "baseline"  # of five answers; twelve of one user are one

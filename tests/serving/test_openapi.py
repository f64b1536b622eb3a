"""The real service, fuzzed from its own OpenAPI document and held to it: requests that fit it, and such that do not.

Where a model has to be named, the champion is: otherwise nearly every request would be refused with 404. The requests
are the same every time.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import schemathesis
from hypothesis import HealthCheck, settings

from acclimate.core.params import load
from acclimate.serving.app import build
from acclimate.serving.places import Places

if TYPE_CHECKING:
    Served = tuple[Any, Path]

# Of an endpoint with a folder of its own, which is what takes jobs on; nothing is read from it here.
ENDPOINT = build(load(Path(__file__).parents[2] / "params.yaml").endpoint, Places(Path("nowhere")), Path())
DOCUMENT = ENDPOINT.openapi()
# A prompt can fit the document and be too long for the model, and a conversation end with the assistant's turn.
ACCEPTED = {"expected-statuses": ["2xx", "404", "422"]}
CONFIG = schemathesis.Config.from_dict({"checks": {"positive_data_acceptance": ACCEPTED}})
schema = schemathesis.openapi.from_dict(DOCUMENT, config=CONFIG)


def test_the_document_is_served(served: Served) -> None:
    assert served[0].json("/openapi.json") == DOCUMENT


def test_whoever_asks_a_model_can_know_that_there_may_be_no_room_and_when_to_come_again() -> None:
    asking = [path for path in DOCUMENT["paths"] if path.endswith(("/generate", "/batch", "/completions"))]
    assert len(asking) == 4
    for path in asking:
        assert DOCUMENT["paths"][path]["post"]["responses"]["503"]["headers"]["Retry-After"]["required"]


@schema.parametrize()
@settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=[*HealthCheck])
def test_the_service_does_what_its_document_says(case: schemathesis.Case[Any], served: Served) -> None:
    model = case.body.get("model") if isinstance(case.body, dict) else None
    if isinstance(case.body, dict) and isinstance(model, str) and 0 < len(model) <= 256:
        case.body["model"] = "champion"
    case.call_and_validate(base_url=served[0].url)

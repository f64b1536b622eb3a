r"""The served models as a BentoML service: `acclimate endpoint` runs it, and so does `bentoml serve` with a Bento.

    curl -s localhost:3000/api/v1/generate -H 'Content-Type: application/json' \
         -d '{"question": "What does numpy.argsort do?", "max_new_tokens": 48}'
    {"text": " Returns the indices that would sort an array.", "model": "acclimate-scientific-python", "version": "3",
     "prompt_tokens": 15, "new_tokens": 12, "finish_reason": "stop"}

What it does is in acclimate.serving. Only JSON is read: BentoML's own endpoints also take pickles, which run code
(CVE-2024-2912, CVE-2025-27520), so there is none here, and anything but JSON is refused
before it is looked at.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bentoml
from starlette.middleware.cors import CORSMiddleware

from acclimate.core.params.endpoint import EndpointParams
from acclimate.serving import places
from acclimate.serving.access import Access
from acclimate.serving.admission import Admission
from acclimate.serving.app import build
from acclimate.serving.guards import JsonOnly

HERE = Path(__file__).resolve().parent
PLACES = places.named()


def _settings() -> EndpointParams:
    """Of the endpoint's folder, if somebody has put them there; else those that were packaged."""
    own = HERE / "settings.json"
    path = PLACES.settings if PLACES is not None and PLACES.settings.exists() else own
    return EndpointParams.model_validate_json(path.read_bytes())


SETTINGS = _settings()
APP = build(SETTINGS, PLACES, HERE)


@bentoml.service(
    name="acclimate",
    workers=1,
    # The limits are acclimate's own: they say what they are, and when to ask again.
    traffic={"timeout": 86400, "max_concurrency": 1 << 20},
    # BentoML's own count requests by path: whoever asks for many that are not there fills the memory.
    metrics={"enabled": False},
    # Nor is there anybody to send spans to; of every request they leave 8 KB in memory (BentoML 1.4.39, 2026-11-22).
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": PLACES is None}},
    http={"host": "127.0.0.1", "port": 3000},
)
@bentoml.asgi_app(APP, path="/")
class Endpoint:
    """Several models, one worker process."""

    def __is_ready__(self) -> bool:
        """For GET /readyz: whether there is a champion to ask."""
        return not APP.state.roster.why()


_service: Any = Endpoint  # the decorator made it a bentoml.Service
# The outermost first: browsers ask whether they may before they show a key.
if SETTINGS.cors_origins:
    _service.add_asgi_middleware(
        CORSMiddleware,
        allow_origins=SETTINGS.cors_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type"],
    )
_service.add_asgi_middleware(Access, places=PLACES)
_service.add_asgi_middleware(Admission, settings=SETTINGS, places=PLACES, limits=APP.state.limits)
_service.add_asgi_middleware(JsonOnly)

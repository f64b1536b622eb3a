from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from acclimate.serving.canary.decision import Rules
from acclimate.serving.canary.record import Canary


@pytest.fixture(scope="session")
def begun() -> Callable[..., Canary]:
    """A canary at its beginning, with two steps, lenient rules, and other rules if asked for."""

    def make(**rules: Any) -> Canary:
        usual: dict[str, Any] = {
            "shares": (0.3, 0.6),
            "alpha": 0.2,
            "bounds": {"errors": 0.1, "slow": 0.3, "complaints": 0.1},
            "slow_quantile": 0.9,
            "baseline_requests": 5,
            "min_requests": 10,
            "answers_per_user": 1,
        }
        return Canary(
            key="v4-00ff",
            model="acclimate-law",
            champion="3",
            challenger="4",
            salt="00ff",
            rules=Rules.model_validate(usual | rules),
            began="2026-11-21T09:30:00.000+00:00",
            step_began="2026-11-21T09:30:00.000+00:00",
        )

    return make

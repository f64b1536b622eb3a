from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.release import serve as serve_module
from acclimate.release.serve import serve

if TYPE_CHECKING:
    Served = tuple[Any, Path]


def at_home(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("ACCLIMATE_HOME", str(home))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow itself sets it to the last registry used


def test_serve_proves_which_weights_answer(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint, home = served
    at_home(monkeypatch, home)
    monkeypatch.setenv("ACCLIMATE_ENDPOINT_URL", endpoint.url)
    checkout = home / "run-a"
    report = serve(checkout, timeout=20)
    assert report == read_json(checkout / "reports/serve.json")
    assert report["sha256"] == read_json(checkout / "reports/evaluate_quantized.json")["quantized_sha256"]
    assert report["question"].startswith("What does numpy.")
    assert endpoint.ask(question=report["question"])[1]["text"] == report["answer"]


def test_without_an_endpoint_serve_says_how_to_start_one(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    _, home = served
    at_home(monkeypatch, home)
    monkeypatch.setenv("ACCLIMATE_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(serve_module, "ABSENT_SECONDS", 0.0)
    with pytest.raises(UserError) as fault:
        serve(home / "run-a", timeout=5)
    assert fault.value.what == "no endpoint answers at http://127.0.0.1:9"
    assert "acclimate endpoint" in fault.value.fix


def test_without_a_champion_there_is_nothing_to_serve(gated_run: Path) -> None:
    with pytest.raises(UserError, match="has no champion"):
        serve(gated_run, timeout=1)

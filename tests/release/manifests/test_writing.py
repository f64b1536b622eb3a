from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from acclimate.core.errors import UserError
from acclimate.core.params import with_changes
from acclimate.release import manifests
from acclimate.release.keys import trusted_key
from acclimate.release.manifests.release import weights
from acclimate.release.roles import places
from acclimate.serving.canary.record import Canary, replace

from .conftest import MODEL, Written

Serve = Callable[..., None]
Begin = Callable[..., Canary]


def shares(files: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Weight by subset."""
    (route,) = files["virtual-service.yaml"]["spec"]["http"]
    return {one["destination"]["subset"]: one["weight"] for one in route["route"]}


def test_the_weights_are_those_of_the_canary_at_every_step(serve: Serve, begin: Begin, written: Written) -> None:
    serve("3")
    assert shares(written()) == {"v3": 100}
    serve("3", "4")
    assert shares(written()) == {"v3": 100, "v4": 0}, "loaded, and no canary has begun"
    now = begin("3", "4")
    seen = [shares(written())]
    for step in range(3):
        then = now.advanced("seen") if step else now.begun(0.5)
        assert replace(places().canary, now, then)
        now = then
        seen.append(shares(written()))
    assert [one["v4"] for one in seen] == [0, 1, 5, 100]
    assert [one["v3"] for one in seen] == [100, 99, 95, 0]


@pytest.mark.parametrize("ending", ["refused", "withdrawn"])
def test_after_a_rollback_the_champion_gets_everything(
    serve: Serve, begin: Begin, written: Written, ending: str
) -> None:
    serve("3", "4")
    canary = begin("3", "4")
    running = canary.begun(0.5)
    assert replace(places().canary, canary, running)
    assert replace(places().canary, running, getattr(running, ending)("it did harm"))
    assert shares(written()) == {"v3": 100, "v4": 0}


def test_a_canary_of_others_gives_nobody_a_share(serve: Serve, begin: Begin, written: Written) -> None:
    canary = begin("2", "3")
    assert replace(places().canary, canary, canary.begun(0.5))
    serve("3", "4")
    assert shares(written()) == {"v3": 100, "v4": 0}


def test_equal_state_gives_equal_files_and_a_version_that_went_leaves_none(
    serve: Serve, written: Written, tmp_path: Path
) -> None:
    serve("3", "4")
    assert len(first := written()) == 8
    content = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert written() == first
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == content
    (tmp_path / "out/mine.yaml").write_text("{}")
    serve("4")
    assert sorted(written()) == sorted({"mine.yaml", *first} - {"deployment-v3.yaml", "autoscaler-v3.yaml"}), (
        "what is not ours stays"
    )


def test_who_becomes_champion_goes_on_running(serve: Serve, written: Written) -> None:
    serve("3", "4")
    challenger = written()["deployment-v4.yaml"]
    serve("4")
    assert written()["deployment-v4.yaml"] == challenger


def test_the_image_is_that_of_the_bento_and_what_it_is_given_is_what_params_say(
    serve: Serve, written: Written, home: Path
) -> None:
    path = home / "params.yaml"
    changes = {"manifests.image": "localhost:5000/models", "endpoint.drain_seconds": 20.5, "manifests.memory_mb": 3000}
    path.write_text(with_changes(path.read_text(encoding="utf-8"), changes), encoding="utf-8")
    serve("3")
    files = written()
    pod = files["deployment-v3.yaml"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"] == f"localhost:5000/models/{MODEL}:v3-33333333"
    assert container["resources"]["limits"] == {"cpu": "2", "memory": "3000Mi"}
    assert container["args"][-2:] == ["--timeout-graceful-shutdown", "21"]
    assert pod["terminationGracePeriodSeconds"] == 5 + 21 + 5
    assert {probe: container[probe]["httpGet"]["path"] for probe in ("livenessProbe", "readinessProbe")} == {
        "livenessProbe": "/livez",
        "readinessProbe": "/readyz",
    }
    data = files["settings.yaml"]["data"]
    assert json.loads(data["settings.json"])["drain_seconds"] == 20.5
    assert json.loads(data["settings.json"])["keys"] == "required", "in a cluster everybody asks from elsewhere"
    assert data["signing.pub"] == trusted_key().read_text()


def test_other_settings_replace_the_pods_that_read_them_when_they_start(
    serve: Serve, written: Written, home: Path
) -> None:
    serve("3")
    before = written()["deployment-v3.yaml"]["spec"]["template"]
    path = home / "params.yaml"
    path.write_text(with_changes(path.read_text(encoding="utf-8"), {"endpoint.most_waiting": 7}), encoding="utf-8")
    assert written()["deployment-v3.yaml"]["spec"]["template"] != before


def test_requests_from_outside_come_through_the_gateway(serve: Serve, written: Written, home: Path) -> None:
    serve("3")
    inside = f"{MODEL}.acclimate.svc.cluster.local"
    spec = written()["virtual-service.yaml"]["spec"]
    assert (spec["hosts"], spec["gateways"]) == ([inside], ["mesh"])
    path = home / "params.yaml"
    gateway = "gateway: {name: istio-ingress/public, host: models.example.org}"
    path.write_text(path.read_text(encoding="utf-8").replace("gateway: null", gateway), encoding="utf-8")
    spec = written()["virtual-service.yaml"]["spec"]
    assert spec["hosts"] == [inside, "models.example.org"]
    assert spec["gateways"] == ["mesh", "istio-ingress/public"]


def test_without_a_champion_there_is_nothing_to_write(written: Written, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no champion to run: nobody has served one here yet"):
        written()
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("share", "champion", "challenger"),
    [(0.0, 100, 0), (0.01, 99, 1), (0.5, 50, 50), (1.0, 0, 100), (0.005, 995, 5), (0.0001, 9999, 1), (1e-9, 9999, 1)],
)
def test_a_share_is_whole_weights(share: float, champion: int, challenger: int) -> None:
    assert weights(share) == (champion, challenger)


def test_the_command_says_who_gets_what(
    serve: Serve, begin: Begin, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    serve("3", "4")
    canary = begin("3", "4")
    assert replace(places().canary, canary, canary.begun(0.5))
    assert manifests.main(argparse.Namespace(out=None)) == 0
    folder = home / ".acclimate/manifests"
    assert capsys.readouterr().out == f"{MODEL} in {folder}: version 3: weight 99, version 4: weight 1\n"
    assert len([*folder.iterdir()]) == 8

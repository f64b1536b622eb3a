from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acclimate.core.params import load
from acclimate.serving import app as application
from acclimate.serving.places import Places


@pytest.mark.parametrize("somebody", [False, True])
def test_libraries_are_imported_while_there_is_no_champion_and_never_beside_one(
    somebody: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[bool] = []
    monkeypatch.setattr(application, "PREPARE_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(application, "import_libraries", lambda: imported.append(True))
    params, places = load(Path(__file__).parents[2] / "params.yaml"), Places(tmp_path)
    places.serving.write_text("{}", encoding="utf-8")

    async def scenario() -> None:
        app = application.build(params.endpoint, places, tmp_path)
        async with app.router.lifespan_context(app):
            if somebody:
                champion: Any = (SimpleNamespace(version="1"), SimpleNamespace())
                app.state.roster.serves["champion"] = champion
            await asyncio.sleep(0.5)

    asyncio.run(scenario())
    assert imported == ([] if somebody else [True])

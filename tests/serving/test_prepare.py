from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from acclimate.core.params import load
from acclimate.serving import app as application
from acclimate.serving.places import Places
from acclimate.serving.state import Packaged, Serving


@pytest.mark.parametrize("somebody", [False, True])
def test_libraries_are_imported_while_there_is_no_champion_and_never_beside_one(
    somebody: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported: list[bool] = []
    monkeypatch.setattr(application, "PREPARE_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(application, "import_libraries", lambda: imported.append(True))
    params, places = load(Path(__file__).parents[2] / "params.yaml"), Places(tmp_path)
    packaged = Packaged(version="1", folder=tmp_path, sha256="")
    wanted = Serving(champion=packaged if somebody else None)
    places.serving.write_text(wanted.model_dump_json(), encoding="utf-8")

    async def scenario() -> None:
        app = application.build(params.endpoint, places, tmp_path)
        async with app.router.lifespan_context(app):
            if somebody:
                model: Any = SimpleNamespace(users=0, bare=None)
                app.state.roster.serves["champion"] = (packaged, model)
            await asyncio.sleep(0.5)

    asyncio.run(scenario())
    assert imported == ([] if somebody else [True])

from __future__ import annotations

import importlib.util
import sys

import pytest

from acclimate.core.libraries import set_aside, take_up


def test_a_library_set_aside_looks_uninstalled_until_it_is_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    set_aside("this")
    assert importlib.util.find_spec("this") is None
    with pytest.raises(ImportError):
        importlib.import_module("this")
    take_up("this")
    assert importlib.util.find_spec("this") is not None


def test_one_that_is_loaded_stays_as_it_is() -> None:
    loaded = sys.modules["json"] if "json" in sys.modules else importlib.import_module("json")
    set_aside("json")
    take_up("json")
    assert sys.modules["json"] is loaded

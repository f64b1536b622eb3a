"""Which other domains are served beside one: with a real registry, and Bentos of which only the manifest is there."""

from __future__ import annotations

import pytest

from acclimate.core.files import write_json
from acclimate.release.package import source_path
from acclimate.release.registry import CHAMPION, connect
from acclimate.release.siblings import siblings

OWN = "acclimate-own"


def champion(name: str, **manifest: str) -> str:
    """Register a model whose champion is a Bento with this manifest; its tag."""
    client, tag = connect(), f"{name}:v1-aaaaaaaa"
    client.create_registered_model(name)
    client.create_model_version(name, "runs:/none", tags={"bento": tag})
    client.set_registered_model_alias(name, CHAMPION, "1")
    write_json(source_path(tag) / "manifest.json", manifest)
    return tag


@pytest.mark.usefixtures("home_folder")
def test_only_champions_that_are_adapters_on_the_same_base_and_have_their_bento_here_are_offered() -> None:
    own = champion(OWN, weights="adapter", base_folder_sha256="a")
    law = champion("acclimate-law", weights="adapter", base_folder_sha256="a")
    champion("acclimate-tax", weights="adapter", base_folder_sha256="b")
    champion("acclimate-art", weights="merged")
    champion("somebody-elses", weights="adapter", base_folder_sha256="a")
    gone = champion("acclimate-gone", weights="adapter", base_folder_sha256="a")
    (source_path(gone) / "manifest.json").unlink()
    source_path(gone).rmdir()
    connect().create_registered_model("acclimate-new")
    assert siblings(OWN, own) == {"acclimate-law": law}


@pytest.mark.usefixtures("home_folder")
def test_beside_a_model_that_is_no_adapter_there_is_nobody() -> None:
    champion("acclimate-law", weights="adapter", base_folder_sha256="a")
    assert siblings(OWN, champion(OWN, weights="quantized")) == {}

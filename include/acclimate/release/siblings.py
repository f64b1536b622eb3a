"""The champions of other domains that the endpoint can serve beside its own: adapters on the same base.

siblings("acclimate-scientific-python", "acclimate-scientific-python:v3-ab12cd34")
# {"acclimate-law": "acclimate-law:v7-77aa01c2"}
"""

from __future__ import annotations

from acclimate.core.files import read_json
from acclimate.release.package import source_path
from acclimate.release.registry import CHAMPION, PREFIX, connect, version_at
from acclimate.serving.shared_base import ADAPTER


def siblings(name: str, tag: str) -> dict[str, str]:
    """Registered model to the tag of its champion's Bento, of all other domains whose champion has the base of `tag`.

    Empty if the Bento `tag`, of the model `name`, holds no adapter: then no base is in memory for others.
    """
    base = _base_of(tag)
    if base is None:
        return {}
    client, found, token = connect(), {}, None
    while True:
        page = client.search_registered_models(f"name LIKE '{PREFIX}%'", page_token=token)
        for model in page:
            champion = None if model.name == name else version_at(client, model.name, CHAMPION)
            theirs = "" if champion is None else champion.tags.get("bento", "")
            if theirs and source_path(theirs).exists() and _base_of(theirs) == base:
                found[model.name] = theirs
        token = page.token
        if not token:
            return found


def _base_of(tag: str) -> str | None:
    """The hash of the base's files in a packaged adapter; None if the Bento holds another form of weights."""
    manifest = read_json(source_path(tag) / "manifest.json")
    return str(manifest["base_folder_sha256"]) if manifest["weights"] == ADAPTER else None

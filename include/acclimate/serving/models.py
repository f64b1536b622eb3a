"""A packaged model in memory: shown to be what was approved, and warm before anyone is answered by it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.release.signing import PINNED, pinned_key, verify
from acclimate.release.weights import import_libraries
from acclimate.serving.engine import Engine, opened
from acclimate.serving.engine_transformers import Transformers
from acclimate.serving.generation import Prompt, Row, complete
from acclimate.serving.relevance import FILE, Relevance
from acclimate.serving.shared_base import ADAPTER, BASE, Base, adapted, base_of
from acclimate.serving.state import Packaged

log = logging.getLogger("bentoml.acclimate")


class UnfitError(Exception):
    """A package that is not what was approved; the message says in what."""


class Model:
    """Engine and tokenizer of one packaged model, and how many requests need it now."""

    def __init__(self, manifest: dict[str, Any], engine: Engine, tokenizer: Any) -> None:
        self.manifest = manifest
        self.engine = engine
        self.tokenizer = tokenizer
        self.users = 0
        self.loaded = time.time()
        self.ends = engine.ends
        self.joins = engine.joins
        self.label = self.version
        """What logs and metrics call it: the version, of another domain's after the name of its model."""
        self.bare: Model | None = None
        """The base that it shares with others, as a model of its own."""
        self.base: Base | None = None
        """Kept in memory by the models on it."""
        self.relevance: Relevance | None = None
        """Tells texts of the domain from others."""

    @property
    def name(self) -> str:
        """Of the registered model."""
        return str(self.manifest["model"])

    @property
    def version(self) -> str:
        """Of the registered model."""
        return str(self.manifest["version"])

    def tokens(self, text: str, *, special: bool = True) -> list[int]:
        """The token ids of a prompt, with the token that begins a text in front if asked for; nothing is cut.

        It is put there once, as in training and scoring: some templates write it themselves.
        """
        ids: list[int] = self.tokenizer(text, truncation=False, verbose=False, add_special_tokens=False)["input_ids"]
        begin = self.tokenizer.bos_token_id
        return [begin, *ids] if special and begin is not None and ids[:1] != [begin] else ids

    def text(self, tokens: list[int]) -> str:
        """What tokens say, as they stand: without special tokens, and no space taken away before punctuation."""
        return str(self.tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Keep the model in memory for as long as the block lasts, whatever becomes of its role."""
        self.users += 1
        try:
            yield
        finally:
            self.users -= 1


def load(packaged: Packaged, trusted: Path | None = None) -> Model:
    """Read a package into memory, and have it write two tokens: the first answer costs what every later one does.

    Args:
        packaged: what is to be loaded.
        trusted: see `verified`.

    Raises:
        UnfitError: if a file is not what was signed, or it is not the model that was approved.
    """
    manifest = verified(packaged, trusted)
    model = _read(packaged.folder, manifest)
    complete(model, [Row(Prompt(model.tokens("Question: "), max_new_tokens=2))])
    return model


def _read(folder: Path, manifest: dict[str, Any]) -> Model:
    """The model of a package; one that is an adapter shares its base with what else is on it in memory."""
    if manifest.get("weights") != ADAPTER:
        return Model(manifest, *opened(folder / "model", manifest))
    import_libraries()
    import torch

    torch.set_num_threads(manifest["threads"])
    base = base_of(folder / "model", manifest["base_folder_sha256"])
    network = adapted(base, folder / "model" / ADAPTER)
    model = Model(manifest, Transformers(network, base.tokenizer), base.tokenizer)
    model.bare = _bare(base, manifest)
    if (folder / FILE).exists():
        model.relevance = Relevance.read(folder / FILE)
    return model


def _bare(base: Base, manifest: dict[str, Any]) -> Model:
    """The base without an adapter, asked in the form and within the limits of the model that is on it."""
    sha256 = manifest["base_folder_sha256"]
    engine = Transformers(base.network, base.tokenizer)
    bare = Model({**manifest, "model": BASE, "version": sha256[:8], "sha256": sha256}, engine, base.tokenizer)
    bare.base = base
    return bare


def verified(packaged: Packaged, trusted: Path | None = None) -> dict[str, Any]:
    """The manifest of a package whose files are, byte for byte, those that were signed, and which is what was approved.

    They are checked with the key `trusted`, else with the one that is pinned. Where there is none the package's own is
    used: that finds damage, and not who signs what they changed with another key.
    """
    if (pinned := trusted or pinned_key()) is None:
        log.warning("%s is not set: the files are whole, who signed them is not known", PINNED)
    try:
        verify(packaged.folder, pinned or packaged.folder / "signing.pub")
    except UserError as fault:
        raise UnfitError(fault.what) from None
    manifest: dict[str, Any] = json.loads((packaged.folder / "manifest.json").read_text(encoding="utf-8"))
    if manifest["sha256"] != packaged.sha256:
        raise UnfitError(f"{packaged.folder} holds weights {manifest['sha256'][:8]}, approved is {packaged.sha256[:8]}")
    return manifest


def packaged_in(folder: Path) -> Packaged:
    """What is packaged in a Bento's own folder."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return Packaged(version=manifest["version"], folder=folder, sha256=manifest["sha256"])

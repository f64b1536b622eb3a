"""A packaged model in memory: shown to be what was approved, and warm before anyone is answered by it."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.release.signing import PINNED, pinned_key, verify
from acclimate.serving.engine import Engine, Library, opened
from acclimate.serving.engine_process import EngineError
from acclimate.serving.engine_transformers import ByTransformers
from acclimate.serving.generation import Prompt, Row, complete
from acclimate.serving.relevance import FILE, Relevance
from acclimate.serving.shared_base import ADAPTER, BASE, Base, base_of, in_memory
from acclimate.serving.state import Packaged

if TYPE_CHECKING:
    from acclimate.serving.engine import Check
    from acclimate.serving.shared_base import Files

TRANSFORMERS = ByTransformers()

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


def load(packaged: Packaged, trusted: Path | None = None, library: Library = TRANSFORMERS) -> Model:
    """Read a package into memory, and have it write two tokens: the first answer costs what every later one does.

    Args:
        packaged: what is to be loaded.
        trusted: see `verified`.
        library: computes with what is in safetensors.

    Raises:
        UnfitError: if a file is not what was signed, or it is not the model that was approved.
    """
    base = in_memory(packaged.folder)  # held, so that it stays there
    manifest, files = verified(packaged, trusted, base)

    def _check() -> None:
        try:
            verified(packaged, trusted)
        except UnfitError as fault:
            raise EngineError(f"what it would read is not what was approved: {fault}") from None

    if manifest.get("weights") == ADAPTER:
        model = _on_base(packaged.folder, manifest, files, library, _check)
    else:
        model = Model(manifest, *opened(packaged.folder / "model", manifest, library, _check))
    complete(model, [Row(Prompt(model.tokens("Question: "), max_new_tokens=2))])
    return model


def _on_base(folder: Path, manifest: dict[str, Any], files: Files, library: Library, check: Check) -> Model:
    """The model of a package that is an adapter: it shares its base with what else is on that in memory."""
    sha256 = manifest["base_folder_sha256"]
    base = base_of(folder / "model", sha256, files, lambda found: library.open_base(found, manifest, check))
    engine = library.on_base(base, manifest, folder / "model" / ADAPTER, check)
    model = Model(manifest, engine, base.tokenizer)
    # The base without an adapter is asked in the form and within the limits of the model that is on it.
    alone = {**manifest, "model": BASE, "version": sha256[:8], "sha256": sha256}
    model.bare = Model(alone, library.on_base(base, manifest, None, check), base.tokenizer)
    model.bare.base = base
    if (folder / FILE).exists():
        model.relevance = Relevance.read(folder / FILE)
    return model


def verified(packaged: Packaged, trusted: Path | None = None, base: Base | None = None) -> tuple[dict[str, Any], Files]:
    """The manifest of a package whose files are, byte for byte, those that were signed, and which is what was approved.

    With it come the hashes of all files. Those of a `base` that is in memory already are not read once more: it will
    not be loaded from this package, so it suffices that it is the base which was signed with it.

    They are checked with the key `trusted`, else with the one that is pinned. Where there is none the package's own is
    used: that finds damage, and not who signs what they changed with another key.
    """
    if (pinned := trusted or pinned_key()) is None:
        log.warning("%s is not set: the files are whole, who signed them is not known", PINNED)
    try:
        files = verify(packaged.folder, pinned or packaged.folder / "signing.pub", base.files if base else {})
    except UserError as fault:
        raise UnfitError(fault.what) from None
    manifest: dict[str, Any] = json.loads((packaged.folder / "manifest.json").read_text(encoding="utf-8"))
    if manifest["sha256"] != packaged.sha256:
        raise UnfitError(f"{packaged.folder} holds weights {manifest['sha256'][:8]}, approved is {packaged.sha256[:8]}")
    if base is not None and manifest.get("base_folder_sha256") != base.sha256:
        raise UnfitError(f"{packaged.folder} was changed while it was read")
    return manifest, files


def packaged_in(folder: Path) -> Packaged:
    """What is packaged in a Bento's own folder."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return Packaged(version=manifest["version"], folder=folder, sha256=manifest["sha256"])

"""Hashing the files of a folder for its signature, without reading again what is in memory as it was signed.

    files = SignedFiles(known=base.files)                # model/base/… of another package on the same base
    verifier.set_hashing_config(files).verify(folder, signature)
    files.shown["model/adapter/adapter_model.safetensors"]

It stands in for model_signing's own hashing.Config, of which a verifier and a signer call these two methods
(model-signing 1.1.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from model_signing.manifest import FileManifestItem, Manifest


class SignedFiles:
    """Hashes every file but those whose hash is known, and keeps all hashes."""

    def __init__(self, ignored: Iterable[Path], known: Mapping[str, FileManifestItem]) -> None:
        """Nothing is hashed yet.

        Args:
            ignored: files and folders that are no part of what is signed.
            known: files by their path in the folder; they count as there, with these hashes.
        """
        from model_signing import hashing

        self.shown: dict[str, FileManifestItem] = {}
        self._known = known
        # The library would leave out the files of git, and whatever hides among them.
        self._config = hashing.Config().set_ignored_paths(paths=[*ignored, *known], ignore_git_paths=False)

    def add_ignored_paths(self, *, model_path: Path, paths: Iterable[str]) -> None:
        """Those that were ignored when it was signed."""
        self._config.add_ignored_paths(model_path=model_path, paths=paths)

    def hash(self, model_path: Path, *, files_to_hash: Iterable[Path] | None = None) -> Manifest:
        """The hashes of all files, as the library compares them with those that were signed, or signs them."""
        from model_signing.manifest import FileManifestItem, Manifest, SerializationType

        found = self._config.hash(model_path, files_to_hash=files_to_hash)
        read = {
            of.identifier: FileManifestItem(path=PurePosixPath(of.identifier), digest=of.digest)
            for of in found.resource_descriptors()
        }
        self.shown = {**read, **self._known}
        kind = SerializationType.from_args(found.serialization_type)
        return Manifest(found.model_name, self.shown.values(), kind)

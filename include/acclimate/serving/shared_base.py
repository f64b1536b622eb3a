"""One base in memory, and adapters beside it that each use its weights: a model costs what its adapter does.

    model/base/       config, weights and tokenizer of the base
    model/adapter/    adapter_config.json, adapter_model.safetensors

Every adapter gets modules of its own around the base's tensors (no weight is copied), so nothing is switched between
two requests, and one can be loaded or let go of while another writes.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from acclimate.model.adapter import attach
from acclimate.release.weights import require_plain

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from model_signing.manifest import FileManifestItem

    Files = Mapping[str, FileManifestItem]

ADAPTER, BASE = "adapter", "base"
"""What the form is called in package.weights, and the folders in model/."""


class Base:
    """A base in memory; it goes when the last model on it has gone."""

    def __init__(self, network: Any, tokenizer: Any, sha256: str, files: Files) -> None:
        """A base as a library has it in memory.

        Args:
            network: what that is, is the library's affair (engine.Library).
            tokenizer: transformers'.
            sha256: of all its files.
            files: these, by their path in a package, as they were shown to be what was signed.
        """
        self.network, self.tokenizer = network, tokenizer
        self.sha256, self.files = sha256, files


_IN_MEMORY: WeakValueDictionary[str, Base] = WeakValueDictionary()
"""By the hash of all files of the base."""


def in_memory(folder: Path) -> Base | None:
    """The base that a package says it is on, if that is in memory; whether it says so rightly its signature shows."""
    try:
        said = json.loads((folder / "manifest.json").read_bytes())["base_folder_sha256"]
    except (OSError, LookupError, TypeError, ValueError):  # what is wrong with it is for whoever verifies it to say
        return None
    return _IN_MEMORY.get(str(said))


def base_of(model: Path, sha256: str, files: Files, load: Callable[[Path], tuple[Any, Any]]) -> Base:
    """The base of a packaged model: the one in memory, if there is one with these files.

    Args:
        model: the folder model/ of the package, already shown to be what was signed.
        sha256: of its base/ (weights.folder_sha256), as the signed manifest has it.
        files: the package's, as they were shown.
        load: reads a folder into memory, as network and tokenizer.
    """
    base = _IN_MEMORY.get(sha256)
    if base is None:
        own = {path: file for path, file in files.items() if path.startswith(f"{model.name}/{BASE}/")}
        base = _IN_MEMORY[sha256] = Base(*load(model / BASE), sha256, own)
    return base


def adapted(base: Base, adapter: Path) -> Any:
    """A network of the base's own weights with the adapter beside them, ready for inference.

    Raises:
        UserError: if the folder holds anything but an adapter of this base.
    """
    require_plain(adapter)
    tensors = [*base.network.parameters(), *base.network.buffers()]
    # The modules are copied, what they compute with is not: peft puts its layers around linear layers in place.
    view = copy.deepcopy(base.network, {id(tensor): tensor for tensor in tensors})
    # peft would move a model that was loaded with a device map once more, as if parts of it were on a disk.
    vars(view).pop("hf_device_map", None)
    return attach(view, adapter).get_base_model().eval()

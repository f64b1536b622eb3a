"""One base in memory, and adapters beside it that each use its weights: a model costs what its adapter does.

    model/base/       config, weights and tokenizer of the base
    model/adapter/    adapter_config.json, adapter_model.safetensors

Every adapter gets modules of its own around the base's tensors (no weight is copied), so nothing is switched between
two requests, and one can be loaded or let go of while another writes.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from acclimate.model.adapter import attach
from acclimate.release.weights import load_model, require_plain

ADAPTER, BASE = "adapter", "base"
"""What the form is called in package.weights, and the folders in model/."""


class Base:
    """A base in memory; it goes when the last model on it has gone."""

    def __init__(self, folder: Path) -> None:
        self.network, self.tokenizer = load_model(folder)
        self.network.requires_grad_(False)


_IN_MEMORY: WeakValueDictionary[str, Base] = WeakValueDictionary()
"""By the hash of all files of the base."""


def base_of(model: Path, sha256: str) -> Base:
    """The base of a packaged model: the one in memory, if there is one with these files.

    Args:
        model: the folder model/ of the package, already shown to be what was signed.
        sha256: of its base/ (weights.folder_sha256), as the signed manifest has it.

    Raises:
        UserError: if there is a file in it that could run code.
    """
    base = _IN_MEMORY.get(sha256)
    if base is None:
        base = _IN_MEMORY[sha256] = Base(model / BASE)
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

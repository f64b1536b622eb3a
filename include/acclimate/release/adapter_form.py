"""A packaged adapter: the base and the adapter beside each other, and the base once on disk for all packages on it.

    model/base/       what `base` wrote: config, weights, tokenizer
    model/adapter/    what `compose` wrote

Every Bento holds its base, so that it can be served and checked by itself; in the store the base's files are hard links
to .acclimate/bentoml/bases/<hash>/, so that a second package on the same base adds its adapter and nothing else.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from acclimate.core.files import sha256, whole_directory
from acclimate.core.locks import locked
from acclimate.release.evidence import ADAPTER_FILES
from acclimate.release.weights import folder_sha256
from acclimate.serving.shared_base import ADAPTER, BASE


def assemble(base: Path, adapter: Path, model: Path) -> None:
    """Put base and adapter into the new folder `model`."""
    shutil.copytree(base, model / BASE, copy_function=_link_or_copy)
    (model / ADAPTER).mkdir()
    for file in ADAPTER_FILES:
        shutil.copyfile(adapter / file, model / ADAPTER / file)


def weights_sha256(base: Path) -> str:
    """The hash by which `base` and the gate name a base: that of its weights alone."""
    return sha256(*sorted(base.glob("*.safetensors")))


def share(base: Path, bases: Path) -> None:
    """Have the files of a base in a built Bento stand on the disk once, in `bases`, however many Bentos hold them.

    Where the file system knows no hard links they stay what they are, copies. A file there that is not what its folder
    is named for any more is put there anew.
    """
    kept = bases / folder_sha256(base)
    with locked(bases.with_suffix(".lock")):
        if not kept.exists() or folder_sha256(kept) != kept.name:
            with whole_directory(kept) as empty:
                shutil.copytree(base, empty, dirs_exist_ok=True, copy_function=_link_or_copy)
    for file in sorted(path for path in base.rglob("*") if path.is_file()):
        partial = file.with_name(f".{file.name}.partial")
        partial.unlink(missing_ok=True)
        try:
            os.link(kept / file.relative_to(base), partial)
        except OSError:
            continue
        os.replace(partial, file)
        partial.unlink(missing_ok=True)  # of one file already: renaming that does nothing (rename(2))


def _link_or_copy(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        return shutil.copyfile(source, target)
    return target

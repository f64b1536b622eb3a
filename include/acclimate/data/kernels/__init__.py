"""Compiled loops over UTF-8 buffers and 64-bit hashes. They import numba: import them inside functions.

None of them holds the interpreter lock, so threads run them side by side. The machine code is cached
beside the sources (or in numba's cache directory where these cannot be written).
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from importlib import import_module
from pathlib import Path

CACHE = Path(__file__).parent / "__pycache__"


def _forget_stale() -> None:
    """Delete machine code of other sources.

    numba takes it as up to date by a kernel's own file, but kernels have the code of those they call from other files
    built in: after a change there they would go on with the old one.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"\0".join(source.read_bytes() for source in sources)).hexdigest()
    stamp = CACHE / "sources"
    if stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return
    CACHE.mkdir(exist_ok=True)
    for compiled in CACHE.glob("*.nb[ci]"):
        compiled.unlink(missing_ok=True)
    stamp.write_text(digest, encoding="ascii")


if os.access(CACHE if CACHE.exists() else CACHE.parent, os.W_OK):
    _forget_stale()


_NOT_NEEDED = ("scipy", "cffi")
"""What numba looks for: SciPy for its BLAS, and no kernel multiplies matrices; cffi for its functions, and none is
called. To import them takes a third of what loading the kernels takes."""


def _import_numba() -> None:
    """Import numba, and of it what looks for the libraries that are not needed, as if they were not installed."""
    # Another thread may be importing them; and of what is there already nothing is saved.
    if threading.active_count() > 1:
        return
    absent = [name for name in _NOT_NEEDED if name not in sys.modules]
    # None in place of a module makes importing it an ImportError, which numba takes for "not installed".
    sys.modules |= dict.fromkeys(absent, None)  # type: ignore[arg-type]
    try:
        import_module("numba.np.arraymath")
        import_module("numba.core.typing.cffi_utils")
    finally:
        for name in absent:
            del sys.modules[name]


_import_numba()

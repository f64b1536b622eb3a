"""Let no Ctrl-C be lost.

One that comes while a library is in a callback from C is printed there as ignored, and the work goes on:
llvmlite (0.50) does so for some milliseconds whenever compiled kernels are loaded.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def heeding_interrupts() -> Iterator[None]:
    """Raise KeyboardInterrupt at once, as ever, and at the end of the block if it was swallowed on the way."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as under nohup
        yield
        return
    asked = False

    def heed(_signal: int, _frame: object) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, heed)
    try:
        yield
        if asked:
            raise KeyboardInterrupt
    finally:
        signal.signal(signal.SIGINT, before)

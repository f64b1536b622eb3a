"""Libraries that others import wherever they find them installed, for what is seldom asked of them.

set_aside("bitsandbytes")       # peft imports it with itself (0.21): 3.7 s of each of five stages
take_up("bitsandbytes")         # where it is wanted after all
"""

from __future__ import annotations

import sys

SERVED_WITHOUT = ("bitsandbytes", "boto3", "chardet", "scipy", "torchao")
"""Not needed by any model that is served as it is, and imported by transformers, peft, requests and securesystemslib
wherever they find it: 9.1 CPU seconds until a model can be loaded, 12.5 with them (busy machine, 2026-11-22)."""


def set_aside(name: str) -> None:
    """Let the library look uninstalled in this process from now on, if it is not loaded yet."""
    # None is Python's own way to say so: importing it is an ImportError, find_spec finds nothing.
    sys.modules.setdefault(name, None)  # type: ignore[arg-type]


def take_up(name: str) -> None:
    """Let the library be imported again."""
    if name in sys.modules and sys.modules[name] is None:
        del sys.modules[name]

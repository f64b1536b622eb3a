"""Our endpoint for bench/serve.py: its serving process as `acclimate endpoint` starts and ends it, without a registry.

python bench/serve_ours.py PORT          # ACCLIMATE_HOME names the folder that bench/serve_model.py filled
"""

from __future__ import annotations

import signal
import sys
import threading

from acclimate.core import supervise
from acclimate.release.endpoint import Child

DRAIN_SECONDS = 15.0


def main() -> int:
    """Serve until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    supervise.adopt_orphans()
    child = Child("127.0.0.1", int(sys.argv[1]), DRAIN_SECONDS)
    child.keep()
    stop.wait()
    child.end()
    return 0


if __name__ == "__main__":
    sys.exit(main())

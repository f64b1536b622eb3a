"""The process that answers: the service in the current folder, in BentoML's own worker.

    cd bento && python -m acclimate.serving.process 127.0.0.1 3000

`bentoml serve` imports a service to learn how many workers it wants, starts a supervisor, and imports it again in
each worker. Here one worker is wanted, and `acclimate endpoint` supervises it: so it is started at once, by the
command that BentoML's supervisor starts it by.
"""

from __future__ import annotations

import gc
import importlib
import ipaddress
import socket
import sys

from acclimate.core.libraries import SERVED_WITHOUT, set_aside

SERVICE = "service"
"""The module, in the current folder."""
BACKLOG = 2048
"""Connections that wait to be accepted; BentoML's own number."""


def main(arguments: list[str]) -> int:
    """Serve until SIGTERM, then finish what was begun."""
    host, port = arguments
    for name in SERVED_WITHOUT:
        set_aside(name)
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    listening = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    # What is imported stays; see import_libraries, which does the same with what a model needs.
    gc.disable()
    from _bentoml_impl.worker.service import main as worker

    importlib.import_module(SERVICE)
    gc.freeze()
    gc.enable()
    command = [f"{SERVICE}:Endpoint", "--fd", str(listening.detach()), "--backlog", str(BACKLOG), "--worker-id", "1"]
    worker(command, standalone_mode=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

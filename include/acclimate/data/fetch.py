"""Mirror the remote sources of the domain and of general text below inputs/, where `ingest` reads them.

    acclimate fetch                  # one line a source: papers: 3 objects new, 1 changed, …
    acclimate fetch --domain law     # of another domain than params.yaml's
    acclimate fetch --wait           # while another fetch is under way

`ingest` stays a function of the files in inputs/, so a run can be repeated without the network. Fetching again
brings only what is new; a source that fails leaves its last mirror as it was, the others go on, and the command
fails at the end with every fault. What each fetch found is in .acclimate/fetch/history.jsonl.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import require_free_disk
from acclimate.core.home import home, state
from acclimate.core.locks import inputs_lock, locked
from acclimate.core.params import IngestParams, RemoteSource, load
from acclimate.data.remote import feed, huggingface, s3
from acclimate.data.remote.faults import UnreachableError
from acclimate.data.remote.mirror import Fetched, Place

_FETCH: dict[str, Callable[[Any, Place], Fetched]] = {
    "s3": s3.fetch,
    "huggingface": huggingface.fetch,
    "feed": feed.fetch,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--domain, --wait."""
    parser.add_argument("--domain", help="whose sources, with those of general text; by default ingest.domain")
    parser.add_argument("--wait", action="store_true", help="wait for another fetch to end, instead of failing")


def main(arguments: argparse.Namespace) -> int:
    """Fetch into the main checkout, from wherever the command is run.

    Returns:
        0, or 1 if every fault is one that trying again may mend.

    Raises:
        UserError: if a fault will stay, or another fetch is under way.
    """
    root = home()
    params = load(root / "params.yaml")
    domain = arguments.domain or params.ingest.domain
    sources = remote_sources(params.ingest, domain)
    if not sources:
        print(f"no source of the domain {domain!r} is remote: nothing to fetch")
        return 0
    require_free_disk(root, params.common.min_free_disk_mb)
    with _alone(root, wait=arguments.wait):
        faults = [fault for source in sources if (fault := _tried(source, root)) is not None]
    if not faults:
        return 0
    fault = faults[0] if len(faults) == 1 else _joined(faults)
    if not all(isinstance(each, UnreachableError) for each in faults):
        raise fault
    print(f"acclimate fetch: {fault}", file=sys.stderr)
    return 1


def remote_sources(params: IngestParams, domain: str) -> list[RemoteSource]:
    """The sources to fetch for `domain`, in file order.

    Raises:
        UserError: if no source has this domain.
    """
    if domain not in {source.domain for source in params.sources}:
        raise UserError(
            f"no source has the domain {domain!r}",
            why="there is nothing that a run of it could read",
            fix="use a domain of ingest.sources in params.yaml",
        )
    selected = params.model_copy(update={"domain": domain}).selected()
    return [source for source in selected if isinstance(source, RemoteSource)]


def _tried(source: RemoteSource, root: Path) -> UserError | None:
    """Fetch one source, print and note what came of it, and return the fault if it failed."""
    fault: UserError | None = None
    found: dict[str, Any]
    try:
        fetched = _FETCH[source.kind](source, Place.of(root, source.name))
    except UserError as failed:
        fault = type(failed)(f"source {source.name!r}: {failed.what}", why=failed.why, fix=failed.fix)
        found = {"failed": failed.what}
    else:
        found = asdict(fetched)
    print(f"{source.name}: {'failed' if fault else fetched.line()}", flush=True)
    noted = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "source": source.name, **found}
    with (state(root) / "fetch/history.jsonl").open("a", encoding="utf-8") as history:
        history.write(json.dumps(noted, ensure_ascii=False) + "\n")
    return fault


def _joined(faults: list[UserError]) -> UserError:
    return UserError(
        f"{len(faults)} sources failed:\n" + "\n".join(f"  - {fault.what}" for fault in faults),
        why=faults[0].why,
        fix="\n                  ".join(dict.fromkeys(fault.fix for fault in faults)),
    )


@contextmanager
def _alone(root: Path, *, wait: bool) -> Iterator[None]:
    with ExitStack() as held:
        try:
            held.enter_context(locked(inputs_lock(root), wait=wait))
        except BlockingIOError:
            raise UserError(
                "inputs/ is in use: another fetch is under way, or a run is being opened",
                why="two at once would write the same files",
                fix="wait until it has ended, or use --wait",
            ) from None
        (state(root) / "fetch").mkdir(parents=True, exist_ok=True)
        yield

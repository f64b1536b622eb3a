"""Wait until the endpoint serves the champion, exactly, and ask it a question of the domain.

    acclimate serve           # writes reports/serve.json

The report holds the question and the answer, and which weights gave it.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.core.params import load
from acclimate.core.reports import report_path
from acclimate.release.client import ask, condition, endpoint_url, health
from acclimate.release.keys import trusted_key
from acclimate.release.package import source_path
from acclimate.release.reference import trial_question
from acclimate.release.registry import CHAMPION, connect, model_name, version_at
from acclimate.release.signing import verify

WAIT_SECONDS = 120.0
"""For a new model to be loaded; an endpoint that does not answer at all is given up on sooner."""
ABSENT_SECONDS = 45.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--timeout."""
    parser.add_argument(
        "--timeout", type=float, default=WAIT_SECONDS, metavar="SECONDS", help=f"default {WAIT_SECONDS:g}"
    )


def main(arguments: argparse.Namespace) -> int:
    """Wait, ask, and print question and answer."""
    served = serve(Path(), timeout=arguments.timeout)
    print(f"{served['url']} serves {served['model']} version {served['version']} ({served['sha256'][:8]})")
    print(f"  asked:    {served['question']}\n  answered: {served['answer'].strip()}")
    return 0


def serve(checkout: Path, *, timeout: float) -> dict[str, Any]:
    """Prove that the endpoint serves the champion; writes reports/serve.json.

    Raises:
        UserError: if there is no champion, its Bento is not what was signed, there is no endpoint, or it still serves
            something else after `timeout` seconds.
    """
    name = model_name(load(checkout / "params.yaml").ingest.domain)
    champion = version_at(connect(), name, CHAMPION)
    if champion is None:
        raise UserError(
            f"{name} has no champion",
            why="there is nothing to serve",
            fix="run `acclimate registry promote` after a gated run",
        )
    source = source_path(champion.tags["bento"])
    verify(source, trusted_key())
    manifest = read_json(source / "manifest.json")
    url = endpoint_url()
    _wait(url, manifest, timeout)
    question = trial_question(checkout / "artifacts/mix/train.jsonl")
    answer = ask(url, question)
    report = {
        "url": url,
        **{key: manifest[key] for key in ("model", "version", "sha256")},
        "question": question,
        "answer": answer["text"],
    }
    write_json(report_path("serve", checkout), report)
    return report


def _wait(url: str, manifest: dict[str, Any], timeout: float) -> None:
    begun = time.monotonic()
    seen: dict[str, Any] | None = None
    while (waited := time.monotonic() - begun) < timeout:
        now = health(url)
        if now is not None and all(now.get(key) == manifest[key] for key in ("model", "version", "sha256")):
            return
        seen = now or seen
        if seen is None and waited > ABSENT_SECONDS:
            break
        time.sleep(0.5)
    if seen is None:
        raise UserError(
            f"no endpoint answers at {url}",
            why="a champion that nobody can ask is not released",
            fix="start it with `acclimate endpoint` (or all services with `make up`); "
            "set ACCLIMATE_ENDPOINT_URL if it is elsewhere",
        )
    refused = (condition(url) or {}).get("refused", {}).get(manifest["version"])
    raise UserError(
        f"after {timeout:.0f} s {url} serves {seen.get('model')} version {seen.get('version')} "
        f"({str(seen.get('sha256'))[:8]}), not version {manifest['version']} ({manifest['sha256'][:8]})"
        + (f": {refused}" if refused else ""),
        why="what was approved is not what is served",
        fix="read .acclimate/logs/endpoint.log; is another endpoint using that port?",
    )

"""The whole loop on one machine: services, pipeline in Airflow, a question to the served model.

    make demo                 # or: acclimate demo

Interrupting it leaves the services and the run as they are: Airflow goes on with the run, a second
`make demo` starts another, and `make stop` ends everything.
"""

from __future__ import annotations

import argparse
import json
import time
import urllib.error
import urllib.request
from dataclasses import asdict
from pathlib import Path
from typing import Any

from acclimate.core.files import write_json
from acclimate.core.home import home, state
from acclimate.core.params import load
from acclimate.core.reports import read_report, report_path
from acclimate.core.runs import key_of
from acclimate.services.airflow_api import quote
from acclimate.services.follow import Follower
from acclimate.services.seconds import run_seconds
from acclimate.services.settings import Ports, add_port_options, chosen_ports
from acclimate.services.up import up

QUESTION = "What does numpy.argsort do?"
"""Asked of the served model at the end; the embedded domain is the documentation of such functions."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The ports and the question."""
    add_port_options(parser)
    parser.add_argument("--question", default=QUESTION, help=f"asked at the end; default: {QUESTION}")


def main(arguments: argparse.Namespace) -> int:
    """Run the loop.

    Returns:
        0 if a model is served in the end, 1 if the gate refused the candidate and none was served before.
    """
    root, ports = home(), chosen_ports(arguments)
    load(root / "params.yaml")  # a fault in it is told before anything is started
    begun = time.monotonic()
    api = up(root, ports, say=_say)
    services = time.monotonic() - begun
    data_run = api.trigger("adapt_data", {})
    key = key_of(data_run)
    folder = state(root) / "runs" / key
    _say(f"run {key}: {ports.airflow_url}/dags/adapt_data/runs/{quote(data_run)}")
    follower = Follower(api, root, folder, _say, begun)
    last = _follow(follower, data_run, key)
    wall = time.monotonic() - begun
    _print_verdict(root, folder)
    seconds = run_seconds(list(follower.finished.values()), folder, wall=wall, services=services)
    write_json(folder / "timings/demo.json", asdict(seconds))
    _say(seconds.table())
    return _finish(root, ports, folder, last, arguments.question)


def _follow(follower: Follower, data_run: str, key: str) -> tuple[str, str]:
    """Follow the three DAGs as far as the gates let them; return the last DAG run that was followed."""
    follower.follow("adapt_data", data_run)
    last = ("adapt_model", follower.next_run("adapt_model", key))
    follower.follow(*last)
    if not follower.skipped("adapt_model", "register"):
        last = ("adapt_release", follower.next_run("adapt_release", key))
        follower.follow(*last)
    return last


def _print_verdict(root: Path, folder: Path) -> None:
    if report_path("gate", folder).exists():
        _print_gate(read_report("gate", folder))
    elif (folder / "champion/champion.json").exists():
        _say("nothing changed: this training gave the adapter that is the champion already")
    if report_path("evaluate_quantized", folder).exists():
        quantized = read_report("evaluate_quantized", folder)
        _say(f"quantised: {quantized['headline']}")


def _print_gate(gate: dict[str, Any]) -> None:
    _say(f"\ngate: {gate['verdict'].upper()}")
    for name, metric in gate["metrics"].items():
        low, high = metric["interval"]
        champion = "" if metric["champion"] is None else f"  champion {metric['champion']:.3f}"
        p_value = "" if metric["p_value"] is None else f"  p {metric['p_value']:.2g}"
        _say(
            f"  {name:<24} base {metric['base']:.3f}  candidate {metric['candidate']:.3f}{champion}"
            f"  difference {metric['difference']:+.3f} [{low:+.3f}, {high:+.3f}]{p_value}  n {metric['n']}"
        )
    for reason in gate["reasons"]:
        _say(f"  - {reason}")


def _finish(root: Path, ports: Ports, folder: Path, last: tuple[str, str], question: str) -> int:
    dag, run_id = last
    _say("")
    _say(f"Airflow run     {ports.airflow_url}/dags/{dag}/runs/{quote(run_id)}")
    _say(f"report          {folder / 'reports/run.html'} (in Airflow: the tab 'Report' of the run)")
    try:
        health = _json(f"{ports.endpoint_url}/api/v1/health", None)["roles"]["champion"]
        answer = _json(f"{ports.endpoint_url}/api/v1/generate", {"question": question, "max_new_tokens": 40})
    except (urllib.error.URLError, ConnectionError):
        _say(f"endpoint        {ports.endpoint_url}: no model is served, because none has passed the gate yet")
        return 1
    _say(f"model version   {ports.mlflow_url}/#/models/{health['model']}/versions/{health['version']}")
    _say(f"endpoint        {ports.endpoint_url}/api/v1/generate  (serving version {health['version']})")
    _say(f"\n  question: {question}\n  answer:   {answer['text'].strip()}")
    return 0


def _json(url: str, body: dict[str, Any] | None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        return json.loads(response.read())


def _say(line: str) -> None:
    print(line, flush=True)

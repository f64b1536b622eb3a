"""What each verb of `acclimate canary` does; every function returns what is printed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, write_json
from acclimate.core.params import load
from acclimate.core.reports import report_path
from acclimate.release.canary.settling import settle
from acclimate.release.canary.starting import start as start_canary
from acclimate.release.registry import CHAMPION, aliases, connect, model_name
from acclimate.release.roles import places
from acclimate.serving.canary.record import Canary, read, replace


def start(arguments: argparse.Namespace) -> str:
    """What begins, or why nothing does; also as reports/canary.json."""
    params = load(Path("params.yaml"))
    begun = start_canary(Path(), model_name(params.ingest.domain), params, asked=arguments.version)
    said, key = (begun, None) if isinstance(begun, str) else (begun.headline(), begun.key)
    write_json(report_path("canary"), {"headline": said, "key": key})
    return said


def status(_: argparse.Namespace) -> str:
    """Every step so far."""
    canary = read(places().canary)
    if canary is None:
        return "no canary has been started here"
    lines = [canary.headline()]
    for of in canary.ended:
        lines.append(f"  step {of.step + 1}, {of.share:.0%}: {of.verdict} at request {of.requests:,}, {of.when}")
        lines.append(f"    {of.reason}")
    return "\n".join(lines)


def advance(arguments: argparse.Namespace) -> str:
    """Where it stands now."""
    canary = _under_way()
    if canary.status != "running":
        raise UserError(
            f"the canary is at its {canary.status}: the time in which the champion answers is being measured",
            why="without it nobody knows what a slow answer is",
            fix="wait until it is running: `acclimate canary status`",
        )
    return _change(canary, canary.advanced(f"by a person: {_reason(arguments)}")).headline()


def stop(arguments: argparse.Namespace) -> str:
    """What answers now; that there is nothing to stop is no fault, as a failed DAG run stops whatever there is."""
    canary = read(places().canary)
    if canary is None or _is_history(canary) or (arguments.own and canary.key != _own_key()):
        return "no canary is under way: nothing to stop"
    withdrawn = _change(canary, canary.withdrawn(f"stopped: {_reason(arguments)}"))
    settle()
    if withdrawn.key == _own_key():  # for the page of its run
        told = withdrawn.model_dump(mode="json", exclude={"salt"})
        write_json(report_path("canary"), {"headline": withdrawn.headline(), "requests": withdrawn.requests, **told})
    return f"version {canary.champion} of {canary.model} answers every request again"


COMMANDS: dict[str, Callable[[argparse.Namespace], str]] = {
    "start": start,
    "status": status,
    "advance": advance,
    "stop": stop,
}


def _under_way() -> Canary:
    canary = read(places().canary)
    if canary is None or canary.over:
        raise UserError(
            "no canary is under way",
            why="there is no step to take",
            fix="start one: `acclimate canary start` in the checkout of a packaged run",
        )
    return canary


def _is_history(canary: Canary) -> bool:
    """Whether stopping it would change nothing: it went back, or it passed and its challenger is champion."""
    if canary.status == "passed":
        return aliases(connect(), canary.model)[CHAMPION] == canary.challenger
    return canary.over


def _own_key() -> str | None:
    path = report_path("canary")
    key: str | None = read_json(path)["key"] if path.exists() else None
    return key


def _change(canary: Canary, new: Canary) -> Canary:
    if not replace(places().canary, canary, new):
        raise UserError(
            "the canary was decided at this very moment",
            why="what was asked for was about a state that is no more",
            fix="look at `acclimate canary status`",
        )
    return new


def _reason(arguments: argparse.Namespace) -> str:
    reason: str = arguments.reason.strip()
    if not reason:
        raise UserError("--reason is empty", why="it is what the record keeps", fix="say why")
    return reason

"""Make the previous champion the champion again; the one rolled back keeps the reason as a tag.

    acclimate rollback --reason "answers in French"     # writes reports/rollback.json

The endpoint follows the alias by itself within seconds.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import write_json
from acclimate.core.params import load
from acclimate.core.reports import report_path
from acclimate.release.registry import CHAMPION, PREVIOUS, aliases, connect, model_name


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--reason, which the version rolled back keeps."""
    parser.add_argument("--reason", required=True, help="why; kept on the model version, which is not promoted again")


def main(arguments: argparse.Namespace) -> int:
    """Roll back and say what is champion now."""
    done = rollback(Path(), reason=arguments.reason)
    print(
        f"{done['model']}: version {done['before'][CHAMPION]} rolled back, {done['after'][CHAMPION]} is champion again"
    )
    return 0


def rollback(checkout: Path, *, reason: str) -> dict[str, Any]:
    """Move `champion` to where `previous` stands; writes reports/rollback.json with before and after.

    A second rollback finds no previous and changes nothing: it must not lead back to the bad version.

    Raises:
        UserError: if there is no previous champion, or the reason is empty.
    """
    if not reason.strip():
        raise UserError(
            "--reason is empty", why="it is what keeps this version from being promoted again", fix="say what was wrong"
        )
    name = model_name(load(checkout / "params.yaml").ingest.domain)
    client = connect()
    before = aliases(client, name)
    if before[PREVIOUS] is None or before[CHAMPION] is None:
        raise UserError(
            f"{name} has no previous champion",
            why="there is no version to return to",
            fix="release another candidate; `acclimate endpoint` can be stopped meanwhile",
        )
    if before[PREVIOUS] != before[CHAMPION]:
        client.set_model_version_tag(name, before[CHAMPION], "rolled_back", reason.strip())
        client.set_registered_model_alias(name, CHAMPION, before[PREVIOUS])
    client.delete_registered_model_alias(name, PREVIOUS)
    report = {"model": name, "reason": reason.strip(), "before": before, "after": aliases(client, name)}
    write_json(report_path("rollback", checkout), report)
    return report

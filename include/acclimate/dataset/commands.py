"""What each verb of `acclimate dataset` does; every function returns what is printed."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from acclimate.core.files import write_text
from acclimate.core.home import home, state
from acclimate.core.reports import report_path, write_report
from acclimate.dataset.accept import accept
from acclimate.dataset.diff import compare
from acclimate.dataset.diff_page import PAGE, page
from acclimate.dataset.documents import CARD, CROISSANT, documents
from acclimate.dataset.pull import fetched, pull
from acclimate.dataset.tagging import described, tag
from acclimate.dataset.versions import content, find, short, versions
from acclimate.report.rendering import render


def list_versions(_: argparse.Namespace) -> str:
    """One line per version: name, date, records, size, hash, parent."""
    lines = []
    for version in versions(home()):
        parents = f"  after {', '.join(short(parent) for parent in version.parents)}" if version.parents else ""
        size = f"{version.records:,} records  {version.bytes / 1e6:,.1f} MB"
        lines.append(f"{version.name}  {version.date}  {size}  sha256 {version.sha256[:16]}{parents}")
    return "\n".join(lines) or "no version yet: `acclimate dataset tag` makes one of the training set in this checkout"


def tag_checkout(_: argparse.Namespace) -> str:
    """The name of the version that the training set here is, made if it is new."""
    version = tag(Path())
    return f"{version.name}: {version.records:,} records, {version.bytes / 1000:,.0f} kB"


def accept_checkout(arguments: argparse.Namespace) -> str:
    """Tag, then hand over what the next run compares with."""
    line = tag_checkout(arguments)
    copied = accept(Path(), home())
    return f"{line}; accepted: {', '.join(copied) or 'nothing to compare with here'}"


def card(arguments: argparse.Namespace) -> str:
    """The data card as it stands in the version's commit, or of the training set here."""
    if arguments.version:
        version = find(home(), arguments.version)
        texts = {name: content(home(), version.name, name) for name in (CARD, CROISSANT)}
    else:
        texts = documents(Path(), described(Path()))
    if arguments.to is None:
        return texts[CARD]
    for name, text in texts.items():
        write_text(arguments.to / name, text if text.endswith("\n") else f"{text}\n")
    return "\n".join(str(arguments.to / name) for name in texts)


def diff(arguments: argparse.Namespace) -> str:
    """Compare two versions, or one with this checkout, and write the page and the numbers."""
    old = find(home(), arguments.old)
    new = find(home(), arguments.new) if arguments.new else None
    with fetched(home(), old) as before, fetched(home(), new) as after:
        report = compare(short(old.name), short(new.name) if new else "this checkout", before, after)
    write_report(report_path("dataset_diff"), "dataset_diff", report)
    write_text(PAGE, render(page(report)))
    return f"{report.headline()}\n{PAGE}"


def pull_version(arguments: argparse.Namespace) -> str:
    """Where the files of the version are now."""
    version = find(home(), arguments.version)
    return str(pull(home(), version, arguments.to or state() / "datasets" / short(version.name)))


COMMANDS: dict[str, Callable[[argparse.Namespace], str]] = {
    "list": list_versions,
    "tag": tag_checkout,
    "accept": accept_checkout,
    "card": card,
    "diff": diff,
    "pull": pull_version,
}

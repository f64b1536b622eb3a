"""What each verb of `acclimate registry` does; every function returns what is printed."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from acclimate.core.home import home, state
from acclimate.core.params import load
from acclimate.core.reports import report_path, write_report
from acclimate.release.registry import CHAMPION, aliases, connect, model_name
from acclimate.release.versions import audit, moves
from acclimate.release.versions.comparison import ComparisonReport
from acclimate.release.versions.comparison import compare as compare_versions
from acclimate.release.versions.finding import AdapterVersion, every_version, find
from acclimate.release.versions.lineage import lineage as lines_of
from acclimate.release.versions.lineage import told
from acclimate.release.versions.pull import pull as pull_adapter

REPORT = "registry_compare"
"""reports/registry_compare.json: the numbers behind the last comparison here."""


def list_versions(_: argparse.Namespace) -> str:
    """Every version under the base it adapts, so that one sees what can be served side by side."""
    by_base: dict[tuple[str, str, str], list[AdapterVersion]] = {}
    for version in every_version(connect()):
        base = (version.base or "not recorded", version.base_sha256 or "", version.base_licence or "unknown")
        by_base.setdefault(base, []).append(version)
    blocks = [
        f"base {name}  sha256 {sha256[:12]}  licence {licence}\n{_columns(map(_row, versions), _TITLES)}"
        for (name, sha256, licence), versions in by_base.items()
    ]
    return "\n\n".join(blocks) or "no version yet: `acclimate register` makes one of a gated run"


def compare(arguments: argparse.Namespace) -> str:
    """The differences as a table, and the numbers as reports/registry_compare.json."""
    client, name, params = connect(), _model(arguments), load(Path("params.yaml"))
    old, new = (find(client, name, asked) for asked in (arguments.old, arguments.new))
    report = compare_versions(client, old, new, resamples=params.gate.resamples, seed=params.common.seed)
    write_report(report_path(REPORT), REPORT, report)
    return _compared(report)


def lineage(arguments: argparse.Namespace) -> str:
    """From the data to the Bento, and the audit."""
    client = connect()
    return "\n".join(lines_of(client, find(client, _model(arguments), arguments.version)))


def pull(arguments: argparse.Namespace) -> str:
    """Where the adapter is now."""
    client, name = connect(), _model(arguments)
    version = find(client, name, arguments.version)
    to = arguments.to or state(home()) / "adapters" / name / str(version.version)
    if pull_adapter(version, to):
        standing = aliases(client, name)
        audit.note(Path(), "pull", version, why=f"to {to.resolve()}", before=standing, after=standing)
    return str(to)


def promote(arguments: argparse.Namespace) -> str:
    """What changed."""
    done = moves.promote(Path(), _model(arguments), asked=arguments.version, reason=arguments.reason)
    before, after = done["before"][CHAMPION], done["after"][CHAMPION]
    change = "stays" if before == after else f"replaces {f'version {before}' if before else 'none'} as"
    return f"{done['model']} version {after} {change} champion"


def rollback(arguments: argparse.Namespace) -> str:
    """What is champion now."""
    done = moves.rollback(Path(), _model(arguments), reason=arguments.reason)
    return (
        f"{done['model']}: version {done['before'][CHAMPION]} rolled back, {done['after'][CHAMPION]} is champion again"
    )


def show_audit(arguments: argparse.Namespace) -> str:
    """Every record of the domain's model."""
    name = _model(arguments)
    return "\n".join(map(told, audit.records(name))) or f"nothing on record about {name}"


COMMANDS: dict[str, Callable[[argparse.Namespace], str]] = {
    "list": list_versions,
    "compare": compare,
    "lineage": lineage,
    "pull": pull,
    "promote": promote,
    "rollback": rollback,
    "audit": show_audit,
}

_TITLES = ("model", "version", "registered", "aliases", "verdict", "scores", "training set", "adapter", "kB", "run")


def _model(arguments: argparse.Namespace) -> str:
    return model_name(arguments.domain or load(Path("params.yaml")).ingest.domain)


def _row(of: AdapterVersion) -> tuple[str, ...]:
    scores = "  ".join(f"{name} {value:.3f}" for name, value in of.scores.items())
    verdict = f"{of.verdict}, rolled back" if of.rolled_back else of.verdict or "-"
    size = "-" if of.adapter_bytes is None else f"{of.adapter_bytes / 1000:,.0f}"
    hashes = ((sha256 or "-")[:12] for sha256 in (of.dataset_sha256, of.adapter_sha256))
    where = (of.model, of.version, of.registered, ", ".join(of.aliases) or "-")
    return (*where, verdict, scores or "-", *hashes, size, of.run or "-")


def _compared(report: ComparisonReport) -> str:
    old, new = report.old, report.new
    lines = [f"{report.model}: version {old.version} → version {new.version}"]
    for what, before, after in (
        ("base", old.base_sha256, new.base_sha256),
        ("training set", old.dataset_sha256, new.dataset_sha256),
        ("adapter", old.adapter_sha256, new.adapter_sha256),
    ):
        lines.append(f"  {what:<13} {'the same' if before == after else f'{before[:12]} → {after[:12]}'}")
    lines += [f"  {dial}: {before} → {after}" for dial, (before, after) in report.dials.items()]
    rows = [
        (
            name,
            *(f"{of[side]:.3f}" for side in ("base", "candidate")),
            f"{of['difference']:+.3f}",
            " … ".join(f"{end:+.3f}" for end in of["interval"]),
            f"{of['p_value']:.2g}",
            f"{of['n']:,}",
        )
        for name, of in report.metrics.items()
    ]
    titles = ("metric", f"version {old.version}", f"version {new.version}", "difference", "95 % interval", "p", "items")
    lines += [_columns(rows, titles)] if rows else []
    lines += [f"  {metric}: {reason}" for metric, reason in report.not_compared.items()]
    return "\n".join(lines)


def _columns(rows: Iterable[Sequence[str]], titles: Sequence[str]) -> str:
    """Rows as aligned columns under their titles."""
    table = [titles, *rows]
    widths = [max(len(row[place]) for row in table) for place in range(len(titles))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return "\n".join(f"  {line}".rstrip() for line in lines)

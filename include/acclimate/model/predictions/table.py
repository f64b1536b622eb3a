"""A ScoreReport as a table to read in a terminal."""

from __future__ import annotations

from acclimate.model.predictions.scoring import Metrics, ScoreReport


def table(report: ScoreReport) -> str:
    """The headline, the rule, one line per metric, then one block per slice."""
    lines = [report.headline(), f"rule {report.rule}: {report.source}", "", *_lines("all", report.metrics)]
    lines += [f"{'all':<24} {name:<20} {value:6.3f}" for name, value in report.whole.items()]
    for name, values in report.slices.items():
        lines.append("")
        for value, metrics in values.items():
            lines += _lines(f"{name}={value}", metrics)
    return "\n".join(lines)


def _lines(what: str, metrics: Metrics) -> list[str]:
    return [
        f"{what[:24]:<24} {name:<20} {of.value:6.3f}  [{of.low:.3f}, {of.high:.3f}]  n {of.n:,}"
        for name, of in metrics.items()
    ]

"""A Plan as a table to read in a terminal."""

from __future__ import annotations

from acclimate.model.plan.jobs import gigabytes
from acclimate.model.plan.planning import Plan, StagePlan

WIDTH = 24


def table(plan: Plan) -> str:
    """The base, the machine, one column per stage, the endpoint, and what to change."""
    base, here, serving = plan.base, plan.machine, plan.serving
    rank = "" if base.rank is None else f", rank {base.rank}"
    facts = {
        "base": f"{base.model}: {base.parameters:,} parameters, {base.layers} layers of {base.hidden}, vocabulary "
        f"{base.vocabulary:,}",
        "adapter": f"{base.strategy}{rank}: {base.trainable:,} trainable parameters, {base.trainable_share:.1%} of all",
        "device": f"{here.name}, {here.precision}: {gigabytes(here.free)} free of {gigabytes(here.memory)}",
    }
    several = f"up to {serving.adapters} adapters of {_megabytes(serving.adapter)} each, " if serving.adapters else ""
    served = {
        "endpoint": f"{_megabytes(serving.weights)} of weights, {several}and per request of {serving.tokens} tokens "
        f"{_megabytes(serving.cache_per_request)} of keys and values",
        "measured": plan.rate.said() if plan.rate else "nothing: memory does not suffice",
    }
    rows = [*_lines(facts), "", *_columns(plan.stages), "", *_lines(served)]
    return "\n".join([*rows, *(f"\n{line}" for line in plan.advice)])


def _columns(stages: list[StagePlan]) -> list[str]:
    values = [_values(stage) for stage in stages]
    names = dict.fromkeys(name for of in values for name in of)
    rows = {"": [stage.stage for stage in stages]} | {name: [of[name] for of in values] for name in names}
    return [f"{name:<{WIDTH}}" + "".join(f"{cell:>16}" for cell in cells) for name, cells in rows.items()]


def _values(stage: StagePlan) -> dict[str, str]:
    """What a stage will do and take, in words and units."""
    expected = "not measured" if stage.seconds is None else f"{stage.seconds:,.0f} s"
    return {
        "tokens": f"{stage.tokens:,}",
        "learned": f"{stage.learned:.0%}",
        "steps": f"{stage.steps:,}",
        "processes": str(stage.processes),
        "sequences at once": str(stage.rows_at_once),
        "passes per step": str(stage.passes),
        "checkpointing": "on" if stage.gradient_checkpointing else "off",
        **{name: _megabytes(size) for name, size in stage.memory.items()},
        "peak": _megabytes(stage.peak),
        "expected time": expected,
    }


def _lines(facts: dict[str, str]) -> list[str]:
    return [f"{name:<{WIDTH}}{value}" for name, value in facts.items()]


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"

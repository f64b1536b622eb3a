"""What training on these dials will need: memory by part, tokens, time, and what to change if there is not enough.

plan(base_config(params.base), params, machine())
# Plan(base=…, machine=…, stages=[StagePlan("train_domain", …), …], serving=…, advice=[])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from acclimate.model.plan.jobs import Job, advice, job
from acclimate.model.plan.serving import Beside, Serving, serving
from acclimate.model.plan.speed import Rate, measured_rate

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from acclimate.core.params import Params, StepsParams
    from acclimate.model.plan.machine import Machine
    from acclimate.model.plan.tracing import Traced


@dataclass(frozen=True)
class BasePlan:
    """The base and what is trained of it or beside it."""

    model: str
    parameters: int
    layers: int
    hidden: int
    vocabulary: int
    strategy: str
    rank: int | None
    """None where all weights are trained."""
    trainable: int
    """Of one adapter, or all."""
    trainable_share: float
    """Of all parameters, base included (0–1)."""


@dataclass(frozen=True)
class StagePlan:
    """What a train stage will do."""

    stage: str
    steps: int
    tokens: int
    """That go through the model."""
    learned: float
    """Share of them with a loss (0–1)."""
    learned_from: str
    """What that is known from."""
    processes: int
    """That share the sequences of a step; what follows is of each."""
    rows_at_once: int
    """Sequences per forward pass."""
    passes: int
    """Per step: what is called gradient accumulation."""
    gradient_checkpointing: bool
    memory: dict[str, int]
    """Bytes by part at the peak, over what the process holds once its libraries are loaded."""
    peak: int
    """Bytes in all."""
    seconds: float | None
    """Expected; None where memory does not suffice and nothing was measured."""


@dataclass(frozen=True)
class Plan:
    """What was planned, for which base on which machine."""

    base: BasePlan
    machine: Machine
    stages: list[StagePlan]
    serving: Serving
    rate: Rate | None
    """What the expected seconds stand on."""
    advice: list[str]
    """What to change where memory does not suffice; empty if it does."""


def plan(config: PreTrainedConfig, params: Params, here: Machine) -> Plan:
    """Plan the train stages that are on, and the endpoint; where memory suffices, measure how fast it will go.

    Args:
        config: of the base.
        params: whose train stages are planned.
        here: the machine that it is planned for, which is this one.
    """
    training, sections = params.training, _sections(params)
    jobs = [job(name, section, config, training) for name, section in sections.items()]
    free = here.free // training.processes if here.device == "cpu" else here.free  # a GPU is one process's alone
    too_large = [one for one in jobs if one.peak > free]
    advised = [advice(one, free, config, sections[one.stage], training) for one in too_large]
    model, full = jobs[0].traced, training.strategy == "full"
    rate = None if advised else measured_rate(config, training, jobs[0].one, model)
    return Plan(
        base=BasePlan(
            model=params.base.model,
            parameters=model.parameters,
            layers=config.num_hidden_layers,
            hidden=config.hidden_size,
            vocabulary=config.vocab_size,
            strategy=training.strategy,
            rank=None if full else training.rank,
            trainable=model.trainable,
            trainable_share=1.0 if full else model.trainable / (model.parameters + model.trainable),
        ),
        machine=here,
        stages=[_stage(one, rate, training.processes) for one in jobs],
        serving=serving(config, model, params.package, params.quantize, here, beside=_beside(params, model)),
        rate=rate,
        advice=advised,
    )


def _beside(params: Params, model: Traced) -> Beside:
    trained = params.train_domain.enabled + params.train_task.enabled
    # By other combinations than cat an adapter keeps to one rank; what was aligned is added to it in any case.
    ranks = (trained if params.compose.combination == "cat" else 1) + params.align.enabled
    ranks = 1 if params.training.strategy == "full" else ranks  # what was trained last holds what was trained before
    return Beside(model.trainable * ranks, params.endpoint.most_adapters)


def _sections(params: Params) -> dict[str, StepsParams]:
    """The train stages that are on; params.yaml has one of them on at least."""
    sections: dict[str, StepsParams] = {"train_domain": params.train_domain, "train_task": params.train_task}
    return {name: section for name, section in sections.items() if section.enabled}


def _stage(planned: Job, rate: Rate | None, processes: int) -> StagePlan:
    memory = planned.memory
    if rate is not None and rate.held is not None:
        memory["held by the allocator"] = planned.held(rate.held)
    return StagePlan(
        stage=planned.stage,
        steps=planned.steps,
        tokens=planned.tokens,
        learned=planned.one.learned,
        learned_from=planned.learned_from,
        processes=processes,
        rows_at_once=planned.one.rows,
        passes=planned.one.passes,
        gradient_checkpointing=planned.checkpointing,
        memory=memory,
        peak=sum(memory.values()),
        seconds=round(planned.flops / rate.flops_per_second, 1) if rate else None,
    )

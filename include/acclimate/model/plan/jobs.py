"""What each train stage will do in one pass, what it will hold at its peak, and what would fit if that does not.

job("train_domain", params.train_domain, config, params.training)
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from acclimate.core.reports import read_report, report_path
from acclimate.model.plan.tracing import Pass, Traced, traced

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

    from acclimate.core.params import StepsParams, TrainingParams

BYTES_PER_TOKEN = 180
"""Of the texts, from lines of JSON to arrays of int64: measured on the embedded default (54 MB for 300,000 tokens,
three quarters of it while they are tokenised)."""


@dataclass(frozen=True)
class Job:
    """A train stage as it is planned."""

    stage: str
    steps: int
    rows: int
    """Sequences per step."""
    one: Pass
    checkpointing: bool
    traced: Traced
    learned_from: str
    """What the share of learned tokens is known from."""

    @property
    def tokens(self) -> int:
        """That go through the model in all."""
        return self.steps * self.rows * self.one.tokens

    @property
    def memory(self) -> dict[str, int]:
        """Bytes by part at the peak of a process, over what it holds once its libraries are loaded."""
        return {**self.traced.peak, "texts as tokens": BYTES_PER_TOKEN * self.tokens}

    @property
    def peak(self) -> int:
        """Bytes in all."""
        return sum(self.memory.values())

    def held(self, share: float) -> int:
        """Bytes that the allocator holds besides, if memory grows by `share` of what is alive."""
        return max(0, round((share - 1) * sum(self.traced.peak.values())))

    @property
    def flops(self) -> int:
        """Operations in all, of one process."""
        return self.traced.flops * self.one.passes * self.steps


def job(stage: str, section: StepsParams, config: PreTrainedConfig, training: TrainingParams) -> Job:
    """The stage `stage` with these dials on a base of the shape `config`."""
    own = math.ceil(section.batch_sequences / training.processes)
    rows = min(training.rows_at_once or own, own)
    learned, learned_from = _learned(stage)
    passes = math.ceil(own / rows)
    one = Pass(rows, section.sequence_tokens, learned, passes, training.separate_texts)
    traces = traced(config, training, one)
    checkpointing = training.gradient_checkpointing
    return Job(stage, section.steps, section.batch_sequences, one, checkpointing, traces, learned_from)


def _learned(stage: str) -> tuple[float, str]:
    """Share of the tokens that will have a loss, and where that is known from."""
    if stage == "train_domain":
        return 1.0, "raw text is learned whole"
    last = read_report(stage)["trained"] if report_path(stage).exists() else None
    if last is None:
        return 1.0, "at most"
    return last["learned_tokens"] / last["trained_tokens"], "as in the last run"


def advice(planned: Job, free: int, config: PreTrainedConfig, section: StepsParams, training: TrainingParams) -> str:
    """What to set for `planned` to fit into `free` bytes: fewer sequences at once, then checkpoints as well.

    Fewer sequences cost next to nothing; with checkpoints the forward pass is computed twice (Chen et al. 2016).
    """
    needs = f"{planned.stage} needs {gigabytes(planned.peak)} and {gigabytes(free)} are free"
    least = planned
    for changed in _smaller(planned, training):
        least = job(planned.stage, section, config, changed)
        if least.peak <= free:
            dials = {"rows_at_once": least.one.rows, "gradient_checkpointing": least.checkpointing}
            told = [f"training.{name} to {str(value).lower()}" for name, value in dials.items() if value]
            return f"{needs}: set {' and '.join(told)}, which takes {gigabytes(least.peak)}"
    return (
        f"{needs}; one sequence at once with gradient checkpointing takes {gigabytes(least.peak)}: lower "
        f"{planned.stage}.sequence_tokens, or use a smaller base or a machine with more memory"
    )


def _smaller(planned: Job, training: TrainingParams) -> Iterator[TrainingParams]:
    """The dials with less and less at once, from what costs least."""
    halvings = [planned.one.rows]
    while halvings[-1] > 1:
        halvings.append(-(-halvings[-1] // 2))
    tries = [(planned.checkpointing, rows) for rows in halvings[1:]]
    if not planned.checkpointing:
        tries += [(True, rows) for rows in halvings]
    for checkpointing, rows in tries:
        yield training.model_copy(update={"gradient_checkpointing": checkpointing, "rows_at_once": rows})


def gigabytes(size: int) -> str:
    """'1.24 GB'."""
    return f"{size / 1e9:,.2f} GB"

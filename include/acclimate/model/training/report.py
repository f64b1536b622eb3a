"""What a train stage says it did: one form for `train_domain` and `train_task`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from acclimate.core.files import write_json

OFF = "off.json"
"""Stands in the folder of a stage that is off, where else its adapter would be."""


@dataclass(frozen=True)
class Trained:
    """How an adapter was trained, on how much, and how the loss fell."""

    start: str
    """What the adapter was trained beside: 'base', or 'base with the domain adapter'."""
    strategy: str
    base_weights: str
    """'float32', or 'nf4': in four bits."""
    base_bytes: int
    """That the frozen weights took in memory."""
    processes: int
    """That took the steps together."""
    precision: str
    """'bfloat16' (mixed) or 'float32', by what the machine computes faster."""
    trainable_parameters: int
    trainable_share: float
    """Of all parameters, base included (0–1)."""
    texts: int
    dataset_tokens: int
    """Of the texts this stage reads, once over."""
    steps: int
    trained_tokens: int
    """Tokens that went through the model, padding not counted."""
    rows_at_once: int
    """Sequences per forward pass of a process, in the end."""
    halved: bool
    """Whether memory ran out on the way, and the sequences per forward pass were halved."""
    learned_tokens: int
    """Of these, the ones with a loss: all of a raw text, the response of a pair."""
    epochs: float
    """Passes over the texts; above 1 they were too few for the steps and were repeated."""
    repeated: bool
    first_loss: float
    final_loss: float
    """Mean over the last tenth of the steps."""
    loss_curve: list[list[float]]
    penalty: str | None
    """On the change of the weights, in words; None without one."""
    penalty_cost: float | None
    """What it added to the loss of the finished adapter, in nats per token."""
    adapter_sha256: str


@dataclass(frozen=True)
class TrainReport:
    """What a train stage did; `trained` is None while it trains nothing."""

    trained: Trained | None
    why_off: str | None = None
    """What says that nothing is trained here; None where something was."""

    def headline(self) -> str:
        """'loss 4.101 → 2.873 over 120 steps, 245,760 tokens; 327,680 trainable parameters (6.8%)'."""
        if self.trained is None:
            return f"off: {self.why_off}"
        done = self.trained
        again = f"; the texts were repeated, {done.epochs:.1f} epochs" if done.repeated else ""
        packed = done.base_weights != "float32"
        again += f"; beside {done.base_bytes / 1e6:,.1f} MB of {done.base_weights}" if packed else ""
        again += f"; memory ran out once: {done.rows_at_once} sequences per forward pass" if done.halved else ""
        return (
            f"loss {done.first_loss:.3f} → {done.final_loss:.3f} over {done.steps:,} steps, "
            f"{done.trained_tokens:,} tokens; {done.trainable_parameters:,} trainable parameters "
            f"({done.trainable_share:.1%}){again}"
        )


def off(out: Path, why: str) -> TrainReport:
    """The report of a stage that trains nothing; its folder says so, and holds no adapter."""
    write_json(out / OFF, {"off": why})
    return TrainReport(None, why)

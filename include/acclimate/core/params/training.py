"""Dials of `training` that do not go together with those of the train stages: what is wrong, why, and what to change.

impossible(params.training, params.train_domain, params.train_task, params.align)  # None, or 'training.strategy is …'
"""

from __future__ import annotations

from acclimate.core.params.model import AlignParams, TrainDomainParams, TrainingParams, TrainTaskParams


def impossible(
    training: TrainingParams, domain: TrainDomainParams, task: TrainTaskParams, align: AlignParams
) -> str | None:
    """The first that is found."""
    side_by_side = task.enabled and domain.enabled and task.start_from == "base"
    if training.strategy == "full" and (fault := _of_all_weights(training, side_by_side)):
        return fault
    if training.sharding == "none":
        return None
    if align.enabled:
        return (
            "training.sharding is fsdp and align.enabled is true: before its first step align reads every answer as "
            "the model does that it starts from, which is not spread. Set sharding to none, or align.enabled to false"
        )
    sections = {"train_domain": domain, "train_task": task}
    rows = {name: section.batch_sequences for name, section in sections.items() if section.enabled}
    penalty = domain.penalty if domain.enabled else "none"
    return _of_spreading(training, rows, penalty)


def _of_all_weights(training: TrainingParams, side_by_side: bool) -> str | None:
    if side_by_side:
        return (
            "training.strategy is full and train_task.start_from is base: two models that were wholly trained side by "
            "side do not add up to one. Set start_from to domain, strategy to lora or rslora, or one stage's enabled "
            "to false"
        )
    if training.base_weights == "nf4":
        return (
            "training.strategy is full and training.base_weights is nf4: weights in four bits cannot be trained. Set "
            "base_weights to float32, or strategy to lora"
        )
    return None


def _of_spreading(training: TrainingParams, rows: dict[str, int], penalty: str) -> str | None:
    if training.processes == 1:
        return (
            "training.sharding is fsdp and training.processes is 1: there is nothing to spread the model over. Set "
            "sharding to none, or raise processes"
        )
    for name, sequences in rows.items():
        if sequences % training.processes:
            return (
                f"training.sharding is fsdp and {name}.batch_sequences, {sequences}, is no multiple of "
                f"training.processes, {training.processes}: every process has to compute each block as often as the "
                "others, or all wait for ever. Change one of them, or set sharding to none"
            )
    if training.base_weights == "nf4":
        return (
            "training.sharding is fsdp and training.base_weights is nf4: packed weights cannot be spread. Set sharding "
            "to none, or base_weights to float32"
        )
    if penalty != "none":
        return (
            f"training.sharding is fsdp and train_domain.penalty is {penalty}: the penalty is computed from whole "
            "weights by one process. Set sharding to none, or penalty to none"
        )
    return None

r"""Train the domain adapter: further pre-training on raw text (Gururangan et al. 2020, domain-adaptive pretraining).

    artifacts/mix/train.jsonl     {"id": "9f2c…", "kind": "domain_documents", "text": "numpy.argsort\n\n…"}
    artifacts/train_domain/       adapter_model.safetensors, adapter_config.json; off.json while the stage is off

Read are the kinds domain_documents and general_replay, and canaries where any are planted, in the mix's own proportion,
one after the other, and in its order unless the replay's share is to rise or fall. A penalty on the change of the
weights may keep what general text needs (docs/model.md).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.model.training.report import TrainReport, off

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams
    from acclimate.model.training.texts import Example

REPLAY = "general_replay"
KINDS = ("domain_documents", REPLAY)
PLANTED = "canary"
"""Strings that mix planted to measure what is learned by heart; they are read where they stand."""


def run(
    params: TrainDomainParams,
    training: TrainingParams,
    common: CommonParams,
    *,
    base: Path,
    dataset: Path,
    general: Path,
    out: Path,
    checkpoints: Path,
) -> TrainReport:
    """Train an adapter for `base` on the raw texts of `dataset` and write it to `out`.

    Goes on from where an attempt that was killed left off in `checkpoints`, if that was the same training. In `general`
    stands the general text that a penalty is to keep; without one it is not read.

    Raises:
        UserError: if there is no such text, the base is no model, the loss stops being a number or runs away, or
            memory does not suffice.
    """
    if not params.enabled:
        return off(out, "train_domain.enabled is false in params.yaml")
    from acclimate.model.training.processes import shared, to_be_shared

    if to_be_shared(training):
        inputs = {"base": base, "dataset": dataset, "general": general, "out": out, "checkpoints": checkpoints}
        return shared(__name__, (params, training, common), inputs, TrainReport)
    from acclimate.model.adapter import load_base, load_tokenizer
    from acclimate.model.determinism import fix_randomness
    from acclimate.model.forgetting.restraint import restraint
    from acclimate.model.training.adapting import Material, Settings, adapt
    from acclimate.model.training.batches import Shape, packed_stream

    fix_randomness(common)
    tokenizer = load_tokenizer(base)
    examples = _examples(params, tokenizer, dataset)
    batches = packed_stream(examples, Shape(params.steps, params.batch_sequences, params.sequence_tokens))
    # A checkpoint is for one penalty too, and EWC's is made of the general text.
    started_from = [*sorted(base.glob("*.safetensors")), *([general] if params.penalty == "ewc" else [])]
    tokens = sum(len(example.ids) for example in examples)
    material = Material(batches, "base", started_from, len(examples), tokens)
    settings = Settings("train_domain", params, training, common)
    held = restraint(params, general, tokenizer, seed=common.seed)
    return adapt(load_base(base), material, settings, out=out, checkpoints=checkpoints, restraint=held)


def _examples(params: TrainDomainParams, tokenizer: PreTrainedTokenizerBase, dataset: Path) -> list[Example]:
    """The texts in the order in which they are read."""
    import numpy as np

    from acclimate.model.forgetting.replay_order import progressive
    from acclimate.model.training.texts import documents, read_rows

    rows = read_rows(dataset, (*KINDS, PLANTED))
    examples = documents(tokenizer, rows)
    if params.replay_order == "even":
        return examples
    is_replay = np.array([row["kind"] == REPLAY for row in rows])
    order = progressive(is_replay, np.array([len(example.ids) for example in examples]), params.replay_order)
    return [examples[place] for place in order]

r"""Train the domain adapter: further pre-training on raw text (Gururangan et al. 2020, domain-adaptive pretraining).

    artifacts/mix/train.jsonl     {"id": "9f2c…", "kind": "domain_documents", "text": "numpy.argsort\n\n…"}
    artifacts/train_domain/       adapter_model.safetensors, adapter_config.json; off.json while the stage is off

Read are the kinds domain_documents and general_replay, in the mix's own order and proportion, one after the other.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.model.training.report import TrainReport, off

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, TrainDomainParams, TrainingParams

KINDS = ("domain_documents", "general_replay")


def run(
    params: TrainDomainParams,
    training: TrainingParams,
    common: CommonParams,
    *,
    base: Path,
    dataset: Path,
    out: Path,
    checkpoints: Path,
) -> TrainReport:
    """Train an adapter for `base` on the raw texts of `dataset` and write it to `out`.

    Goes on from where an attempt that was killed left off in `checkpoints`, if that was the same training.

    Raises:
        UserError: if there is no such text, the base is no model, the loss stops being a number or runs away, or
            memory does not suffice.
    """
    if not params.enabled:
        return off("train_domain", out)
    from acclimate.model.adapter import load_base, load_tokenizer
    from acclimate.model.determinism import fix_randomness
    from acclimate.model.training.adapting import Material, Settings, adapt
    from acclimate.model.training.batches import Shape, packed_stream
    from acclimate.model.training.texts import documents, read_rows

    fix_randomness(common)
    examples = documents(load_tokenizer(base), read_rows(dataset, KINDS))
    batches = packed_stream(examples, Shape(params.steps, params.batch_sequences, params.sequence_tokens))
    tokens = sum(len(example.ids) for example in examples)
    material = Material(batches, "base", sorted(base.glob("*.safetensors")), len(examples), tokens)
    settings = Settings("train_domain", params, training, common)
    return adapt(load_base(base), material, settings, out=out, checkpoints=checkpoints)

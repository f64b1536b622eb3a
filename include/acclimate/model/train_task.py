r"""Train the task adapter: questions of the domain and their answers, the loss on the answers alone (SFT).

    artifacts/mix/train.jsonl   {"kind": "domain_questions", "question": "What does …?", "answer": "Returns …", …}
    artifacts/train_task/       adapter_model.safetensors, adapter_config.json; off.json while the stage is off

It is trained beside the base with the domain adapter merged into it, or beside the bare base (`start_from`). Between
the pairs it reads general text of its own replay share, because what is not replayed is forgotten.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError
from acclimate.model.training.report import TrainReport, off

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from acclimate.core.params import CommonParams, TrainingParams, TrainTaskParams
    from acclimate.model.training.adapting import Material

PAIRS, REPLAY = "domain_questions", "general_replay"
STARTS = {"domain": "base with the domain adapter", "base": "base"}


def run(
    params: TrainTaskParams,
    training: TrainingParams,
    common: CommonParams,
    *,
    base: Path,
    domain: Path,
    dataset: Path,
    out: Path,
    checkpoints: Path,
) -> TrainReport:
    """Train an adapter for `base`, with the adapter in `domain` or without, on the pairs of `dataset`.

    Goes on from where an attempt that was killed left off in `checkpoints`, if that was the same training.

    Raises:
        UserError: if a model cannot be loaded, the tokenizer lacks what the template needs,
            the loss stops being a number or runs away, or memory does not suffice.
    """
    if not params.enabled:
        return off(out, "train_task.enabled is false in params.yaml")
    from acclimate.model.training.texts import find_rows

    if not find_rows(dataset, (PAIRS,)):
        return off(out, f"{dataset} holds no {PAIRS}: the domain's texts are not questions and answers")
    from acclimate.model.training.processes import shared, to_be_shared

    if to_be_shared(training):
        inputs = {"base": base, "domain": domain, "dataset": dataset, "out": out, "checkpoints": checkpoints}
        return shared(__name__, (params, training, common), inputs, TrainReport)
    from acclimate.model.adapter import load_tokenizer
    from acclimate.model.determinism import fix_randomness
    from acclimate.model.training.adapting import Settings, adapt

    fix_randomness(common)
    upon = [base, domain] if params.start_from == "domain" else [base]
    files = [file for folder in upon for file in sorted(folder.glob("*.safetensors"))]
    material = _material(load_tokenizer(base), dataset, params, files)
    settings = Settings("train_task", params, training, common)
    return adapt(_start(params, base, domain), material, settings, out=out, checkpoints=checkpoints)


def _start(params: TrainTaskParams, base: Path, domain: Path) -> PreTrainedModel:
    from acclimate.model.adapter import load_adapted, load_base

    return load_adapted(base, domain) if params.start_from == "domain" else load_base(base)


def _material(
    tokenizer: PreTrainedTokenizerBase, dataset: Path, params: TrainTaskParams, start: Sequence[Path]
) -> Material:
    from acclimate.model.training.adapting import Material
    from acclimate.model.training.batches import Shape, packed_whole
    from acclimate.model.training.texts import conversations, documents, find_rows, with_replay

    pairs = conversations(tokenizer, find_rows(dataset, (PAIRS,)), params.template)
    # From the back: the domain adapter has read the mix from the front.
    general = find_rows(dataset, (REPLAY,))[::-1] if params.replay_share else []
    replay = documents(tokenizer, general) if general else []
    shape = Shape(params.steps, params.batch_sequences, params.sequence_tokens)
    pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id
    batches = packed_whole(with_replay(pairs, replay, params.replay_share), shape, pad=pad)
    if batches.idle_steps:
        raise UserError(
            f"in {batches.idle_steps} of {params.steps} steps no answer would be read: questions with their context "
            f"fill train_task.sequence_tokens, {params.sequence_tokens}",
            why="only answers are learned",
            fix="raise train_task.sequence_tokens in params.yaml",
        )
    tokens = sum(len(example.ids) for example in (*pairs, *replay))
    return Material(batches, STARTS[params.start_from], start, len(pairs) + len(replay), tokens)

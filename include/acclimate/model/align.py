r"""Tune the candidate to preferences: of two answers to a prompt the better is to become the likelier (DPO).

    artifacts/decontaminate/preference/pairs.jsonl   {"prompt": "How do I …?", "chosen": "Take …", "rejected": "No", …}
    artifacts/align/                                 adapter_model.safetensors, adapter_config.json; off.json while off

The adapter is trained beside the base with the domain adapter and the task adapter in it, as `compose` puts them
together; that model, frozen, is also the reference from which answers drift at a price (Rafailov et al. 2023).
Prompts that are held out are never trained on; on them stands whether it worked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_jsonl, write_json
from acclimate.data.seeded import chance
from acclimate.model.training.report import OFF, Trained, TrainReport

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from acclimate.core.params import AlignParams, CommonParams, ComposeParams, TrainingParams, TrainTaskParams
    from acclimate.model.training.preferring import Exchanges

RESAMPLES = 10_000
"""Of the bootstrap and, where they are drawn, of the sign patterns; the smallest p-value is then 1/10,001."""


@dataclass(frozen=True)
class Preferred:
    """What the tuned model makes of pairs it was not tuned on.

    An answer's reward is beta times the logarithm of how much likelier it has become (Rafailov et al. 2023, equation
    5). A pair's margin is the reward of the chosen answer less that of the rejected one; before tuning it is 0.
    """

    pairs: int
    prompts: int
    """Clusters of pairs, for the interval and the test."""
    margin: float
    """Mean over pairs."""
    margin_low: float
    margin_high: float
    """Its interval of 95 %, a bootstrap over prompts."""
    p_value: float
    """One-sided, of a mean this far above 0 by luck: sign flips over prompts."""
    accuracy: float
    """Share of pairs with a margin above 0 (0–1)."""
    accuracy_low: float
    accuracy_high: float
    """Its interval of 95 % (Wilson), pairs taken as independent."""


@dataclass(frozen=True)
class AlignReport:
    """What the stage did; `trained` and `held_out` are None while it is off."""

    trained: Trained | None
    held_out: Preferred | None = None
    left_out: int = 0
    """Pairs whose prompt fills sequence_tokens."""
    why_off: str | None = None

    def headline(self) -> str:
        """'reward margin on 57 held-out pairs 0 → +0.412 [+0.310, +0.514], p 0.0001; …; loss 0.693 → 0.512 …'."""
        if self.trained is None or self.held_out is None:
            return f"off: {self.why_off}"
        found = self.held_out
        return (
            f"reward margin on {found.pairs:,} held-out pairs 0 → {found.margin:+.3f} "
            f"[{found.margin_low:+.3f}, {found.margin_high:+.3f}], p {found.p_value:.2g}; the chosen answer gained "
            f"more in {found.accuracy:.0%}; {TrainReport(self.trained).headline()}"
        )


def run(
    params: AlignParams,
    compose: ComposeParams,
    task_params: TrainTaskParams,
    training: TrainingParams,
    common: CommonParams,
    *,
    base: Path,
    domain: Path,
    task: Path,
    pairs: Path,
    out: Path,
    checkpoints: Path,
) -> AlignReport:
    """Train an adapter upon those in `domain` and `task` on the certified `pairs`, and measure it on those held out.

    Goes on from where an attempt that was killed left off in `checkpoints`, if that was the same training.

    Raises:
        UserError: if there are no pairs to train on or none to hold out, a model cannot be loaded, the loss stops
            being a number or runs away, or memory does not suffice.
    """
    if not params.enabled:
        why = "align.enabled is false in params.yaml"
        write_json(out / OFF, {"off": why})
        return AlignReport(None, why_off=why)
    from acclimate.model.training.processes import shared, to_be_shared

    if to_be_shared(training):
        inputs = {"base": base, "domain": domain, "task": task, "pairs": pairs, "out": out, "checkpoints": checkpoints}
        return shared(__name__, (params, compose, task_params, training, common), inputs, AlignReport)
    from acclimate.model.adapter import load_adapted, load_tokenizer
    from acclimate.model.composing.parts import trained, write_together
    from acclimate.model.determinism import fix_randomness
    from acclimate.model.training.adapting import Settings, adapter_beside, frozen, train
    from acclimate.model.training.preferring import Tuning

    fix_randomness(common)
    rows = read_jsonl(pairs)
    tokenizer = load_tokenizer(base)
    texts = _split(rows, tokenizer, params, task_params, common)
    folders = trained({"train_domain": domain, "train_task": task})
    with TemporaryDirectory() as scratch:
        together = Path(scratch)
        write_together(compose, folders, base=base, seed=common.seed, out=together)
        adapted = adapter_beside(frozen(load_adapted(base, together), training), training)
        tuning = Tuning(adapted, tokenizer, texts, params, common)
        files = [file for folder in (base, together) for file in sorted(folder.glob("*.safetensors"))]
        read = tuning.read(f"base with the adapters of {' and '.join(folders)}", files)
        settings = Settings("align", params, training, common)
        done = train(adapted, tuning.objective(), read, settings, out=out, checkpoints=checkpoints)
    found = preferred(tuning.margins(), [text["prompt"] for text in texts.held_out], seed=common.seed)
    return AlignReport(done, found, len(rows) - len(texts.training) - len(texts.held_out))


def preferred(margins: NDArray[np.float64], prompts: Sequence[str], *, seed: int) -> Preferred:
    """The margins of held-out pairs [pairs], whose prompts these are, in numbers."""
    import numpy as np

    from acclimate.model.statistics import (
        bootstrap_totals,
        cluster_totals,
        percentile_interval,
        sign_flip_p,
        wilson_interval,
    )

    totals = cluster_totals(np.stack([margins, np.ones(len(margins))], axis=1), prompts)
    draws = bootstrap_totals(totals, resamples=RESAMPLES, seed=seed)
    low, high = percentile_interval(draws[:, 0] / draws[:, 1])
    ahead = int((margins > 0).sum())
    least, most = wilson_interval(ahead, len(margins))
    return Preferred(
        pairs=len(margins),
        prompts=len(totals),
        margin=round(float(margins.mean()), 6),
        margin_low=round(low, 6),
        margin_high=round(high, 6),
        p_value=sign_flip_p(totals[:, 0], resamples=RESAMPLES, seed=seed),
        accuracy=round(ahead / len(margins), 6),
        accuracy_low=round(least, 6),
        accuracy_high=round(most, 6),
    )


def _split(
    rows: Sequence[dict[str, Any]],
    tokenizer: PreTrainedTokenizerBase,
    params: AlignParams,
    task_params: TrainTaskParams,
    common: CommonParams,
) -> Exchanges:
    """The pairs to train on, and those held out: all of a prompt on one side, whatever other prompts there are."""
    from acclimate.model.training.preferring import Exchanges, exchanges

    parts: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for row in rows:
        parts[chance(common.seed, f"align {row['prompt']}") < params.held_out_share].append(row)
    training, held_out = (
        exchanges(tokenizer, parts[out], task_params.template, params.sequence_tokens) for out in (False, True)
    )
    if not training or not held_out:
        raise UserError(
            f"of {len(rows)} certified pairs {len(training)} are left to train on and {len(held_out)} to be held out",
            why="without the former nothing is learned, without the latter nobody could tell",
            fix="name more pairs in decontaminate.preferences, raise align.sequence_tokens if prompts fill it, or "
            "change align.held_out_share",
        )
    return Exchanges(training, held_out)

"""Score the base model: what every candidate is compared with.

artifacts/baseline/   <task>.jsonl: the four tasks that decide (score.py), and what is observed beside (assess.py)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.assess import Material, assess
from acclimate.model.determinism import fix_randomness
from acclimate.model.score import Summary, headline, score
from acclimate.model.scoring.dimensions import Assessment

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, ScoreParams


@dataclass(frozen=True)
class BaselineReport:
    """The base's score on every task, and what else was observed of it."""

    tasks: dict[str, Summary]
    observed: Assessment | None = None

    def headline(self) -> str:
        """'domain cloze 0.303 (n=800), general cloze 0.620 (n=800), 2.91 / 2.02 bits per byte'."""
        return headline(self.tasks)


def run(
    params: ScoreParams,
    common: CommonParams,
    *,
    base: Path,
    evaluation: Path,
    examples: Path,
    tasks: Path,
    behaviour: Path,
    out: Path,
) -> BaselineReport:
    """Score the model in `base` on the items in `evaluation` and observe the rest; per-item results go to `out`.

    Raises:
        UserError: if `base` holds no model, a task has no items, or a dial names what is not there.
    """
    fix_randomness(common)
    model, tokenizer = load_base(base), load_tokenizer(base)
    scores = score(model, tokenizer, evaluation, params, out, seed=common.seed)
    # What a base has read is not known here, so memorisation is a question for adapters only.
    material = Material(evaluation, examples, training=None, tasks=tasks, behaviour=behaviour)
    return BaselineReport(scores, assess(model, tokenizer, material, params, out, seed=common.seed))

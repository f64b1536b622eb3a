"""Score the base model: what every candidate is compared with.

artifacts/baseline/   domain_cloze.jsonl, general_cloze.jsonl, domain_text.jsonl, general_text.jsonl
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.determinism import fix_randomness
from acclimate.model.score import Summary, headline, score

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, ScoreParams


@dataclass(frozen=True)
class BaselineReport:
    """The base's score on every task."""

    tasks: dict[str, Summary]

    def headline(self) -> str:
        """'domain cloze 0.303 (n=800), general cloze 0.620 (n=800), 2.91 / 2.02 bits per byte'."""
        return headline(self.tasks)


def run(params: ScoreParams, common: CommonParams, *, base: Path, evaluation: Path, out: Path) -> BaselineReport:
    """Score the model in `base` on the items in `evaluation`; per-item results go to `out`.

    Raises:
        UserError: if `base` holds no model, or a task has no items.
    """
    fix_randomness(common)
    return BaselineReport(score(load_base(base), load_tokenizer(base), evaluation, params, out, seed=common.seed))

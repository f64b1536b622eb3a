"""Score the base model: what every candidate is compared with; and other bases beside it, before one is chosen.

artifacts/baseline/                     <task>.jsonl: the four tasks that decide (score.py), and what is observed beside
artifacts/baseline/candidates/<name>/   the same of every base that baseline.candidates names
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.model.adapter import load_base, load_tokenizer
from acclimate.model.assess import Material, assess
from acclimate.model.choosing.comparing import Choice, compared
from acclimate.model.choosing.recommending import BASE
from acclimate.model.choosing.sanity import Sanity, sanity_run
from acclimate.model.determinism import fix_randomness
from acclimate.model.fetch import parameters
from acclimate.model.score import Summary, headline, score
from acclimate.model.scoring.asking import form_of_base
from acclimate.model.scoring.dimensions import Assessment

if TYPE_CHECKING:
    from acclimate.core.params import BaselineParams, CommonParams, ScoreParams

CANDIDATES = "candidates"


@dataclass(frozen=True)
class BaselineReport:
    """The base's score on every task, what else was observed of it, and how it stands beside others."""

    tasks: dict[str, Summary]
    observed: Assessment | None = None
    choice: Choice | None = None
    """On the five dimensions of a base, alone or beside others."""
    sanity: Sanity | None = None
    """A public task with a published score, if baseline.sanity names one."""

    def headline(self) -> str:
        """'domain cloze 0.303 (n=800), general cloze 0.620 (n=800), 2.91 / 2.02 bits per byte', and what else is."""
        said = [headline(self.tasks)]
        if self.choice is not None and len(self.choice.models) > 1:
            said.append(f"recommended of {len(self.choice.models)} bases: {self.choice.recommendation.choice}")
        if self.sanity is not None:
            said.append(f"{self.sanity.task}: {self.sanity.verdict}")
        return "; ".join(said)


def run(
    params: BaselineParams,
    scoring: ScoreParams,
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

    The bases that `params` names are asked the same, one after the other.

    Raises:
        UserError: if there is no model in `base` or a candidate's folder, a task has no items, or a dial names what is
            not there.
    """
    fix_randomness(common)
    # What a base has read is not known here, so memorisation is a question for adapters only.
    material = Material(evaluation, examples, training=None, tasks=tasks, behaviour=behaviour)
    folders = {BASE: base, **{other.name: Path(other.folder) for other in params.candidates}}
    outs = {name: out if name == BASE else out / CANDIDATES / name for name in folders}
    found = {name: _asked(folder, material, scoring, outs[name], seed=common.seed) for name, folder in folders.items()}
    choice = compared(outs, {name: parameters(folder) for name, folder in folders.items()}, seed=common.seed)
    return BaselineReport(*found[BASE], choice, _sanity(base, tasks, params, scoring, out, seed=common.seed))


def _asked(
    folder: Path, material: Material, scoring: ScoreParams, out: Path, *, seed: int
) -> tuple[dict[str, Summary], Assessment | None]:
    """One model's scores, and what is observed beside; its rows are in `out`."""
    model, tokenizer = load_base(folder), load_tokenizer(folder)
    material = replace(material, form=form_of_base(tokenizer))
    scores = score(model, tokenizer, material.evaluation, scoring, out, seed=seed)
    return scores, assess(model, tokenizer, material, scoring, out, seed=seed)


def _sanity(
    base: Path, tasks: Path, params: BaselineParams, scoring: ScoreParams, out: Path, *, seed: int
) -> Sanity | None:
    if params.sanity is None:
        return None
    model, tokenizer = load_base(base), load_tokenizer(base)
    return sanity_run(model, tokenizer, params.sanity, scoring, folder=tasks, out=out, seed=seed)

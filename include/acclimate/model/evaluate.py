"""Score the candidate, and the current champion on the same items.

    artifacts/evaluate/
        candidate/        <task>.jsonl, per-item results of the base with the new adapter: the tasks that decide
                          (score.py), and what is observed beside (assess.py)
        champion/         the former of the adapter in champion/, if there is one
        canaries.jsonl    where any are planted: the rank of each to base and candidate (exposure.py)
        evaluated.json    which two were compared, by hash

The folder champion/ of the checkout holds champion.json: {"version": null} while there is none, else
its version and "adapter_sha256", with adapter_model.safetensors and adapter_config.json beside it.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256, write_json, write_jsonl
from acclimate.model.adapter import WEIGHTS, load_adapted, load_base, load_tokenizer
from acclimate.model.assess import Material, assess, time_answers
from acclimate.model.determinism import fix_randomness
from acclimate.model.device import on_device
from acclimate.model.harness import language_model
from acclimate.model.score import FACTS, Summary, headline, score
from acclimate.model.scoring.asking import form_of
from acclimate.model.scoring.dimensions import Assessment
from acclimate.model.scoring.exposure import Exposure, exposed, planted_in
from acclimate.model.scoring.measurements import keep

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, ScoreParams, TrainTaskParams

CANARIES = "canaries.jsonl"


@dataclass(frozen=True)
class Champion:
    """The adapter in use: its version in the registry and the hash of its weights."""

    version: str
    sha256: str
    base_sha256: str
    """Of the base that it was trained on."""


@dataclass(frozen=True)
class EvaluateReport:
    """The candidate's score on every task, the champion's if there is one, and what else was observed of the first."""

    candidate_sha256: str
    champion: Champion | None
    candidate_tasks: dict[str, Summary]
    champion_tasks: dict[str, Summary] | None
    observed: Assessment | None = None
    """Of the candidate; None if score.observe is null. The champion was observed when it was the candidate."""
    exposure: Exposure | None = None
    """Of the canaries in the training set, if mix planted any and score.observe is not null."""

    def headline(self) -> str:
        """'domain cloze 0.416 (n=800), …; champion 3: domain cloze 0.398 (n=800), …'."""
        candidate = headline(self.candidate_tasks)
        if self.champion is None or self.champion_tasks is None:
            return f"{candidate}; no champion yet"
        return f"{candidate}; champion {self.champion.version}: {headline(self.champion_tasks)}"


def run(
    params: ScoreParams,
    task_params: TrainTaskParams,
    common: CommonParams,
    *,
    base: Path,
    adapter: Path,
    champion: Path,
    dataset: Path,
    evaluation: Path,
    examples: Path,
    tasks: Path,
    behaviour: Path,
    out: Path,
    measurements: Path | None = None,
) -> EvaluateReport:
    """Score `base` with `adapter`, and with the adapter in `champion` if there is one, on `evaluation`.

    Args:
        params: what is scored and observed.
        task_params: in what form the candidate was trained to answer, and is asked.
        common: seed and threads.
        base: the folder of the base model.
        adapter: the candidate.
        champion: the folder with champion.json.
        dataset: train.jsonl that the candidate was trained on; looked for in what it generates, canaries in what it
            finds likely.
        evaluation: the folder of items.
        examples: examples.jsonl of the evaluation set.
        tasks: the folder with the YAML of lm-eval tasks of one's own.
        behaviour: the folder with behavioural tests.
        out: for the per-item results.
        measurements: folder for what the candidate's answers cost, which differs between equal runs; None times
            nothing.

    Raises:
        UserError: if a model cannot be loaded, a task has no items, a dial names what is not there, the tokenizer
            lacks what the template needs, or the champion's weights or its base are not those that champion.json names.
    """
    fix_randomness(common)
    tokenizer = load_tokenizer(base)
    form = form_of(task_params.template, tokenizer)
    candidate_sha256 = sha256(adapter / WEIGHTS)
    current = read_champion(champion)
    model, folder = load_adapted(base, adapter), out / "candidate"
    candidate_tasks = score(model, tokenizer, evaluation, params, folder, seed=common.seed)
    material = Material(evaluation, examples, training=dataset, tasks=tasks, behaviour=behaviour, form=form)
    observed = assess(model, tokenizer, material, params, folder, seed=common.seed)
    if measurements is not None and (cost := time_answers(model, tokenizer, material, params)) is not None:
        keep(measurements, candidate_sha256, cost)
    exposure = None
    if params.observe is not None and (copies := planted_in(dataset)):
        models = {"base": load_base(base), "candidate": model}
        lms = {name: language_model(on_device(one), tokenizer, params.batch_items) for name, one in models.items()}
        exposure, rows = exposed(lms, copies, seed=common.seed)
        write_jsonl(out / CANARIES, rows)
    champion_tasks = None
    if current is not None:
        own = champions_base(current, champion, base)
        if current.sha256 == candidate_sha256 and own == base:
            shutil.copytree(folder, out / "champion")
            champion_tasks = candidate_tasks
        else:
            model, tokenizer = load_adapted(own, champion), load_tokenizer(own)
            champion_tasks = score(model, tokenizer, evaluation, params, out / "champion", seed=common.seed)
    facts: dict[str, Any] = {"candidate_sha256": candidate_sha256, "champion": current and asdict(current)}
    write_json(out / FACTS, facts)
    return EvaluateReport(candidate_sha256, current, candidate_tasks, champion_tasks, observed, exposure)


def read_champion(folder: Path) -> Champion | None:
    """Who is champion according to champion.json, or None while nobody is.

    Raises:
        UserError: if the weights beside champion.json are missing or are not the ones it names.
    """
    named = read_json(folder / "champion.json")
    if named["version"] is None:
        return None
    weights = folder / WEIGHTS
    found = sha256(weights) if weights.is_file() else None
    if found != named["adapter_sha256"]:
        raise UserError(
            f"{weights} {'is missing' if found is None else f'has sha256 {found}'}, "
            f"champion.json names {named['adapter_sha256']}",
            why="the candidate would be compared with something that is not the champion",
            fix="run `acclimate champion`, which fetches the registry's champion anew",
        )
    return Champion(str(named["version"]), named["adapter_sha256"], named["base_sha256"])


def champions_base(current: Champion, folder: Path, base: Path) -> Path:
    """The base to score the champion on: `base` if it was trained on that one, else its own, in `folder`.

    Raises:
        UserError: if neither is the one that champion.json names.
    """
    for candidate in (base, folder / "base"):
        if sha256(*sorted(candidate.glob("*.safetensors"))) == current.base_sha256:
            return candidate
    raise UserError(
        f"champion {current.version} was trained on the base {current.base_sha256[:8]}, and neither {base} nor "
        f"{folder / 'base'} holds that one",
        why="on another base its adapter is not the model in service, and any candidate would beat it",
        fix="run `acclimate champion`, which fetches the champion's base where it differs from the candidate's",
    )

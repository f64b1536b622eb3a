"""Every form of a model scored: the unquantised one, GPTQ's, and those that quantize.forms asked for.

    models = Models.found(params.package, quantized=…, merged=…, forms=…)
    seen = scored(models, models.scopes(some, all_of_them, out), common, …)      # {"merged": Seen(…), "gptq-4": …}
    rows_of(seen[models.judged])

The judged one is scored on all tasks and items, the others on fewer: they are compared, and decide nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl
from acclimate.model.compare import Rows
from acclimate.model.device import on_device
from acclimate.model.harness import language_model
from acclimate.model.score import CLOZE_TASKS, TASKS, score_with
from acclimate.release.forms.apart import Failed
from acclimate.release.forms.made import FORMS, Made
from acclimate.release.forms.measuring import Cost, measure_apart, model_speed, weights_in_memory
from acclimate.release.forms.table import Seen
from acclimate.release.weights import load_model, weight_bytes

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, PackageParams, ScoreParams


@dataclass(frozen=True)
class Scope:
    """On what a form is scored, and where its rows go."""

    params: ScoreParams
    tasks: Sequence[str]
    out: Path

    def rows(self) -> Rows:
        """What was found."""
        return {task: read_jsonl(self.out / f"{task}.jsonl") for task in self.tasks}


@dataclass(frozen=True)
class Models:
    """The forms of one model, and which of them is judged."""

    merged: Path
    """The unquantised one."""
    gptq: str
    """What GPTQ's is called."""
    made: list[Made]
    """The others."""
    folders: dict[str, Path]
    """Of GPTQ's and the others."""
    judged: str

    @classmethod
    def found(cls, package: PackageParams, *, quantized: Path, merged: Path, forms: Path) -> Models:
        """Those that `quantize` left, shown to have what is to be judged among them; raises UserError if not."""
        gptq = f"gptq-{_bits(quantized)}"
        made = [Made(**of) for of in read_json(forms / FORMS)]
        judged = package.weights if package.is_gguf else gptq
        if judged != gptq:
            _require_made(judged, made)
        return cls(merged, gptq, made, {gptq: quantized, **{of.form: forms / of.form for of in made}}, judged)

    def scopes(self, judged: ScoreParams, others: ScoreParams, out: Path) -> dict[str, Scope]:
        """On what each is scored."""
        compared = {form: Scope(others, CLOZE_TASKS, out / "forms" / form) for form in self.folders}
        return compared | {self.judged: Scope(judged, TASKS, out)}


def scored(
    models: Models, scopes: dict[str, Scope], common: CommonParams, candidate: Rows, evaluation: Path, *, timed: bool
) -> dict[str, Seen]:
    """What there is to show of every form by its name: of the unquantised model, of GPTQ's, and of the others."""
    before = _cost(*load_model(models.merged), evaluation, timed=timed)
    seen = [
        Seen("merged", weight_bytes(models.merged), before.memory_bytes, candidate, speed=before.speed),
        _score(models.gptq, models.folders[models.gptq], scopes[models.gptq], common, evaluation, timed=timed),
    ]
    for of in models.made:
        folder = models.folders[of.form]
        seen.append(_measure(of, folder, scopes[of.form], common, merged=models.merged, evaluation=evaluation))
    return {of.form: of for of in seen}


def _cost(model: Any, tokenizer: Any, evaluation: Path, *, timed: bool) -> Cost:
    return Cost(weights_in_memory(model), model_speed(model, tokenizer, evaluation) if timed else None)


def _score(form: str, folder: Path, scope: Scope, common: CommonParams, evaluation: Path, *, timed: bool) -> Seen:
    """What there is to show of the GPTQ model, which is scored in this process."""
    model, tokenizer = load_model(folder)
    cost = _cost(model, tokenizer, evaluation, timed=timed)
    lm = language_model(on_device(model), tokenizer, scope.params.batch_items)
    score_with(lm, evaluation, scope.params, scope.out, seed=common.seed, names=scope.tasks)
    return Seen(form, weight_bytes(folder), cost.memory_bytes, scope.rows(), speed=cost.speed)


def _measure(made: Made, folder: Path, scope: Scope, common: CommonParams, *, merged: Path, evaluation: Path) -> Seen:
    """What there is to show of another form; a failure, in making or in measuring, is shown too."""
    if made.failure is not None:
        return Seen(made.form, None, failure=made.failure)
    found = measure_apart(
        made.form,
        folder,
        scope.params,
        common,
        tokenizer=merged,
        evaluation=evaluation,
        out=scope.out,
        tasks=scope.tasks,
    )
    if isinstance(found, Failed):
        return Seen(made.form, made.bytes, storage=made.storage, failure=found.reason)
    return Seen(made.form, made.bytes, found.memory_bytes, scope.rows(), made.storage, found.speed)


def rows_of(packaged: Seen) -> Rows:
    """Of the form that is judged; raises UserError if it could not be measured: there is nothing to decide on."""
    if packaged.rows is None:
        raise _nothing_to_judge(packaged.form, f"could not be measured: {packaged.failure}")
    return packaged.rows


def _require_made(form: str, made: list[Made]) -> None:
    found = next((of for of in made if of.form == form), None)
    if found is None or found.failure is not None:
        raise _nothing_to_judge(form, f"was not made: {found.failure}" if found else "was not made")


def _nothing_to_judge(form: str, what: str) -> UserError:
    return UserError(
        f"{form}, which package.weights names, {what}",
        why="only what was judged may be served",
        fix="set package.weights to another form, or run `dvc repro quantize` with this one among quantize.forms",
    )


def _bits(folder: Path) -> int:
    """Of the GPTQ model in `folder`; raises UserError if that is not quantised: it would pass, and say nothing."""
    config = folder / "config.json"
    settings = (read_json(config).get("quantization_config") if config.is_file() else None) or {}
    if settings.get("quant_method") != "gptq":
        raise UserError(
            f"{folder} holds no model quantised with GPTQ",
            why="the verdict would be on another model than the one that is served",
            fix="run `dvc repro quantize`",
        )
    return int(settings["bits"])

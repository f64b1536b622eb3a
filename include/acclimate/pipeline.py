"""The pipeline: every stage in order, the files it reads, the folder it writes; and the actions around it.

The same `run` function is reached four ways: a test calls it, a person types `acclimate dedup`,
`dvc repro` runs that line, and Airflow runs `dvc repro --single-item dedup`. dvc.yaml says the same
graph to DVC; tests/wiring asserts that the two agree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from acclimate.core.certificate import CHECKED, certificate_of


@dataclass(frozen=True)
class Option:
    """An option of a stage's command that does something else with what the stage made: `module.main(value) -> int`."""

    flag: str
    value: str
    """What stands after the flag, as the help calls it."""
    module: str
    help: str


@dataclass(frozen=True)
class Stage:
    """One file→file step: `module.run(*sections, **inputs[, out=…]) -> Report`."""

    name: str
    module: str
    sections: tuple[str, ...]
    """Sections of params.yaml passed in this order; DVC re-runs the stage when one of them changes."""
    inputs: dict[str, str]
    """Keyword of `run` to the path it is given, relative to the checkout."""
    writes: bool = True
    """Whether it fills artifacts/<name>/; every stage writes reports/<name>.json."""
    certified: tuple[str, ...] = ()
    """Those of its inputs that must be what `decontaminate` certified, or what was made of it."""
    certifies: tuple[str, ...] = ()
    """Files in `out` that are clean because the certified inputs were."""
    unseen: tuple[str, ...] = ()
    """Those of its inputs that hold evaluation items which the training set must have been checked against."""
    judges: tuple[str, ...] = ()
    """Those of its inputs that are models scored on the test set: each use goes into the ledger."""
    looks_up: tuple[Literal["ledger", "measurements", "timings"], ...] = ()
    """What it is given besides, of what differs between equal runs and is therefore no dep: the ledger of the test
    set, the folder with what was measured of candidates on this machine, the run's timings."""
    option: Option | None = None
    """What its command does instead of running it, when it is told to."""
    resumes: bool = False
    """Whether it keeps checkpoints, and goes on from them after it was killed."""
    libraries: tuple[str, ...] = field(default=())
    """Slow imports, done before the clock of the work starts: start-up and work are reported apart."""

    @property
    def out(self) -> Path:
        """The directory the stage fills."""
        return Path("artifacts") / self.name

    @property
    def reads(self) -> list[str]:
        """The paths it depends on: its inputs and their certificates."""
        certificates = {str(certificate_of(Path(self.inputs[keyword]))) for keyword in self.certified}
        checked = {str(certificate_of(TRAINING_SET)), str(CHECKED_AGAINST)} if self.unseen else set[str]()
        return sorted({*self.inputs.values(), *certificates, *checked})


_TORCH = ("torch", "transformers")
_EVALUATION = "artifacts/split/evaluation"
_ASKED = {
    "evaluation": _EVALUATION,
    "examples": "artifacts/evaluation_set/examples.jsonl",
    "tasks": "inputs/tasks",
    "behaviour": "inputs/behaviour",
}
TRAINING_SET = Path("artifacts/mix/train.jsonl")
CHECKED_AGAINST = Path("artifacts/decontaminate") / CHECKED

STAGES: dict[str, Stage] = {
    stage.name: stage
    for stage in [
        Stage("ingest", "acclimate.data.ingest", ("ingest",), {"inputs": "inputs", "accepted": "accepted"}),
        Stage(
            "validate",
            "acclimate.data.validate",
            ("validate", "ingest"),
            {"documents": "artifacts/ingest/documents", "accepted": "accepted"},
            libraries=("great_expectations",),
        ),
        Stage(
            "clean",
            "acclimate.data.clean",
            ("clean", "validate", "common"),
            {"documents": "artifacts/validate/documents"},
        ),
        Stage(
            "split",
            "acclimate.data.split",
            ("split", "common"),
            {"documents": "artifacts/clean/documents", "testset": "testset"},
        ),
        Stage(
            "evaluation_set",
            "acclimate.data.evaluation_set",
            ("evaluation_set", "common"),
            {"given": "inputs/evaluation", "stores": "artifacts/split"},
            libraries=("great_expectations",),
        ),
        Stage("dedup", "acclimate.data.dedup", ("dedup", "common"), {"stores": "artifacts/split"}),
        Stage(
            "decontaminate",
            "acclimate.data.decontaminate",
            ("decontaminate",),
            {
                "train": "artifacts/dedup/train.parquet",
                "validation": "artifacts/dedup/validation.parquet",
                "evaluation": _EVALUATION,
                "examples": "artifacts/evaluation_set/examples.jsonl",
                "inputs": "inputs",
            },
        ),
        Stage(
            "mix",
            "acclimate.data.mix",
            ("mix", "common"),
            {"domain": "artifacts/decontaminate/domain.parquet", "general": "artifacts/decontaminate/general.parquet"},
            certified=("domain", "general"),
            certifies=("train.jsonl",),
        ),
        Stage(
            "base",
            "acclimate.model.base",
            ("base", "common"),
            {"general": "artifacts/decontaminate/general.parquet"},
            certified=("general",),
            libraries=_TORCH,
        ),
        Stage(
            "baseline",
            "acclimate.model.baseline",
            ("baseline", "score", "common"),
            {"base": "artifacts/base", **_ASKED},
            judges=("base",),
            libraries=(*_TORCH, "lm_eval.evaluator"),
        ),
        Stage(
            "train_domain",
            "acclimate.model.train_domain",
            ("train_domain", "training", "common"),
            {
                "base": "artifacts/base",
                "dataset": "artifacts/mix/train.jsonl",
                "general": "artifacts/decontaminate/general.parquet",
            },
            certified=("dataset", "general"),
            resumes=True,
            libraries=(*_TORCH, "peft"),
        ),
        Stage(
            "train_task",
            "acclimate.model.train_task",
            ("train_task", "training", "common"),
            {"base": "artifacts/base", "domain": "artifacts/train_domain", "dataset": "artifacts/mix/train.jsonl"},
            certified=("dataset",),
            resumes=True,
            libraries=(*_TORCH, "peft"),
        ),
        Stage(
            "align",
            "acclimate.model.align",
            ("align", "compose", "train_task", "training", "common"),
            {
                "base": "artifacts/base",
                "domain": "artifacts/train_domain",
                "task": "artifacts/train_task",
                "pairs": "artifacts/decontaminate/preference/pairs.jsonl",
            },
            certified=("pairs",),
            resumes=True,
            libraries=(*_TORCH, "peft", "trl.trainer.dpo_trainer"),
        ),
        Stage(
            "compose",
            "acclimate.model.compose",
            ("compose", "train_task", "common"),
            {
                "base": "artifacts/base",
                "domain": "artifacts/train_domain",
                "task": "artifacts/train_task",
                "align": "artifacts/align",
                "dataset": "artifacts/mix/train.jsonl",
            },
            libraries=(*_TORCH, "peft"),
        ),
        Stage(
            "evaluate",
            "acclimate.model.evaluate",
            ("score", "train_task", "common"),
            {
                "base": "artifacts/base",
                "adapter": "artifacts/compose",
                "champion": "champion",
                "dataset": "artifacts/mix/train.jsonl",
                **_ASKED,
            },
            unseen=("evaluation", "examples"),
            judges=("base", "adapter", "champion"),
            looks_up=("measurements",),
            libraries=(*_TORCH, "peft", "lm_eval.evaluator"),
        ),
        Stage(
            "gate",
            "acclimate.model.gate",
            ("gate", "common"),
            {
                "baseline": "artifacts/baseline",
                "evaluated": "artifacts/evaluate",
                "evaluation": _EVALUATION,
                "dataset": "artifacts/mix/train.jsonl",
                "certificate": "artifacts/mix/certificate.json",
            },
            writes=False,
            looks_up=("ledger", "measurements"),
            option=Option(
                "--replay", "VERSION", "acclimate.release.replay", "recompute the verdict of a registered version"
            ),
        ),
        Stage(
            "quantize",
            "acclimate.release.quantize",
            ("quantize", "common"),
            {"base": "artifacts/base", "adapter": "artifacts/compose", "dataset": "artifacts/mix/train.jsonl"},
            libraries=(*_TORCH, "peft", "gptqmodel"),
        ),
        Stage(
            "evaluate_quantized",
            "acclimate.release.evaluate_quantized",
            ("evaluate_quantized", "package", "gate", "score", "common"),
            {
                "quantized": "artifacts/quantize/quantized",
                "merged": "artifacts/quantize/merged",
                "forms": "artifacts/quantize/forms",
                "evaluated": "artifacts/evaluate/candidate",
                "evaluation": _EVALUATION,
            },
            unseen=("evaluation",),
            judges=("quantized",),
            looks_up=("timings",),
            libraries=(*_TORCH, "gptqmodel", "lm_eval.evaluator"),
        ),
    ]
}


@dataclass(frozen=True)
class Action:
    """A step that changes the outside world: `module.add_arguments(parser)`, `module.main(arguments) -> int`."""

    module: str
    help: str
    timed: bool = False
    """Whether it is a step of a run, whose seconds go to timings/<name>.json."""
    steps: tuple[str, ...] = ()
    """Those of its verbs that are steps of a run; their seconds go to timings/<verb>.json."""


ACTIONS: dict[str, Action] = {
    "fetch": Action("acclimate.data.fetch", "mirror the remote sources below inputs/, where ingest reads them"),
    "testset": Action("acclimate.data.testset", "lock the test set, unlock it with a reason, show its ledger"),
    "review": Action("acclimate.data.review", "hand out evaluation examples for review, and take the answers in"),
    "report": Action("acclimate.report", "write the HTML report of the run in this checkout", timed=True),
    "dataset": Action("acclimate.dataset", "list, tag, accept, card, diff and pull versions of the training set"),
    "champion": Action(
        "acclimate.release.champion", "put the registry's champion where evaluate compares against it", timed=True
    ),
    "register": Action("acclimate.release.register", "register the gated adapter in MLflow as challenger", timed=True),
    "package": Action("acclimate.release.package", "build the Bento of the challenger", timed=True),
    "registry": Action(
        "acclimate.release.versions",
        "list, compare, trace, pull, promote and roll back versions of the adapter",
        steps=("promote",),
    ),
    "canary": Action("acclimate.release.canary", "let the challenger answer more and more users while it does no harm"),
    "manifests": Action(
        "acclimate.release.manifests", "write what runs the served versions on Kubernetes, with the canary's weights"
    ),
    "serve": Action(
        "acclimate.release.serve", "wait until the endpoint serves the champion, and ask it something", timed=True
    ),
    "endpoint": Action("acclimate.release.endpoint", "serve the champion, and follow the alias when it moves"),
    "transform": Action("acclimate.release.transform", "answer every record of a file or a bucket with the champion"),
    "keys": Action("acclimate.release.api_keys", "make, list and revoke the endpoint's API keys"),
    "plan": Action("acclimate.model.plan", "say what training will need before it runs: memory by part, tokens, time"),
    "score": Action("acclimate.model.predictions", "score stored predictions of any model against references"),
    "judge": Action("acclimate.model.judge", "ask a jury of language models which of two models answers better"),
    "collect": Action("acclimate.watch.collect", "gather what the endpoint was asked"),
    "drift": Action("acclimate.watch.drift", "compare what was asked with what was trained on"),
    "alert": Action("acclimate.watch.alert", "tell whoever is listening about the last drift report"),
    "run": Action("acclimate.core.runs", "open the worktree of a logical run"),
    "up": Action("acclimate.services.up", "start the embedded services on loopback"),
    "stop": Action("acclimate.services.stop", "end exactly what `up` started"),
    "secrets": Action("acclimate.services.compose_secrets", "print an .env for docker-compose.yaml"),
    "demo": Action("acclimate.services.demo", "run the whole loop in Airflow and ask the served model a question"),
}

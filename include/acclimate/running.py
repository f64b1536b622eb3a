"""Running one stage: inputs checked, outputs whole or absent, report and timings written."""

from __future__ import annotations

import importlib
import logging
import os
import shutil
import time
import warnings
from contextlib import ExitStack
from pathlib import Path

from acclimate.core.certificate import (
    certify,
    origins,
    require_certified,
    require_checked,
)
from acclimate.core.errors import UserError
from acclimate.core.files import require_free_disk, whole_directory, write_json
from acclimate.core.home import home, state
from acclimate.core.interrupts import heeding_interrupts
from acclimate.core.ledger import ledger_path, note_use
from acclimate.core.params import Params, load
from acclimate.core.reports import Report, report_path, write_report
from acclimate.core.usage import measured
from acclimate.core.waiting import spin_briefly
from acclimate.pipeline import CHECKED_AGAINST, STAGES, TRAINING_SET, Stage

PARAMS = Path("params.yaml")
TIMINGS = Path("timings")
CHECKPOINTS = Path(".acclimate/checkpoints")
"""Of the checkout itself, a run's worktree too: ignored by git, and no output of DVC, which removes those first."""


def run_stage(name: str, *, started: float) -> Report:
    """Run one stage in the current checkout: inputs checked, outputs whole or absent, report written.

    Args:
        name: a key of STAGES.
        started: when the process began, by time.perf_counter(); what passes until the libraries are
            imported counts as start-up, the rest as work.

    Raises:
        UserError: for a fault in params.yaml, a missing or uncertified input, too little disk, or params.yaml having
            changed meanwhile (DVC would record the new dials against the old result).
    """
    stage = STAGES[name]
    params = load(PARAMS)
    _require_inputs(stage)
    for keyword in stage.certified:
        require_certified(Path(stage.inputs[keyword]))
    for keyword in stage.unseen:
        dials = params.decontaminate.model_dump(mode="json")
        require_checked(Path(stage.inputs[keyword]), dataset=TRAINING_SET, checked=CHECKED_AGAINST, params=dials)
    require_free_disk(Path(), params.common.min_free_disk_mb)
    spin_briefly()
    keep_libraries_quiet()
    sections = [params.section(section) for section in stage.sections]
    if getattr(sections[0], "enabled", True):  # a stage that is off loads nothing
        for library in stage.libraries:
            importlib.import_module(library)
    module = importlib.import_module(stage.module)
    ready = time.perf_counter()
    began = time.time() - (ready - started)
    inputs = {keyword: Path(path) for keyword, path in stage.inputs.items()}
    known = {"ledger": ledger_path(home()), "measurements": state() / "measurements", "timings": TIMINGS}
    inputs |= {name: known[name] for name in stage.looks_up}
    if stage.judges:
        models = {keyword: inputs[keyword] for keyword in stage.judges}
        models |= _other_bases(stage, params) | _other_forms(inputs)
        domain = params.ingest.domain
        note_use(home(), domain=domain, stage=name, checkout=Path(), testset=inputs["evaluation"], models=models)
    if stage.resumes:
        inputs["checkpoints"] = CHECKPOINTS / name
    with ExitStack() as outputs:
        if stage.writes:
            inputs["out"] = outputs.enter_context(whole_directory(stage.out))
        with heeding_interrupts(), measured() as usage:
            report: Report = module.run(*sections, **inputs)
        _require_same_params(params, name)
        if stage.certifies:
            certify(inputs["out"], stage.certifies, origins(inputs[keyword] for keyword in stage.certified))
    write_report(report_path(name), name, report)
    if stage.resumes:  # what they were for stands now where no kill can take it away
        shutil.rmtree(CHECKPOINTS / name, ignore_errors=True)
    work = time.perf_counter() - ready
    seconds = {"start_up_s": ready - started, "work_s": work}
    write_json(TIMINGS / f"{name}.json", {"began": began, **seconds, "usage": usage})
    return report


def _other_bases(stage: Stage, params: Params) -> dict[str, Path]:
    """Models that a stage scores on the test set though they are none of its inputs: params.yaml names them."""
    if "baseline" not in stage.sections:
        return {}
    return {other.name: Path(other.folder) for other in params.baseline.candidates}


def _other_forms(inputs: dict[str, Path]) -> dict[str, Path]:
    """The forms of the model that are scored beside GPTQ's, one of which may be what is judged; by their names."""
    forms = inputs.get("forms")
    return {} if forms is None else {folder.name: folder for folder in sorted(forms.iterdir()) if folder.is_dir()}


def keep_libraries_quiet() -> None:
    """Silence what libraries say about themselves, so that a stage's own lines stand out (TQDM_DISABLE=0: bars back).

    torchao (with gptqmodel) reports on import which of its GPU kernels do not fit, torch that torchao registers
    enums: neither concerns a user (torchao 0.18, torch 2.13). What pypdf and trafilatura find wrong in a file either
    costs nothing or is a reject.
    """
    os.environ.setdefault("TQDM_DISABLE", "1")
    for name in ("torchao", "torch.utils._pytree", "pypdf", "trafilatura"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", category=FutureWarning, module=r"transformers\.")


def _require_inputs(stage: Stage) -> None:
    missing = [path for path in stage.inputs.values() if not Path(path).exists()]
    if missing:
        raise UserError(
            f"{stage.name} needs {', '.join(missing)}, not there yet",
            why="an earlier stage writes it",
            fix=f"run `dvc repro {stage.name}`, which runs what comes before too",
        )


def _require_same_params(params: Params, name: str) -> None:
    if load(PARAMS) != params:
        raise UserError(
            f"params.yaml changed while {name} was running; its result is discarded",
            why="DVC would record the new dials as the ones that made the old result",
            fix=f"run {name} again",
        )

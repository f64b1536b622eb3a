"""The grounds of a verdict: everything it is computed from, and nothing else.

    grounds = gather(params, common, baseline=…, evaluated=…, …, submission=3, measured={})
    decide(grounds)     # the gate's report, here or anywhere else

`decide` reads no file and no clock, so a verdict can be recomputed wherever its grounds were kept
(acclimate.release.exhibits).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.files import read_json, read_jsonl, sha256
from acclimate.model.compare import Rows, read_rows
from acclimate.model.score import FACTS
from acclimate.model.scoring.measurements import kept

if TYPE_CHECKING:
    from acclimate.core.params import CommonParams, GateParams

SAFETY_TASKS = ("questions", "memorisation_texts", "memorisation_held_out")
"""Tasks whose rows say `unsafe` of each generated text, where models were asked for any."""

MEASURED = ("latency_ms", "memory_mb")
"""What budgets can be set for; machines differ, so these are not among the outputs that DVC hashes."""


@dataclass(frozen=True)
class Grounds:
    """What `decide` is given."""

    params: GateParams
    seed: int
    rows: Mapping[str, Rows]
    """Model (base, candidate, and champion if there is one) to its per-item results by task."""
    candidate_sha256: str
    champion: dict[str, str] | None
    testset: dict[str, str]
    """File of the test set to its SHA-256."""
    dataset: dict[str, str | None]
    """SHA-256 of the training set, and the one its certificate names."""
    submission: int
    """The how-manieth candidate on this test set."""
    measured: dict[str, float]
    """Of MEASURED, what was found."""


def testset_files(evaluation: Path) -> dict[str, str]:
    """The test set's files by their SHA-256, as the ledger has them."""
    return {file.name: sha256(file) for file in sorted(evaluation.glob("*.jsonl"))}


def read_measured(measurements: Path, candidate_sha256: str) -> dict[str, float]:
    """What was measured of this candidate on this machine, of what budgets can be set for; empty if nothing was."""
    found = kept(measurements, candidate_sha256)
    return {} if found is None else {name: float(getattr(found, name)) for name in MEASURED}


def gather(
    params: GateParams,
    common: CommonParams,
    *,
    baseline: Path,
    evaluated: Path,
    evaluation: Path,
    dataset: Path,
    certificate: Path,
    submission: int,
    measured: dict[str, float],
) -> Grounds:
    """The grounds that lie in the folders of a run.

    Raises:
        UserError: if a model's results are missing.
    """
    facts = read_json(evaluated / FACTS)
    folders = {"base": baseline, "candidate": evaluated / "candidate"}
    if facts["champion"] is not None:
        folders["champion"] = evaluated / "champion"
    return Grounds(
        params=params,
        seed=common.seed,
        rows={model: {**read_rows(folder), **_safety_rows(folder)} for model, folder in folders.items()},
        candidate_sha256=facts["candidate_sha256"],
        champion=facts["champion"],
        testset=testset_files(evaluation),
        dataset={"sha256": sha256(dataset), "certified_sha256": read_json(certificate).get(dataset.name)},
        submission=submission,
        measured=measured,
    )


def _safety_rows(folder: Path) -> Rows:
    found = {task: folder / f"{task}.jsonl" for task in SAFETY_TASKS}
    rows = {task: read_jsonl(path) for task, path in found.items() if path.is_file()}
    return {task: of_task for task, of_task in rows.items() if of_task and all("unsafe" in row for row in of_task)}

"""Reports inside the Airflow UI: a list of runs in the navigation, and a tab on every DAG run.

    /acclimate/                                   every run with its verdicts
    /acclimate/dag-run?dag_id=…&run_id=…          the report of the run that a DAG run works on
    /acclimate/runs/<key>/reports/run.html        that report; beside it, at artifacts/validate/data_docs/index.html,
                                                  the Great Expectations pages of the same run
    /acclimate/review                             evaluation examples for people to judge (review.py)

Reports quote documents, and documents come from anywhere: what is served here may not run a script, load
anything from elsewhere or be framed by another site, and only who is logged in to Airflow sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import FileResponse, RedirectResponse

from acclimate.core.dag_runs import run_of
from acclimate.core.errors import UserError
from acclimate.core.home import home
from acclimate.core.reports import read_report, report_path
from acclimate.core.runs import Run, run_path, runs
from orchestration import review
from orchestration.web import POLICY, PREFIX, page

REPORT = "reports/run.html"
REFUSED = "artifacts/refused_batch/data_docs"
"""What Great Expectations found in a batch that `validate` refused: such a run ends without a report."""

SERVED = (REPORT, "artifacts/validate/data_docs", "artifacts/evaluation_set/data_docs", REFUSED)
"""What is served of a run, and nothing else. Addresses are paths in the worktree: so the report's link to the Data
Docs leads there both here and where the report is opened from disk."""

MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".png": "image/png", ".svg": "image/svg+xml"}
VERDICTS = ("gate", "evaluate_quantized")


@dataclass(frozen=True)
class Row:
    """One run in the list."""

    run: Run
    verdicts: dict[str, str]
    """Gate to its headline, of those that have spoken."""
    has_report: bool


# The dependency stands on the application, so that no route can be added without it; the pages that FastAPI
# makes by itself are off because it would not cover them.
app = FastAPI(title="Acclimate", dependencies=[Depends(get_user)], docs_url=None, redoc_url=None, openapi_url=None)
app.include_router(review.router)


@app.middleware("http")
async def guard(request: Request, call_next: Any) -> Response:
    """Put the content policy on every answer that does not bring a wider one of its own (review.py)."""
    response: Response = await call_next(request)
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("Referrer-Policy", "no-referrer")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"  # the same address shows more as the run goes on
    return response


@app.get("/")
def list_runs() -> Response:
    """Every run, the newest first."""
    return page("runs.html", "Runs", rows=[_row(run) for run in runs(home())])


@app.get("/dag-run")
def dag_run(dag_id: str, run_id: str) -> Response:
    """Where the report of a DAG run is, or why there is none yet."""
    key = run_of(home(), dag_id, run_id)
    if key is None:
        return page(
            "runs.html", "No run yet", note="The task open_run of this DAG run opens it; that has not finished."
        )
    return RedirectResponse(f"{PREFIX}/runs/{key}/{REPORT}")


@app.get("/runs/{key}/{path:path}")
def served_file(key: str, path: str) -> Response:
    """A file of a run's report or data docs."""
    try:
        worktree = run_path(home(), key)
    except UserError as fault:
        return page("runs.html", "No such run", note=f"{fault.what}. It may have been pruned.", status=404)
    found = _found(worktree, path)
    if found is not None:
        return FileResponse(found, media_type=MEDIA_TYPES[found.suffix])
    if path == REPORT:
        row = _row(next(run for run in runs(home()) if run.key == key))
        index = f"{REFUSED}/index.html"
        links = {"Validate refused the batch: what it found": f"../{index}"} if _found(worktree, index) else {}
        note = "The task `report` writes it after the gate."
        return page("runs.html", "No report yet", note=note, rows=[row], links=links)
    return page("runs.html", "Not found", note=f"Run {key} has no page {path}.", status=404)


def _found(worktree: Path, path: str) -> Path | None:
    """The file that `path` stands for, if it lies, links followed, where it may; else None."""
    name = next((name for name in SERVED if path == name or path.startswith(f"{name}/")), None)
    if name is None:
        return None
    top = (worktree / name).resolve()
    file = (worktree / path).resolve()
    inside = file == top or file.is_relative_to(top)
    return file if inside and file.is_file() and file.suffix in MEDIA_TYPES else None


def _row(run: Run) -> Row:
    worktree = run_path(home(), run.key)
    spoken = [stage for stage in VERDICTS if report_path(stage, worktree).exists()]
    verdicts = {stage: str(read_report(stage, worktree)["headline"]) for stage in spoken}
    return Row(run, verdicts, (worktree / REPORT).exists())

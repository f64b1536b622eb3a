"""Reports inside the Airflow UI: a list of runs in the navigation, and a tab on every DAG run.

    /acclimate/                                   every run with its verdicts
    /acclimate/dag-run?dag_id=…&run_id=…          the report of the run that a DAG run works on
    /acclimate/runs/<key>/run.html                that report
    /acclimate/runs/<key>/data_docs/index.html    the Great Expectations pages of the same run

Reports quote documents, and documents come from anywhere: what is served here may not run a script, load
anything from elsewhere or be framed by another site, and only who is logged in to Airflow sees it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse

from acclimate.core.dag_runs import run_of
from acclimate.core.errors import UserError
from acclimate.core.home import home
from acclimate.core.reports import read_report, report_path
from acclimate.core.runs import Run, run_path, runs

PREFIX = "/acclimate"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
SERVED = {"run.html": "reports/run.html", "data_docs": "artifacts/validate/data_docs"}
"""First part of an address below a run to what it stands for in the run's worktree; nothing else is served."""

DOCS_INDEX = "data_docs/index.html"
"""Answered by a list of our own: Great Expectations (1.24) builds its own with scripts from the network."""

MEDIA_TYPES = {".html": "text/html", ".css": "text/css", ".png": "image/png", ".svg": "image/svg+xml"}
VERDICTS = ("gate", "evaluate_quantized")

_templates = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)


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


@app.middleware("http")
async def guard(request: Request, call_next: Any) -> Response:
    """Put the content policy on every answer."""
    response: Response = await call_next(request)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "no-store"  # the same address shows more as the run goes on
    return response


@app.get("/")
def list_runs() -> Response:
    """Every run, the newest first."""
    return _page("Runs", rows=[_row(run) for run in runs(home())])


@app.get("/dag-run")
def dag_run(dag_id: str, run_id: str) -> Response:
    """Where the report of a DAG run is, or why there is none yet."""
    key = run_of(home(), dag_id, run_id)
    if key is None:
        return _page("No run yet", note="The first task of this DAG run opens the run; it has not finished.")
    return RedirectResponse(f"{PREFIX}/runs/{key}/run.html")


@app.get("/runs/{key}/{path:path}")
def served_file(key: str, path: str) -> Response:
    """A file of a run's report or data docs."""
    try:
        worktree = run_path(home(), key)
    except UserError as fault:
        return _page("No such run", note=f"{fault.what}. It may have been pruned.", status=404)
    found = _found(worktree, path)
    if found is not None and path == DOCS_INDEX:
        pages = sorted(page.relative_to(found.parent) for page in found.parent.glob("*/**/*.html"))
        links = {f"{page.parts[0]}: {page.stem}": page.as_posix() for page in pages}
        return _page(f"Great Expectations on run {key}", links=links)
    if found is not None:
        return FileResponse(found, media_type=MEDIA_TYPES[found.suffix])
    if path == "run.html":
        row = _row(next(run for run in runs(home()) if run.key == key))
        return _page("No report yet", note="The task `report` writes it after the gate.", rows=[row])
    return _page("Not found", note=f"Run {key} has no page {path}.", status=404)


def _found(worktree: Path, path: str) -> Path | None:
    """The file that `path` stands for, if it lies, links followed, where it may; else None."""
    first, _, rest = path.partition("/")
    if first not in SERVED:
        return None
    top = (worktree / SERVED[first]).resolve()
    file = (top / rest).resolve() if rest else top
    inside = file == top or file.is_relative_to(top)
    return file if inside and file.is_file() and file.suffix in MEDIA_TYPES else None


def _row(run: Run) -> Row:
    worktree = run_path(home(), run.key)
    spoken = [stage for stage in VERDICTS if report_path(stage, worktree).exists()]
    verdicts = {stage: str(read_report(stage, worktree)["headline"]) for stage in spoken}
    return Row(run, verdicts, (worktree / SERVED["run.html"]).exists())


def _page(title: str, *, status: int = 200, **parts: Any) -> HTMLResponse:
    """A page of ours; `parts` are note (a sentence), rows (of runs) and links (text to relative address)."""
    text = _templates.get_template("runs.html").render(title=title, prefix=PREFIX, **parts)
    return HTMLResponse(text, status_code=status)

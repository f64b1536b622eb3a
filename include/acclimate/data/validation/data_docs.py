"""Data Docs: Great Expectations' own pages of what every suite found, readable without a network or a script.

    data_docs/index.html                                   ours: a table of suites
    data_docs/validations/<suite>/…/<suite>-records.html   what a suite found
    data_docs/expectations/<suite>.html                    what it asks

Great Expectations (1.24) styles its pages from five content networks and folds parts of them by script: offline,
and below the content policy of the Airflow tab, that is unstyled text. Here the pages lose their scripts and
remote links and get data_docs.css instead.
"""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from acclimate.data.validation.checking import CheckedSuite

STYLE = Path(__file__).with_name("data_docs.css")
# Great Expectations files a result under the time of its run; equal runs have to give equal files.
_RUN_TIME = datetime(1970, 1, 1, tzinfo=UTC)
# What a page is better without: what loads or runs, the time nobody ran at, and a random suffix, one per process,
# to the names of blocks that were collapsible.
_REMOVED = re.compile(
    r"<script\b.*?</script>|<style\b.*?</style>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer>"
    r"| onclick=\"[^\"]*\"| / 1970-01-01T00:00:00Z| Data asset: None<br>"
    r"|(?<=-collapse-body)-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}",
    re.DOTALL,
)
_INDEX = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>Data Docs</title>
<style>
{style}</style></head>
<body><div class="container-fluid">
<h4>Data Docs</h4>
<p class="lead">What Great Expectations found in this batch, suite by suite.</p>
<table class="table">
<thead><tr><th>Suite</th><th>Expectations</th><th>Failed</th><th>Values that failed</th><th></th></tr></thead>
<tbody>
{rows}
</tbody></table>
</div></body></html>
"""


def open_context(data_docs: Path) -> Any:
    """A context in memory that talks to nobody; its one Data Docs site is `data_docs`."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    site = {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(data_docs.absolute())},
    }
    config = DataContextConfig(
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={"data_docs": site},
        analytics_enabled=False,
        progress_bars=ProgressBarsConfig(globally=False),
    )
    return gx.get_context(mode="ephemeral", project_config=config)


def write_data_docs(context: Any, data_docs: Path, suites: Sequence[CheckedSuite]) -> None:
    """Render what the suites found as static HTML, the same bytes for the same results."""
    for suite in suites:
        result = suite.result()
        if result is not None:
            _file(context, suite.name, result)
    context.build_data_docs()
    shutil.rmtree(data_docs / "static", ignore_errors=True)  # logos and fonts of pages that now have neither
    style = STYLE.read_text(encoding="utf-8")
    for page in sorted(data_docs.rglob("*.html")):
        text = _REMOVED.sub("", page.read_text(encoding="utf-8"))
        page.write_text(text.replace("</head>", f"<style>\n{style}</style>\n</head>", 1), encoding="utf-8")
    rows = "\n".join(_row(data_docs, suite) for suite in suites)
    (data_docs / "index.html").write_text(_INDEX.format(style=style, rows=rows), encoding="utf-8")


def _file(context: Any, suite: str, result: Any) -> None:
    """Hand the result to the context's store, from which the pages are built."""
    from great_expectations.core.run_identifier import RunIdentifier
    from great_expectations.data_context.types.resource_identifiers import (
        ExpectationSuiteIdentifier,
        ValidationResultIdentifier,
    )

    run_id = RunIdentifier(run_name="validate", run_time=_RUN_TIME)
    # Load times and random ids differ between equal runs.
    result.meta = {"great_expectations_version": result.meta["great_expectations_version"], "run_id": run_id}
    key = ValidationResultIdentifier(ExpectationSuiteIdentifier(suite), run_id, f"{suite}-records")
    context.validation_results_store.set(key, result)


def _row(data_docs: Path, suite: CheckedSuite) -> str:
    """A row of the index: the suite, its numbers, and where its pages are."""
    outcomes = suite.outcomes()
    failed = sum(not outcome.success for outcome in outcomes)
    mark = '<i class="fa-times text-danger"></i>' if failed else '<i class="fa-check-circle text-success"></i>'
    pages = sorted((data_docs / "validations" / suite.name).rglob("*.html"))
    links = dict.fromkeys(pages, "found") | {data_docs / "expectations" / f"{suite.name}.html": "asked"}
    linked = " · ".join(
        f'<a href="{html.escape(page.relative_to(data_docs).as_posix())}">what it {word}</a>'
        for page, word in links.items()
    )
    cells = [f"{mark} {html.escape(suite.name)}" if pages else f"{html.escape(suite.name)}: no such record"]
    cells += [f"{len(outcomes)}", f"{failed}", f"{sum(outcome.failed for outcome in outcomes):,}", linked]
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"

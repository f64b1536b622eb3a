"""What the pages in the Airflow UI share: where they are, what they may load, and how they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
from fastapi.responses import HTMLResponse

PREFIX = "/acclimate"
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)

_templates = jinja2.Environment(loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True)


def page(template: str, title: str, *, status: int = 200, **parts: Any) -> HTMLResponse:
    """A page of ours; `parts` are what the template shows, `note` (a sentence) on any of them."""
    text = _templates.get_template(template).render(title=title, prefix=PREFIX, **parts)
    return HTMLResponse(text, status_code=status)

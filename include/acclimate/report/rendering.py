"""The page as one HTML file: page.html and page.css hold the looks, nothing else does."""

from __future__ import annotations

from pathlib import Path

from acclimate.report.blocks import Page


def render(page: Page) -> str:
    """The page as HTML; every string of it is escaped, because documents may contain markup."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    folder = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    style = (folder / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(page=page, style=style)

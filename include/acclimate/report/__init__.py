"""One self-contained HTML page about the run in this checkout.

    acclimate report          # writes reports/run.html and prints its path; its figures go to reports/plots/ too

Every section is written from whatever reports exist: a stage that has not run is shown as such, and a
failed gate is a result like any other. The page has no script and loads nothing.
"""

from __future__ import annotations

import argparse
from pathlib import Path

PAGE = Path("reports/run.html")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """No options: what to show is in the checkout."""


def main(_arguments: argparse.Namespace) -> int:
    """Write the page of the current checkout and print where it is."""
    from acclimate.core.errors import UserError
    from acclimate.core.files import whole_directory, write_text
    from acclimate.core.home import home
    from acclimate.core.reports import PLOTS
    from acclimate.report.material import Material
    from acclimate.report.page import compose, figures
    from acclimate.report.rendering import render

    try:
        main: Path | None = home()
    except UserError:  # outside git there is no main checkout, hence no ledger; the page says what there is
        main = None
    page = compose(Material(Path(), main=main))
    write_text(PAGE, render(page))
    with whole_directory(PLOTS) as folder:
        for name, svg in figures(page):
            write_text(folder / f"{name}.svg", svg)
    print(PAGE)
    return 0

"""One self-contained HTML page about the run in this checkout.

    acclimate report          # writes reports/run.html and prints its path

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
    from acclimate.core.files import write_text
    from acclimate.core.home import home
    from acclimate.report.material import Material
    from acclimate.report.page import compose
    from acclimate.report.rendering import render

    try:
        main: Path | None = home()
    except UserError:  # outside git there is no main checkout, hence no ledger; the page says what there is
        main = None
    write_text(PAGE, render(compose(Material(Path(), main=main))))
    print(PAGE)
    return 0

"""Drawing as SVG that stands inside the page: equal data give equal bytes, and colours follow the page.

    svg = draw(Picture("loss", "Loss of base pre-training", "Falls from 8.3 to 3.1 …"), (7, 3), paint)

Matplotlib draws with the hexadecimal colours below; each is then replaced by a CSS variable, so the
same picture is dark on light, light on dark, and black on white paper. Series differ by marker or
hatch as well as by colour (palette: Okabe and Ito 2008, told apart by all common kinds of colour vision).
"""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

INK = "#1b1f24"
MUTED = "#59636e"
LINE = "#d1d9e0"
CARD = "#fffffe"
BLUE = "#0072b2"
VERMILION = "#d55e00"
GREEN = "#009e73"
ORANGE = "#e69f00"
PURPLE = "#cc79a7"

VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    CARD: "--card",
    BLUE: "--blue",
    VERMILION: "--vermilion",
    GREEN: "--green",
    ORANGE: "--orange",
    PURPLE: "--purple",
}
"""Colour drawn with to the CSS variable of page.css that it becomes."""

_STYLE = {
    "axes.axisbelow": True,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 11,
    "axes.titlecolor": INK,
    "axes.titlelocation": "left",
    "figure.facecolor": "none",
    "font.size": 10,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "hatch.color": CARD,
    "hatch.linewidth": 1.2,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "svg.fonttype": "none",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
}


@dataclass(frozen=True)
class Picture:
    """What a drawing is, for who cannot see it."""

    name: str
    """Distinct on the page; ids inside the drawing are derived from it."""
    title: str
    """What a screen reader announces."""
    finding: str
    """What there is to see, in a sentence."""


def draw(picture: Picture, inches: tuple[float, float], paint: Callable[[Any], None]) -> str:
    """An `<svg>` element of what `paint` puts on an empty matplotlib figure.

    Args:
        picture: name, title and finding.
        inches: width and height; the page scales it to the column.
        paint: draws on the figure it is given.
    """
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context(rc={**_STYLE, "svg.hashsalt": f"acclimate-{picture.name}"}):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasSVG(figure)
        paint(figure)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return _for_the_page(written.getvalue(), picture)


def standing_alone(svg: str) -> str:
    """A drawing as a file: on white, with the colours that on the page come from its style sheet."""
    colours = "; ".join(f"{variable}: {colour}" for colour, variable in VARIABLES.items())
    end = svg.index(">") + 1
    return f"{svg[:end]}<style>svg {{ {colours}; background: white }}</style>{svg[end:]}\n"


def _for_the_page(svg: str, picture: Picture) -> str:
    """Without prolog, metadata, group ids (they would repeat on the page); with CSS variables and a title."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    for colour, variable in VARIABLES.items():
        svg = svg.replace(colour, f"var({variable})")
    box = re.search(r'viewBox="([^"]*)"', svg)
    assert box, "matplotlib writes a viewBox"
    name, title, finding = picture.name, html.escape(picture.title), html.escape(picture.finding)
    opening = (
        f'<svg role="img" aria-labelledby="{name}-title {name}-desc" viewBox="{box[1]}" '
        f'style="max-width: {float(box[1].split()[2]) * 4 / 3:.0f}px" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        f'<title id="{name}-title">{title}</title><desc id="{name}-desc">{finding}</desc>'
    )
    return opening + svg[svg.index(">") + 1 :].strip()

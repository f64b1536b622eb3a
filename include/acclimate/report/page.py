"""The page: which sections, in which order."""

from __future__ import annotations

from collections.abc import Iterator

from acclimate.report.bases import bases
from acclimate.report.blocks import Figure, Page
from acclimate.report.canary import canary
from acclimate.report.contamination import contamination
from acclimate.report.decision import gate, quantisation
from acclimate.report.drawing import standing_alone
from acclimate.report.evaluation_set import evaluation_set
from acclimate.report.funnel import funnel
from acclimate.report.jury import jury
from acclimate.report.lineage import lineage
from acclimate.report.material import Material
from acclimate.report.mixture import mixture
from acclimate.report.observed import observed
from acclimate.report.released import released
from acclimate.report.scoring import scoring
from acclimate.report.summary import header
from acclimate.report.timing import timing
from acclimate.report.training import training

SECTIONS = (
    funnel,
    evaluation_set,
    contamination,
    mixture,
    bases,
    training,
    scoring,
    observed,
    gate,
    quantisation,
    released,
    lineage,
    timing,
)
"""In the order of the pipeline; each shows what is there and says what is not."""


def compose(material: Material) -> Page:
    """Everything there is to show of a checkout."""
    sections = [section(material) for section in SECTIONS]
    for asked, before in ((jury(material), "gate"), (canary(material), "lineage")):
        if asked is not None:
            place = next(number for number, section in enumerate(sections) if section.anchor == before)
            sections.insert(place, asked)
    return Page(header(material), tuple(sections))


def figures(page: Page) -> Iterator[tuple[str, str]]:
    """Every figure as a file of its own: its name, from its section and its place there, and the SVG."""
    for section in page.sections:
        shown = [block for block in section.blocks if isinstance(block, Figure)]
        for number, figure in enumerate(shown, start=1):
            yield f"{section.anchor}-{number}", standing_alone(figure.svg)

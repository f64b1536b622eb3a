"""Several bases on the same items, summed up side by side, with what speaks for one of them.

compared({"base": read_rows(out), "larger": read_rows(out / "candidates/larger")}, parameters, seed=1729)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from acclimate.core.files import read_jsonl
from acclimate.model.choosing.dimensions import WEIGHTS, read_rows, scored_items
from acclimate.model.choosing.potential import Potential, adaptation_potential
from acclimate.model.choosing.qualities import Quality, composite, qualities
from acclimate.model.choosing.recommending import BASE, Recommendation, recommended
from acclimate.model.scoring.estimates import Estimate


@dataclass(frozen=True)
class Judged:
    """One base."""

    name: str
    parameters: int
    composite: Estimate
    """Weighted mean of the dimensions, 0–1."""
    dimensions: dict[str, Quality]
    potential: Potential


@dataclass(frozen=True)
class Choice:
    """The bases side by side, the present one first."""

    models: list[Judged]
    recommendation: Recommendation
    left_out: list[str]
    """Dimensions without items, whose weight the others took."""


def compared(folders: Mapping[str, Path], parameters: Mapping[str, int], *, seed: int) -> Choice:
    """Sum up what the stage has left in the folder of each model.

    Args:
        folders: name to folder with one <task>.jsonl per task; the present base is called BASE.
        parameters: of each model.
        seed: of the intervals.
    """
    items = {name: scored_items(read_rows(folder)) for name, folder in folders.items()}
    models = [
        Judged(
            name=name,
            parameters=parameters[name],
            composite=composite(items[name], seed=seed),
            dimensions=qualities(items[name], seed=seed),
            potential=adaptation_potential(
                *(read_jsonl(folder / f"{text}.jsonl") for text in ("domain_text", "general_text")), seed=seed
            ),
        )
        for name, folder in folders.items()
    ]
    left_out = [name for name in WEIGHTS if name not in items[BASE]]
    return Choice(models, recommended(items, seed=seed), left_out)

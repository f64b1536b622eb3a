"""The adapters that the train stages left, and what they make up together.

folders = trained({"train_domain": domain, "train_task": task})    # of those that are not off
write_together(params, folders, base=base, seed=1729, out=out)     # as params.yaml has them combined
write_upon(out, align, base=base, out=upon)                        # and another that was trained upon that
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError
from acclimate.core.files import read_json
from acclimate.model.adapter import CONFIG, WEIGHTS
from acclimate.model.training.full import is_full
from acclimate.model.training.report import OFF

if TYPE_CHECKING:
    from acclimate.core.params import ComposeParams


def trained(folders: Mapping[str, Path]) -> dict[str, Path]:
    """Stage to folder, of those that are not off.

    Raises:
        UserError: if a folder holds half an adapter, or none and does not say that its stage is off.
    """
    found = {stage: folder for stage, folder in folders.items() if not (folder / OFF).is_file()}
    for stage, folder in found.items():
        missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
        if missing:
            raise UserError(
                f"{folder} has no {' and no '.join(missing)}",
                why="both make up a LoRA adapter",
                fix=f"run `dvc repro {stage}`",
            )
    return found


def weights(params: ComposeParams, folders: Mapping[str, Path]) -> list[float]:
    """The factor of each adapter's change; what was trained upon the others counts as it is."""
    of = {"train_domain": params.domain_weight, "train_task": params.task_weight}
    return [of.get(stage, 1.0) for stage in folders]


def write_together(params: ComposeParams, folders: Mapping[str, Path], *, base: Path, seed: int, out: Path) -> float:
    """Fill `out` with one adapter that is all of `folders`; one that is alone is passed on as it is.

    So is the last where all weights were trained: it began with those that the others left.

    Returns:
        the share (0–1) of the combined change that it holds.
    """
    from acclimate.model.composing.changes import read_changes, write_adapter
    from acclimate.model.composing.combining import combine
    from acclimate.model.composing.dora import write_chained

    assert folders, "params.yaml does not let both stages be off"
    *_, last = folders.values()
    if len(folders) == 1 or is_full(read_json(last / CONFIG)):
        _pass_on(last, out)
        return 1.0
    if read_json(last / CONFIG)["use_dora"]:
        write_chained(*folders.values(), base=base, out=out)
        return 1.0
    adapters = [read_changes(folder) for folder in folders.values()]
    combined, kept = combine(adapters, weights(params, folders), params.combination, density=params.density, seed=seed)
    write_adapter(combined, like=last, out=out)
    return kept


def write_upon(first: Path, second: Path, *, base: Path, out: Path) -> None:
    """Fill `out` with one adapter that is exactly the one in `second`, trained upon `base` with `first` in it."""
    from acclimate.model.composing.changes import read_changes, write_adapter
    from acclimate.model.composing.combining import combine
    from acclimate.model.composing.dora import write_chained

    config = read_json(second / CONFIG)
    if is_full(config):
        _pass_on(second, out)
        return
    if config["use_dora"]:
        write_chained(first, second, base=base, out=out)
        return
    both = [read_changes(first), read_changes(second)]
    combined, _ = combine(both, [1.0, 1.0], "cat", density=1.0, seed=0)  # nothing is left out, nothing drawn
    write_adapter(combined, like=second, out=out)


def _pass_on(adapter: Path, out: Path) -> None:
    for name in (WEIGHTS, CONFIG):
        shutil.copyfile(adapter / name, out / name)


def rank(adapter: Path) -> int | None:
    """The rank of the adapter in a folder; None where all weights were trained."""
    config = read_json(adapter / CONFIG)
    return None if is_full(config) else int(config["r"])

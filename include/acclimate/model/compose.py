"""Make one adapter of those that were trained: what is evaluated, quantised, registered and served.

    artifacts/train_domain/, artifacts/train_task/     adapters, or off.json
    artifacts/compose/                                 adapter_model.safetensors, adapter_config.json

Adapters that were trained one upon the other add up: W + s₁B₁A₁ + s₂B₂A₂ = W + [s₁B₁ s₂B₂][A₁; A₂], an ordinary LoRA
adapter of rank r₁ + r₂, and exactly the model that the second of them was trained in.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, sha256, write_json
from acclimate.model.adapter import CONFIG, WEIGHTS
from acclimate.model.training.report import OFF

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Tensors = dict[str, NDArray[np.float32]]

A, B, MAGNITUDE = ".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"


@dataclass(frozen=True)
class Part:
    """One of the adapters that went in."""

    stage: str
    rank: int
    adapter_sha256: str


@dataclass(frozen=True)
class ComposeReport:
    """What the candidate is made of."""

    parts: list[Part]
    """In the order in which they were trained."""
    rank: int
    adapter_sha256: str
    """Of the adapter that is evaluated and released."""

    def headline(self) -> str:
        """'train_domain (rank 16) + train_task (rank 16): one adapter of rank 32, 3f2a9c01'."""
        parts = " + ".join(f"{part.stage} (rank {part.rank})" for part in self.parts)
        return f"{parts}: one adapter of rank {self.rank}, {self.adapter_sha256[:8]}"


@dataclass(frozen=True)
class _Adapter:
    stage: str
    folder: Path
    config: dict[str, Any]

    @property
    def rank(self) -> int:
        return int(self.config["r"])

    @property
    def scale(self) -> float:
        """What peft multiplies BA by (Hu et al. 2021; with rsLoRA Kalajdzievski 2023)."""
        return float(self.config["lora_alpha"]) / (math.sqrt(self.rank) if self.config["use_rslora"] else self.rank)


def run(*, base: Path, domain: Path, task: Path, out: Path) -> ComposeReport:
    """Write the sum of the adapters in `domain` and `task` to `out`; one that is alone is passed on as it is.

    Raises:
        UserError: if a folder holds no adapter and does not say that its stage is off.
    """
    stages = {"train_domain": domain, "train_task": task}
    adapters = [_read(stage, folder) for stage, folder in stages.items() if not (folder / OFF).is_file()]
    assert adapters, "params.yaml does not let both stages be off"
    if len(adapters) == 1:
        for name in (WEIGHTS, CONFIG):
            shutil.copyfile(adapters[0].folder / name, out / name)
    else:
        _write(adapters, base, out)
    parts = [Part(adapter.stage, adapter.rank, sha256(adapter.folder / WEIGHTS)) for adapter in adapters]
    return ComposeReport(parts, sum(part.rank for part in parts), sha256(out / WEIGHTS))


def _read(stage: str, folder: Path) -> _Adapter:
    missing = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder} has no {' and no '.join(missing)}",
            why="both make up a LoRA adapter",
            fix=f"run `dvc repro {stage}`",
        )
    return _Adapter(stage, folder, read_json(folder / CONFIG))


def _write(adapters: Sequence[_Adapter], base: Path, out: Path) -> None:
    from safetensors.numpy import load_file, save_file

    tensors = [load_file(adapter.folder / WEIGHTS) for adapter in adapters]
    scales = [adapter.scale for adapter in adapters]
    last = adapters[-1].config
    composed = chained(tensors, scales, base) if last["use_dora"] else concatenated(tensors, scales)
    save_file(composed, out / WEIGHTS, metadata={"format": "pt"})
    rank = sum(adapter.rank for adapter in adapters)
    # The scales are in the B matrices: alpha / r is 1.
    write_json(out / CONFIG, {**last, "r": rank, "lora_alpha": rank, "use_rslora": False})


def concatenated(adapters: Sequence[Tensors], scales: Sequence[float]) -> Tensors:
    """The adapter whose delta is the sum of `adapters`' deltas, each times its scale."""
    import numpy as np

    composed: Tensors = {}
    for module in _modules(adapters[-1]):
        b = [np.float32(scale) * tensors[module + B] for tensors, scale in zip(adapters, scales, strict=True)]
        composed[module + A] = np.concatenate([tensors[module + A] for tensors in adapters], axis=0)
        composed[module + B] = np.concatenate(b, axis=1)
    return composed


def chained(adapters: Sequence[Tensors], scales: Sequence[float], base: Path) -> Tensors:
    """The DoRA adapter that is the second of two, trained upon the first.

    DoRA's weight is m₁ · (W + s₁B₁A₁) / ‖·‖, norms over rows (Liu et al. 2024, equation 5): the first scales every row
    by d = m₁ / ‖W + s₁B₁A₁‖. The second normalises the rows anew, so that scaling all of them by 1/d changes nothing:
    its B₂ divided by d, beside B₁, gives the same weight from W itself.
    """
    import numpy as np
    from safetensors.numpy import load_file

    first, second = adapters
    weights = {name: weight for path in base.glob("*.safetensors") for name, weight in load_file(path).items()}
    composed = {key: value for key, value in second.items() if key.endswith(MAGNITUDE)}
    for module in _modules(second):
        b = np.float32(scales[0]) * first[module + B]
        weight = weights[f"{module.removeprefix('base_model.model.')}.weight"] + b @ first[module + A]
        scaled = first[module + MAGNITUDE] / np.linalg.norm(weight, axis=1)
        composed[module + A] = np.concatenate([first[module + A], second[module + A]], axis=0)
        composed[module + B] = np.concatenate([b, np.float32(scales[1]) * second[module + B] / scaled[:, None]], axis=1)
    return composed


def _modules(tensors: Tensors) -> Iterator[str]:
    return (key.removesuffix(A) for key in sorted(tensors) if key.endswith(A))

"""Two DoRA adapters, the second trained upon the first, as one.

DoRA's weight is m₁ · (W + s₁B₁A₁) / ‖·‖, norms over rows (Liu et al. 2024, equation 5): the first scales every row
by d = m₁ / ‖W + s₁B₁A₁‖. The second normalises the rows anew, so that scaling all of them by 1/d changes nothing:
its B₂ divided by d, beside B₁, gives the same weight from W itself. Trained side by side they make no sum.
"""

from __future__ import annotations

from pathlib import Path

from acclimate.core.files import read_json, write_json
from acclimate.model.adapter import CONFIG, WEIGHTS
from acclimate.model.composing.changes import scaling

A, B, MAGNITUDE = ".lora_A.weight", ".lora_B.weight", ".lora_magnitude_vector"


def write_chained(first: Path, second: Path, *, base: Path, out: Path) -> None:
    """Write the DoRA adapter for `base` that is the one in `second`, which was trained upon the one in `first`."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    lower, upper = load_file(first / WEIGHTS), load_file(second / WEIGHTS)
    config, under = read_json(second / CONFIG), read_json(first / CONFIG)
    weights = {name: weight for path in base.glob("*.safetensors") for name, weight in load_file(path).items()}
    composed = {key: value for key, value in upper.items() if key.endswith(MAGNITUDE)}
    for module in [key.removesuffix(A) for key in sorted(upper) if key.endswith(A)]:
        b = np.float32(scaling(under)) * lower[module + B]
        weight = weights[f"{module.removeprefix('base_model.model.')}.weight"] + b @ lower[module + A]
        scaled = lower[module + MAGNITUDE] / np.linalg.norm(weight, axis=1)
        again = np.float32(scaling(config)) * upper[module + B] / scaled[:, None]
        composed[module + A] = np.concatenate([lower[module + A], upper[module + A]], axis=0)
        composed[module + B] = np.concatenate([b, again], axis=1)
    save_file(composed, out / WEIGHTS, metadata={"format": "pt"})
    rank = int(under["r"]) + int(config["r"])
    # The scales are in the B matrices: alpha / r is 1.
    write_json(out / CONFIG, {**config, "r": rank, "lora_alpha": rank, "use_rslora": False})

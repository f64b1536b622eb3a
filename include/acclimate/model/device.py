"""Where a model computes: on the GPU if there is one, else where it was loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def found() -> torch.device:
    """The device that models are trained and scored on."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def on_device(model: Any) -> Any:
    """`model` on the device found, if it is not on one of its own already."""
    return model.to(found()) if model.device.type == "cpu" else model

"""Where bfloat16 pays: on every CUDA GPU we support, and on CPUs with instructions for it.

Without such instructions a CPU emulates bfloat16 in float32, slower than float32 itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def has_bfloat16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 are faster than in float32 on `device`."""
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16", "sve_bf16", "bf16"))


def autocast(device: torch.device) -> Any:
    """The context for a forward pass: mixed precision where it pays, plain float32 elsewhere."""
    import torch

    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=has_bfloat16(device))

"""A model spread over the processes of a training: of every block's weights, gradients and moments each holds a part.

    shard(model)                        # in every process; blocks are gathered one by one to compute (FSDP2)
    whole(weight)                       # the tensor itself; every process has to ask
    clip(weights, 1.0)                  # the gradients' norm, of all parts

Zhao et al. 2023 (PyTorch FSDP), by torch's fully_shard. What stands outside the blocks (embeddings, output, last norm)
stays whole in every process: tied weights could not be spread twice.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeGuard

from acclimate.core.errors import UserError

if TYPE_CHECKING:
    import torch
    from peft import PeftModel
    from torch.distributed.tensor import DTensor


def shard(model: PeftModel) -> None:
    """Spread the blocks of `model` over all processes, in place; gradients are summed, as share.py sums them.

    Raises:
        UserError: if it does not say what its blocks are.
    """
    from torch import distributed
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    base: Any = model.get_base_model()
    names = set(base._no_split_modules or ())  # transformers' own name for what accelerate spreads by
    blocks = [module for module in base.modules() if type(module).__name__ in names]
    if not blocks:
        raise UserError(
            f"the base, a {type(base).__name__}, does not say which of its parts are blocks",
            why="training.sharding is fsdp, which spreads a model block by block",
            fix="set training.sharding to none, or choose another base.model",
        )
    mesh = init_device_mesh(model.device.type, (distributed.get_world_size(),))
    for block in blocks:
        spread = fully_shard(block, mesh=mesh)
        spread.set_gradient_divide_factor(1.0)
        spread.set_force_sum_reduction_for_comms(True)  # gloo knows no other


def is_spread(tensor: torch.Tensor) -> TypeGuard[DTensor]:
    """Whether this process holds a part of `tensor` only."""
    loaded = sys.modules.get("torch.distributed.tensor")  # where it is not, nothing is spread
    return loaded is not None and isinstance(tensor, loaded.DTensor)


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """`tensor`, put together from the parts of all processes if it is spread: then all have to call this."""
    if not is_spread(tensor):
        return tensor
    gathered: torch.Tensor = tensor.full_tensor()
    return gathered


def own_part(tensor: torch.Tensor) -> torch.Tensor:
    """What this process holds of `tensor`."""
    if not is_spread(tensor):
        return tensor
    held: torch.Tensor = tensor.to_local()
    return held


def spread_like(tensor: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """`tensor`, which every process has, spread as `like` is, if that is spread and of the same shape."""
    if not is_spread(like) or tensor.shape != like.shape:
        return tensor
    from torch.distributed.tensor import distribute_tensor

    # Without a source nobody sends anything: processes may do this one after the other.
    return distribute_tensor(tensor, like.device_mesh, like.placements, src_data_rank=None)


def clip(weights: Sequence[torch.Tensor], most: float) -> float:
    """Scale the gradients down to the norm `most` if theirs is larger, and return what it was."""
    import torch
    from torch import distributed

    gradients = [weight.grad for weight in weights if weight.grad is not None]
    if not any(is_spread(gradient) for gradient in gradients):
        return float(torch.nn.utils.clip_grad_norm_(weights, most))
    spread = _squares([gradient for gradient in gradients if is_spread(gradient)])
    distributed.all_reduce(spread)
    norm = math.sqrt(float(spread + _squares([gradient for gradient in gradients if not is_spread(gradient)])))
    if norm > most:
        for gradient in gradients:
            own_part(gradient).mul_(most / norm)
    return norm


def _squares(gradients: Sequence[torch.Tensor]) -> torch.Tensor:
    import torch

    device = own_part(gradients[0]).device if gradients else None
    total = torch.zeros((), dtype=torch.float64, device=device)
    for gradient in gradients:
        total += own_part(gradient).double().square().sum()
    return total

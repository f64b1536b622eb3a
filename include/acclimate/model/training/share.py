"""Which rows of every step a process takes, and what the processes of one training make of their parts.

    share = own_share()                 # Share(rank=1, processes=2), in the second of two
    share.rows(8)                       # slice(4, 8)
    share.summed(weights, 1.21)         # 2.43, the loss of all rows; and every weight's gradient is that of all

The parts of a step's loss add up to it whoever works them out (loop.Objective), so gradients are summed, and every
process takes the very same step: the weights stay alike without ever being sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from acclimate.model.training.sharding import is_spread

if TYPE_CHECKING:
    import torch

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """A process's part of a training."""

    rank: int
    """Of the process, from 0."""
    processes: int

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def rows(self, rows: int) -> slice:
        """Its rows of a step: as many as another's, or one more or less."""
        return slice(self.rank * rows // self.processes, (self.rank + 1) * rows // self.processes)

    def most_rows(self, rows: int) -> int:
        """That any process takes of a step."""
        return -(-rows // self.processes)

    def draw_anew(self, seed: int, step: int) -> None:
        """Have dropout draw otherwise in every process, and the same again where a step is taken after a kill."""
        import torch

        if self.processes > 1:
            torch.manual_seed((seed * 1_000_003 + step) * self.processes + self.rank)

    def summed(self, weights: Sequence[torch.Tensor], loss: float) -> float:
        """The loss of all processes; the gradients of `weights` become those of all."""
        import torch
        from torch import distributed

        if self.processes == 1:
            return loss
        held = [weight for weight in weights if not is_spread(weight)]  # the others' are summed on the way back
        if held:
            gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in held]
            whole = torch.cat([gradient.reshape(-1) for gradient in gradients])
            distributed.all_reduce(whole)
            parts = whole.split([gradient.numel() for gradient in gradients])  # type: ignore[no-untyped-call]  # torch
            for weight, part in zip(held, parts, strict=True):
                weight.grad = part.view_as(weight)
        total = torch.tensor(loss, dtype=torch.float64, device=weights[0].device)
        distributed.all_reduce(total)
        return float(total)

    def in_turn(self, do: Callable[[], T]) -> T:
        """What `do` returns, once the leading process has done it: it may put in order what the others find."""
        if not self.leads:
            self.wait()
        done = do()
        if self.leads:
            self.wait()
        return done

    def wait(self) -> None:
        """For all processes to come here."""
        from torch import distributed

        if self.processes > 1:
            distributed.barrier()


ALONE = Share(rank=0, processes=1)


def own_share() -> Share:
    """Of this process: all, unless it was started as one of several (processes.py)."""
    from torch import distributed

    if not distributed.is_available() or not distributed.is_initialized():
        return ALONE
    return Share(distributed.get_rank(), distributed.get_world_size())

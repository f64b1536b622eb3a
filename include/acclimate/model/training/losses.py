"""The loss of a causal language model where there is something to learn, and only there.

The output layer is a quarter of the embedded model's work and its logits are most of its memory; a token that is only
read needs neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acclimate.model.training.batches import UNLEARNED, Batches
from acclimate.model.training.loop import Objective

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

TOLERANCE = 0.01
"""Relative difference up to which two ways to a loss are the same; bfloat16 has 8 bits (0.4 % per rounding)."""


def of_tokens(model: PeftModel, batches: Batches, *, separate: bool) -> Objective:
    """The mean loss of `model` over the learned tokens of a step of `batches`.

    Args:
        model: to be trained; read is the decoder inside it.
        batches: a step's rows are its sequences.
        separate: whether texts in one row are kept from seeing each other.
    """
    token_loss = TokenLoss(model.eval())

    def part(step: int, rows: slice) -> torch.Tensor:
        import torch

        # Of the whole step: a mean of means would weigh a learned token by how many others its pass happens to hold.
        learned = int((batches.labels[step][:, 1:] != UNLEARNED).sum())
        ids, labels, positions = (
            torch.from_numpy(array[step][rows]).to(model.device)
            for array in (batches.ids, batches.labels, batches.positions)
        )
        return token_loss(ids, labels, positions if separate else None) / learned

    return Objective(steps=len(batches.ids), rows=batches.ids.shape[1], loss=part)


class TokenLoss:
    """Sums of losses over learned tokens, in nats."""

    def __init__(self, model: PeftModel) -> None:
        self._base: Any = model.get_base_model()
        self._plain = self._head_is_plain()

    def __call__(self, ids: torch.Tensor, labels: torch.Tensor, positions: torch.Tensor | None) -> torch.Tensor:
        """The summed loss of `labels` [rows, tokens] given `ids`; UNLEARNED labels have none.

        Args:
            ids: [rows, tokens].
            labels: the ids to be predicted, each at its own place.
            positions: [rows, tokens], 0 where a text begins that must not see the one before; None if all of a row
                may be seen.
        """
        if self._plain:
            return self._of_learned(ids, labels, positions)
        return self._of_model(ids, labels, positions)

    def _of_learned(self, ids: torch.Tensor, labels: torch.Tensor, positions: torch.Tensor | None) -> torch.Tensor:
        import torch

        hidden = self._base.get_decoder()(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
        targets = labels[:, 1:]
        learned = targets != UNLEARNED
        logits = self._base.get_output_embeddings()(hidden[:, :-1][learned])
        return torch.nn.functional.cross_entropy(logits.float(), targets[learned], reduction="sum")

    def _of_model(self, ids: torch.Tensor, labels: torch.Tensor, positions: torch.Tensor | None) -> torch.Tensor:
        loss: torch.Tensor = self._base(input_ids=ids, labels=labels, position_ids=positions, use_cache=False).loss
        return loss * (labels[:, 1:] != UNLEARNED).sum()

    def _head_is_plain(self) -> bool:
        """Whether the loss is cross entropy of the output layer: some models scale or cap logits, or add to it."""
        import torch

        ids = torch.arange(8, device=self._base.device).unsqueeze(0)
        with torch.no_grad():
            own, plain = self._of_model(ids, ids, None), self._of_learned(ids, ids, None)
        return bool((own - plain).abs() <= TOLERANCE * own.abs())

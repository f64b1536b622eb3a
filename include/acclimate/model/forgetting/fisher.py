"""How much each weight of the base matters for general text: the diagonal of the Fisher information.

    fisher = diagonal_fisher(model, sequences, seed=1729)      # {"model.layers.0.mlp.up_proj": [768, 256], …}

The expected squared gradient of the log-likelihood of what the model itself would say next, drawn from its
own distribution. With the tokens of the text instead it would be the "empirical" Fisher information, which is
no approximation of the curvature (Kunstner, Balles & Hennig 2019). Drawing costs nothing: the logits are there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from acclimate.core.progress import progress
from acclimate.model.training.full import copies

if TYPE_CHECKING:
    import torch
    from peft import PeftModel

SHARE = 0.1
"""Of the general data: Kirkpatrick et al. average over a sample; on the embedded base a tenth is 250 sequences."""


def diagonal_fisher(model: PeftModel, sequences: torch.Tensor, *, seed: int) -> dict[str, torch.Tensor]:
    """Fisher information per token of the base's weight in every adapted layer, by the layer's name, [out, in].

    Where all weights are trained, of each of them by its own name and in its own shape.

    One backward pass per sequence: given the text, the drawn tokens' scores are independent with mean 0, so the
    squared gradient of a sequence's sum is an unbiased estimate of the sum over its tokens. The model is left as
    it was.

    Args:
        model: the base with an adapter, which is switched off meanwhile.
        sequences: general text, token ids [sequences, tokens].
        seed: of the drawn tokens.
    """
    import torch

    weights = _adapted_weights(model)
    fisher = {name: torch.zeros_like(weight, dtype=torch.float32) for name, weight in weights.items()}
    generator = torch.Generator(model.device).manual_seed(seed)
    training = model.training
    model.eval()
    with model.disable_adapter():
        for weight in weights.values():
            weight.requires_grad_(True)
        for row in progress(sequences, "measuring what general text needs", unit="sequence"):
            likelihood = _drawn_log_likelihood(model, row[None].to(model.device), generator)
            for name, gradient in zip(weights, torch.autograd.grad(likelihood, list(weights.values())), strict=True):
                fisher[name].add_(gradient.float().square())
        for weight in weights.values():
            weight.requires_grad_(False)
    model.train(training)
    return {name: total / sequences.numel() for name, total in fisher.items()}


def _adapted_weights(model: PeftModel) -> dict[str, Any]:
    from peft.tuners.lora import LoraLayer

    if whole := copies(model):
        return {name: own for name, (own, _) in whole.items()}
    return {
        name: module.get_base_layer().weight
        for name, module in model.get_base_model().named_modules()
        if isinstance(module, LoraLayer)
    }


def _drawn_log_likelihood(model: PeftModel, tokens: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Log-likelihood, in nats, of one next token per position drawn from the model's own distribution."""
    import torch

    log_probabilities = model(input_ids=tokens, use_cache=False).logits[0].float().log_softmax(dim=-1)
    drawn = torch.multinomial(log_probabilities.detach().exp(), 1, generator=generator)
    likelihood: torch.Tensor = log_probabilities.gather(1, drawn).sum()
    return likelihood

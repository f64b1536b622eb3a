"""transformers as an engine: one pass of a network over a batch, each prompt with its own limits and its own draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from acclimate.serving.engine import end_tokens

if TYPE_CHECKING:
    from torch import Tensor

    from acclimate.serving.engine import More, Take
    from acclimate.serving.generation import Prompt, Row


class Transformers:
    """A causal language model of transformers, in evaluation mode."""

    joins = False

    def __init__(self, network: Any, tokenizer: Any) -> None:
        self.network = network
        self.ends = end_tokens(tokenizer, network.generation_config.eos_token_id)
        self._pad: int = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def write(self, rows: list[Row], take: Take, more: More) -> None:
        """All rows in one batch, which is over when the last of them is."""
        import torch

        prompts = [row.prompt for row in rows]
        longest = max(len(prompt.tokens) for prompt in prompts)
        padding = [longest - len(prompt.tokens) for prompt in prompts]
        ids = [[self._pad] * pad + prompt.tokens for pad, prompt in zip(padding, prompts, strict=True)]
        mask = [[0] * pad + [1] * len(prompt.tokens) for pad, prompt in zip(padding, prompts, strict=True)]
        device = self.network.device
        with torch.inference_mode():
            self.network.generate(
                input_ids=torch.tensor(ids, device=device),
                attention_mask=torch.tensor(mask, device=device),
                max_new_tokens=max(prompt.max_new_tokens for prompt in prompts),
                do_sample=False,  # the likeliest token is taken; in rows that are drawn, `_draws` has left only one
                eos_token_id=sorted(self.ends) or None,
                pad_token_id=self._pad,
                logits_processor=[_draws(prompts)],
                stopping_criteria=[_progress(rows, take)],
            )

    def close(self) -> None:
        """Forget the network."""
        self.network = None


def _progress(rows: list[Row], take: Take) -> Callable[..., Tensor]:
    """Called by `generate` after every step: hands each row its token, and says which rows need no more."""
    import torch

    def _step(ids: Tensor, _scores: Any, **_: Any) -> Tensor:
        done = [take(row, token) for row, token in zip(rows, ids[:, -1].tolist(), strict=True)]
        return torch.tensor(done, device=ids.device)

    return _step


def _draws(prompts: list[Prompt]) -> Callable[[Tensor, Tensor], Tensor]:
    """Called by `generate` before a token is taken: in rows that are drawn, every token but one becomes impossible.

    So greedy and drawn rows share a batch, and each draws from a generator of its own.
    """
    import torch

    generators = {place: torch.Generator() for place, prompt in enumerate(prompts) if prompt.temperature > 0}
    for place, generator in generators.items():
        seed = prompts[place].seed
        generator.seed() if seed is None else generator.manual_seed(seed)

    def _choose(_ids: Tensor, scores: Tensor) -> Tensor:
        for place, generator in generators.items():
            drawn = torch.multinomial(probabilities(scores[place], prompts[place]).cpu(), 1, generator=generator)
            scores[place] = float("-inf")
            scores[place, int(drawn)] = 0.0
        return scores

    return _choose


def probabilities(scores: Tensor, prompt: Prompt) -> Tensor:
    """What a token is drawn by: the softmax of its score over the temperature, 0 outside the nucleus; [vocabulary]."""
    import torch

    # Relative to the best, and in 64 bits: however low the temperature, nothing overflows, and it is not 0.
    likely = torch.softmax((scores - scores.max()).double() / prompt.temperature, dim=-1)
    if prompt.top_p == 1:
        return likely
    ordered, tokens = likely.sort(descending=True)
    outside = ordered.cumsum(0) - ordered >= prompt.top_p
    outside[0] = False  # nor where top_p is so small that 0 is not below it any more
    return likely.index_fill(0, tokens[outside], 0.0)

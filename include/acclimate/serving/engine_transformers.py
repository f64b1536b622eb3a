"""transformers as an engine: one pass of a network over a batch, each prompt with its own limits and its own draw."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from acclimate.core.libraries import SERVED_WITHOUT, take_up
from acclimate.release.weights import import_libraries, load_model
from acclimate.serving.engine import end_tokens
from acclimate.serving.shared_base import adapted

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from acclimate.serving.engine import Check, More, Take
    from acclimate.serving.generation import Prompt, Row
    from acclimate.serving.shared_base import Base


class ByTransformers:
    """transformers computes with models in safetensors, in this process, which has what was verified in memory."""

    def open(self, folder: Path, manifest: dict[str, Any], _: Check) -> tuple[Transformers, Any]:
        """The engine for the whole model in `folder`, and its tokenizer; raises UserError for what could run code."""
        _prepare(manifest)
        network, tokenizer = load_model(folder)
        return Transformers(network, tokenizer), tokenizer

    def open_base(self, folder: Path, manifest: dict[str, Any], _: Check) -> tuple[Any, Any]:
        """The base in `folder`, and its tokenizer; raises as `open`."""
        _prepare(manifest)
        network, tokenizer = load_model(folder)
        return network.requires_grad_(False), tokenizer

    def on_base(self, base: Base, _: dict[str, Any], adapter: Path | None, __: Check) -> Transformers:
        """The engine for an adapter beside a base; raises UserError if it is no adapter of this base."""
        return Transformers(base.network if adapter is None else adapted(base, adapter), base.tokenizer)


def _prepare(manifest: dict[str, Any]) -> None:
    import_libraries()
    for name in SERVED_WITHOUT:
        take_up(name)  # the library that unpacks weights of 3 bits imports some of these
    import torch

    torch.set_num_threads(manifest["threads"])


class Transformers:
    """A causal language model of transformers, in evaluation mode."""

    joins = False

    def __init__(self, network: Any, tokenizer: Any) -> None:
        self.network = network
        self.ends = end_tokens(tokenizer, network.generation_config.eos_token_id)
        self._pad: int = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    @property
    def beside(self) -> object:
        """Rows of one network are a batch."""
        return self

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

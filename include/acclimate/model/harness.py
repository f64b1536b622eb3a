"""A model as lm-eval asks for one: by strings, in likelihoods and in generated text.

    evaluate(lm=language_model(model, tokenizer, batch_items=16), task_dict=tasks)    # a transformers model
    evaluate(lm=engine_model(engine, tokenizer), task_dict=tasks)                     # whatever else computes

lm-eval's own adapter reads the left context again for every choice and normalises over the vocabulary
at every position, three quarters of which nobody asked for; and where a token straddles the end of the
left context for one choice and not for another, it compares different lengths of text. What is measured
is the same; tests compare the two where they must agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from acclimate.core.errors import UserError
from acclimate.model.generation import complete, mark_tokens
from acclimate.model.likelihood import Choices, choice_log_likelihoods, window_log_likelihoods

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from lm_eval.api.model import LM

    Encode = Callable[[list[str]], list[list[int]]]
    """Texts to token ids, without special tokens."""

    Tokens = list[int]

WINDOW_TOKENS = 2048
"""Longest window read at once where the model allows it; lm-eval's own default."""


@dataclass(frozen=True)
class Engine:
    """What computes, in token ids."""

    window: int
    """The most tokens it reads at once."""
    choices: Callable[[Sequence[Choices]], list[list[float]]]
    """Log-likelihood of every continuation of every item; all items of a call have the same number of choices."""
    windows: Callable[[Sequence[tuple[Tokens, Tokens]]], list[float]]
    """Log-likelihood of the second part of every pair after the first."""
    complete: Callable[..., list[Tokens]]
    """What it writes after `prompts`, up to one of the tokens `stops` or to `max_new_tokens`."""


def language_model(model: Any, tokenizer: Any, batch_items: int) -> LM:
    """A transformers model behind lm-eval's interface.

    Args:
        model: a transformers causal language model in evaluation mode, on the device to compute on.
        tokenizer: its tokenizer.
        batch_items: items per forward pass.

    Raises:
        UserError: if the tokenizer has no token to begin a text with.
    """
    engine = Engine(
        window=min(getattr(model.config, "max_position_embeddings", WINDOW_TOKENS), WINDOW_TOKENS),
        choices=partial(choice_log_likelihoods, model, batch_items=batch_items),
        windows=partial(window_log_likelihoods, model, batch_items=batch_items),
        complete=partial(complete, model, batch_items=batch_items),
    )
    return engine_model(engine, tokenizer)


def engine_model(engine: Engine, tokenizer: Any) -> LM:
    """`engine` behind lm-eval's interface.

    Args:
        engine: computes.
        tokenizer: special tokens it would add are left out, a text begins with bos or eos.

    Raises:
        UserError: if the tokenizer has no token to begin a text with.
    """
    # The class is made here because its base costs seconds to import.
    from lm_eval.api.model import LM
    from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

    window = engine.window
    begin = _begin_of_text(tokenizer)
    stop = begin if tokenizer.eos_token_id is None else int(tokenizer.eos_token_id)

    def encode(texts: list[str]) -> list[list[int]]:
        tokens: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"]
        # Some templates write the beginning of the text themselves; it is put in front of every text below.
        return [ids[1:] if ids[:1] == [begin] else ids for ids in tokens]

    class CausalModel(LM):  # type: ignore[misc]
        """Both kinds of likelihood, and generation."""

        def loglikelihood(self, requests: list[Any]) -> list[tuple[float, bool]]:
            """One (log-likelihood, False) per request; whether the choice is the greedy one nobody asks."""
            items = choices_of_requests([(r.task_name, r.doc_id, *r.args) for r in requests], encode, begin, window)
            scores = _by_number_of_choices(items, engine.choices)
            return [(value, False) for values in scores for value in values]

        def loglikelihood_rolling(self, requests: list[Any]) -> list[float]:
            """The log-likelihood of every text, in windows that overlap only in what is not scored."""
            pieces = [
                (number, make_disjoint_window(pair))
                for number, tokens in enumerate(encode([request.args[0] for request in requests]))
                for pair in get_rolling_token_windows(tokens, begin, window, context_len=1)
            ]
            values = engine.windows([pair for _, pair in pieces])
            totals = [0.0] * len(requests)
            for (number, _), value in zip(pieces, values, strict=True):
                totals[number] += value
            return totals

        def generate_until(self, requests: list[Any]) -> list[str]:
            """What the model writes after every prompt, up to the first of the strings that end an answer."""
            texts = [""] * len(requests)
            for limit, ends in sorted({_limits(request) for request in requests}):
                asked = [n for n, request in enumerate(requests) if _limits(request) == (limit, ends)]
                stops = [stop, *mark_tokens(tokenizer, ends)]
                # Of a prompt that does not fit, the end is what the answer follows from.
                prompts = [
                    [begin, *tokens[max(0, len(tokens) + 1 + limit - window) :]]
                    for tokens in encode([requests[n].args[0] for n in asked])
                ]
                written = engine.complete(prompts, stops=stops, max_new_tokens=limit)
                for n, tokens in zip(asked, written, strict=True):
                    texts[n] = until(tokenizer.decode(tokens, skip_special_tokens=True), ends)
            return texts

    return CausalModel()


def _by_number_of_choices(
    items: Sequence[Choices], score: Callable[[Sequence[Choices]], list[list[float]]]
) -> list[list[float]]:
    """What `score` gives to each item, asked for those with one number of choices at a time: it takes no other."""
    scores: list[list[float]] = [[] for _ in items]
    for count in sorted({len(item.continuations) for item in items}):
        places = [place for place, item in enumerate(items) if len(item.continuations) == count]
        for place, values in zip(places, score([items[place] for place in places]), strict=True):
            scores[place] = values
    return scores


def choices_of_requests(
    requests: list[tuple[str, int, str, str]], encode: Encode, begin: int, window: int
) -> list[Choices]:
    """Requests (task, item, left, continuation) as one Choices per item, in order of first appearance.

    lm-eval asks about the choices of an item one after another, so flattening the result gives the
    order of the requests again.
    """
    groups: dict[tuple[str, int], list[tuple[str, str]]] = {}
    for task, item, left, continuation in requests:
        groups.setdefault((task, item), []).append((left, continuation))
    lefts = encode([group[0][0] for group in groups.values()])
    texts = iter(encode([left + continuation for group in groups.values() for left, continuation in group]))
    return [
        split_choices([begin, *left], [[begin, *next(texts)] for _ in group], window)
        for left, group in zip(lefts, groups.values(), strict=True)
    ]


def split_choices(left: list[int], texts: list[list[int]], window: int) -> Choices:
    """Split tokenised texts into the context they share and what differs.

    Where the tokenizer merges the end of the left context with a choice, the context ends before that
    token for all choices alike: otherwise one choice would pay for a piece of context and another not.

    Args:
        left: tokens of the left context.
        texts: tokens of left context + choice + right context, one per choice.
        window: the most tokens the model reads; the context is cut from the left to fit.
    """
    shared = sum(1 for _ in takewhile(lambda tokens: len(set(tokens)) == 1, zip(left, *texts, strict=False)))
    shared = min(shared, *(len(text) - 1 for text in texts))
    continuations = [text[shared:] for text in texts]
    room = window + 1 - max(map(len, continuations))
    return Choices(context=texts[0][max(0, shared - room) : shared], continuations=continuations)


def _limits(request: Any) -> tuple[int, tuple[str, ...]]:
    """Of a generation: its most tokens, and what ends it."""
    return request.args[1]["max_gen_toks"], tuple(request.args[1]["until"])


def until(text: str, ends: Sequence[str]) -> str:
    """`text` up to the first of `ends`, all of it if none stands in it."""
    return text[: min((place for end in ends if (place := text.find(end)) >= 0), default=len(text))]


def _begin_of_text(tokenizer: Any) -> int:
    for token in (tokenizer.bos_token_id, tokenizer.eos_token_id):
        if token is not None:
            return int(token)
    raise UserError(
        "the tokenizer has neither a beginning-of-text nor an end-of-text token",
        why="the first word of a text has nothing to be predicted from",
        fix="set bos_token in the tokenizer_config.json of the base model, or choose another base.model",
    )

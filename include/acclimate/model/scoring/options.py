r"""Multiple choice from questions with reference answers: wrong options, the letters, and reading a letter back.

options = wrong_options(example, examples, seed=1729)     # three other examples' answers, or None
lettered("What waits for all jobs?", ["Pool.join", "Pool.map"])
# "What waits for all jobs?\nA. Pool.join\nB. Pool.map"
chosen(" B. Pool.map waits", ["Pool.join", "Pool.map"])   # 1; None where no option can be made out
"""

from __future__ import annotations

import random
import re
import string
from collections.abc import Sequence

from acclimate.data.evaluation.examples import Example
from acclimate.model.scoring.matching import normalised_tokens, token_f1

WRONG = 3
NEIGHBOURS = 12
"""Wrong options come from this many answers nearest in length: a likelihood leans towards short texts."""
MAX_OVERLAP = 0.5
"""Token F1 above which an answer says too nearly the same to be wrong."""
LETTERS = string.ascii_uppercase

# "B", "(B) Pool.map", "The answer is B"; but not "A pool of workers", whose A is an article.
_LETTER = re.compile(r"\W*([A-Z])(?=[.):,\]]|\s*$|\n)|.*?\b(?i:answer|option|choice)(?: is|:)? \(?([A-Z])\b")


def wrong_options(example: Example, examples: Sequence[Example], *, seed: int) -> list[str] | None:
    """Three answers to other questions, of the same type and about as long; None if there are not three.

    None comes from the example's own cluster, says nearly the same as the right one, or repeats another.
    """
    right = example.ground_truth.answer
    others = [
        other.ground_truth.answer
        for other in examples
        if other.cluster != example.cluster and other.ground_truth.answer_type == example.ground_truth.answer_type
    ]
    near = sorted(set(others), key=lambda answer: (abs(len(answer) - len(right)), answer))[:NEIGHBOURS]
    random.Random(f"{seed}:{example.id}").shuffle(near)
    taken = [right]
    for answer in near:
        if len(taken) <= WRONG and all(token_f1(answer, other) <= MAX_OVERLAP for other in taken):
            taken.append(answer)
    return taken[1:] if len(taken) == WRONG + 1 else None


def lettered(question: str, options: Sequence[str]) -> str:
    """The question with `options` listed under letters below it."""
    return "\n".join([question, *(f"{letter}. {option}" for letter, option in zip(LETTERS, options, strict=False))])


def chosen(text: str, options: Sequence[str]) -> int | None:
    """Which option a generated answer names: by the letter it begins with, else by the option's own words.

    None where neither can be made out, or where the words fit several options.
    """
    found = _LETTER.match(text)
    letter = LETTERS.index(found[1] or found[2]) if found else len(options)
    if letter < len(options):
        return letter
    said = f" {' '.join(normalised_tokens(text))} "
    named = [n for n, option in enumerate(options) if f" {' '.join(normalised_tokens(option))} " in said]
    return named[0] if len(named) == 1 else None

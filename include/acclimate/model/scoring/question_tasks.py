"""The questions of the evaluation set as tasks: terminology two ways, multiple choice three ways, and free answers.

    terminology                the question, the answer up to a term of the domain: which of four terms comes next?
    definition_to_term         a definition, which is the answer to "What is X?": which of four terms has it?
    term_alone                 the same terms without the definition, to be set off against it
    multiple_choice            which of four answers is likeliest per byte after the question?
    multiple_choice_letters    four answers are listed under A to D: which letter is likeliest?
    multiple_choice_generated  the same prompt, the letter generated and read back
    questions                  the answer is generated and compared with the reference answer

A wrong option is the answer to another question (options.py), a wrong term one about as frequent in the answers. The
form of the prompt is that of the model that is asked (asking.py).
Every row carries what slices are made by: difficulty, domain_category, source_kind, source, type and group.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Sequence

from acclimate.data.evaluation.examples import Example
from acclimate.model.scoring.asking import Form
from acclimate.model.scoring.lm_tasks import Item, Task
from acclimate.model.scoring.options import WRONG, lettered, wrong_options

FACTS = ("difficulty", "domain_category", "source_kind", "source", "type", "group")
"""Fields of an example that its rows carry."""
DEFINITION, TERM_ALONE = "definition_to_term", "term_alone"
DEFINED = "Which term is defined?"
"""Asked before a definition, and alone."""
LETTER_TOKENS = 6
"""Generated where a letter is asked for: enough for ' (B).'"""
NEIGHBOURS = 12
"""Wrong terms come from this many places to each side of the right one in order of frequency, as in the cloze tasks;
those beside a definition from as many in all that are nearest in length."""
_ASKS_FOR_DEFINITION = re.compile(r"What (?:is|are|does|do) (?:an? |the )?(\S+(?: \S+){0,2}?)(?: do| mean)?\?")
"""Up to three words: 'What is a fixed point?', 'What does numpy.argsort do?'."""


def question_tasks(
    examples: Sequence[Example], form: Form, *, answered: int, answer_tokens: int, seed: int
) -> list[Task]:
    """The tasks; one that no example fits has no items.

    Args:
        examples: of the evaluation set, in its order.
        form: in which the model is asked.
        answered: how many of them, the first, are answered by generation.
        answer_tokens: the longest answer.
        seed: of wrong options and their order.
    """
    choices = _choices(examples, form, seed)
    letters = [_lettered(item, form) for item in choices]
    defined = _definitions(examples, form, seed)
    return [
        Task("terminology", "choices", _terminology(examples, form, seed)),
        Task(DEFINITION, "choices", defined),
        Task(TERM_ALONE, "choices", [item | {"left": form.opened(DEFINED)} for item in defined]),
        Task("multiple_choice", "choices", choices),
        Task("multiple_choice_letters", "choices", letters),
        Task("multiple_choice_generated", "generation", letters[:answered], LETTER_TOKENS, form.ends),
        Task(
            "questions", "generation", [_question(one, form) for one in examples[:answered]], answer_tokens, form.ends
        ),
    ]


def _facts(example: Example) -> Item:
    return {"id": example.id, "cluster": example.cluster, **{name: getattr(example, name) for name in FACTS}}


def _question(example: Example, form: Form) -> Item:
    return {
        **_facts(example),
        "prompt": form.prompt(example.question),
        "question": example.question,
        "reference": example.ground_truth.answer,
    }


def _choices(examples: Sequence[Example], form: Form, seed: int) -> list[Item]:
    items = []
    for example in examples:
        wrong = wrong_options(example, examples, seed=seed)
        if wrong is not None:
            options = _shuffled([example.ground_truth.answer, *wrong], f"{seed}:options:{example.id}")
            items.append(
                {
                    **_facts(example),
                    "question": example.question,
                    "options": options,
                    "left": form.opened(example.question),
                    "choices": [f"{form.space}{option}" for option in options],
                    "right": "",
                    "label": options.index(example.ground_truth.answer),
                }
            )
    return items


def _lettered(item: Item, form: Form) -> Item:
    listed = lettered(item["question"], item["options"])
    letters = [f"{form.space}{letter}" for letter in "ABCD"]
    return {**item, "left": form.opened(listed), "prompt": form.prompt(listed), "choices": letters}


def _terminology(examples: Sequence[Example], form: Form, seed: int) -> list[Item]:
    """One item per example that has a term which does not stand before its place in the answer."""
    known = Counter(term for example in examples for term in example.ground_truth.key_concepts)
    ranked = sorted(known, key=lambda term: (known[term], term))
    items = []
    for example in examples:
        places = _term_places(example)
        random.Random(f"{seed}:place:{example.id}").shuffle(places)
        found = next((item for place in places if (item := _term_item(example, place, form, ranked, seed))), None)
        if found:
            items.append(found)
    return items


def _term_places(example: Example) -> list[tuple[int, int]]:
    """Where terms of the domain stand first in the answer; not at its beginning, and not given away by the question."""
    answer, found = example.ground_truth.answer, []
    for term in example.ground_truth.key_concepts:
        # As it is written: the wrong terms are, and a capital would give the right one away.
        match = re.search(rf"(?<=\s){re.escape(term)}(?!\w)", answer)
        if match and term.casefold() not in f"{example.question} {answer[: match.start()]}".casefold():
            found.append(match.span())
    return found


def _term_item(example: Example, place: tuple[int, int], form: Form, ranked: Sequence[str], seed: int) -> Item | None:
    answer, (start, end) = example.ground_truth.answer, place
    term, said = answer[start:end], f"{example.question} {answer}".casefold()
    rank = ranked.index(term)
    near = ranked[max(0, rank - NEIGHBOURS) : rank + NEIGHBOURS + 1]
    wrong = [other for other in near if other.casefold() not in said and term.casefold() not in other.casefold()]
    if len(wrong) < WRONG:
        return None
    wrong = _shuffled(wrong, f"{seed}:wrong:{example.id}")[:WRONG]
    choices = _shuffled([term, *wrong], f"{seed}:terms:{example.id}")
    return {
        **_facts(example),
        "left": f"{form.opened(example.question)}{form.space}{answer[:start]}",
        "choices": choices,
        "right": answer[end:],
        "label": choices.index(term),
    }


def _definitions(examples: Sequence[Example], form: Form, seed: int) -> list[Item]:
    """One item per example that defines a term which stands nowhere in the definition, among terms about as long."""
    terms = {
        example.id: match[1] for example in examples if (match := _ASKS_FOR_DEFINITION.fullmatch(example.question))
    }
    known = [example for example in examples if example.id in terms]
    items = []
    for example in known:
        term, definition = terms[example.id], example.ground_truth.answer
        others = {terms[other.id] for other in known if other.cluster != example.cluster} - {term}
        near = sorted(others, key=lambda other: (abs(len(other) - len(term)), other))[: 2 * NEIGHBOURS]
        said = definition.casefold()
        wrong = [other for other in near if other.casefold() not in said]
        if term.casefold() in said or len(wrong) < WRONG:
            continue
        wrong = _shuffled(wrong, f"{seed}:definition:{example.id}")[:WRONG]
        choices = _shuffled([term, *wrong], f"{seed}:defined:{example.id}")
        items.append(
            {
                **_facts(example),
                "left": form.opened(f"{DEFINED} {definition}"),
                "choices": [f"{form.space}{choice}" for choice in choices],
                "right": "",
                "label": choices.index(term),
            }
        )
    return items


def _shuffled(values: Sequence[str], name: str) -> list[str]:
    order = list(values)
    random.Random(name).shuffle(order)
    return order

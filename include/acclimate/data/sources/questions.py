"""A question and its answer from a docstring: what does it do, and its first sentence.

question_and_answer(Docstring("numpy.savetxt", "function", "Save an array to a text file. …"))
# ("What does numpy.savetxt do?", "Save an array to a text file.")
"""

from __future__ import annotations

import re

from acclimate.data.sources.docstrings import Docstring

# Shorter than a clause, or longer than one can answer with: the 'sentence' is then a fragment or a whole paragraph.
_ANSWER_CHARACTERS = range(20, 201)
# `fft(a[, n])`, `x.dot(y) -> array`: C functions and ufuncs open with their signature.
_SIGNATURE = re.compile(r"^[\w.]+\s?\(.*\)\s*(->\s*\S.*)?$")
# A full stop ends a sentence unless it belongs to an abbreviation or to a name ("e.g.", "numpy.ndarray").
_SENTENCE = re.compile(r"^.+?(?<!\be\.g)(?<!\bi\.e)(?<!\betc)(?<!\bvs)(?<!\bcf)(?<!\bal)[.!?](?=\s+[^a-z\s]|$)")
_ROLE = re.compile(r":[a-z:]+:`~?([^`<]+?)(?:\s*<[^>]*>)?`")
# Text that only a template engine or an interpreter completes, and reStructuredText that is no sentence.
_UNFINISHED = re.compile(r"%\(|[{}]|>>>|::|\|\w")


def question_and_answer(docstring: Docstring) -> tuple[str, str] | None:
    """The question a docstring answers in its first sentence, or None if it has no usable one."""
    answer = first_sentence(docstring.text)
    if docstring.kind == "module" or answer is None:
        return None
    name = docstring.name
    return (f"What is {name}?" if docstring.kind == "class" else f"What does {name} do?"), answer


def first_sentence(text: str) -> str | None:
    """The first sentence of a docstring as plain text ending in a full stop; None if it is not one.

    A leading call signature is passed over, cross-reference roles and code marks are removed.
    """
    paragraphs = [" ".join(paragraph.split()) for paragraph in re.split(r"\n\s*\n", text.strip())]
    if _SIGNATURE.match(paragraphs[0]):
        paragraphs = paragraphs[1:]
    if not paragraphs:
        return None
    found = _SENTENCE.match(paragraphs[0])
    sentence = found.group(0) if found else paragraphs[0]
    sentence = _ROLE.sub(r"\1", sentence).replace("`", "")
    if len(sentence) not in _ANSWER_CHARACTERS or _UNFINISHED.search(sentence) or not sentence[0].isalpha():
        return None
    return sentence if sentence[-1] in ".!?" else f"{sentence.rstrip(':;,')}."

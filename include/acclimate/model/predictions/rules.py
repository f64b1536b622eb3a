r"""How an answer is read out of what a model wrote, by rules that others have published.

    RULES["simple_evals"].read("Let me think.\nAnswer: C", ["A", "B", "C", "D"])     # "C"
    RULES["simple_evals"].read("It could be B or C.", ["A", "B", "C", "D"])          # None: unparsed

Patterns are those of the sources, so that their scores come out again; where a source guesses at random what it cannot
read (MMLU-Pro), nothing is guessed here.
"""

from __future__ import annotations

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

TEXT = "text"

_SIMPLE_EVALS = re.compile(r"(?i)Answer[ \t]*:[ \t]*\$?([A-D])\$?")
_MMLU_PRO = (
    re.compile(r"answer is \(?([A-J])\)?"),
    re.compile(r".*[aA]nswer:\s*([A-J])"),
    re.compile(r"\b([A-J])\b(?!.*\b[A-J]\b)", re.DOTALL),
)
_GSM8K_STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
_GSM8K_FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")
_NOT_PART_OF_A_NUMBER = re.compile(r",|\$|(?s:.*)#### |\.$")


@dataclass(frozen=True)
class Rule:
    """A way to read predictions."""

    read: Callable[[str, Sequence[str]], str | None]
    """The answer in a prediction, given the labels that a question has; None if the rule finds none."""
    reference: Callable[[str], str]
    """The answer in a reference."""
    source: str


def _label(text: str, labels: Sequence[str]) -> str | None:
    """The label that the whole text is, but for case, white space and punctuation around it."""
    bare = text.strip().strip(string.punctuation + string.whitespace).casefold()
    found = [label for label in labels if label.casefold() == bare]
    return found[0] if len(found) == 1 else None


def _simple_evals(text: str, _: Sequence[str]) -> str | None:
    found = _SIMPLE_EVALS.search(text)
    return found[1].upper() if found else None


def _mmlu_pro(text: str, _: Sequence[str]) -> str | None:
    found = next((match for pattern in _MMLU_PRO if (match := pattern.search(text))), None)
    return found[1] if found else None


def _gsm8k_strict(text: str, _: Sequence[str]) -> str | None:
    found = _GSM8K_STRICT.search(text)
    return _number(found[1]) if found else None


def _gsm8k_flexible(text: str, _: Sequence[str]) -> str | None:
    found = _GSM8K_FLEXIBLE.findall(text)
    return _number(next(part for part in found[-1] if part)) if found else None


def _number(text: str) -> str:
    """Without what lm-eval ignores when it compares: commas, dollar signs, what precedes '#### ', a full stop."""
    return _NOT_PART_OF_A_NUMBER.sub("", text.strip()).lower()


def _whole(text: str, _: Sequence[str]) -> str | None:
    return text if text.strip() else None


RULES: dict[str, Rule] = {
    TEXT: Rule(_whole, str, "the whole text: exact match, token F1, ROUGE, BLEU and similarity; blank is unparsed"),
    "label": Rule(_label, str.strip, "the text is a label and nothing else, but for case and punctuation around it"),
    "simple_evals": Rule(
        _simple_evals, str.strip, "'Answer: B', first match, A-D (OpenAI simple-evals, MMLU and GPQA)"
    ),
    "mmlu_pro": Rule(
        _mmlu_pro,
        str.strip,
        "'answer is (B)', else 'Answer: B', else the last capital A-J (Wang et al. 2024, MMLU-Pro, without its guess)",
    ),
    "gsm8k_strict": Rule(
        _gsm8k_strict, _number, "the number after '#### ' (Cobbe et al. 2021; lm-eval 0.4 gsm8k, strict-match)"
    ),
    "gsm8k_flexible": Rule(_gsm8k_flexible, _number, "the last number (lm-eval 0.4 gsm8k, flexible-extract)"),
}

"""How much a text looks like writing: the share of published web-filter rules that it passes.

    score("numpy.savetxt …")      # Score(value=1.0, failed=[])
    score("0.1 0.7 0.3 …")        # Score(value=0.8333, failed=["alphabetic_words", "stop_words"])

The rules are those of Gopher (Rae et al. 2021, arXiv 2112.11446, appendix A.1.1 and table A1), C4 (Raffel
et al. 2020, arXiv 1910.10683, section 2.2) and FineWeb (Penedo et al. 2024, arXiv 2406.17557, section 3.6)
that can be said of documentation. Left out, because they reject reference text for being reference text:
C4's ban on curly brackets (29 % of the scientific packages' docstrings have one) and on lines without a
full stop, and Gopher's floor of 50 words (33 %; the floor is clean.min_words in params.yaml).

In the papers every rule rejects. Here only those of DECISIVE do: they hold for all but 66 of the embedded
corpus's 26,841 texts. Examples, parameter lists and long qualified names break the others
(alphabetic_words: 24 % of the scientific docstrings of 50 words and more), so those only lower the score.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter

# Gopher's floor; below it, shares of lines and the presence of function words say nothing.
_LONG = 50
_STOP_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
_ENDS_SENTENCE = (".", "!", "?", '"', "'", "”", "’")


@dataclass(frozen=True)
class Shape:
    """A text taken apart once for all rules; lines and paragraphs are stripped and not empty."""

    text: str
    words: list[str]
    lines: list[str]
    paragraphs: list[str]

    @classmethod
    def of(cls, text: str) -> Shape:
        """Take `text` apart at whitespace, line ends and blank lines."""
        lines = [stripped for line in text.split("\n") if (stripped := line.strip())]
        paragraphs = [stripped for part in re.split(r"\n[^\S\n]*\n", text) if (stripped := part.strip())]
        return cls(text, text.split(), lines, paragraphs)


@dataclass(frozen=True)
class Score:
    """The share of rules passed (0–1), and the names of those failed."""

    value: float
    failed: list[str]


def score(text: str) -> Score:
    """Judge `text`; a rule that needs a longer text does not count for or against it."""
    shape = Shape.of(text)
    if not shape.words:
        return Score(0.0, ["no_words"])
    applied = {name: rule for name, rule in RULES.items() if len(shape.words) >= _LONG or name not in _ONLY_LONG}
    failed = [name for name, rule in applied.items() if not rule(shape)]
    return Score(round(1 - len(failed) / len(applied), 4), failed)


def mean_word_length(shape: Shape) -> bool:
    """Gopher: words are 3 to 10 characters long on average."""
    return 3 <= sum(map(len, shape.words)) / len(shape.words) <= 10


def symbol_to_word_ratio(shape: Shape) -> bool:
    """Gopher: at most one hash or ellipsis to ten words."""
    text = shape.text
    return text.count("#") + text.count("...") + text.count("…") <= 0.1 * len(shape.words)


def alphabetic_words(shape: Shape) -> bool:
    """Gopher: 80 % of the words hold a letter."""
    return sum(word.isalpha() or any(map(str.isalpha, word)) for word in shape.words) >= 0.8 * len(shape.words)


def stop_words(shape: Shape) -> bool:
    """Gopher: two of eight English function words occur."""
    return len(_STOP_WORDS.intersection(word.strip(".,;:()").lower() for word in set(shape.words))) >= 2


def bullet_lines(shape: Shape) -> bool:
    """Gopher: fewer than 90 % of the lines start with a bullet."""
    return sum(line.startswith(("-", "*", "•")) for line in shape.lines) < 0.9 * len(shape.lines)


def ellipsis_lines(shape: Shape) -> bool:
    """Gopher: fewer than 30 % of the lines end in an ellipsis."""
    return sum(line.endswith(("...", "…")) for line in shape.lines) < 0.3 * len(shape.lines)


def duplicate_lines(shape: Shape) -> bool:
    """Gopher: at most 30 % of the lines repeat an earlier one."""
    return _repeated(shape.lines, len) <= 0.3 * len(shape.lines)


def duplicate_line_characters(shape: Shape) -> bool:
    """FineWeb (stricter than Gopher's 20 %): less than 10 % of the characters stand in repeated lines."""
    return _repeated(shape.lines, _characters) < 0.1 * _characters(shape.lines)


def duplicate_paragraphs(shape: Shape) -> bool:
    """Gopher: at most 30 % of the paragraphs repeat an earlier one."""
    return _repeated(shape.paragraphs, len) <= 0.3 * len(shape.paragraphs)


def duplicate_paragraph_characters(shape: Shape) -> bool:
    """Gopher: at most 20 % of the characters stand in repeated paragraphs."""
    return _repeated(shape.paragraphs, _characters) <= 0.2 * _characters(shape.paragraphs)


def frequent_ngram(shape: Shape) -> bool:
    """Gopher: the most frequent 2-, 3- and 4-gram hold at most 20, 18 and 16 % of the characters."""
    characters, longest = _characters(shape.words), max(map(len, shape.words))
    for n, limit in ((2, 0.20), (3, 0.18), (4, 0.16)):
        counts = Counter(_ngrams(shape.words, n))
        ngram, times = max(counts.items(), key=itemgetter(1), default=((), 0))
        if times < 2:
            return True  # then no longer one occurs twice
        if times * _characters(ngram) > limit * characters:
            return False
        if times * 4 * longest <= 0.16 * characters:
            return True  # a longer one is no more frequent, and cannot cover more than that
    return True


def duplicate_ngrams(shape: Shape) -> bool:
    """Gopher: repeated 5- to 10-grams hold at most 15, 14, 13, 12, 11 and 10 % of the characters."""
    if len(set(_ngrams(shape.words, 5))) == max(0, len(shape.words) - 4):
        return True  # then no longer one occurs twice
    characters = _characters(shape.words)
    for n, limit in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)):
        repeated = _repeated_ngram_characters(shape.words, n)
        if repeated > limit * characters:
            return False
        if repeated <= 0.10 * characters:
            return True  # what a longer one covers, its parts cover too
    return True


def sentence_lines(shape: Shape) -> bool:
    """FineWeb: more than 12 % of the lines end as a sentence does."""
    return sum(line.endswith(_ENDS_SENTENCE) for line in shape.lines) > 0.12 * len(shape.lines)


def short_lines(shape: Shape) -> bool:
    """FineWeb: fewer than 67 % of the lines are shorter than 30 characters."""
    return sum(len(line) < 30 for line in shape.lines) < 0.67 * len(shape.lines)


def placeholder(shape: Shape) -> bool:
    """C4: no 'lorem ipsum'."""
    return "lorem ipsum" not in shape.text.lower()


Rule = Callable[[Shape], bool]
_ANY_LENGTH_RULES: list[Rule] = [mean_word_length, symbol_to_word_ratio, alphabetic_words, frequent_ngram, placeholder]
_LONG_RULES: list[Rule] = [
    stop_words,
    bullet_lines,
    ellipsis_lines,
    duplicate_lines,
    duplicate_line_characters,
    duplicate_paragraphs,
    duplicate_paragraph_characters,
    duplicate_ngrams,
    sentence_lines,
    short_lines,
]
RULES: dict[str, Rule] = {rule.__name__: rule for rule in _ANY_LENGTH_RULES + _LONG_RULES}
_ONLY_LONG = frozenset(rule.__name__ for rule in _LONG_RULES)
DECISIVE = frozenset(
    rule.__name__
    for rule in (stop_words, bullet_lines, ellipsis_lines, duplicate_lines, duplicate_paragraphs, placeholder)
)
"""Rules that reject a text by themselves."""


def _characters(parts: Sequence[str]) -> int:
    return sum(map(len, parts))


def _repeated(parts: list[str], size: Callable[[list[str]], int]) -> int:
    """The `size` of those parts that repeat an earlier one."""
    return size(parts) - size(list(dict.fromkeys(parts)))


def _ngrams(words: list[str], n: int) -> Iterator[tuple[str, ...]]:
    return zip(*(words[start:] for start in range(n)), strict=False)


def _repeated_ngram_characters(words: list[str], n: int) -> int:
    """Characters of the words that stand in an n-gram seen before; a word counts once, however many cover it."""
    seen: set[tuple[str, ...]] = set()
    characters = covered = 0
    for start, ngram in enumerate(_ngrams(words, n)):
        if ngram in seen:
            characters += _characters(words[max(start, covered) : start + n])
            covered = start + n
        else:
            seen.add(ngram)
    return characters

r"""Lines that belong to a site and not to a text: notices, navigation, and headers and footers that repeat.

    strip_boilerplate("Skip to main content\nFire the kiln slowly.\nShare this", frozenset())
    # Stripped("Fire the kiln slowly.", {"notice": 2})

A notice is known by its words, as C4 drops lines on cookies and terms of use (Raffel et al. 2020, arXiv
1910.10683, section 2.2); the words have to be the whole line. A header or footer is a line of several
words that stands among the first or last three lines of many documents of its source. That takes a pass
over the corpus of its own, with a bounded number of counters per source.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_EDGE = 3
_MIN_WORDS = 3
"""Of a repeated line; shorter ones are headings (Examples, See Also) of the text itself."""
_MIN_DOCUMENTS = 20
"""With a repeated line; fewer say little of a source."""
_COUNTERS = 20_000
_SPACES = re.compile(r"\s+")

_PAGES = (
    r"(?:privacy policy|terms of (?:use|service)|cookie policy|contact us|about us|sitemap|home|help|imprint|legal)"
)
_NOTICES = re.compile(
    "|".join(
        (
            r"skip to (?:main )?(?:content|navigation)|back to top|loading\.{3}|advertisement|all rights reserved\.?",
            r"(?:share|tweet|pin|like) this(?: (?:page|post|article|story|entry))?|print this (?:page|article)",
            r"share (?:this )?(?:\w+ )?(?:on|via) (?:facebook|twitter|x|linkedin|whatsapp|e-?mail|reddit|social media)",
            r"follow us(?: on [\w ,]+)?|related (?:articles|posts|stories)|read more(?:\.{3}|…| »)?",
            r"(?:please )?(?:enable|turn on) javascript\b[^.]{0,80}\.?",
            r"javascript (?:is (?:disabled|required)|must be enabled)\b[^.]{0,80}\.?",
            r"(?:accept|reject|manage|allow)(?: all)? cookies|cookie (?:policy|settings|preferences|notice)",
            r"(?:(?:this|our) (?:web)?site uses|we use) cookies\b.{0,200}",
            r"by (?:continuing|using) (?:to (?:use|browse) )?(?:this|our|the) (?:web)?site\b.{0,120}cookies?\b.{0,120}",
            rf"privacy policy|terms (?:of (?:use|service)|and conditions)|{_PAGES}(?: ?[|·•/>-] ?{_PAGES})+",
            r"(?:sign up for|subscribe to) our (?:newsletter|feed)\b.{0,80}",
            r"(?:click|tap) here to (?:print|subscribe|share)\b.{0,40}",
            r"(?:sign|log) in or (?:register|sign up|create an account)\b.{0,60}",
        )
    ),
    re.IGNORECASE,
)
# Looked for before the expression runs: nearly every text has none of them.
_MARKS = (
    *("skip to", "back to top", "loading...", "advertisement", "rights reserved", "share", "tweet this", "pin this"),
    *("like this", "print this", "follow us", "related ", "read more", "javascript", "cookie", "privacy policy"),
    *("terms of", "terms and", "contact us", "about us", "sitemap", "imprint", "newsletter", "our feed", "sign in"),
    *("log in", "here to print", "here to subscribe"),
)


@dataclass(frozen=True)
class Stripped:
    """A text without boilerplate, and the lines taken out by kind: notice, repeated."""

    text: str
    lines: dict[str, int]


class EdgeCounts:
    """In how many documents of each source a line stands at an edge.

    Misra and Gries' counters (1982; merged as Agarwal et al. 2012, section 2.2): with _COUNTERS of them a
    count is too low by at most 6 ÷ 20,000 of the source's documents, whatever their number.
    """

    def __init__(self) -> None:
        self._lines: dict[str, Counter[str]] = {}
        self._documents: Counter[str] = Counter()

    def add(self, source: str, text: str) -> None:
        """Count the lines at the edges of one document."""
        self._documents[source] += 1
        counts = self._lines.setdefault(source, Counter())
        counts.update(edge_lines(text))
        self._shrink(source)

    def merge(self, other: EdgeCounts) -> None:
        """Add the counts of other documents."""
        self._documents.update(other._documents)
        for source, counts in other._lines.items():
            self._lines.setdefault(source, Counter()).update(counts)
            self._shrink(source)

    def repeated(self, share: float) -> dict[str, frozenset[str]]:
        """Per source the lines at the edges of `share` of its documents, and of _MIN_DOCUMENTS at least."""
        needed = {source: max(_MIN_DOCUMENTS, share * number) for source, number in self._documents.items()}
        return {
            source: frozenset(line for line, times in counts.items() if times >= needed[source])
            for source, counts in self._lines.items()
        }

    def _shrink(self, source: str) -> None:
        if len(self._lines[source]) <= 2 * _COUNTERS:
            return
        kept = self._lines[source].most_common(_COUNTERS + 1)
        least = kept[-1][1]
        self._lines[source] = Counter({line: times - least for line, times in kept if times > least})


def edge_lines(text: str) -> set[str]:
    """The lines that could be a header or footer of `text`, white space normalised; a text of few lines has none."""
    lines = [line for line in text.split("\n") if line and not line.isspace()]
    if len(lines) <= 2 * _EDGE:
        lines = lines[:1] + lines[-1:] if len(lines) > 2 else []
    else:
        lines = lines[:_EDGE] + lines[-_EDGE:]
    return {normal for line in lines if len((normal := _normal(line)).split(" ")) >= _MIN_WORDS}


def strip_boilerplate(text: str, repeated: frozenset[str]) -> Stripped:
    """`text` without notices, and without the `repeated` lines of its source at its edges."""
    removed: dict[str, int] = {}
    lowered = text.lower()
    if any(mark in lowered for mark in _MARKS):
        lines = text.split("\n")
        kept = [line for line in lines if not (len(line) < 400 and _NOTICES.fullmatch(line.strip(" \t|·•>»-*")))]
        if len(kept) < len(lines):
            removed["notice"] = len(lines) - len(kept)
            text = "\n".join(kept).strip("\n")
    if repeated and not repeated.isdisjoint(edge_lines(text)):
        lines = text.split("\n")
        inner = _without_edges(lines, repeated)
        removed["repeated"] = len(lines) - len(inner)
        text = "\n".join(inner).strip("\n")
    return Stripped(text, removed)


def _without_edges(lines: Sequence[str], repeated: frozenset[str]) -> list[str]:
    """Without those of the first and last non-blank lines that are `repeated`."""
    written = [number for number, line in enumerate(lines) if line and not line.isspace()]
    edges = {*written[:_EDGE], *written[-_EDGE:]}
    return [line for number, line in enumerate(lines) if not (number in edges and _normal(line) in repeated)]


def count_edges(documents: Iterable[tuple[str, str]]) -> EdgeCounts:
    """Count over (source, text)."""
    counts = EdgeCounts()
    for source, text in documents:
        counts.add(source, text)
    return counts


def _normal(line: str) -> str:
    return _SPACES.sub(" ", line.strip())

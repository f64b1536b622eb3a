"""What a page is made of: sections, and in them figures, tables, facts, notes and quoted records.

    Section("gate", "The gate", "Whether the candidate may be released.", (Table(...), Note("…")))

Section modules say what to show in these terms; page.html alone knows how it looks. Every string is
text, escaped when the page is rendered; the SVG of a figure is the only markup that is trusted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Tone = Literal["good", "bad", "neutral", "warning"]


@dataclass(frozen=True)
class Mark:
    """A word in a coloured pill; the word, never the colour alone, carries the meaning."""

    text: str
    tone: Tone = "neutral"


@dataclass(frozen=True)
class Column:
    """A column of a table. Numbers are right-aligned, code is monospaced and may wrap anywhere."""

    title: str
    kind: Literal["text", "number", "code"] = "text"


Cell = str | Mark | None
"""None shows as a dash: there is nothing to say here, which is not the same as zero."""


@dataclass(frozen=True)
class Table:
    """Rows of cells under named columns."""

    block: ClassVar[str] = "table"
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Figure:
    """An inline SVG drawn by acclimate.report.plots, with the sentence that says what to see in it."""

    block: ClassVar[str] = "figure"
    svg: str
    caption: str


@dataclass(frozen=True)
class Facts:
    """Names and values, the values in monospace where `code` is set."""

    block: ClassVar[str] = "facts"
    rows: tuple[tuple[str, Cell], ...]
    code: bool = False


@dataclass(frozen=True)
class Note:
    """A paragraph; a warning stands out."""

    block: ClassVar[str] = "note"
    text: str
    tone: Tone = "neutral"


@dataclass(frozen=True)
class Points:
    """A short list under a line of text."""

    block: ClassVar[str] = "points"
    text: str
    points: tuple[str, ...]


@dataclass(frozen=True)
class Link:
    """A link to a page beside this one."""

    block: ClassVar[str] = "link"
    target: str
    text: str


@dataclass(frozen=True)
class Verbatim:
    """A file's text, folded away."""

    block: ClassVar[str] = "verbatim"
    title: str
    text: str


@dataclass(frozen=True)
class Folded:
    """A table that is there for whoever looks for it."""

    block: ClassVar[str] = "folded"
    title: str
    table: Table


@dataclass(frozen=True)
class Stretch:
    """A piece of quoted text, highlighted or not."""

    text: str
    marked: bool


@dataclass(frozen=True)
class SideBySide:
    """Two quoted texts beside each other, with what they share highlighted."""

    title: str
    left: tuple[Stretch, ...]
    right: tuple[Stretch, ...]


@dataclass(frozen=True)
class Comparisons:
    """Pairs of texts under the names of the two sides, folded away."""

    block: ClassVar[str] = "comparisons"
    title: str
    sides: tuple[str, str]
    pairs: tuple[SideBySide, ...]


@dataclass(frozen=True)
class Missing:
    """A report that is not there, or that another version of its stage wrote; what would write it."""

    block: ClassVar[str] = "missing"
    text: str
    command: str
    state: Literal["not run", "outdated"] = "not run"


Block = Table | Figure | Facts | Note | Points | Link | Verbatim | Folded | Comparisons | Missing


@dataclass(frozen=True)
class Section:
    """One heading of the page, listed in its table of contents."""

    anchor: str
    title: str
    lead: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Tile:
    """A key figure at the top of the page: what it is, its value, and how to read it."""

    label: str
    value: str
    detail: str
    tone: Tone = "neutral"


@dataclass(frozen=True)
class Header:
    """The top of the page: what was adapted to what, the verdict, and one paragraph in plain words."""

    title: str
    subtitle: str
    verdict: Mark
    summary: str
    tiles: tuple[Tile, ...]
    kind: str = "run report"
    judge: str = "Gate"
    """Whose verdict it is."""


@dataclass(frozen=True)
class Page:
    """The whole report."""

    header: Header
    sections: tuple[Section, ...]

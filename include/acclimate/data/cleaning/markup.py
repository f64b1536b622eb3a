"""Web pages that came in as text: their HTML becomes the text that a reader would see.

    strip_markup("<p>Use <code>List&lt;int&gt;</code> if a < b.</p>")      # "Use `List<int>` if a < b."

Only evidence makes a text a web page: known elements that are opened and closed as HTML has it, and that hold
most of the text. A text that shows HTML (between backticks, in quotes, after a prompt) is about it and stays,
and so do `List<int>`, `a < b` and `<stdin>`.
"""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser

_BLOCK_NAMES = (
    "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2 h3 "
    "h4 h5 h6 header hr html li main nav ol p pre section summary table tbody td tfoot th thead tr ul"
)
_INLINE_NAMES = (
    "a abbr b bdi bdo big cite code del dfn em font i img ins kbd mark q s samp small span strike strong sub sup tt u "
    "var wbr br"
)
_UNSEEN_NAMES = "script style head template noscript nav footer form button select iframe svg object"
_BLOCKS, _INLINE, _UNSEEN = (frozenset(names.split()) for names in (_BLOCK_NAMES, _INLINE_NAMES, _UNSEEN_NAMES))
_KNOWN = _BLOCKS | _INLINE | _UNSEEN
_VOID = frozenset({"br", "hr", "img", "wbr"})
_TAG = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9]*)(?P<attributes>(?:\s[^<>]*)?)/?>")
# Tags of a text about HTML: in backticks, in quotes, at a prompt, in an indented block of code.
_SHOWN = re.compile(r"`[^`\n<]*<[^`\n]*`|['\"]\s*</?[a-zA-Z]|>>> |```|^(?: {4}|\t)[^\n]*</?[a-zA-Z]", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_MIN_PAIRS = 2
"""Of inline tags alone: one <b>…</b> may be meant."""


def strip_markup(text: str) -> str:
    """`text` without its HTML, if that is what it is written in."""
    if not is_markup(text):
        return text
    page = _Page()
    page.feed(text)
    page.close()
    return page.text()


def is_markup(text: str) -> bool:
    """Whether tags structure `text`, rather than being what it is about."""
    if "<" not in text or ("</" not in text and "<br" not in text.lower() and "<p>" not in text.lower()):
        return False
    tags = list(_TAG.finditer(text))
    known = [tag for tag in tags if tag["name"].lower() in _KNOWN]
    if len(known) < 2:
        return False
    blocks = [tag for tag in known if tag["name"].lower() in _BLOCKS]
    opens, closes = text.lstrip(), text.rstrip()
    if blocks and _is_whole(opens, closes, blocks):
        return True
    if _SHOWN.search(text):
        return False
    return _pairs(known) >= (1 if blocks else _MIN_PAIRS) and len(known) >= 0.8 * len(tags)


def _is_whole(opens: str, closes: str, blocks: list[re.Match[str]]) -> bool:
    """Whether `opens` begins with a block's tag and `closes` ends with one: the whole text stands inside blocks."""
    first, last = blocks[0], blocks[-1]
    return opens.startswith(first[0]) and closes.endswith(last[0]) and bool(last["close"] or last["name"] == "hr")


def _pairs(tags: list[re.Match[str]]) -> int:
    """Elements that are opened and closed in order; a line break counts as one."""
    open_tags = _Open()
    pairs = 0
    for tag in tags:
        name = tag["name"].lower()
        if name in _VOID:
            pairs += 1
        elif not tag["close"]:
            open_tags.begin(name)
        elif open_tags.end(name):
            pairs += 1
    return pairs


class _Open:
    """Elements that have begun and not ended, counted, so that a stray end tag is not looked for among them all."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._counts: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self._names)

    def begin(self, name: str) -> None:
        """One element more, inside the others."""
        self._names.append(name)
        self._counts[name] += 1

    def end(self, name: str) -> bool:
        """End the innermost element of this name, and those inside it; False if there is none."""
        found = self._counts[name] > 0
        ended = ""
        while found and ended != name:
            ended = self._names.pop()
            self._counts[ended] -= 1
        return found


class _Page(HTMLParser):
    """Collects what a reader sees; HTMLParser calls its methods."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._pieces: list[str] = []
        self._unseen = _Open()
        self._preformatted = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin an element; one that HTML does not know is text: `List<int>`."""
        if tag in _UNSEEN:
            self._unseen.begin(tag)
        elif tag not in _KNOWN:
            self.handle_data(self.get_starttag_text() or "")
        elif tag == "pre":
            self._preformatted += 1
            self._add("\n\n")
        elif tag == "img":
            self._add(dict(attrs).get("alt") or "")
        else:
            self._mark(tag, _OPENING)

    def handle_endtag(self, tag: str) -> None:
        """End an element."""
        if self._unseen.end(tag):
            return
        if tag not in _KNOWN:
            self.handle_data(f"</{tag}>")
        elif tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)
            self._add("\n\n")
        else:
            self._mark(tag, _CLOSING)

    def handle_data(self, data: str) -> None:
        """Text; outside <pre> any white space is one space."""
        self._add(data if self._preformatted else re.sub(r"[^\S\u00a0]+", " ", data), preformatted=self._preformatted)

    def text(self) -> str:
        """What was collected, at most one blank line in a row."""
        lines = "".join(self._pieces).split("\n")
        stripped = [line[1:].rstrip() if line.startswith(_VERBATIM) else line.strip() for line in lines]
        return _BLANK_LINES.sub("\n\n", "\n".join(stripped)).strip("\n")

    def _mark(self, tag: str, marks: dict[str, str]) -> None:
        """Add what stands for a tag: nothing for inline ones, and for <code> in <pre>."""
        if not (tag == "code" and self._preformatted):
            self._add(marks.get(tag, "\n" if tag in _BLOCKS else ""))

    def _add(self, piece: str, preformatted: int = 0) -> None:
        if self._unseen:
            return
        if preformatted:
            # A mark per line, so that indentation survives the stripping of all other lines.
            piece = piece.replace("\n", f"\n{_VERBATIM}")
            at_line_start = not self._pieces or self._pieces[-1].endswith("\n")
            piece = _VERBATIM + piece if at_line_start else piece
        self._pieces.append(piece)


_VERBATIM = "\ufdd0"  # a noncharacter: no text holds it (Unicode 16.0, section 23.7)
_OPENING = {"li": "\n- ", "br": "\n", "code": "`", "td": " | ", "th": " | ", "p": "\n\n", "sup": "^", "sub": "_"}
_OPENING |= {f"h{level}": "\n\n" for level in range(1, 7)} | {"blockquote": "\n\n", "table": "\n\n"}
_CLOSING = {"code": "`", "td": "", "th": "", "p": "\n\n", "li": "", "tr": ""}
_CLOSING |= {f"h{level}": "\n\n" for level in range(1, 7)} | {"blockquote": "\n\n", "table": "\n\n"}

"""What a text loses on its way into the corpus: what no reader sees, the HTML of a web page included.

    clean_text("<p>Tom &amp; Jerry   </p>")      # "Tom & Jerry"

Case, wording, indentation and the characters of other scripts stay: code and tables are part of the text.
"""

from __future__ import annotations

import html
import re
import unicodedata

from acclimate.data.cleaning.markup import strip_markup

_LINE_ENDS = re.compile(r"\r\n?|[\u0085\u2028\u2029]")
_TERMINAL_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# Control characters but tab and line feed; soft hyphen, zero-width space, word joiner, byte order mark, and the
# marks that turn the direction of text. The zero-width (non-)joiner stays: Persian and emoji are spelt with it.
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
# A run is tried from its first character only, and whole: otherwise a long one inside a line costs its square.
_TRAILING_SPACE = re.compile(r"(?<![^\S\n])[^\S\n]++$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{4,}")
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_MARKUP_OR_CODE = re.compile(r"[<>&`]")
_ABOUT_ENTITIES = re.compile(r"escap|entit|character reference", re.IGNORECASE)


def clean_text(text: str) -> str:
    """`text` in NFC, without what is invisible, at most two blank lines in a row, none at either end."""
    text = decode_entities(_without_invisible(strip_markup(text)))
    # After what stood between a letter and its accent is gone.
    text = unicodedata.normalize("NFC", text)
    text = _TRAILING_SPACE.sub("", text)
    return _BLANK_LINES.sub("\n\n\n", text).strip("\n")


def decode_entities(text: str) -> str:
    """`text` with HTML entities decoded, if they are left over from a web page rather than meant.

    Escaped prose has no bare `<`, `>` or `&`, and no code marks; and a text that speaks of escaping or of
    entities shows them on purpose. In the documentation of Python and the scientific packages all 24
    entities are meant, and this rule leaves all of them alone.
    """
    entities = _ENTITY.findall(text)
    if not entities or _MARKUP_OR_CODE.search(_ENTITY.sub("", text)) or _ABOUT_ENTITIES.search(text):
        return text
    # A decoded entity can be invisible itself: &shy;
    return _without_invisible(html.unescape(text))


def _without_invisible(text: str) -> str:
    return _INVISIBLE.sub("", _TERMINAL_CODES.sub("", _LINE_ENDS.sub("\n", text)))

"""Formats that are one text a file: plain text, Markdown, HTML, PDF."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from acclimate.core.errors import UserError
from acclimate.core.params import Reading
from acclimate.data.sources.content import Content, Raw, UnreadableError, damaged

_DECLARED_ENCODING = re.compile(rb"""<meta[^>]{0,200}charset=["']?([A-Za-z0-9_-]{1,40})""", re.IGNORECASE)
_SEPARATORS = {"line": re.compile("\n"), "paragraph": re.compile(r"\n[ \t]*\n\s*")}


def read_text(content: Content, source: Reading) -> Iterator[Raw]:
    """The text as one record; or, by `records`, one for each 'line' or 'paragraph' (up to an empty line).

    Raises:
        UserError: if `records` is something else.
    """
    text = content.text(source.encoding).replace("\r\n", "\n")
    if source.records is None:
        yield Raw("", {"text": text})
        return
    if source.records not in _SEPARATORS:
        raise UserError(
            f"the source {source.name!r} takes {source.records!r} as the records of a text",
            why="a text has no such parts",
            fix="write line or paragraph in params.yaml, or leave `records` out: then a file is a record",
        )
    number = 1
    start = 0
    ends = [(found.start(), found.end()) for found in _SEPARATORS[source.records].finditer(text)]
    for end, after in [*ends, (len(text), len(text))]:
        if part := text[start:end].strip("\n"):
            yield Raw(f":{number}", {"text": part})
        number += text.count("\n", start, after)
        start = after


def read_html(content: Content, source: Reading) -> Iterator[Raw]:
    """The main content of a page, without menus and footers, and its title; what a browser would show as text.

    Raises:
        UnreadableError: if the page has no text that looks like content.
    """
    import trafilatura
    from lxml import html

    page = _html_text(content, source.encoding)
    text = trafilatura.extract(page, include_comments=False, include_tables=True)
    if not text:
        raise UnreadableError("no main content", "the page has no text beside menus and the like")
    # Without an encoding declaration in it, which lxml refuses in text that is decoded already.
    title = html.fromstring(re.sub(r"<\?xml[^>]*\?>", "", page)).findtext(".//title")
    yield Raw("", {"text": text, "title": " ".join((title or "").split())})


def _html_text(content: Content, encoding: str) -> str:
    """The page decoded; what it declares about itself holds unless the source says something else."""
    start = content.stream.peek(1024)[:1024]  # type: ignore[attr-defined]  # every stream here is buffered
    declared = _DECLARED_ENCODING.search(start)
    if declared and encoding == "utf-8":
        encoding = declared[1].decode("ascii")
    try:
        return content.text(encoding)
    except LookupError:
        raise UnreadableError("unknown encoding", f"the page says it is {encoding!r}") from None


def read_pdf(content: Content, source: Reading) -> Iterator[Raw]:
    """The text of all pages, an empty line between two, and the title the file gives itself.

    Raises:
        UnreadableError: if the file is damaged or encrypted, or is a scan without text.
    """
    from pypdf import PdfReader
    from pypdf.errors import DeprecationError, FileNotDecryptedError, PyPdfError

    # pypdf trusts what a file says of itself, and a damaged one says anything.
    damage = (PyPdfError, DeprecationError, ValueError, LookupError, TypeError, AttributeError, OSError, RuntimeError)
    try:
        pdf = PdfReader(io.BytesIO(content.whole()))
        pages = [page.extract_text().strip() for page in pdf.pages]
        title = str((pdf.metadata.title if pdf.metadata else None) or "")
    except FileNotDecryptedError:
        raise UnreadableError("encrypted", "no password is ever asked for") from None
    except damage as fault:
        raise damaged(fault) from None
    text = "\n\n".join(page for page in pages if page)
    if not text:
        raise UnreadableError("no text", f"{len(pages)} pages without a text layer: scanned?")
    yield Raw("", {"text": text, "title": title})

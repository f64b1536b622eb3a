"""RSS 2.0 (also 0.9x and 1.0) and Atom (RFC 4287) as entries of one form.

    {"id": "https://example.org/?p=7", "title": "Pump 7", "link": "https://example.org/pump-7",
     "author": "Ann", "published": "2026-03-01T08:00:00+00:00", "updated": null, "categories": ["pumps"],
     "summary": "<p>Short.</p>", "content": "<p>All of it.</p>"}

Markup inside an entry stays as it is: cleaning is `clean`'s work. `content` is the summary where a feed has no more.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from xml.etree.ElementTree import Element, ParseError, tostring

from acclimate.core.errors import UserError

ATOM = "{http://www.w3.org/2005/Atom}"
DC = "{http://purl.org/dc/elements/1.1/}"
ENCODED = "{http://purl.org/rss/1.0/modules/content/}encoded"
RSS_1 = "{http://purl.org/rss/1.0/}"

Entry = dict[str, Any]


def parse(body: bytes, where: str) -> list[Entry]:
    """The entries of a feed in its own order, usually the newest first.

    Args:
        body: RSS or Atom.
        where: the feed's address, for the message.

    Raises:
        UserError: if it is neither, no XML, in an encoding that the parser does not know, or declares entities
            (a few lines can expand to gigabytes).
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import fromstring

    try:
        root = fromstring(body)
    except ParseError as fault:
        raise _no_feed(where, f"not XML: {fault}") from None
    except DefusedXmlException as fault:
        raise _no_feed(where, f"refused: {type(fault).__name__}") from None
    except (ValueError, LookupError) as fault:  # after DefusedXmlException, which is a ValueError
        raise UserError(
            f"{where} cannot be read: {fault}",
            why="its documents would be missing from the corpus, or be those of the last fetch",
            fix="ask whoever runs it for UTF-8, or take the source out of params.yaml",
        ) from None
    if root.tag == f"{ATOM}feed":
        return [_atom(entry) for entry in root.iterfind(f"{ATOM}entry")]
    if root.tag == "rss" or root.tag.endswith("}RDF"):
        return [_rss(item) for tag in ("channel/item", f"{RSS_1}item") for item in root.iterfind(tag)]
    raise _no_feed(where, f"its root is <{root.tag.rpartition('}')[2]}>")


def _no_feed(where: str, reason: str) -> UserError:
    return UserError(
        f"{where} is no RSS or Atom feed: {reason}",
        why="there are no entries to read in it",
        fix="mend the `url`: a site's page usually links its feed as application/rss+xml or application/atom+xml",
    )


def _rss(item: Element) -> Entry:
    # RSS 1.0 has its elements in a namespace of its own, 2.0 has none.
    def said(*tags: str) -> str | None:
        return _first(item, *(name for tag in tags for name in (tag, RSS_1 + tag)))

    summary = said("description")
    entry = {
        "id": said("guid"),
        "title": said("title"),
        "link": said("link"),
        "author": said("author", DC + "creator"),
        "published": _iso(said("pubDate", DC + "date")),
        "updated": None,
        "categories": [text for category in item.iterfind("category") if (text := _text(category))],
        "summary": summary,
        "content": said(ENCODED) or summary,
    }
    return _identified(entry)


def _atom(entry: Element) -> Entry:
    summary = _construct(entry.find(f"{ATOM}summary"))
    links = [link for link in entry.iterfind(f"{ATOM}link") if link.get("rel", "alternate") == "alternate"]
    found = {
        "id": _first(entry, f"{ATOM}id"),
        "title": _construct(entry.find(f"{ATOM}title")),
        "link": links[0].get("href") if links else None,
        "author": _first(entry, f"{ATOM}author/{ATOM}name"),
        "published": _iso(_first(entry, f"{ATOM}published", f"{ATOM}updated")),
        "updated": _iso(_first(entry, f"{ATOM}updated")),
        "categories": [term for category in entry.iterfind(f"{ATOM}category") if (term := category.get("term"))],
        "summary": summary,
        "content": _construct(entry.find(f"{ATOM}content")) or summary,
    }
    return _identified(found)


def _identified(entry: Entry) -> Entry:
    """An entry without an id is known by its link, one without either by what it says."""
    said = f"{entry['title']}\0{entry['content']}"
    entry["id"] = entry["id"] or entry["link"] or f"sha256:{hashlib.sha256(said.encode()).hexdigest()[:32]}"
    return entry


def _construct(element: Element | None) -> str | None:
    """Atom's text and content: plain text and escaped HTML are its text, XHTML is markup inside a div."""
    if element is not None and element.get("type") == "xhtml":
        return "".join(tostring(part, encoding="unicode").strip() for part in element) or None
    return _text(element)


def _first(parent: Element, *tags: str) -> str | None:
    return next((text for tag in tags if (text := _text(parent.find(tag)))), None)


def _text(element: Element | None) -> str | None:
    return (element.text or "").strip() or None if element is not None else None


def _iso(written: str | None) -> str | None:
    """RFC 822 or ISO 8601 as ISO 8601 in UTC; None if it is neither."""
    if written is None:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(written)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
        except (ValueError, OverflowError):
            continue
    return None

"""What goes wrong with a source elsewhere, told without its secrets."""

from __future__ import annotations

import re

from acclimate.core.errors import UserError


class UnreachableError(UserError):
    """A fault that may be gone in a minute: the host does not answer, or says that it is busy."""


def one_line(fault: Exception) -> str:
    """The first line of what a library says, with the addresses in it as shown() gives them."""
    line = next(iter(str(fault).splitlines()), "") or type(fault).__name__
    return re.sub(r"https?://[^\s'\")]+", lambda found: shown(found.group()), line)[:300]


def shown(url: str) -> str:
    """`url` as it may stand in a message or a file: without user, password, query and fragment.

    Cut much as RFC 3986, appendix B, does it, because urlsplit() raises where brackets do not close, and what a
    server redirects to may be anything.

    >>> shown("https://me:secret@example.org:8443/feed.xml?token=abc")
    'https://example.org:8443/feed.xml'
    """
    parts = re.match(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?(?://([^/?#]*))?([^?#]*)", re.sub(r"[\t\r\n]", "", url))
    assert parts, "every part may be absent"
    scheme, authority, path = parts.groups("")
    return f"{scheme}://{authority.rpartition('@')[2]}{path}"

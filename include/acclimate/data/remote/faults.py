"""What goes wrong with a source elsewhere, told without its secrets."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from acclimate.core.errors import UserError


class UnreachableError(UserError):
    """A fault that may be gone in a minute: the host does not answer, or says that it is busy."""


def one_line(fault: Exception) -> str:
    """The first line of what a library says, with the addresses in it as shown() gives them."""
    line = next(iter(str(fault).splitlines()), "") or type(fault).__name__
    return re.sub(r"https?://[^\s'\")]+", lambda found: shown(found.group()), line)[:300]


def shown(url: str) -> str:
    """`url` as it may stand in a message or a file: without user, password, query and fragment.

    >>> shown("https://me:secret@example.org:8443/feed.xml?token=abc")
    'https://example.org:8443/feed.xml'
    """
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

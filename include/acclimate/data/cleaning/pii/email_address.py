"""E-mail addresses, plain (ann@hill.org) and veiled (ann [at] hill [dot] org).

Left alone: domains that exist for examples (RFC 2606 and 6761) and their customary like (yourdomain.com),
`git@host` of a repository, and what only looks like an address in code: `x@y.T`, `package@1.2.3`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PLAIN = re.compile(
    r"(?<![\w.%+@/$-])(?:mailto:)?(?P<address>[A-Za-z0-9][\w.%+'-]{0,63}@"
    r"(?P<domain>(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?P<top>[A-Za-z]{2,24})))(?![\w@]|\.\w|\()",
)
_VEILED = re.compile(
    r"(?<![\w.%+-])(?P<address>[A-Za-z0-9][\w.%+-]{0,63}(?P<at>\s?[\[({<]\s?(?:at|AT)\s?[\])}>]\s?|\sAT\s)"
    r"(?P<domain>[A-Za-z0-9-]{1,63}(?:(?:\.|\s?[\[({<]\s?(?:dot|DOT)\s?[\])}>]\s?|\sDOT\s)[A-Za-z0-9-]{1,63}){0,3}"
    r"(?:\.|\s?[\[({<]\s?(?:dot|DOT)\s?[\])}>]\s?|\sDOT\s)(?P<top>[A-Za-z]{2,24})))(?!\w)"
)
_VEILS = ("at]", "at)", "at}", "at>", "at ]", "at )", " AT ", "AT]", "AT)")
_COUNTRY_LETTERS = 2
# The generic top-level domains under which people have addresses; without a list `weights@layer.forward` is one.
_GENERIC_NAMES = (
    "com org net edu gov mil int info biz name pro aero coop museum jobs mobi travel cat asia post tel xxx arpa "
    "dev app cloud online site tech store shop blog email live news world today agency academy systems solutions "
    "health science engineering software digital network group team space consulting services media studio "
    "berlin london paris tokyo swiss gmbh ltd llc foundation institute university education google"
)
_GENERIC = frozenset(_GENERIC_NAMES.split())
_EXAMPLE_TOP = frozenset({"example", "test", "invalid", "localhost", "local"})
_EXAMPLE_LABEL = re.compile(
    r"(?:example|yourdomain|yourcompany|your-?\w+|mydomain|mycompany|domain|company|somewhere|my|our|foo|bar|baz|acme|host|"
    r"test|mail|xyz|abc)\d*",
    re.IGNORECASE,
)
_NOT_A_PERSON = frozenset({"git", "hg", "svn", "user", "username", "your_email", "your-email", "youremail"})


_MOST_DIGITS = 12
"""More are the identifier of a message (RFC 5322, section 3.6.4)."""


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where an address stands."""
    if "@" in text:
        for match in _PLAIN.finditer(text):
            if _is_address(match) and not _in_code(text, match) and not _in_url(text, match):
                yield match.span("address")
    if any(mark in text for mark in _VEILS):
        for match in _VEILED.finditer(text):
            if _is_address(match):
                yield match.span("address")


def _is_address(match: re.Match[str]) -> bool:
    top = match["top"].lower()
    if top in _EXAMPLE_TOP or not (len(top) == _COUNTRY_LETTERS or top in _GENERIC):
        return False
    local = re.split(r"@|\s|\[|\(|\{|<", match["address"], maxsplit=1)[0]
    labels = re.split(r"[^A-Za-z0-9-]+", match["domain"])
    # The label that was registered: the one before `com`, or before `co.uk`.
    registered = labels[-3] if len(labels) > 2 and labels[-2] in {"co", "com", "ac", "org", "gov"} else labels[-2]
    if local.lower() in _NOT_A_PERSON or local.lower() == registered.lower() or not local.lower().strip("x._"):
        return False
    return sum(map(str.isdigit, local)) <= _MOST_DIGITS and not _EXAMPLE_LABEL.fullmatch(registered)


def _in_code(text: str, match: re.Match[str]) -> bool:
    """Whether a matrix product stands there: `A@x.mean`, `(Q@R.py)`; a name of one letter is a variable."""
    local, domain = match["address"].split("@")
    return len(local) == 1 and len(domain.split(".")[0]) == 1 and not text[: match.start()].endswith("<")


def _in_url(text: str, match: re.Match[str]) -> bool:
    """Whether it is the user of a URL's host: postgres://user:word@db.cloud.com."""
    return "://" in text[text.rfind(" ", 0, match.start()) + 1 : match.start()].rpartition("\n")[2]

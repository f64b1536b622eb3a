"""International bank account numbers: the country's length and the check digits (ISO 13616, ISO 7064 mod 97-10)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FORM = re.compile(r"(?<![\w./+-])[A-Z]{2}\d\d(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?(?![\w/+-])")


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where an account number stands."""
    from stdnum import iban

    for match in _FORM.finditer(text):
        if iban.is_valid(match[0]):
            yield match.span()

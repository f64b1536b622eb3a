"""Payment card numbers: an issuer's prefix and length, and the Luhn check digit (ISO/IEC 7812-1, annex B).

One run of 16 random digits in ten passes the check, one in about thirty also has an issuer's prefix. So a
number inside an array, a fraction, an identifier or a hash is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_DIGITS = re.compile(
    r"(?<![\w.,+#/-])(?<![\[(,] )"
    r"(?P<number>\d{4}(?P<gap>[ -])\d{4}(?P=gap)\d{4}(?P=gap)\d{4}|\d{4}(?P<gap2>[ -])\d{6}(?P=gap2)\d{4,5}"
    r"|(?<![\[(=])\d{14,16})"
    r"(?![\w/-]|[.,]\d|, ?\d| \d)"
)
# Visa; Mastercard (both ranges); American Express; Discover; Diners Club; JCB; UnionPay.
_ISSUERS = re.compile(
    r"4\d{15}|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}|"
    r"6(?:011|4[4-9]\d|5\d\d)\d{12}|3(?:0[0-5]|[68]\d)\d{11}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14}"
)


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where a card number stands."""
    from stdnum import luhn

    for match in _DIGITS.finditer(text):
        digits = re.sub(r"\D", "", match["number"])
        if _ISSUERS.fullmatch(digits) and luhn.is_valid(digits):
            yield match.span("number")

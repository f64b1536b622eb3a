"""Telephone numbers, checked against the numbering plans of the phonenumbers library.

Any valid number with its country code counts; (212) 555-0187 and 212-555-0187 count by their form, if the plan
has them; other national forms need a word such as "phone" or "fax" on the line before them, because rows of
numbers in a table look the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_CANDIDATE = re.compile(
    r"(?<![\w./#$€£*^+-])(?P<number>\+\d[\d \u00a0().-]{6,20}\d"
    r"|(?<![:,=\[])(?<!\d, )(?<![\[(] )(?:\(?0\d[\d \u00a0()/.-]{5,18}\d|\(?[1-9][\d \u00a0()/.-]{6,17}\d))"
    r"(?![\w\]%]|[.,]\d| ?[*/=+])"
)
_CUE = re.compile(
    r"(?:\b(?:tele)?phone|\bt[eé]l\b|\bfax|\bmobile|\bcell(?:ular)?\b|\bcall(?:\s+(?:me|us|him|her|them))?|\b(?:hot|help)line|\bswitchboard|\bnuméro|\bmob\b|"
    r"\bwhatsapp|\btext\s+me|\bdial|\breach\s+(?:me|us|him|her)|\bring\b|\btoll[- ]free|\btelefon|\bmóvil|"
    r"\bteléfono|\bhandy\b|☎|\bph\b|\bcontact)"
    r"(?:[\s:.,#()-]|\b(?:is|at|on|no|nr|nummer|number|numbers|or|me|us|the|our|office|home|work|him|her)\b)*$",
    re.IGNORECASE,
)
_BY_FORM = re.compile(r"(?:1[ .-])?(?:\(\d{3}\) ?\d{3}-\d{4}|\d{3}-\d{3}-\d{4}|\d{3}\.\d{3}\.\d{4})")
_DECIMAL = re.compile(r"\+\d+\.\d+")
_REGIONS = ("US", "GB", "DE", "FR", "ES", "IT", "NL", "CH", "AT", "AU", "IN")
"""Whose national forms are understood behind a cue."""
_CUE_CHARACTERS = 40
_MOST_DIGITS = 15
"""ITU-T E.164, section 6."""


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where a telephone number stands."""
    for match in _CANDIDATE.finditer(text):
        number = match["number"]
        start, end = match.span("number")
        before = text[max(0, start - _CUE_CHARACTERS) : start].rpartition("\n")[2]
        if number.count("(") == number.count(")") and _is_phone(number, before):
            yield start, end


def _is_phone(number: str, before: str) -> bool:
    if sum(map(str.isdigit, number)) > _MOST_DIGITS:
        return False
    if number[0] == "+":
        return not _DECIMAL.fullmatch(number) and _valid(number, None)
    if _CUE.search(before):
        return any(_valid(number, region) for region in _REGIONS)
    return bool(_BY_FORM.fullmatch(number)) and _valid(number, "US")


def _valid(number: str, region: str | None) -> bool:
    import phonenumbers

    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(number, region))
    except phonenumbers.NumberParseException:
        return False

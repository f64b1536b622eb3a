"""Numbers by which a state knows a person, each by its form and, where it has one, its check digit.

The checks are python-stdnum's. A form of digits alone (German tax id, Dutch BSN, …) also needs its name on
the same line: one number of nine digits in eleven passes the BSN's check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module


@dataclass(frozen=True)
class NationalId:
    """One country's number."""

    form: re.Pattern[str]
    check: str | None = None
    """Module of stdnum whose `is_valid` it passes."""
    cue: re.Pattern[str] | None = None
    """What stands before it on its line."""


def _number(form: str, check: str | None = None, cue: str | None = None) -> NationalId:
    named = re.compile(rf"(?:{cue})\W*(?:\w+\W+){{0,3}}$", re.IGNORECASE) if cue else None
    return NationalId(re.compile(rf"(?<![\w./+#-])(?:{form})(?![\w/+-]|\.\w)"), check, named)


_NUMBERS = (
    # United States, Social Security number: no check digit; 000, 666 and 900-999 are never issued (SSA, RM 10201.035).
    _number(r"\d{3}-\d{2}-\d{4}", "us.ssn"),
    _number(r"\d{9}|\d{3} \d{2} \d{4}", "us.ssn", r"\bssn\b|social security|\bsoc\. sec"),
    # United Kingdom, National Insurance number: prefixes of HMRC's manual NIM39110; NHS number.
    _number(r"(?!BG|GB|KN|NK|NT|TN|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z](?:\d{6}|(?: \d\d){3} )[A-D]"),
    _number(r"\d{3}[ -]?\d{3}[ -]?\d{4}", "gb.nhs", r"\bNHS\b"),
    _number(
        r"\d{2} ?\d{3} ?\d{3} ?\d{3}", "de.idnr", r"steuer-?\s?id\w*|\bid-?nr\b|steueridentifikations\w*|\btax id\b"
    ),
    _number(r"\d{8}-?[A-HJ-NP-TV-Z]", "es.dni"),
    _number(r"[XYZ]-?\d{7}-?[A-HJ-NP-TV-Z]", "es.nie"),
    _number(r"[12] ?\d\d ?(?:0[1-9]|1[0-2]) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", "fr.nir"),
    _number(r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", "it.codicefiscale"),
    _number(r"\d{4}\.?\d{2}\.?\d{3}", "nl.bsn", r"\bBSN\b|burgerservicenummer|sofi-?nummer"),
    _number(r"\d{11}", "pl.pesel", r"\bPESEL\b"),
    _number(r"\d{3}\.\d{3}\.\d{3}-\d\d", "br.cpf"),
    _number(r"\d{4} ?\d{4} ?\d{4}", "in_.aadhaar", r"\baadhaa?r\b|\buidai?\b"),
    _number(r"(?:19|20)?\d{6}[-+]\d{4}", "se.personnummer", r"person-?nummer|personnr"),
    _number(r"\d{3}[ -]?\d{3}[ -]?\d{3}", "ca.sin", r"\bSIN\b|social insurance"),
)
_CUE_CHARACTERS = 60


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where such a number stands."""
    for number in _NUMBERS:
        for match in number.form.finditer(text):
            if _named(number, text, match.start()) and _valid(number, match[0]):
                yield match.span()


def _named(number: NationalId, text: str, start: int) -> bool:
    before = text[max(0, start - _CUE_CHARACTERS) : start].rpartition("\n")[2]
    return number.cue is None or number.cue.search(before) is not None


def _valid(number: NationalId, written: str) -> bool:
    if number.check is None:
        return True
    valid: bool = import_module(f"stdnum.{number.check}").is_valid(written)
    return valid

"""Public IP addresses, version 4 and 6, by Python's ipaddress.

Left alone, because they lead to nobody: loopback, private, link-local, multicast and reserved ranges, the
ranges kept for documentation (RFC 5737, RFC 3849), and public resolvers that every manual names. A version
(numpy 1.21.0.1, section 3.1.4.1) is told from an address by the words before it and by its small numbers.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator

_V4 = re.compile(
    r"(?<![\w.~^<>-])(?<![=v][=.])(?P<address>\d{1,3}(?:\.\d{1,3}){3})(?![\w-]|\.\w)(?P<port>[:/]\d{1,5})?"
)
_DOTTED = re.compile(r"\d\.\d{1,3}\.\d{1,3}\.\d")
_V6 = re.compile(r"(?<![\w:.])(?P<address>[23][0-9A-Fa-f]{3}:[0-9A-Fa-f:]{4,34})(?![\w:])")
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_CUE = re.compile(
    r"\b(?:ip|ipv4|address(?:es)?|host|server|client|peer|gateway|ping|ssh|curl|inet|dns|proxy|"
    r"remote|source|visitor|login)\b\W*(?:\w+\W+){0,2}$",
    re.IGNORECASE,
)
_VERSION = re.compile(
    r"\b(?:versions?|release[ds]?|build|driver|firmware|v|section|sections|chapter|clause|oid|rfc|python|upgrade\w*|"
    r"install\w*|requires?|chrome|firefox|table|figure|since|before|after)\W*(?:[\w.]+\W+){0,2}$",
    re.IGNORECASE,
)
_SMALL = 32
"""Versions and sections have small numbers; one address in 4,096 has four below this."""
_KNOWN = frozenset(
    {"8.8.8.8", "8.8.4.4", "1.1.1.1", "1.0.0.1", "9.9.9.9", "1.2.3.4", "4.3.2.1", "5.6.7.8", "123.45.67.89"}
)
_CUE_CHARACTERS = 40


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where an address stands that can lead to a person or a machine."""
    if _DOTTED.search(text):
        for match in _V4.finditer(text):
            if _is_public_v4(text, match):
                yield match.span("address")
    if text.count(":") > 2:
        for match in _V6.finditer(text):
            if _is_public_v6(match["address"]):
                yield match.span("address")


def _is_public_v4(text: str, match: re.Match[str]) -> bool:
    octets = match["address"].split(".")
    if match["address"] in _KNOWN or any(int(octet) > 255 or octet != str(int(octet)) for octet in octets):
        return False
    address = ipaddress.IPv4Address(match["address"])
    if not address.is_global or address.is_multicast:
        return False
    before = text[max(0, match.start() - _CUE_CHARACTERS) : match.start()].rpartition("\n")[2]
    if _VERSION.search(before):
        return False
    return bool(match["port"]) or max(map(int, octets)) >= _SMALL or bool(_CUE.search(before))


def _is_public_v6(written: str) -> bool:
    try:
        address = ipaddress.IPv6Address(written.rstrip(":") if not written.endswith("::") else written)
    except ValueError:
        return False
    # Three groups: `array[2000::3]` is a slice.
    groups = [group for group in written.split(":") if group]
    return len(groups) > 2 and address in _GLOBAL_V6 and address.is_global

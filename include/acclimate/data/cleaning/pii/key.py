"""Keys and tokens: the known forms of their issuers, private-key blocks, and secrets assigned to a name.

An issuer's form stands for itself. A value assigned to `password`, `secret_key` and the like counts if it is
as disordered as a random string (Shannon entropy per character; English words have 2.5 to 3.5). Documentation's own
examples (AKIAIOSFODNN7EXAMPLE, your-token-here, ${TOKEN}) are left alone, and so are hashes of content.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

_PRIVATE_KEY = re.compile(
    r"-----BEGIN (?P<kind>[A-Z ]*PRIVATE KEY(?: BLOCK)?)-----[A-Za-z0-9+/=\s\\:,.()-]{40,16000}?-----END (?P=kind)-----"
)
_ISSUED = re.compile(
    r"(?<![A-Za-z0-9_/+-])(?:"
    r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}|"  # Amazon Web Services
    r"gh[pousr]_[A-Za-z0-9]{36,251}|github_pat_[A-Za-z0-9_]{82}|glpat-[\w-]{20,}|"  # GitHub, GitLab
    r"xox[abeoprs]-(?:\d+-)*[\w-]{10,}|xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{32,}|"  # Slack
    r"[rs]k_(?:live|test)_[A-Za-z0-9]{20,}|whsec_[A-Za-z0-9]{24,}|"  # Stripe
    r"AIza[\w-]{35}|ya29\.[\w-]{30,}|GOCSPX-[\w-]{28}|"  # Google
    r"sk-(?:proj-|svcacct-|ant-[a-z0-9]+-)?[A-Za-z0-9_-]{32,}|hf_[A-Za-z]{34}|"  # OpenAI, Anthropic, Hugging Face
    r"npm_[A-Za-z0-9]{36}|pypi-AgEI[\w-]{50,}|dop_v1_[a-f0-9]{64}|"  # npm, PyPI, DigitalOcean
    r"SG\.[\w-]{22}\.[\w-]{43}|\d{8,10}:AA[\w-]{33}|"  # SendGrid, Telegram
    r"dapi[a-f0-9]{32}|eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]{16,}"  # Databricks, JSON Web Token (RFC 7519)
    r")(?![A-Za-z0-9_])"
)
_WEBHOOK = re.compile(r"hooks\.slack\.com/services/(?P<secret>T\w{8,}/B\w{8,}/\w{20,})")
_CREDENTIALS = re.compile(r"[a-z][a-z0-9+.-]{1,20}://[^\s:/@'\"<>]{1,64}:(?P<secret>[^\s:/@'\"<>{}$*%]{6,128})@[\w.-]+")
_ASSIGNED = re.compile(
    r"(?:(?:api|access|account|private|fernet|encryption|signing|auth|client|storage|shared)[_-]?(?:access[_-]?)?key|"
    r"secret|token|passw(?:or)?d|pwd|passphrase|credential|authorization)\w{0,12}['\"]?\s?(?::=|[:=])\s?"
    r"(?:(?:Bearer|Token|Basic)\s)?(?P<quote>['\"]?)(?P<secret>[A-Za-z0-9+/=_!#%*^~.$@-]{12,256})(?P=quote)",
    re.IGNORECASE,
)
# Looked for before any expression runs: nearly every text has none of them.
_MARKS = (
    *("AKIA", "ASIA", "ABIA", "ACCA", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat", "glpat", "xox", "xapp"),
    *("k_live", "k_test", "whsec", "AIza", "ya29", "GOCSPX", "sk-", "hf_", "npm_", "pypi-A", "dop_v1", "SG.", ":AA"),
    *("dapi", "eyJ"),
)
_NAMES = (
    *("_key", "-key", "apikey", "accesskey", "accountkey", "sharedkey", "privatekey", "token", "secret", "passw"),
    *("pwd", "passphrase", "credential", "authorization"),
)
_EXAMPLE = re.compile(
    r"example|your|change_?me|placeholder|dummy|sample|xxxx|\.\.\.|\*\*\*|1234567|abcdef|password|passwd|secret|redacted|"
    r"deadbeef|insert|replace|default",
    re.IGNORECASE,
)
_WORD = re.compile(r"[A-Za-z]?[a-z]{2,}\d{0,2}|[A-Z]{2,}\d{0,2}|\d{1,4}|v\d+")
_MIN_BITS = 3.5
"""Per character; of 16 random characters out of 64 it is about 3.8, of hexadecimal ones 3.2."""
_MIN_HEXADECIMAL_BITS = 2.9


def find(text: str) -> Iterator[tuple[int, int]]:
    """Where a key stands; of a URL or an assignment only the secret itself."""
    if "PRIVATE KEY" in text:
        yield from (match.span() for match in _PRIVATE_KEY.finditer(text))
    if any(mark in text for mark in _MARKS):
        yield from (match.span() for match in _ISSUED.finditer(text) if not _EXAMPLE.search(match[0]))
    if "hooks.slack.com" in text:
        yield from (match.span("secret") for match in _WEBHOOK.finditer(text) if not _EXAMPLE.search(match[0]))
    if "://" in text and "@" in text:
        yield from (match.span("secret") for match in _CREDENTIALS.finditer(text) if _is_password(match["secret"]))
    lowered = text.lower()
    if any(name in lowered for name in _NAMES):
        yield from (match.span("secret") for match in _ASSIGNED.finditer(text) if _is_random(match["secret"]))


def _is_password(written: str) -> bool:
    """Whether a URL's password is more than a customary word (airflow:airflow@postgres)."""
    return not _EXAMPLE.search(written) and any(map(str.isdigit, written)) and any(map(str.isalpha, written))


def _is_random(value: str) -> bool:
    """Whether a value has letters, digits and the disorder of a generated secret, and is no name, path or call."""
    letters, digits = sum(map(str.isalpha, value)), sum(map(str.isdigit, value))
    if letters < 3 or digits < 2 or _EXAMPLE.search(value) or _reads_as_name(value):
        return False
    hexadecimal = re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", value) is not None
    return _entropy(value) >= (_MIN_HEXADECIMAL_BITS if hexadecimal else _MIN_BITS)


def _reads_as_name(value: str) -> bool:
    """Whether `value` is made of words: a dotted or underscored name, a path, a version."""
    parts = [part for part in re.split(r"[._/\-=]+", value) if part]
    words = sum(len(part) for part in parts if _WORD.fullmatch(part))
    return words >= 0.6 * sum(map(len, parts))


def _entropy(value: str) -> float:
    """Shannon entropy in bits per character (Shannon 1948, section 6)."""
    return -sum(times / len(value) * math.log2(times / len(value)) for times in Counter(value).values())

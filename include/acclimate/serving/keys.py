"""API keys: who may ask what, and how much of it.

    acc_7f3a91c2_8Jt5…        the key: an id, which is no secret, and 256 random bits

A key is kept as an HMAC of its random part, under a secret in a file of its own: whoever gets hold of keys.json alone
can neither use a key nor check one. There is nothing in it that could be guessed, so a slow hash would only make every
request slow. The file is read again when it has changed: a key works from the request after it was made, and none after
it was revoked.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from acclimate.serving.places import Places

MARK = "acc"
"""Keys begin with this, so that one that was published by mistake can be found (and nothing else taken for one)."""

Scope = Literal["generate", "read"]
SCOPES: tuple[Scope, ...] = ("generate", "read")
"""generate: ask a model; read: who serves, and the metrics."""


class Key(BaseModel):
    """What is kept of a key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    """Of whoever holds it, for people."""
    hash: str
    scopes: tuple[Scope, ...] = SCOPES
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """None: what the endpoint's params say."""
    tokens_per_day: Annotated[int, Field(ge=1)] | None = None
    created: datetime
    expires: datetime | None = None
    revoked: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Whether it may be used."""
        return self.revoked is None and (self.expires is None or now < self.expires)


class Keys(BaseModel):
    """All keys there are, revoked ones too: the audit names them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    keys: tuple[Key, ...] = ()


def draw() -> tuple[str, str, str]:
    """A new key: its id, its secret part, and the whole as it is handed out."""
    identity, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    return identity, secret, f"{MARK}_{identity}_{secret}"


def parted(whole: str) -> tuple[str, str]:
    """Id and secret part of a key; both empty of what is none."""
    mark, _, rest = whole.partition("_")
    identity, _, secret = rest.partition("_")
    return (identity, secret) if mark == MARK else ("", "")


def hashed(pepper: str, secret: str) -> str:
    """HMAC-SHA-256 (RFC 2104) of a key's secret part, hex."""
    return hmac.new(pepper.encode(), secret.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def read(path: Path) -> Keys:
    """The keys in a file, none if there is none; raises ValueError (pydantic's) if it is damaged."""
    try:
        return Keys.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Keys()


class KeyRing:
    """The keys of a file as it is now."""

    def __init__(self, places: Places | None) -> None:
        self._places = places
        self._seen: tuple[int, int] | None = None
        self._pepper = ""
        self._keys: dict[str, Key] = {}

    def find(self, presented: str) -> Key | None:
        """The valid key that was presented, or None."""
        identity, secret = parted(presented)
        self._look()
        key = self._keys.get(identity)
        if key is None or not hmac.compare_digest(key.hash, hashed(self._pepper, secret)):
            return None
        return key if key.valid(datetime.now(UTC)) else None

    def of(self, identity: str) -> Key | None:
        """The key of this id, if it is valid."""
        self._look()
        key = self._keys.get(identity)
        return key if key is not None and key.valid(datetime.now(UTC)) else None

    def _look(self) -> None:
        """Read the file if it has changed."""
        if self._places is None or not self._places.keys.exists():
            self._seen, self._keys = None, {}
            return
        status = self._places.keys.stat()
        stamp = (status.st_ino, status.st_mtime_ns)
        if stamp != self._seen:
            self._pepper = self._places.pepper.read_text(encoding="ascii")
            self._keys = {key.id: key for key in read(self._places.keys).keys}
            self._seen = stamp

"""API keys of the endpoint: make, list, revoke. The running endpoint knows at once.

    acclimate keys create NAME [--scope generate] [--days 90] [--requests-per-minute 60] [--tokens-per-day 100000]
    acclimate keys list
    acclimate keys revoke ID

A key is shown once, when it is made. To replace one, make another, hand it out, and revoke the old.
"""

from __future__ import annotations

import argparse
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from acclimate.core.errors import UserError
from acclimate.core.files import write_private
from acclimate.core.locks import locked
from acclimate.release.client import KEY
from acclimate.release.roles import places
from acclimate.serving.keys import SCOPES, Key, Keys, draw, hashed, parted, read

OURS = "environment"
"""Name of the key that ACCLIMATE_ENDPOINT_KEY holds: our own commands show it, the endpoint takes it for valid."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """create, list, revoke."""
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    create = verbs.add_parser("create", help="make a key and show it, once")
    create.add_argument("name", help="of whoever gets it")
    create.add_argument("--scope", choices=SCOPES, action="append", help="may be given twice; default: all scopes")
    create.add_argument("--days", type=int, help="until it expires; default: never")
    create.add_argument("--requests-per-minute", type=int, metavar="N", help="default: endpoint.requests_per_minute")
    create.add_argument("--tokens-per-day", type=int, metavar="N", help="default: endpoint.tokens_per_day")
    verbs.add_parser("list", help="every key there is or was, without what is secret of it")
    verbs.add_parser("revoke", help="let a key be used no more").add_argument("id")


def main(arguments: argparse.Namespace) -> int:
    """Do what the verb says."""
    if arguments.verb == "create":
        limits = {name: getattr(arguments, name) for name in ("requests_per_minute", "tokens_per_day")}
        print(create(arguments.name, scopes=tuple(arguments.scope or SCOPES), days=arguments.days, **limits))
    elif arguments.verb == "revoke":
        print(f"revoked {revoke(arguments.id).name}")
    else:
        print(listed())
    return 0


def create(
    name: str,
    *,
    scopes: tuple[str, ...] = SCOPES,
    days: int | None = None,
    requests_per_minute: int | None = None,
    tokens_per_day: int | None = None,
) -> str:
    """Add a key and return it as it is handed out; it is kept nowhere.

    Raises:
        UserError: if a limit is below 1.
    """
    numbers = {"--days": days, "--requests-per-minute": requests_per_minute, "--tokens-per-day": tokens_per_day}
    for option, value in numbers.items():
        if value is not None and value < 1:
            raise UserError(
                f"{option} is {value}", why="nobody could use such a key", fix="give 1 or more, or leave it out"
            )
    identity, secret, whole = draw()
    now = datetime.now(UTC)
    fields = {
        "id": identity,
        "name": name,
        "scopes": scopes,
        "created": now,
        "expires": None if days is None else now + timedelta(days=days),
        "requests_per_minute": requests_per_minute,
        "tokens_per_day": tokens_per_day,
    }
    key = Key.model_validate({**fields, "hash": hashed(_pepper(), secret)})
    _change(lambda keys: (*keys, key))
    return whole


def revoke(identity: str) -> Key:
    """Let a key be used no more, from the next request on; a revoked one stays as it is.

    Raises:
        UserError: if there is no such key.
    """
    found = [key for key in read(places().keys).keys if key.id == identity]
    if not found:
        raise UserError(
            f"there is no key {identity}", why="nothing was revoked", fix="`acclimate keys list` has the ids"
        )
    if found[0].revoked is None:
        _revoke(lambda key: key.id == identity)
    return found[0]


def adopt(whole: str) -> None:
    """Take a key from the environment for valid, and no other of that name any more.

    Raises:
        UserError: if it is not made like a key.
    """
    identity, secret = parted(whole)
    if not identity or len(secret) < 32:
        raise UserError(
            f"{KEY} is set and is no key",
            why="a short or guessed one protects nothing",
            fix="take what `acclimate keys create NAME` or `acclimate secrets` prints",
        )
    key = Key(id=identity, name=OURS, hash=hashed(_pepper(), secret), created=datetime.now(UTC))
    known = [one for one in read(places().keys).keys if (one.id, one.hash) == (key.id, key.hash)]
    if not known:
        _revoke(lambda one: one.name == OURS)
        _change(lambda keys: (*keys, key))


def any_valid() -> bool:
    """Whether there is a key that may be used."""
    now = datetime.now(UTC)
    return any(key.valid(now) for key in read(places().keys).keys)


def listed() -> str:
    """A line per key: id, name, scopes, limits, and whether it may be used."""
    now = datetime.now(UTC)
    lines = []
    for key in read(places().keys).keys:
        standing = "valid" if key.valid(now) else f"revoked {key.revoked:%Y-%m-%d}" if key.revoked else "expired"
        until = f"until {key.expires:%Y-%m-%d}" if key.expires else "for good"
        limits = f"{key.requests_per_minute or '-'} requests/min, {key.tokens_per_day or '-'} tokens/day"
        lines.append(f"{key.id}  {standing:<18}  {until:<16}  {'+'.join(key.scopes):<13}  {limits}  {key.name}")
    return "\n".join(lines) or "there is no key; `acclimate keys create NAME` makes one"


def _revoke(which: Callable[[Key], bool]) -> None:
    gone = {"revoked": datetime.now(UTC)}
    _change(
        lambda keys: tuple(key.model_copy(update=gone) if which(key) and key.revoked is None else key for key in keys)
    )


def _change(make: Callable[[tuple[Key, ...]], tuple[Key, ...]]) -> None:
    path = places().keys
    with locked(path.with_suffix(".lock")):
        write_private(path, Keys(keys=make(read(path).keys)).model_dump_json(indent=2) + "\n")


def _pepper() -> str:
    """The secret that keys are hashed with, drawn when it is first needed."""
    path = places().pepper
    with locked(path.with_suffix(".lock")):
        if not path.exists():
            write_private(path, secrets.token_hex(32))
    return path.read_text(encoding="ascii")

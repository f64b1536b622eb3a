"""The source `feed`: every entry that an RSS or Atom feed has ever had, as one JSONL file.

A feed is a window: it shows the latest ten or fifty entries, and what falls out of it is old, not withdrawn. So
entries are kept when the feed no longer has them; one that comes again with other words replaces its former self.
The server is asked for what is newer than last time (ETag, If-Modified-Since) and usually says: nothing (304).
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import read_json, read_jsonl, sha256, write_json, write_jsonl
from acclimate.core.params import FeedSource
from acclimate.data.remote.entries import Entry, parse
from acclimate.data.remote.faults import shown
from acclimate.data.remote.mirror import Fetched, Item, Manifest, Place, intact, present, replace
from acclimate.data.remote.web import Answer, get

ENTRIES = "entries.jsonl"
VALIDATORS = {"etag": "If-None-Match", "last-modified": "If-Modified-Since"}
"""What an answer carries, to what the next request says."""


def fetch(source: FeedSource, place: Place) -> Fetched:
    """Add to the mirror what the feed has now.

    Raises:
        UserError: if there is no feed, or its address or a redirect of it may not be asked.
        UnreachableError: if it does not answer.
    """
    stored = place.mirror / ENTRIES
    known = _known(source, place)
    # Beside the mirror, not in it: many feeds have new validators every minute, and DVC would see a change.
    cursor = place.work / "cursor.json"
    answer = get(
        source.url,
        {"User-Agent": "acclimate", **_conditions(cursor, source.url, stored)},
        allow_private=source.allow_private,
        max_bytes=source.max_mb * 1_000_000,
    )
    if answer.status == 304:
        return Fetched("entries", unchanged=len(known))
    found = {str(entry["id"]): entry for entry in reversed(parse(answer.body, shown(answer.url)))}
    _store(source, place, known | found)
    write_json(cursor, _cursor(answer, source.url, stored))  # last: until then the server is asked for everything
    return Fetched(
        unit="entries",
        new=len(found.keys() - known.keys()),
        changed=sum(known[key] != found[key] for key in found.keys() & known.keys()),
        unchanged=sum(known[key] == found.get(key, known[key]) for key in known),
        bytes=len(answer.body),
    )


def _known(source: FeedSource, place: Place) -> dict[str, Entry]:
    before = present(place)
    if before is None:
        return {}
    if intact(place, before) != before.items:
        raise UserError(
            f"inputs/fetched/{source.name}/{ENTRIES} is not as the last fetch left it",
            why="the entries that the feed no longer shows exist nowhere else",
            fix=f"restore the file, or remove inputs/fetched/{source.name} to begin anew with what the feed shows now",
        )
    return {str(entry["id"]): entry for entry in read_jsonl(place.mirror / ENTRIES)}


def _store(source: FeedSource, place: Place, entries: dict[str, Entry]) -> None:
    fresh = place.work / ENTRIES
    write_jsonl(fresh, entries.values())
    item = Item(ENTRIES, sha256(fresh), fresh.stat().st_size)
    manifest = Manifest(f"feed {shown(source.url)}", {ENTRIES: item})
    replace(place, manifest, {ENTRIES: fresh})
    fresh.unlink()


def _conditions(cursor: Path, url: str, stored: Path) -> dict[str, str]:
    """The request's conditions, if what they were given with is still what is stored."""
    if not cursor.exists() or not stored.exists():
        return {}
    last = read_json(cursor)
    if last["url"] != _hash(url) or last["entries"] != sha256(stored):
        return {}
    return {VALIDATORS[name]: value for name, value in last["validators"].items()}


def _hash(url: str) -> str:
    """What stands for an address in a file: its query may hold a key."""
    return hashlib.sha256(url.encode()).hexdigest()


def _cursor(answer: Answer, url: str, stored: Path) -> dict[str, object]:
    validators = {name: answer.headers[name] for name in VALIDATORS if name in answer.headers}
    return {"url": _hash(url), "entries": sha256(stored), "validators": validators}

"""Records as files whose borders follow from their content.

A border stands where a record's hash says so, not after every thousandth one: a record that comes or goes changes
the file it is in, and all the others keep their bytes and names (content-defined chunking; Muthitacharoen et al.
2001, "A low-bandwidth network file system"). So DVC stores, and `ingest` reads again, only what is new.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator

RECORDS = 1000
"""On average, beyond the first LEAST."""
LEAST = 100
"""No border before that many: a record whose hash is one, repeated, would be a file each time."""
MOST_BYTES = 16_000_000
"""A border at last, so that a shard fits in memory whatever the hashes are."""


def shards(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines, each with its end of line, joined to the content of one file after the other.

    When a shard comes, exactly its lines have been taken from `lines`.
    """
    waiting: list[bytes] = []
    size = 0
    for line in lines:
        waiting.append(line)
        size += len(line)
        if size >= MOST_BYTES or (len(waiting) >= LEAST and _is_border(line)):
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def _is_border(line: bytes) -> bool:
    return int.from_bytes(hashlib.sha256(line).digest()[:8]) % RECORDS == 0

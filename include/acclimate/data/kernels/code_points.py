"""What the tokeniser does at each code point, as a table: `words.fold` worked out once for all of Unicode.

    points, expansions = code_point_table()
    points[ord("É")]             # EXPANDS | i: expansions[i] = 2, then ord("e"), then U+0301
    points[ord("深")]            # SINGLE | ord("深"): a word by itself
    points[ord(",")]             # SEPARATOR

The table is made from the running Python's own `unicodedata` when it is first needed, so it cannot be of another
Unicode version than the reference it has to equal. It is kept beside the machine code: to work it out takes a
quarter of a second, a tenth of what deduplicating a hundred thousand passages takes.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
import zlib
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.kernels import CACHE
from acclimate.data.similarity import words
from acclimate.data.similarity.words import UNSPACED, fold, inside_words, stands_alone

if TYPE_CHECKING:
    from numpy.typing import NDArray

SEPARATOR = 0
"""Other entries: a folded code point that continues a word, or one of these flags with a number below it."""
SINGLE = 1 << 24
SKIPPED = 1 << 25
EXPANDS = 1 << 26
SIZE = 0x110000
_ASSIGNED = (range(0xD800), range(0xE000, 0x40000), range(0xE0000, 0xE1000))
"""Everything outside is a surrogate, unassigned or for private use: a separator."""
_SPECIAL = frozenset({"Cf", "Mn", "Mc", "Me"})
"""Categories that fold() and inside_words() decide about, besides what decomposition or case folding changes."""


@cache
def code_point_table() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The entry of each code point, and the entries that those with EXPANDS stand for, each after their number."""
    # What the entries follow from is the two modules and Python's Unicode tables.
    digest = hashlib.sha256(unicodedata.unidata_version.encode())
    for source in (__file__, words.__file__):
        digest.update(Path(source).read_bytes())
    kept = CACHE / f"code_points-{digest.hexdigest()[:16]}.npy"
    table = _kept(kept)
    if table is None:
        table = np.concatenate(worked_out())
        # Where it cannot be kept, the next process works it out again.
        with suppress(OSError):
            _keep(table, kept)
    return table[:SIZE], table[SIZE:]


def _kept(path: Path) -> NDArray[np.uint32] | None:
    """The table at `path`; None if there is none, or other than was written: words would go unseen by every search."""
    try:
        stored: NDArray[np.uint32] = np.load(path)
    except (OSError, ValueError, EOFError):
        return None
    table = stored[:-1]
    return table if len(table) > SIZE and zlib.crc32(table.tobytes()) == stored[-1] else None


def _keep(table: NDArray[np.uint32], path: Path) -> None:
    """Write the table and its checksum so that no other process sees half of it, in place of those of other sources."""
    partial_path = path.with_name(f"{path.stem}.{os.getpid()}.partial")
    try:
        with partial_path.open("wb") as file:
            np.save(file, np.append(table, np.uint32(zlib.crc32(table.tobytes()))))
        for other in path.parent.glob("code_points-*.npy"):
            other.unlink(missing_ok=True)
        partial_path.replace(path)
    finally:
        partial_path.unlink(missing_ok=True)


def worked_out() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """The same, asked of `unicodedata`."""
    points = np.zeros(SIZE, dtype=np.uint32)
    expansions: list[int] = []
    for block in _ASSIGNED:
        characters = list(map(chr, block))
        numbers = np.arange(block.start, block.stop, dtype=np.uint32)
        # fold() leaves most characters alone; asking it about each of them would take a second.
        decomposed = map(partial(unicodedata.normalize, "NFKD"), characters)
        changed = _flags(map(str.__ne__, characters, map(str.casefold, decomposed)))
        special = changed | _flags(map(_SPECIAL.__contains__, map(unicodedata.category, characters)))
        in_words = _flags(map(str.isalnum, characters))
        points[block.start : block.stop] = np.where(in_words, numbers, SEPARATOR)
        for place in np.flatnonzero(special).tolist():
            points[block.start + place] = _entry(fold(characters[place]), expansions)
    for block in UNSPACED:
        alone = points[block.start : block.stop]
        alone[(alone > SEPARATOR) & (alone < SINGLE)] |= SINGLE
    points[ord("_")] = ord("_")
    return points, np.array(expansions, dtype=np.uint32)


def _flags(of_characters: map[bool]) -> NDArray[np.bool_]:
    return np.fromiter(of_characters, dtype=np.bool_)


def _entry(folded: str, expansions: list[int]) -> int:
    if len(folded) == 0:
        return SKIPPED
    if len(folded) == 1:
        if not inside_words(folded):
            return SEPARATOR
        return ord(folded) | (SINGLE if stands_alone(folded) else 0)
    place = len(expansions)
    expansions += [len(folded), *(_entry(character, []) for character in folded)]
    return EXPANDS | place

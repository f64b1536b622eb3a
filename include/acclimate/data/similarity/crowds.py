"""Similar pairs among the members of crowded buckets: texts that share long boilerplate.

Their prefixes (kernels/prefixes.py) are worked out once and kept on disk; the join over them goes part of the tokens by
part, so that memory is bounded by _ENTRIES however many texts are crowded. Only pairs that share a band are joined, so
that it makes no difference to the result which buckets were crowded.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.similarity.mapped import edges_of, forget, mapped, stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from acclimate.data.similarity.search import Search

    Hashes = NDArray[np.uint64]
    Places = NDArray[np.int64]

ENTRIES = 1 << 20
"""Tokens of an index at most, about; some 50 bytes each."""
_TEXTS_AT_ONCE = 1 << 12
_FIRST_BLOCK = 64
"""Blocks of texts start small: what the first join, the later need not compare."""
NEWCOMERS = 8
"""New texts are few where there are so many times as many in the crowd."""


@dataclass(frozen=True)
class Crowd:
    """Crowded texts and the prefixes they share; number i is texts[i] of the corpus."""

    texts: Places
    tokens: Hashes
    ends: Places
    """[texts + 1]: number i's tokens are tokens[ends[i]:ends[i + 1]]."""
    shorter: Places
    """[texts]: how many of them, from the first, others find it by."""

    def forget_pages(self) -> None:
        """Let go of what is mapped in."""
        forget(self.texts, self.tokens, self.ends, self.shorter)


def resolve(search: Search, crowded: NDArray[np.bool_], pool: Executor) -> None:
    """Join the similar pairs of crowded texts that share a band."""
    new = search.new_from + np.flatnonzero(crowded[search.new_from :])
    if search.new_from > 0 and NEWCOMERS * len(new) <= np.count_nonzero(crowded):
        _compare_newcomers(search, crowded, new, pool)
        return
    with TemporaryDirectory(prefix="crowd-", dir=search.sets.scratch) as directory:
        crowd = _spilled(search, crowded, Path(directory))
        entries = sum(int(crowd.shorter[part].sum()) for part in stretches(len(crowd.texts)))
        parts = -(-entries // ENTRIES)
        for part in range(parts):
            _join(search, crowd, part, parts, pool)


def _compare_newcomers(search: Search, crowded: NDArray[np.bool_], new: Places, pool: Executor) -> None:
    """Join what is similar to the new texts of a crowd; about as many others tell which shingles are rare in it."""
    from acclimate.data.kernels.newcomers import choose, similar_newcomers
    from acclimate.data.kernels.prefixes import COUNTERS, count_shingles

    sets, components, threshold = search.sets, search.components, search.nearness.threshold
    if len(new) == 0:
        return
    counts = np.zeros(COUNTERS, dtype=np.uint32)
    crowd = np.flatnonzero(crowded)
    for texts in (new, crowd[:: NEWCOMERS * 2]):
        count_shingles(texts, sets.shingles, sets.starts, counts)
    chosen = choose(new, sets.shingles, sets.starts, counts, threshold)

    def similar(edges: tuple[int, int]) -> tuple[Places, Places]:
        left, right = similar_newcomers(
            crowd[slice(*edges)], new, chosen, components.parents, sets.shingles, sets.starts, threshold
        )
        banded = _share_a_band(search, left, right)
        sets.forget_pages()
        return left[banded], right[banded]

    for block in stretches(len(crowd), _TEXTS_AT_ONCE):
        shares = edges_of(block.stop - block.start, search.threads)
        for left, right in list(
            pool.map(similar, [(block.start + first, block.start + last) for first, last in shares])
        ):
            components.join_all(left, right)


def _spilled(search: Search, crowded: NDArray[np.bool_], directory: Path) -> Crowd:
    """Write the crowded texts and their prefixes to files."""
    from acclimate.data.kernels.prefixes import COUNTERS, count_shingles, shared_prefixes

    sets = search.sets
    counts = np.zeros(COUNTERS, dtype=np.uint32)
    names = ("texts", "tokens", "ends", "shorter")
    with ExitStack() as stack:
        files = {name: stack.enter_context((directory / name).open("wb")) for name in names}
        for texts in _crowded(crowded):
            texts.tofile(files["texts"])
            count_shingles(texts, sets.shingles, sets.starts, counts)
            sets.forget_pages()
        files["texts"].flush()
        last = np.zeros(1, dtype=np.int64)
        last.tofile(files["ends"])
        crowd = mapped(directory / "texts", np.int64)
        for part in stretches(len(crowd), _TEXTS_AT_ONCE):
            tokens, lengths, shorter = shared_prefixes(
                crowd[part], sets.shingles, sets.starts, counts, search.nearness.threshold
            )
            ends = last + np.cumsum(lengths)
            last = ends[-1:]
            for name, found in (("tokens", tokens), ("ends", ends), ("shorter", shorter)):
                found.tofile(files[name])
            sets.forget_pages()
    return Crowd(*(mapped(directory / name, np.uint64 if name == "tokens" else np.int64) for name in names))


def _crowded(crowded: NDArray[np.bool_]) -> Iterator[Places]:
    """The numbers of the crowded texts, ascending, some thousand at a time."""
    for part in stretches(len(crowded)):
        texts = part.start + np.flatnonzero(crowded[part])
        forget(crowded)
        for some in stretches(len(texts), _TEXTS_AT_ONCE):
            yield texts[some]


def _join(search: Search, crowd: Crowd, part: int, parts: int, pool: Executor) -> None:
    """Join the pairs that meet in a token of one part."""
    from acclimate.data.kernels.prefix_join import similar_pairs

    sets, components, threshold = search.sets, search.components, search.nearness.threshold
    index = _index(search, crowd, part, parts)

    def similar(edges: tuple[int, int]) -> tuple[Places, Places]:
        left, right = similar_pairs(
            *edges,
            crowd.texts,
            crowd.tokens,
            crowd.ends,
            index,
            components.parents,
            sets.shingles,
            sets.starts,
            threshold,
            search.new_from,
        )
        banded = _share_a_band(search, left, right)
        sets.forget_pages()
        crowd.forget_pages()
        return left[banded], right[banded]

    for block in _growing(len(crowd.texts)):
        shares = edges_of(block.stop - block.start, search.threads)
        edges = [(block.start + first, block.start + last) for first, last in shares]
        for left, right in list(pool.map(similar, edges)):
            components.join_all(left, right)


def _index(search: Search, crowd: Crowd, part: int, parts: int) -> tuple[Hashes, Places, Hashes, Places, Places]:
    from acclimate.data.kernels.prefix_join import entries, index

    found = []
    for numbers in stretches(len(crowd.texts)):
        found.append(entries(numbers.start, numbers.stop, crowd.tokens, crowd.ends, crowd.shorter, part, parts))
        crowd.forget_pages()
    tokens, owners = (np.concatenate(columns) for columns in zip(*found, strict=True))
    order = np.lexsort((search.components.labels(crowd.texts[owners]), tokens))
    built: tuple[Hashes, Places, Hashes, Places, Places] = index(
        tokens[order], owners[order], crowd.texts, search.components.parents
    )
    return built


def _share_a_band(search: Search, left: Places, right: Places) -> NDArray[np.bool_]:
    from acclimate.data.kernels.prefix_join import share_a_band
    from acclimate.data.kernels.sketch import linear_maps

    rows, sets = search.nearness.banding.rows, search.sets
    maps = linear_maps(search.nearness.seed, search.nearness.banding.bands * rows)
    shared: NDArray[np.bool_] = share_a_band(left, right, sets.shingles, sets.starts, *maps, rows)
    return shared


def _growing(length: int) -> Iterator[slice]:
    """0 … length in blocks that double up to _TEXTS_AT_ONCE."""
    start, block = 0, _FIRST_BLOCK
    while start < length:
        yield slice(start, min(length, start + block))
        start += block
        block = min(2 * block, _TEXTS_AT_ONCE)

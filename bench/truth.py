"""Every pair of texts with Jaccard ≥ threshold, by comparing exactly: what dedup's engines are measured against.

    python bench/truth.py TEXTS.parquet 0.8 MASKS.npz      # prints precision and recall of each mask as JSON

Shares no code with them but the definition of a word (`words`, the Python one): shingles are numbered, not
hashed, and pairs come from an inverted index over prefixes (Chaudhuri, Ganti, Kaushik 2006), all of them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from acclimate.data.similarity.words import words

Places = NDArray[np.int64]


@dataclass(frozen=True)
class Sets:
    """Texts as sets of numbered shingles; a rarer shingle has a smaller number."""

    members: Places
    """Of all texts, ascending within each."""
    starts: Places
    frequencies: Places
    """[shingles]"""


def shingle_sets(texts: Iterable[str], n: int) -> Sets:
    """Number the distinct runs of `n` words; a shorter text is one run."""
    numbers: dict[str, int] = {}
    streams = [np.array([numbers.setdefault(w, len(numbers) + 1) for w in words(text)], np.int64) for text in texts]
    padded = [np.pad(stream, (0, max(0, n - len(stream)))) if len(stream) else stream for stream in streams]
    lengths = np.array([len(stream) for stream in padded])
    flat = np.concatenate(padded)
    inside = np.concatenate([np.arange(length) <= length - n for length in lengths])
    owners = np.repeat(np.arange(len(padded)), lengths)[inside]
    runs, places = np.zeros(len(owners), dtype=np.int64), np.flatnonzero(inside)
    for step in range(n):
        # Pairs (run so far, next word) numbered anew in each step, so that no number can stand for two runs.
        runs = np.unique(runs * (len(numbers) + 1) + flat[places + step], return_inverse=True)[1]
    kinds = int(runs.max(initial=0)) + 1
    coded = np.unique(owners * kinds + runs)
    owners, runs = coded // kinds, coded % kinds
    frequencies = np.bincount(runs)
    ranks = np.empty(len(frequencies), dtype=np.int64)
    ranks[np.argsort(frequencies, kind="stable")] = np.arange(len(frequencies))
    ranked = ranks[runs]
    order = np.lexsort((ranked, owners))
    sizes = np.bincount(owners, minlength=len(padded))
    return Sets(ranked[order], np.concatenate([[0], np.cumsum(sizes)]), np.sort(frequencies))


@njit(cache=True)
def _similarity(members: Places, starts: Places, one: int, other: int) -> float:
    left, right, common = starts[one], starts[other], 0
    while left < starts[one + 1] and right < starts[other + 1]:
        if members[left] == members[right]:
            common += 1
            left += 1
            right += 1
        elif members[left] < members[right]:
            left += 1
        else:
            right += 1
    union = starts[one + 1] - starts[one] + starts[other + 1] - starts[other] - common
    return common / union if union else 0.0


@njit(cache=True)
def _pairs(members: Places, starts: Places, frequencies: Places, threshold: float) -> list[tuple[int, int]]:
    texts = len(starts) - 1
    # Postings as chains: the last posting of each shingle, and of each posting the one before it.
    last = np.full(len(frequencies), -1, dtype=np.int64)
    before, owner = np.empty(len(members), dtype=np.int64), np.empty(len(members), dtype=np.int64)
    met = np.full(texts, -1, dtype=np.int64)
    found = [(0, 0) for _ in range(0)]
    postings = 0
    # From small to large: whoever is met in the index is not larger.
    for text in np.argsort(starts[1:] - starts[:-1]):
        size = starts[text + 1] - starts[text]
        prefix = size - int(np.ceil(threshold * size - 1e-9)) + 1 if size else 0
        indexed = size - int(np.ceil(2 * threshold / (1 + threshold) * size - 1e-9)) + 1
        for place in range(prefix):
            member = members[starts[text] + place]
            if frequencies[member] == 1:
                continue
            posting = last[member]
            while posting >= 0:
                other = owner[posting]
                if met[other] != text:
                    met[other] = text
                    theirs = starts[other + 1] - starts[other]
                    near = min(size, theirs) >= threshold * max(size, theirs)
                    if near and _similarity(members, starts, text, other) >= threshold:
                        found.append((min(other, text), max(other, text)))
                posting = before[posting]
            if place < indexed:
                before[postings], owner[postings], last[member] = last[member], text, postings
                postings += 1
    return found


def similar_pairs(sets: Sets, threshold: float) -> Places:
    """[pairs, 2]: all pairs at the threshold or above, smaller text first."""
    found = _pairs(sets.members, sets.starts, sets.frequencies, threshold)
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def components(texts: int, pairs: Places) -> Places:
    """[texts]: a number for each set of texts that pairs connect."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    graph = coo_matrix((np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])), shape=(texts, texts))
    labels: Places = connected_components(graph, directed=False)[1].astype(np.int64)
    return labels


def judged(kept: NDArray[np.bool_], labels: Places) -> tuple[float, float]:
    """Precision and recall of a set of kept texts, given the true components.

    Of a component of s texts s - 1 are superfluous, whichever they are. Precision is the share of what was
    removed that was superfluous, recall the share of what is superfluous that was removed.
    """
    sizes, left = np.bincount(labels), np.bincount(labels, weights=kept).astype(np.int64)
    rightly = int(np.minimum(sizes - left, sizes - 1).sum())
    removed, superfluous = int((~kept).sum()), int((sizes - 1).sum())
    return (rightly / removed if removed else 1.0), (rightly / superfluous if superfluous else 1.0)


def main(source: str, threshold: str, masks: str) -> int:
    """Judge kept sets of one file's texts."""
    import pyarrow.parquet as pq

    texts = pq.read_table(source, columns=["text"])["text"].to_pylist()
    pairs = similar_pairs(shingle_sets(texts, 5), float(threshold))
    labels = components(len(texts), pairs)
    with np.load(masks) as kept:
        found = {name: judged(kept[name], labels) for name in kept}
    print(json.dumps({"judged": found, "pairs": len(pairs), "superfluous": len(texts) - int(labels.max()) - 1}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

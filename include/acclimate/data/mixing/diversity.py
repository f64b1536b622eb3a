"""How many texts are like a text, without comparing any two: hashed words, random directions, counted buckets.

    tables = HashTables(seed, 1_000_000)
    density = densities(tables.codes(texts))       # share of the texts that fall into the same buckets

A text becomes a vector of its words and pairs of neighbouring words, hashed into DIMENSIONS places with a sign
(Weinberger et al. 2009, Feature Hashing), of length 1. On which side of a random direction two vectors lie differs
with a chance that grows with their angle (Charikar 2002; signs instead of normal numbers: Achlioptas 2003), so `bits`
directions make a bucket of alike texts; the mean share of a text's buckets over TABLES tables estimates the density
where it lies (Coleman and Shrivastava 2020, RACE). Drawing with weight 1 / density then spreads the choice over what
there is (Sachdeva et al. 2024, How to Train Data-Efficient LLMs, density sampling). All of it is linear in the texts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from acclimate.data.mixing.text_bytes import preceded, text_bytes

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

DIMENSIONS = 256
TABLES = 8
_TEXTS_PER_BUCKET = 16
_BATCH = 2048
"""Texts whose bytes are worked on at once."""
_STEPS = 16
"""Fineness of a vector's whole numbers."""
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))  # splitmix64 (Steele et al. 2014)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_POWERS = np.cumprod(np.full(64, _ODD))
"""Of the polynomial's base, one per byte of a word; longer words begin again."""


def _letters() -> NDArray[np.uint8]:
    """Byte to what it counts as in a word: letters in lower case, digits, bytes of other scripts; 0 ends a word."""
    table = np.zeros(256, dtype=np.uint8)
    for byte in range(256):
        if byte >= 128 or chr(byte).isalnum():
            table[byte] = ord(chr(byte).lower()) if byte < 128 else byte
    return table


_LETTERS = _letters()


class HashTables:
    """Random directions that sort texts into buckets; the same for the same seed and size."""

    def __init__(self, seed: int, texts: int) -> None:
        """`texts`: how many there are to sort; the more, the finer the buckets."""
        self.bits = int(np.clip(np.round(np.log2(max(texts, 1) / _TEXTS_PER_BUCKET)), 4, 16))
        signs = np.random.default_rng(seed).integers(0, 2, (DIMENSIONS, TABLES * self.bits))
        self._directions = (2 * signs - 1).astype(np.float32)

    def codes(self, texts: pa.Array) -> NDArray[np.uint16]:
        """The bucket of every text in every table, [texts, TABLES]."""
        # Sums of integers below 2²⁴: exact in single precision, so the same on every machine and number of threads.
        sides = (_features(texts) @ self._directions) > 0
        weights = 1 << np.arange(self.bits)
        return (sides.reshape(-1, TABLES, self.bits) @ weights).astype(np.uint16)


def densities(codes: NDArray[np.uint16]) -> NDArray[np.float64]:
    """Mean share of the texts in each text's buckets, [texts], from codes [texts, TABLES]; in (0, 1]."""
    counts = [np.bincount(table)[table] for table in codes.T]
    shares: NDArray[np.float64] = np.mean(counts, axis=0) / max(len(codes), 1)
    return shares


def vectors(texts: pa.Array) -> NDArray[np.float32]:
    """Every text as its hashed words and word pairs, [texts, DIMENSIONS], of length 1, or 0 without a word."""
    found = _features(texts)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    np.divide(found, lengths, out=found, where=lengths > 0)
    return found


def _features(texts: pa.Array) -> NDArray[np.float32]:
    """The vectors before they are scaled, in whole numbers, [texts, DIMENSIONS]."""
    hashes, owners = _words(texts)
    neighbours = owners[1:] == owners[:-1]
    pairs = _mixed(hashes[:-1] * _ODD + hashes[1:])[neighbours]
    hashes = np.concatenate([hashes, pairs])
    owners = np.concatenate([owners, owners[:-1][neighbours]])
    places = owners * DIMENSIONS + (hashes % np.uint64(DIMENSIONS)).astype(np.int64)
    signs = 1.0 - 2.0 * (hashes >> np.uint64(63)).astype(np.float64)
    sums = np.bincount(places, weights=signs, minlength=len(texts) * DIMENSIONS).reshape(-1, DIMENSIONS)
    # The root keeps words that stand in every text from drowning the others.
    features: NDArray[np.float32] = (np.sign(sums) * np.rint(_STEPS * np.sqrt(np.abs(sums)))).astype(np.float32)
    return features


def mean_similarity(texts: pa.Array) -> float:
    """Mean cosine over all pairs of different texts that have a word; 0 for fewer than two.

    The squared length of the sum of unit vectors holds every pair twice and every text with itself once.
    """
    total, count = np.zeros(DIMENSIONS), 0
    for start in range(0, len(texts), _BATCH):
        found = vectors(texts.slice(start, _BATCH))
        total += found.sum(axis=0, dtype=np.float64)
        count += int(found.any(axis=1).sum())
    return float((total @ total - count) / (count * (count - 1))) if count > 1 else 0.0


def _words(texts: pa.Array) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """The hash of every word of every text, and the text it stands in; both [words]."""
    raw, bounds = text_bytes(texts)
    letters = _LETTERS[raw]
    inside = letters > 0
    begins = inside & ~preceded(inside, bounds)
    starts = np.flatnonzero(begins)
    if not len(starts):
        return np.empty(0, dtype=np.uint64), np.empty(0, dtype=np.int64)
    numbers = np.arange(len(letters), dtype=np.int32)
    since = numbers - np.maximum.accumulate(np.where(begins, numbers, 0))
    # What stands between two words counts 0, so a sum from one start to the next is one word's.
    hashes = np.add.reduceat(letters.astype(np.uint64) * _POWERS[since & 63], starts)
    return _mixed(hashes), np.searchsorted(bounds, starts, side="right") - 1


def _mixed(hashes: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Every bit of the input in every bit of the output."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * _MIX[0]
    hashes = (hashes ^ (hashes >> np.uint64(27))) * _MIX[1]
    return hashes ^ (hashes >> np.uint64(31))

"""Random choices that depend on the seed and a name only, never on what else is there.

    chance(1729, "numpy.savetxt")    # always the same number in [0, 1)

Drawn this way, a document stays in its store and an item in its place when other documents come and go.
"""

from __future__ import annotations

from hashlib import blake2b


def chance(seed: int, name: str) -> float:
    """A number in [0, 1), uniform over names, the same for the same seed and name."""
    digest = blake2b(f"{seed}\x00{name}".encode(), digest_size=8).digest()
    # 53 bits: what a float holds exactly, so that the result stays below 1.
    return (int.from_bytes(digest, "big") >> 11) / 2**53

"""Which of two models answers a user: a salted hash, so that nobody has to be remembered.

    choose("ada", salt="9f2c…", share=0.05)       # 'challenger' for five in a hundred users

A point that is drawn anew for every request would change the model in the middle of a conversation.
"""

from __future__ import annotations

import hashlib

from acclimate.serving.state import Role


def choose(user: str, *, salt: str, share: float) -> Role:
    """The role that answers `user`: always the same one while salt and share stay as they are.

    A point in [0, 1) is drawn from the hash of the user, keyed with the salt; below the share it is the challenger's.
    So a larger share takes nobody away from the challenger, another salt draws anew, and without the salt nobody can
    make up users that the challenger answers (BLAKE2b as a keyed hash, RFC 7693).

    Args:
        user: whoever asks, in any form that stays the same.
        salt: hex, at most 64 bytes.
        share: of users that the challenger answers (0–1).
    """
    digest = hashlib.blake2b(user.encode(errors="surrogatepass"), key=bytes.fromhex(salt), digest_size=8).digest()
    point = (int.from_bytes(digest) >> 11) * 2.0**-53  # 53 bits: exact in a float, and below 1
    return "challenger" if point < share else "champion"

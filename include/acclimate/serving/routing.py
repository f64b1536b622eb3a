"""Who is answered by which role: the one place where a request is given to champion or challenger."""

from __future__ import annotations

import hashlib

from acclimate.serving.state import Role, Serving


def choose(identity: str, serving: Serving) -> Role:
    """The role that answers `identity`: always the same one while salt and challenger's share stay as they are.

    A point in [0, 1) is drawn from the salted hash of the identity; below the share it is the challenger's. So a
    larger share takes nobody away from the challenger, and another salt draws anew.
    """
    if serving.challenger is None:
        return "champion"
    digest = hashlib.sha256(f"{serving.salt}\n{identity}".encode(errors="surrogatepass")).digest()
    point: float = int.from_bytes(digest[:6]) / 2**48  # exact in a float, and below 1
    return "challenger" if point < serving.share else "champion"

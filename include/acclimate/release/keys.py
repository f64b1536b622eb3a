"""The key pair that signs what is released: made at the first use, or given.

.acclimate/keys/signing.pem    private, mode 600, unless ACCLIMATE_SIGNING_KEY names another file
.acclimate/keys/signing.pub    its public half: what others pin as ACCLIMATE_PUBLIC_KEY
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from acclimate.core.errors import UserError
from acclimate.core.files import write_text
from acclimate.core.home import state
from acclimate.core.locks import locked
from acclimate.release.signing import PINNED, no_key, pinned_key

GIVEN = "ACCLIMATE_SIGNING_KEY"


def signing_key() -> Path:
    """The private key: the one given, else that of this checkout, which is made if there is none yet."""
    if given := os.environ.get(GIVEN):
        return Path(given)
    path = _own()
    with locked(path.with_name(".lock")):
        if not path.exists():
            _make(path)
    return path


def trusted_key() -> Path:
    """The public key that what is loaded must be signed with: the pinned one, else that of this checkout.

    Raises:
        UserError: if none is pinned, and nothing was ever signed here.
    """
    if (pinned := pinned_key()) is not None:
        return pinned
    if not os.environ.get(GIVEN) and not _own().exists():
        raise UserError(
            "there is no key to check signatures with",
            why="nothing was signed here yet, so what is to be loaded was signed elsewhere, by whoever has its key",
            fix=f"name the public key that you trust in {PINNED}",
        )
    write_text(trusted_path(), public_half(signing_key()))
    return trusted_path()


def trusted_path() -> Path:
    """Where `trusted_key` is, once there is one."""
    return pinned_key() or _own().with_suffix(".pub")


def public_half(private: Path) -> str:
    """The public key that belongs to the private one in the file, PEM.

    Raises:
        UserError: if there is no key in it that can be used.
    """
    from cryptography.hazmat.primitives import serialization

    try:
        key = serialization.load_pem_private_key(private.read_bytes(), None)
    except (OSError, TypeError, ValueError) as fault:
        raise no_key(private, "private", fault) from None
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def fingerprint(public: str) -> str:
    """SHA-256 (hex) of a public key in PEM: the name under which signatures refer to it."""
    return hashlib.sha256(public.encode()).hexdigest()


def _own() -> Path:
    return state() / "keys/signing.pem"


def _make(path: Path) -> None:
    """Draw a key on the curve P-256, readable by its owner alone from the first moment on."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    partial = path.with_name(f".{path.name}.partial")
    partial.unlink(missing_ok=True)
    with open(partial, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(pem)
    partial.replace(path)

"""Sign the files of a folder, and prove that a folder still holds exactly those that were signed.

    sign(folder, private)         # folder/model.sig: the SHA-256 of every file, signed
    verify(folder, public)        # raises UserError with the name of a file that was changed, added or taken out

The signature is that of OpenSSF Model Signing (an in-toto statement in a Sigstore bundle, ECDSA, no network):
`model_signing verify key FOLDER --signature FOLDER/model.sig --public_key signing.pub` comes to the same verdict.
The Bento carries a copy of this file: it checks itself, wherever it is served.
"""

from __future__ import annotations

import base64
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from acclimate.core.errors import UserError
from acclimate.release.signed_files import SignedFiles
from acclimate.release.weights import file_sha256

if TYPE_CHECKING:
    from model_signing.manifest import FileManifestItem
    from model_signing.verifying import Config as VerifyingConfig

SIGNATURE = "model.sig"
PINNED = "ACCLIMATE_PUBLIC_KEY"
"""In the environment: the public key, in a file, that whoever loads a model trusts; during a rotation, old and new."""
PUBLIC_KEY = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
BYTECODE = "__pycache__"
"""Written by Python itself where a Bento was started: neither signed nor a sign of anything."""


def sign(folder: Path, key: Path) -> None:
    """Sign all files below `folder` with the private key; what stood in its model.sig is replaced.

    Args:
        folder: without symbolic links.
        key: PEM, not encrypted, on one of the NIST curves P-256, P-384 and P-521.

    Raises:
        UserError: if the key cannot be used.
    """
    from model_signing import signing

    try:
        config = signing.Config().use_elliptic_key_signer(private_key=key)
    except (OSError, TypeError, ValueError) as fault:
        raise no_key(key, "private", fault) from None
    config.set_hashing_config(_all_files(folder, {})).sign(folder, folder / SIGNATURE)


def verify(folder: Path, key: Path, known: Mapping[str, FileManifestItem] | None = None) -> dict[str, FileManifestItem]:
    """The hashes of all files in `folder`, if they are those that were signed with the private half of `key`.

    Args:
        folder: what is about to be loaded.
        key: the public key, PEM, or several one after the other, any of which will do. It must come from elsewhere
            than the folder: who can change the files of a folder can also sign them anew and put a key of their own
            beside them.
        known: hashes of files that will not be read from the folder, because they are in memory already, as they were
            when they were shown to be what was signed: it suffices that these are what is signed here, too.

    Raises:
        UserError: if a file was changed, added or taken out, the key is another, or there is no signature.
    """
    from cryptography.exceptions import InvalidSignature

    signature = folder / SIGNATURE
    if not signature.is_file():
        raise _refused(f"{folder} is not signed: it has no {SIGNATURE}")
    refusals = []
    for config in _verifiers(key):
        try:
            files = _all_files(folder, known or {})
            config.set_hashing_config(files).verify(folder, signature)
        except InvalidSignature:
            refusals.append(_refused(f"{signature} was changed after it was signed"))
        except (AttributeError, LookupError, TypeError, ValueError) as fault:  # a bundle can lack any part
            refusals.append(_refused(f"{folder}: {'; '.join(_differences(folder)) or fault}"))
        else:
            return files.shown
    raise refusals[-1]


def _verifiers(key: Path) -> list[VerifyingConfig]:
    """One for each public key in the file; the library itself reads only the first."""
    from model_signing import verifying

    try:
        blocks = PUBLIC_KEY.findall(key.read_bytes())
        with tempfile.TemporaryDirectory() as scratch:
            single = [Path(scratch) / f"{number}.pub" for number, _ in enumerate(blocks)]
            for path, block in zip(single, blocks, strict=True):
                path.write_bytes(block)
            return [verifying.Config().use_elliptic_key_verifier(public_key=path) for path in single or [key]]
    except (OSError, TypeError, ValueError) as fault:
        raise no_key(key, "public", fault) from None


def pinned_key() -> Path | None:
    """The public key that the environment says to trust, or None."""
    named = os.environ.get(PINNED)
    return Path(named) if named else None


def _all_files(folder: Path, known: Mapping[str, FileManifestItem]) -> SignedFiles:
    """What hashes all files but the known ones, and neither the signature nor what Python writes."""
    bytecode = (path.relative_to(folder) for path in folder.rglob(BYTECODE))
    return SignedFiles([Path(SIGNATURE), *bytecode], known)


def _differences(folder: Path) -> Iterator[str]:
    """The names of the files in which `folder` differs from what its signature lists; none if that is unreadable.

    For the message alone: it is the library that has decided.
    """
    try:
        bundle = json.loads((folder / SIGNATURE).read_bytes())
        statement = json.loads(base64.b64decode(bundle["dsseEnvelope"]["payload"]))
        signed = {file["name"]: file["digest"] for file in statement["predicate"]["resources"]}
    except (KeyError, TypeError, ValueError):
        return
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    for name in sorted(signed.keys() | files.keys() - {SIGNATURE}):
        if name not in files:
            yield f"{name} is missing"
        elif name not in signed and BYTECODE not in Path(name).parts:
            yield f"{name} was added"
        elif name in signed and file_sha256(files[name]) != signed[name]:
            yield f"{name} was changed"


def _refused(what: str) -> UserError:
    return UserError(
        what,
        why="only what was judged and signed may be loaded",
        fix="package or register it again; if it was signed on another machine, "
        f"name the public key that you trust in {PINNED}",
    )


def no_key(key: Path, kind: str, fault: Exception) -> UserError:
    """The error for a file that holds no private or public key of the form that is needed."""
    return UserError(
        f"{key} is no {kind} key that can be used: {fault}",
        why="without it nothing can be signed, and nothing signed can be trusted",
        fix="name a PEM file with an unencrypted key on the curve P-256, P-384 or P-521",
    )

"""The source `s3`: the objects of a bucket, on any endpoint that speaks S3.

Credentials come from where boto3 looks for them (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, an
instance's role), never from params.yaml. An object whose ETag and size are those of last time is not read again:
"the ETag reflects changes only to the contents of an object" (Amazon S3 API reference, Object). One that is gone
from the bucket leaves the mirror and becomes a tombstone in the manifest.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Set
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from acclimate.core.errors import UserError
from acclimate.core.files import require_free_disk
from acclimate.core.params import S3Source
from acclimate.core.progress import progress
from acclimate.data.remote.faults import UnreachableError, shown
from acclimate.data.remote.mirror import Fetched, Item, Manifest, Place, intact, present, replace

DOWNLOADS = 8
"""At once; more gain little on objects of this kind and some endpoints answer with SlowDown."""
BLOCK = 1 << 20

_FORBIDDEN = {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "401", "403"}
_MISSING = {"NoSuchBucket", "404"}
_WHY = "its documents would be missing from the corpus, or be those of the last fetch"
_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key that may list and read this bucket"


@dataclass(frozen=True)
class Version:
    """One state of an object, as the bucket lists it."""

    etag: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.etag} {self.bytes}"


Got = tuple[Version, Path]
"""The version that came, and the file that holds it."""


def fetch(source: S3Source, place: Place) -> Fetched:
    """Bring the mirror to what the bucket holds now.

    Raises:
        UserError: if the bucket is not there or not ours to read, or the disk is too small.
        UnreachableError: if the endpoint does not answer.
    """
    before = present(place)  # first, since it mends what a killed fetch left
    known = intact(place, before)
    with _told(source):
        client = _client(source)
        listed, refused = _listed(client, source)
        wanted = {key: version for key, version in listed.items() if _of(known, key) != str(version)}
        require_free_disk(place.root, sum(version.bytes for version in wanted.values()) // 1_000_000 + 1)
        fetched, outgrown = _download(client, source, wanted, place.work / "downloads")
    kept = {key: known[key] for key in listed.keys() - wanted.keys()}
    items = kept | {key: Item(file_name(key), str(version), version.bytes) for key, (version, _) in fetched.items()}
    refused = dict(sorted((refused | outgrown).items()))
    removed = _tombstones(source, before, items.keys() | refused.keys())
    manifest = Manifest(_origin(source), dict(sorted(items.items())), removed, refused)
    replace(place, manifest, {file_name(key): path for key, (_, path) in fetched.items()})
    shutil.rmtree(place.work / "downloads", ignore_errors=True)
    return Fetched(
        unit="objects",
        new=len(fetched.keys() - known.keys()),
        changed=len(fetched.keys() & known.keys()),
        unchanged=len(kept),
        removed=len(known.keys() - items.keys() - refused.keys()),
        refused=len(refused),
        bytes=sum(version.bytes for version, _ in fetched.values()),
    )


def file_name(key: str) -> str:
    """The name under which the object `key` is stored: readable, one level, and its own for every key.

    A key may be anything: absolute, with `..`, a thousand bytes long, or equal to another one but for case. What
    makes the name its own is a hash of the key; of the key itself only harmless characters are taken.

    >>> file_name("../../etc/notes 1.jsonl.gz")
    'notes-1-232f159d305c6f4f.jsonl.gz'
    """
    last = key.rstrip("/").rpartition("/")[2]
    ending = re.search(r"(?<!^)(\.[A-Za-z0-9]{1,8}){1,2}$", last)
    suffix = ending.group() if ending else ""
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", last.removesuffix(suffix)).strip("-")[:60] or "object"
    return f"{stem}-{hashlib.sha256(key.encode()).hexdigest()[:16]}{suffix}"


def _client(source: S3Source) -> Any:
    from boto3.session import Session
    from botocore.config import Config
    from botocore.exceptions import InvalidRegionError

    retries = {"mode": "standard", "total_max_attempts": 3}
    config = Config(connect_timeout=10, read_timeout=60, retries=retries, max_pool_connections=DOWNLOADS)
    try:
        return Session().client("s3", endpoint_url=source.endpoint_url, config=config)
    except InvalidRegionError:  # a ValueError too, and nothing that `endpoint_url` could mend
        raise
    except ValueError:
        raise UserError(
            f"{_origin(source)}: boto3 cannot use this endpoint",
            why=_WHY,
            fix="mend `endpoint_url`: a host's name has letters, digits, hyphens and dots, no underscore",
        ) from None


def _listed(client: Any, source: S3Source) -> tuple[dict[str, Version], dict[str, str]]:
    """The objects to copy, and those that are not, with the reason; folder markers are neither."""
    wanted: dict[str, Version] = {}
    refused: dict[str, str] = {}
    for page in client.get_paginator("list_objects_v2").paginate(Bucket=source.bucket, Prefix=source.prefix):
        for found in page.get("Contents", []):
            key, size = found["Key"], found["Size"]
            if key.endswith("/") or not _is_chosen(key, source):
                continue
            if (reason := _too_large(size, source)) is not None:
                refused[key] = reason
            else:
                wanted[key] = Version(found["ETag"].strip('"'), size)
    return wanted, refused


def _too_large(size: int, source: S3Source) -> str | None:
    return f"{size} bytes, more than max_mb: {source.max_mb}" if size > source.max_mb * 1_000_000 else None


def _of(known: dict[str, Item], key: str) -> str | None:
    return known[key].version if key in known else None


def _download(
    client: Any, source: S3Source, wanted: dict[str, Version], folder: Path
) -> tuple[dict[str, Got], dict[str, str]]:
    """Get what is not in `folder` yet; an object that vanishes meanwhile is left out.

    Returns:
        What came, and the objects that outgrew max_mb since they were listed, with the reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    done: dict[str, Got] = {}
    outgrown: dict[str, str] = {}
    with ThreadPoolExecutor(DOWNLOADS) as pool:
        waiting: dict[Future[Got | str | None], str] = {
            pool.submit(_got, client, source, key, version, folder): key for key, version in sorted(wanted.items())
        }
        try:
            for future in progress(as_completed(waiting), f"fetching {source.name}", unit="object", total=len(waiting)):
                got, key = future.result(), waiting[future]
                if isinstance(got, str):
                    outgrown[key] = got
                elif got is not None:
                    done[key] = got
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return done, outgrown


def _got(client: Any, source: S3Source, key: str, version: Version, folder: Path) -> Got | str | None:
    """The object, or why it is not copied; None if it is gone.

    Its content is in a file that is named after its version: if the name is there, so is all of it.
    """
    path = folder / _staged(key, version)
    if path.exists():
        return version, path
    try:
        answer = client.get_object(Bucket=source.bucket, Key=key)
    except client.exceptions.NoSuchKey:
        return None
    # The version that came, should somebody have written another one since the bucket was listed.
    version = Version(answer["ETag"].strip('"'), answer["ContentLength"])
    if (reason := _too_large(version.bytes, source)) is not None:
        answer["Body"].close()
        return reason
    path = folder / _staged(key, version)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        for block in answer["Body"].iter_chunks(BLOCK):
            file.write(block)
    os.replace(partial, path)
    return version, path


def _staged(key: str, version: Version) -> str:
    return hashlib.sha256(f"{key}\0{version}".encode()).hexdigest()


def _tombstones(source: S3Source, before: Manifest | None, there: Set[str]) -> dict[str, str]:
    """What the bucket had and no longer has; of keys that `source` does not ask for, nothing is known.

    `there` are the keys that the bucket has, copied or refused.
    """
    if before is None:
        return {}
    gone = before.removed | {key: item.version for key, item in before.items.items()}
    return {key: version for key, version in sorted(gone.items()) if key not in there and _is_chosen(key, source)}


def _is_chosen(key: str, source: S3Source) -> bool:
    return key.startswith(source.prefix) and fnmatchcase(key, source.match)


def _origin(source: S3Source) -> str:
    where = f" at {shown(source.endpoint_url)}" if source.endpoint_url else ""
    return f"s3://{source.bucket}/{source.prefix}{where}"


@contextmanager
def _told(source: S3Source) -> Iterator[None]:
    """Turn what botocore raises into what to do; its own messages may quote addresses and keys."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        HTTPClientError,
        IncompleteReadError,
        NoCredentialsError,
        PartialCredentialsError,
    )
    from botocore.exceptions import ConnectionError as ConnectingError

    what = _origin(source)
    try:
        yield
    except (NoCredentialsError, PartialCredentialsError):
        raise UserError(f"{what}: no credentials in the environment", why=_WHY, fix=_CREDENTIALS) from None
    except ClientError as fault:
        raise _answered(what, fault.response) from None
    except (ConnectingError, HTTPClientError, IncompleteReadError) as fault:
        raise UnreachableError(
            f"{what}: no whole answer ({type(fault).__name__})",
            why=_WHY,
            fix="see that the endpoint is up and `endpoint_url` right, then run `acclimate fetch` again",
        ) from None
    except BotoCoreError as fault:
        raise UserError(
            f"{what}: {type(fault).__name__}", why=_WHY, fix="mend the AWS settings in the environment"
        ) from None


def _answered(what: str, response: Any) -> UserError:
    """What the endpoint's refusal means, told by its code and status."""
    code = str(response.get("Error", {}).get("Code", "unknown"))
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _FORBIDDEN:
        return UserError(f"{what}: refused ({code})", why=_WHY, fix=_CREDENTIALS)
    if code in _MISSING:
        return UserError(f"{what}: there is no such bucket ({code})", why=_WHY, fix="mend `bucket` or `endpoint_url`")
    if status >= 500 or status == 429:
        return UnreachableError(f"{what}: {code} (status {status})", why=_WHY, fix="run `acclimate fetch` again later")
    return UserError(f"{what}: {code} (status {status})", why=_WHY, fix="look up the code in S3's list of errors")

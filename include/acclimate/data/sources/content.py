"""A file, or a member of an archive, as a stream of bytes; and what its reader makes of it.

    inputs/manuals.tar.zst!pumps/valve.jsonl:12

is the origin of line 12 of a member of an archive. Bytes are counted as they are unpacked: a decompression
bomb is refused when it exceeds a limit, not when memory is full.
"""

from __future__ import annotations

import codecs
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from acclimate.core.params import IngestLimits

MB = 1_000_000
_NEVER_A_BOMB = 10 * MB
"""Unpacked bytes below which the rate of expansion says nothing: a small file of blanks packs well, too."""
DAMAGE = (
    OSError,
    EOFError,
    ValueError,
    RuntimeError,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    zipfile.BadZipFile,
)
"""What the decompressors raise on damaged data; pyarrow's faults are OSError and ValueError."""
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Raw(NamedTuple):
    """A record as it stands in a file."""

    where: str
    """In the file: ':12' for a line, '' for the whole."""
    value: Any
    parents: tuple[dict[str, Any], ...] = ()
    """What encloses it in nested JSON, outermost first."""


class Fault(NamedTuple):
    """What stands in a file in place of a record, and why it is none."""

    where: str
    reason: str
    detail: str
    excerpt: str = ""


class UnreadableError(Exception):
    """A file cannot be read, or not further: a fixed reason, and what makes it checkable."""

    def __init__(self, reason: str, detail: str, *, whole_file: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.whole_file = whole_file
        """Whether no other member of the same archive can be read either."""


class Budget:
    """What one file has been unpacked to so far, against the limits."""

    def __init__(self, limits: IngestLimits, packed: int) -> None:
        self._most = limits.max_file_mb * MB
        self._bomb = max(_NEVER_A_BOMB, packed * limits.max_expansion)
        self._limits = limits
        self._unpacked = 0

    def spend(self, size: int) -> None:
        """Count `size` more bytes.

        Raises:
            UnreadableError: if that is more than the limits allow.
        """
        self._unpacked += size
        if self._unpacked > self._bomb:
            rate = f"more than {self._limits.max_expansion} times its packed size (ingest.limits.max_expansion)"
            raise UnreadableError("decompression bomb", rate, whole_file=True)
        if self._unpacked > self._most:
            most = f"more than {self._limits.max_file_mb} MB unpacked (ingest.limits.max_file_mb)"
            raise UnreadableError("file too large", most, whole_file=True)


class Metered(io.RawIOBase):
    """The bytes that `read` gives, counted; what `read` raises on damaged data becomes UnreadableError."""

    def __init__(self, read: Callable[[int], bytes], budget: Budget | None, *, whole_file: bool = True) -> None:
        self._read = read
        self._budget = budget
        self._whole_file = whole_file

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill `buffer` with the next bytes and return how many; 0 at the end."""
        try:
            block = self._read(len(buffer))
        except DAMAGE as fault:
            raise damaged(fault, whole_file=self._whole_file) from None
        if self._budget is not None:
            self._budget.spend(len(block))
        buffer[: len(block)] = block
        return len(block)


def damaged(fault: BaseException, *, whole_file: bool = False) -> UnreadableError:
    """What a library said about broken content, in one line and without the path on this machine."""
    said = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
    return UnreadableError("damaged file", " ".join(said.split())[:200] or type(fault).__name__, whole_file=whole_file)


@dataclass(frozen=True)
class Content:
    """One file's or member's bytes, to be read once."""

    origin: str
    name: str
    """Path below inputs/ or in the archive, without the suffix of a compression: it tells the format."""
    stream: BinaryIO
    limits: IngestLimits
    path: Path | None = None
    """Of a file that is not packed: some formats are read from their end."""

    def whole(self) -> bytes:
        """All bytes at once.

        Raises:
            UnreadableError: if there are more than may be read whole.
        """
        most = self.limits.max_whole_mb * MB
        read = self.stream.read(most + 1)
        if len(read) > most:
            detail = f"over {self.limits.max_whole_mb} MB, and must be read whole (ingest.limits.max_whole_mb)"
            raise UnreadableError("file too large", detail)
        return read

    def text(self, encoding: str) -> str:
        """All of it decoded: as its byte order mark says, else from `encoding`.

        Raises:
            UnreadableError: at the first byte that is no character of the encoding.
        """
        read = self.whole()
        encoding = _marked(read[:4]) or encoding
        try:
            return read.decode(encoding)
        except UnicodeDecodeError as fault:
            raise not_encoded(fault) from None
        except UnicodeError as fault:  # of a codec that names no byte, such as punycode or undefined
            raise UnreadableError(f"not {encoding.upper()}", str(fault)) from None

    def byte_lines(self, encoding: str) -> tuple[BinaryIO, str]:
        r"""The stream from behind a byte order mark, and its encoding, in which b"\n" ends a line."""
        start = self.stream.peek(4)[:4]  # type: ignore[attr-defined]  # every stream here is buffered
        encoding = _marked(start) or encoding
        if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):
            return io.BytesIO(self.text(encoding).encode()), "utf-8"
        if start.startswith(codecs.BOM_UTF8):
            self.stream.read(len(codecs.BOM_UTF8))
            return self.stream, "utf-8"
        return self.stream, encoding


def not_encoded(fault: UnicodeDecodeError) -> UnreadableError:
    """The reason of text in another encoding, with the position of its first wrong byte."""
    name = fault.encoding.upper()
    return UnreadableError(f"not {name}", f"byte {fault.start}: {fault.reason}")


def is_utf8(name: str) -> bool:
    """Whether a file's name can be written; Python holds the wrong bytes of one that cannot as lone surrogates."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _marked(start: bytes) -> str | None:
    """The encoding that a byte order mark announces; UTF-32's begins with UTF-16's, so it is looked for first."""
    return next((encoding for mark, encoding in _MARKS.items() if start.startswith(mark)), None)

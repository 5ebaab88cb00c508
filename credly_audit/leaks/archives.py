"""Open archives and compressed files as streams of what they hold, nested ones too, within limits."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

import pyarrow as pa

HEAD = 512
"""Bytes at the beginning of a file that tell its kind."""

DEEPEST = 5
"""How many archives may be nested."""

RATIO, SMALLEST, LARGEST = 250, 64 << 20, 16 << 30
"""An archive may hold so many times its own size, at least and at most so many bytes, all nested ones included."""

OVERHEAD = 1 << 10
"""Bytes that each member counts beside its content, so that their number is limited too."""

IN_MEMORY = 256 << 20
"""A zip file in another archive, or on a stream, is read into memory up to this size."""

FOREIGN = {
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "RAR",
    b"MSCF": "cabinet",
    b"!<arch>\ndebian-binary": "Debian package",
    b"\xed\xab\xee\xdb": "RPM package",
    b"\x1f\x9d": "compress",
    b"\x04\x22\x4d\x18": "LZ4",
}
"""How files begin whose content is compressed in ways that cannot be read here."""

DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    tarfile.TarError,
    pa.ArrowException,
    EOFError,
    OSError,
    ValueError,
    OverflowError,
    NotImplementedError,
    RuntimeError,
    MemoryError,
)
"""What the readers of archives raise for a file that is damaged, encrypted or compressed in an unknown way."""


class TooLarge(Exception):  # noqa: N818 - named as it is told
    """An archive holds more than the limits allow."""


@dataclass(slots=True)
class Allowance:
    """The bytes that may still be read out of one file and all that it holds."""

    rest: int

    @classmethod
    def of(cls, size: int | None) -> "Allowance":
        """Return that of a file of a size; None: not known."""
        return cls(LARGEST if size is None else min(max(size * RATIO, SMALLEST), LARGEST))

    def spend(self, size: int) -> None:
        """Count what was read; TooLarge where nothing remains."""
        self.rest -= size
        if self.rest < 0:
            raise TooLarge


class Metered(io.RawIOBase):
    """A stream out of an archive that counts what is read."""

    def __init__(self, stream: BinaryIO, allowance: Allowance) -> None:
        self._stream = stream
        self._allowance = allowance

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes; TooLarge where there are more than may be read."""
        content = self._stream.read(len(buffer))
        self._allowance.spend(len(content))
        buffer[: len(content)] = content
        return len(content)


class Rejoined(io.RawIOBase):
    """A stream from its beginning on, of which the head was read already."""

    def __init__(self, head: bytes, stream: BinaryIO) -> None:
        self._head = head
        self._stream = stream

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the next bytes."""
        content = self._head[: len(buffer)] or self._stream.read(len(buffer))
        self._head = self._head[len(content) :]
        buffer[: len(content)] = content
        return len(content)


Member = tuple[str, BinaryIO] | tuple[str, str]
"""The name of a member, empty for the content of a compressed file, and its stream, or why it cannot be read."""

Opener = Callable[[BinaryIO], Iterator[Member]]


def find_opener(head: bytes) -> Opener | None:
    """Return what opens a file that begins like this; None for what is no archive."""
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return open_zip
    if head[257:262] == b"ustar":
        return open_tar
    return next((opener for magic, opener in COMPRESSED.items() if head.startswith(magic)), None)


def name_foreign(head: bytes) -> str | None:
    """Return the name of a compressed format that cannot be read here; None for any other."""
    return next((name for magic, name in FOREIGN.items() if head.startswith(magic)), None)


def open_zip(stream: BinaryIO) -> Iterator[Member]:
    """Yield the members of a zip file; one that cannot be opened does not hide the others."""
    if not stream.seekable():
        content = stream.read(IN_MEMORY + 1)
        if len(content) > IN_MEMORY:
            raise TooLarge
        stream = io.BytesIO(content)
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if info.is_dir():
                continue
            if info.flag_bits & 1:
                yield info.filename, "is encrypted"
                continue
            try:
                member = archive.open(info)
            except DAMAGE as error:
                yield info.filename, describe_damage(error)
                continue
            with member:
                yield info.filename, cast("BinaryIO", member)


def open_tar(stream: BinaryIO) -> Iterator[Member]:
    """Yield the files of a tar file, and what follows them if there is anything: then it is damaged."""
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for info in archive:
            member = archive.extractfile(info) if info.isreg() else None
            if member is not None:
                yield info.name, cast("BinaryIO", member)
        rest = cast("BinaryIO", archive.fileobj)
        while block := rest.read(tarfile.RECORDSIZE):
            if block.strip(b"\0"):
                yield "", cast("BinaryIO", io.BufferedReader(Rejoined(block, rest)))
                raise tarfile.ReadError


def _open_compressed(decompress: Callable[[BinaryIO], Any]) -> Opener:
    def open_content(stream: BinaryIO) -> Iterator[Member]:
        with decompress(stream) as content:
            yield "", content

    return open_content


COMPRESSED: dict[bytes, Opener] = {
    b"\x1f\x8b": _open_compressed(lambda stream: gzip.GzipFile(fileobj=stream)),
    b"BZh": _open_compressed(bz2.BZ2File),
    b"\xfd7zXZ\0": _open_compressed(lzma.LZMAFile),
    b"\x28\xb5\x2f\xfd": _open_compressed(lambda stream: pa.CompressedInputStream(pa.PythonFile(stream, "r"), "zstd")),
}


def describe_damage(error: BaseException) -> str:
    """Return why an archive, or a part of it, cannot be read."""
    if isinstance(error, NotImplementedError):
        return "is compressed in a way that cannot be read here"
    if isinstance(error, MemoryError):
        return "does not fit into the memory"
    return "is damaged"

"""Archives are opened within limits; what is damaged, encrypted, too large or foreign is reported."""

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile
from collections.abc import Callable

import pyarrow as pa
import pytest

from credly_audit.leaks import archives
from credly_audit.leaks.scan import TextOrigin
from tests.leaks.finding import OTHER, VALUE, gaps, places, read, scan_for

UNPACK = "unpack it and search what it holds"
TEXT = f"[credly]\ntoken = {VALUE}\n".encode()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def tarred(members: dict[str, bytes], mode: str = "w") -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def zstandard(content: bytes) -> bytes:
    compressed: bytes = pa.compress(content, codec="zstd", asbytes=True)
    return compressed


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress, zstandard])
def test_a_compressed_file_is_read_and_keeps_its_name(compress: Callable[[bytes], bytes]) -> None:
    scan = read(compress(TEXT))

    assert places(scan) == ["file:2"]
    assert gaps(scan) == []


@pytest.mark.parametrize(
    "archive", [zipped, tarred, lambda members: tarred(members, "w:gz"), lambda members: tarred(members, "w:xz")]
)
def test_the_members_of_an_archive_are_read(archive: Callable[[dict[str, bytes]], bytes]) -> None:
    scan = read(archive({"a.ini": TEXT, "b/c.txt": OTHER.encode(), "empty": b""}))

    assert places(scan) == ["file!/a.ini:2", "file!/b/c.txt:1"]
    assert scan.searched["members"] >= 3


def test_archives_within_archives_are_read_up_to_a_depth() -> None:
    content, name = TEXT, ""
    for depth in range(archives.DEEPEST):
        content, name = zipped({f"{depth}.zip": content}), f"!/{depth}.zip{name}"
    assert places(read(content)) == [f"file{name}:2"]

    scan = read(zipped({"outermost.zip": content}))

    assert places(scan) == []
    assert gaps(scan) == [
        (f"file!/outermost.zip{'!/'.join(name.rsplit('!/', 1)[:-1])}", f"is an archive within 5 others; {UNPACK}")
    ]


def test_a_zip_file_on_a_stream_is_read() -> None:
    scan = scan_for()
    stream = io.BufferedReader(archives.Rejoined(b"", io.BytesIO(zipped({"a.ini": TEXT}))))

    scan.read(TextOrigin("standard input"), stream, None)  # type: ignore[arg-type]

    assert places(scan) == ["standard input!/a.ini:2"]


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
def test_a_bomb_is_unpacked_no_further_than_allowed(
    compress: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "SMALLEST", 1 << 20)
    monkeypatch.setattr(archives, "RATIO", 20)
    bomb = compress(b"\0" * (16 << 20))
    allowed = max(1 << 20, 20 * len(bomb))

    scan = read(bomb)

    assert gaps(scan) == [("file", f"holds more than may be unpacked; {UNPACK}")]
    assert scan.searched["bytes"] <= allowed + (2 << 20)


def test_nested_bombs_and_very_many_members_count_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "SMALLEST", 1 << 20)
    monkeypatch.setattr(archives, "RATIO", 1)
    flat = zipped({f"{number}": b"" for number in range(2_000)})
    nested = zipped({f"{number}.zip": zipped({"zeros": b"\0" * (200 << 10)}) for number in range(20)})

    assert gaps(read(flat)) == [("file", f"holds more than may be unpacked; {UNPACK}")]
    assert gaps(read(nested)) == [("file", f"holds more than may be unpacked; {UNPACK}")]


def test_an_encrypted_member_is_reported_and_the_others_are_read() -> None:
    content = bytearray(zipped({"locked": b"x" * 50, "open.ini": TEXT}, zipfile.ZIP_STORED))
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1

    scan = read(bytes(content))

    assert places(scan) == ["file!/open.ini:2"]
    assert gaps(scan) == [("file!/locked", "is encrypted")]


def test_a_member_that_is_compressed_in_an_unknown_way_is_reported() -> None:
    content = bytearray(zipped({"odd": b"x" * 50, "open.ini": TEXT}, zipfile.ZIP_STORED))
    content[content.index(b"PK\1\2") + 10] = 97

    scan = read(bytes(content))

    assert places(scan) == ["file!/open.ini:2"]
    assert gaps(scan) == [("file!/odd", "is compressed in a way that cannot be read here")]


@pytest.mark.parametrize(
    "damage",
    [
        zipped({"a.ini": TEXT * 50, "b": b"b" * 5_000})[:-60],
        gzip.compress(TEXT * 500)[:-20],
        lzma.compress(TEXT * 500)[:-20],
        bz2.compress(TEXT * 500)[:-20],
        tarred({"a.ini": TEXT, "b": b"b" * 20_000})[:4_000],
        tarred({"a.ini": TEXT})[:1_024] + b"\xff" * 512 + tarred({"a.ini": TEXT})[1_024:] + b"not a header" * 400,
        b"PK\3\4" + b"\0" * 600,
        b"\x1f\x8b" + b"\xff" * 600,
        b"\x28\xb5\x2f\xfd" + b"\xff" * 600,
        b"BZh9" + b"\xff" * 600,
        b"\xfd7zXZ\0" + b"\xff" * 600,
    ],
    ids=["zip", "gz", "xz", "bz2", "tar", "tar with a gap", "no zip", "no gz", "no zst", "no bz2", "no xz"],
)
def test_a_damaged_archive_is_reported(damage: bytes) -> None:
    scan = read(damage)

    assert {reason for _, reason in gaps(scan)} == {"is damaged"}


def test_what_comes_before_the_damage_is_found() -> None:
    assert "file!/a.ini:2" in places(read(tarred({"a.ini": TEXT, "b": b"b" * 20_000})[:4_000]))
    after = tarred({"a.ini": TEXT})[:1_024] + b"\xff" * 512 + OTHER.encode()
    assert [leak.origin.describe() for leak in read(after).leaks] == ["file!/a.ini", "file"]


@pytest.mark.parametrize("magic", archives.FOREIGN)
def test_a_compressed_file_of_another_kind_is_reported(magic: bytes) -> None:
    scan = read(magic + b"\0" * 100 + VALUE.encode())

    assert gaps(scan) == [("file", f"is compressed ({archives.FOREIGN[magic]}); {UNPACK}")]
    assert places(scan) == [f"file:{1 + magic.count(bytes([10]))}"]


def test_a_value_in_the_name_of_a_member_is_found() -> None:
    assert places(read(zipped({f"tokens/{VALUE}.txt": b""}))) == [f"file!/tokens/{VALUE}.txt (the name of the file)"]

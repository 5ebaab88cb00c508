"""The contents of a manifest: what was written, from what and by what, so that a change afterwards can be detected.

It holds the SHA-256 of every report and snapshot and copies of the files that make up the policy. Without a signature,
keep it, or its own SHA-256, where those who write the reports cannot.
"""

import base64
import codecs
import hashlib
import importlib.metadata
import io
import os
import platform
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Self

import msgspec
from msgspec import structs

from credly_audit import __version__
from credly_audit.audit.model import Audit
from credly_audit.errors import UsageError
from credly_audit.files.writing import replace_file
from credly_audit.secrets.redaction import REDACTED, Redactor
from credly_audit.text import inert_json

FORMAT: Final = "credly-audit-manifest"
FORMAT_VERSION = 1

SUFFIX = ".manifest.json"

STANDARD_OUTPUT = "-"
"""The path of a report that went to standard output, a pipe or a device: its hash is known, and no file holds it."""

Role = Literal["report", "snapshot"]
PolicyRole = Literal["configuration", "organizations", "waivers", "register"]


class ManifestEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file; `path` is relative to the manifest's folder."""

    role: Role
    path: str
    sha256: str


class Copy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file of the policy as it was when it judged; `path` is as it was given."""

    role: PolicyRole
    path: str
    sha256: str
    encoding: Literal["utf-8", "base64"]
    content: str
    redactions: int = 0
    """How many secrets were replaced in the copy, or are in a file that was not copied for that reason."""
    content_sha256: str | None = None
    """Of the copy, where it is not the file as it was; null for no copy."""

    def decoded(self) -> bytes:
        """The copy's bytes; ValueError where they cannot be had."""
        return self.content.encode() if self.encoding == "utf-8" else base64.b64decode(self.content, validate=True)

    def redacted(self, redactor: Redactor) -> Self:
        """Return the copy without secret values; what is not text and holds one is left out."""
        if self.encoding == "base64":
            many = find_secrets(base64.b64decode(self.content), redactor)
            return structs.replace(self, content="", redactions=many) if many else self
        masked, passwords = ADDRESS.subn(f"://{REDACTED}@", self.content)
        text, many = redactor.redact_and_count(masked if self.role == "configuration" else self.content)
        many += passwords if self.role == "configuration" else 0
        digest = hashlib.sha256(text.encode()).hexdigest()
        return structs.replace(self, content=text, redactions=many, content_sha256=digest) if many else self

    @property
    def is_sound(self) -> bool:
        """Whether the copy is what was written; ValueError where it cannot be read."""
        if self.redactions and self.content_sha256 is None:
            return not self.content
        return hashlib.sha256(self.decoded()).hexdigest() == (self.content_sha256 or self.sha256)


ADDRESS = re.compile(r"://[^\s\"'<>@]*(?:@[^\s\"'<>@]*)*@")
"""User and password of an address."""

CELL = re.compile(r"<t(?:\s[^>]*)?>([^<]*)</t>")
"""A text in a workbook."""


def find_secrets(content: bytes, redactor: Redactor) -> int:
    """Count the secrets in a file that is a workbook, or a text in another encoding than UTF-8."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return redactor.redact_and_count(
            content.decode("utf-16" if content[:2] in BYTE_ORDER_MARKS else "latin-1", "replace")
        )[1]
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = [archive.read(name).decode("utf-8", "replace") for name in archive.namelist()]
    values = redactor.redact_column(parts, by_shape=False)[1]
    shaped = redactor.redact_column([text for part in parts for text in CELL.findall(part)])[1]
    return max(sum(values), sum(shaped))


BYTE_ORDER_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class FileVerdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the audit ended."""

    outcome: str
    exit_code: int
    violations: int


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The whole file; instants are in UTC."""

    format: Literal["credly-audit-manifest"]
    format_version: int
    generated_at: datetime
    as_of: datetime
    collected_at: datetime
    verdict: FileVerdict
    versions: dict[str, str]
    files: list[ManifestEntry]
    policy: list[Copy]


@dataclass(frozen=True, slots=True)
class Sources:
    """What an audit is judged from, taken before it begins: copies of the policy's files, and the snapshots read."""

    policy: tuple[Copy, ...] = ()
    snapshots: tuple[Path, ...] = ()

    @classmethod
    def taken(cls, policy: Iterable[tuple[PolicyRole, Path]], snapshots: Sequence[Path] = ()) -> "Sources":
        """Read the policy's files; UsageError for one that cannot be read."""
        return cls(tuple(copy_of(role, path) for role, path in policy), tuple(snapshots))

    def redacted(self, redactor: Redactor) -> Self:
        """Return the same without secret values in the copies."""
        return replace(self, policy=tuple(copy.redacted(redactor) for copy in self.policy))


def copy_of(role: PolicyRole, path: Path) -> Copy:
    """A copy: as text where the file is UTF-8, else as base64."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read for the manifest ({error.strerror})") from None
    digest = hashlib.sha256(content).hexdigest()
    try:
        return Copy(role, str(path), digest, "utf-8", content.decode())
    except UnicodeDecodeError:
        return Copy(role, str(path), digest, "base64", base64.b64encode(content).decode())


def collect_contents(
    path: Path, audit: Audit, sources: Sources, written: Sequence[Path], told: Sequence[str] = ()
) -> Manifest:
    """Return the manifest at `path` of an audit whose files are `written`; `told` hashes what went to no file."""
    verdict = audit.verdict
    files = [entry(path.parent, file, "snapshot") for file in sources.snapshots]
    files += [entry(path.parent, file, "snapshot" if file.suffix == ".snapshot" else "report") for file in written]
    files += [ManifestEntry("report", STANDARD_OUTPUT, digest) for digest in told]
    return Manifest(
        format=FORMAT,
        format_version=FORMAT_VERSION,
        generated_at=audit.generated_at,
        as_of=audit.as_of,
        collected_at=audit.snapshot.header.collected_at,
        verdict=FileVerdict(verdict.outcome, int(verdict.exit_code), verdict.violations),
        versions=collect_versions(),
        files=files,
        policy=list(sources.policy),
    )


def write_document(path: Path, document: msgspec.Struct) -> bytes:
    """Write a document as JSON and return its bytes."""
    content = encode_document(document)
    with replace_file(path) as file:
        file.write(content)
    return content


def encode_document(document: msgspec.Struct) -> bytes:
    """Return the one form in which a document is written: indented JSON, without control characters."""
    text = msgspec.json.format(msgspec.json.encode(document), indent=1).decode()
    return f"{inert_json(text)}\n".encode()


def entry(folder: Path, file: Path, role: Role) -> ManifestEntry:
    """What the manifest in `folder` says of a file."""
    return ManifestEntry(role, Path(os.path.relpath(file, folder)).as_posix(), digest_of(file))


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, as hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def collect_versions() -> dict[str, str]:
    """The tool's version, Python's, and those of the libraries that it stands on; of extras, those that are there."""
    libraries = {}
    for name in sorted(_list_libraries()):
        with suppress(importlib.metadata.PackageNotFoundError):
            libraries[name] = importlib.metadata.version(name)
    return {"credly-audit": __version__, "python": platform.python_version(), **libraries}


def _list_libraries() -> Iterator[str]:
    """What the package names as needed; nothing where it runs without being installed."""
    try:
        lines = importlib.metadata.requires("credly-audit") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for line in lines:
        if name := re.match(r"[\w.-]+", line):
            yield name[0]


def decode_manifest(content: bytes, path: Path) -> Manifest:
    """Return the manifest that `path` holds; UsageError, in one line, where it is damaged or of another kind."""
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: not a manifest of credly-audit, or damaged ({error})") from None
    if manifest.format_version != FORMAT_VERSION:
        raise UsageError(
            f"{path}: a manifest of format {manifest.format_version}; this version reads {FORMAT_VERSION}: use the "
            "version of credly-audit that wrote it"
        )
    return manifest


def list_differences(manifest: Manifest, folder: Path, *, missing: bool = True) -> Iterator[str]:
    """Yield a sentence for each file that is not as the manifest says; `folder` is the manifest's.

    Without `missing`, files that are not there are passed over.
    """
    for each in manifest.files:
        if each.path != STANDARD_OUTPUT:
            yield from _describe_difference(each, folder / each.path, missing=missing)
    for copy in manifest.policy:
        try:
            sound = copy.is_sound
        except ValueError:
            sound = False
        if not sound:
            yield f"{copy.path}: the copy of the {copy.role} in the manifest differs from the file that the audit used"


def _describe_difference(each: ManifestEntry, path: Path, *, missing: bool) -> Iterator[str]:
    try:
        digest = digest_of(path)
    except (FileNotFoundError, NotADirectoryError):
        if missing:
            yield f"{each.path}: is missing"
    except OSError as error:
        yield f"{each.path}: cannot be read ({error.strerror})"
    else:
        if digest != each.sha256:
            yield f"{each.path}: was changed (SHA-256 {digest}, in the manifest {each.sha256})"

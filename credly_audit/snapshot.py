"""The frames that the collector fills and the rules read, and the one file that they are kept in.

A snapshot file is a zip of `header.json` and a Parquet file for each frame. It holds no token's value,
only fingerprints.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from credly_audit.errors import UsageError
from credly_audit.files.writing import write_file
from credly_audit.instants import read_instant
from credly_audit.instants.instant_columns import INSTANT, keep_within
from credly_audit.reasons import ReasonCode

FORMAT = "credly-audit-snapshot"
FORMAT_VERSION = 3

READABLE = (1, 2, 3)
"""1: without OAuth applications; 2: without reason codes and all optional keys of the header.

From 3 on, unknown keys and columns are ignored.
"""

WITH_REASON_CODES = 3

TOKENS = {
    "organization_id": "category",
    "organization_name": "string",
    "token_id": "string",
    "fingerprint": "string",
    "description": "string",
    "secrets_in_description": "Int16",
    "read_enabled": "boolean",
    "write_enabled": "boolean",
    "delete_enabled": "boolean",
    "created_at": INSTANT,
    "expires_at": INSTANT,
    "date_faults": "string",
    "owner_id": "string",
    "owner_name": "string",
    "owner_type": "string",
    "is_audit_credential": "bool",
}

ORGANIZATIONS = {
    "organization_id": "string",
    "name": "string",
    "status": "string",
    "reason": "string",
    "reason_code": "string",
    "tokens": "Int64",
    "total_count": "Int64",
    "pages": "Int64",
    "requests": "Int64",
    "retries": "Int64",
    "seconds": "float64",
    "credential_kind": "string",
    "credential_fingerprint": "string",
    "credential_expires_at": INSTANT,
    "contact": "string",
    "tags": "string",
}

APPLICATIONS = {
    "organization_id": "string",
    "application_id": "string",
    "name": "string",
    "description": "string",
    "secrets_in_description": "Int16",
    "created_at": INSTANT,
    "updated_at": INSTANT,
    "creator_available": "boolean",
}

STATUSES = ("complete", "truncated", "unverified", "mismatch", "failed")

FRAMES = {"tokens": TOKENS, "organizations": ORGANIZATIONS, "applications": APPLICATIONS}


def conform(columns: pd.DataFrame | dict[str, Any], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """A frame of exactly the columns and dtypes of `dtypes`, in that order; a column that is lacking is all null.

    Raises ValueError or TypeError where a column cannot be had in its dtype.
    """
    frame = pd.DataFrame(columns)
    typed = {}
    for name, dtype in dtypes.items():
        column = frame[name] if name in frame else pd.Series(None, index=frame.index, dtype=object)
        if dtype == "bool":
            column = column.astype("boolean").fillna(value=False)
        typed[name] = pd.to_datetime(column, utc=True).astype(dtype) if dtype == INSTANT else column.astype(dtype)
    return pd.DataFrame(typed, index=frame.index).reset_index(drop=True)


def make_empty_applications() -> pd.DataFrame:
    """The frame of applications without a row."""
    return conform({}, APPLICATIONS)


@dataclass(frozen=True, slots=True)
class Part:
    """Names a part of a configuration or of an audit, so that it never passes for the whole.

    `kind` is `subset` (chosen with --organization) or what the audit was split by; `name` is fit for a file's name and
    an identifier, and differs for other organizations.
    """

    kind: str
    name: str

    @classmethod
    def of_organizations(cls, organization_ids: Collection[str]) -> "Part":
        """Return the name of a subset: the same for the same organizations, in whatever order."""
        return cls("subset", f"subset-{short_digest(','.join(sorted(organization_ids)))}")


def short_digest(text: str) -> str:
    """Return six hex digits that tell texts apart in names that people read."""
    return hashlib.sha256(text.encode()).hexdigest()[:6]


@dataclass(frozen=True, slots=True)
class Shard:
    """Says that a snapshot is one of `count` shards of a collection; `index` is from 1 on."""

    index: int
    count: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a snapshot says of itself. Instants are aware and in UTC."""

    collected_at: datetime
    tool_version: str
    base_url: str
    fingerprint_key: str | None
    """The fingerprint of the key under which values were fingerprinted; None: plain SHA-256."""
    organizations_asked: tuple[str, ...]
    oauth_applications_asked: bool = False
    """Whether the OAuth applications of these organizations were asked for, too."""
    value_lengths: tuple[int, ...] = ()
    """The different lengths of the secret values that the collection knew, in ascending order."""
    other_fingerprints: tuple[str, ...] = ()
    """The fingerprints of known values that no token in the snapshot has, such as a client secret's, sorted."""
    part: Part | None = None
    """None: the snapshot is of everything that the configuration names."""
    shard: Shard | None = None
    """None: the snapshot is no shard."""
    configuration_digest: str | None = None
    """SHA-256 over what decides in the configuration what a collection reads; None: not known, or of several."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one collection saw, a row each: `tokens` (TOKENS), `organizations` (ORGANIZATIONS), `applications`.

    `applications` (APPLICATIONS) are OAuth applications; none where the header says that they were not asked for.
    """

    header: Header
    tokens: pd.DataFrame
    organizations: pd.DataFrame
    applications: pd.DataFrame = field(default_factory=make_empty_applications)

    def write(self, path: Path) -> None:
        """Write one file, mode 0600, where a path leads, whole or not at all."""
        with write_file(path) as file:
            self.save(file)

    def save(self, file: BinaryIO) -> None:
        """Write it into a file; the same snapshot makes the same bytes."""
        head = asdict(self.header) | {"format": FORMAT, "format_version": FORMAT_VERSION}
        head["collected_at"] = self.header.collected_at.isoformat()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr(zipfile.ZipInfo("header.json"), json.dumps(head, indent=1, ensure_ascii=False))
            for name in FRAMES:
                table = io.BytesIO()
                frame = pa.Table.from_pandas(getattr(self, name), preserve_index=False)
                pq.write_table(frame, table, compression="zstd")
                archive.writestr(zipfile.ZipInfo(f"{name}.parquet"), table.getvalue())

    def only(self, organizations: Collection[str]) -> "Snapshot":
        """Return the part that holds these organizations, named as a part."""
        wanted = list(organizations)
        frames = (
            conform((frame := getattr(self, name))[frame["organization_id"].isin(wanted)], dtypes)
            for name, dtypes in FRAMES.items()
        )
        tokens, *others = frames
        left_out = set(self.tokens["fingerprint"].dropna()).difference(tokens["fingerprint"].dropna())
        header = replace(
            self.header,
            organizations_asked=tuple(wanted),
            part=Part.of_organizations(wanted),
            shard=None,
            other_fingerprints=tuple(sorted(left_out.union(self.header.other_fingerprints))),
        )
        return Snapshot(header, tokens, *others)

    @classmethod
    def read(cls, path: Path) -> "Snapshot":
        """Read what `write` wrote; UsageError, in one line, for a file that is missing, damaged or of another kind."""
        try:
            with zipfile.ZipFile(path) as archive:
                head = json.loads(archive.read("header.json"))
                if head["format"] != FORMAT:
                    raise KeyError(FORMAT)
                if head["format_version"] not in READABLE:
                    raise UsageError(
                        f"{path}: a snapshot of format {head['format_version']}; this version reads "
                        f"{READABLE[0]} to {READABLE[-1]}: "
                        "use the version of credly-audit that wrote it, or collect again"
                    )
                frames = {
                    name: _read_frame(archive.read(f"{name}.parquet"), dtypes, head["format_version"])
                    for name, dtypes in FRAMES.items()
                    if name != "applications" or head["format_version"] > 1
                }
            header = _read_header(head)
        except OSError as error:
            raise UsageError(f"{path}: cannot be read ({error.strerror})") from None
        except (zipfile.BadZipFile, KeyError, TypeError, ValueError, EOFError, pa.ArrowException) as error:
            raise UsageError(
                f"{path}: not a snapshot of credly-audit, or damaged ({type(error).__name__}); collect again"
            ) from None
        return cls(header, **frames)


def _read_frame(parquet: bytes, dtypes: dict[str, str], version: int) -> pd.DataFrame:
    """Return a frame of a snapshot of this format; ValueError for an instant beyond the years that there are.

    Reason codes of later versions, and any before there were such, are null.
    """
    frame = conform(pq.read_table(io.BytesIO(parquet)).to_pandas(), dtypes)
    if "reason_code" in dtypes:
        codes = frame["reason_code"]
        frame["reason_code"] = codes.where(codes.isin(list(ReasonCode)) & (version >= WITH_REASON_CODES))
    for name, dtype in dtypes.items():
        if dtype == INSTANT and not keep_within(frame[name]).equals(frame[name]):
            raise ValueError(name)
    return frame


def _read_instant(text: str) -> datetime:
    instant = read_instant(text)
    if instant is None:
        raise ValueError(text)
    return instant


def _read_header(head: dict[str, Any]) -> Header:
    """Return the header that the JSON object of a snapshot describes; keys of later versions are ignored."""
    part, shard, digest = head.get("part"), head.get("shard"), head.get("configuration_digest")
    return Header(
        collected_at=_read_instant(head["collected_at"]),
        tool_version=head["tool_version"],
        base_url=head["base_url"],
        fingerprint_key=head["fingerprint_key"],
        organizations_asked=tuple(head["organizations_asked"]),
        oauth_applications_asked=bool(head.get("oauth_applications_asked", False)),
        value_lengths=tuple(sorted(map(int, head.get("value_lengths", ())))),
        other_fingerprints=tuple(sorted(map(str, head.get("other_fingerprints", ())))),
        part=None if part is None else Part(str(part["kind"]), str(part["name"])),
        shard=None if shard is None else Shard(int(shard["index"]), int(shard["count"])),
        configuration_digest=None if digest is None else str(digest),
    )


def merged(snapshots: dict[str, Snapshot]) -> Snapshot:
    """Several collectors' snapshots as one; keys are the files' names, for the message.

    UsageError where an organization stands in two of them, or where they fingerprint under different keys.
    """
    first, *others = snapshots.values()
    if not others:
        return first
    seen: dict[str, str] = {}
    for name, snapshot in snapshots.items():
        if snapshot.header.fingerprint_key != first.header.fingerprint_key:
            raise UsageError(f"{name}: fingerprinted under another key than the first; they cannot be compared")
        for organization in snapshot.organizations["organization_id"]:
            if organization in seen:
                raise UsageError(f"{name}: organization {organization} is in {seen[organization]} too; give it once")
            seen[organization] = name
    headers = [snapshot.header for snapshot in snapshots.values()]
    digests = {header.configuration_digest for header in headers}
    return Snapshot(
        replace(
            first.header,
            collected_at=max(header.collected_at for header in headers),
            base_url=", ".join(dict.fromkeys(header.base_url for header in headers)),
            organizations_asked=tuple(seen),
            oauth_applications_asked=all(header.oauth_applications_asked for header in headers),
            value_lengths=tuple(sorted({length for header in headers for length in header.value_lengths})),
            other_fingerprints=tuple(sorted({each for header in headers for each in header.other_fingerprints})),
            part=Part.of_organizations(seen) if any(header.part for header in headers) else None,
            shard=None,
            configuration_digest=digests.pop() if len(digests) == 1 else None,
        ),
        *(
            conform(pd.concat([getattr(snapshot, name) for snapshot in snapshots.values()], ignore_index=True), dtypes)
            for name, dtypes in FRAMES.items()
        ),
    )

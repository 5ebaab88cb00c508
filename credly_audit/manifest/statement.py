"""What is signed of an audit: an in-toto Statement v1 whose subjects are its files."""

import getpass
import os
import socket
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from string import Template
from typing import Final, Self

import msgspec

from credly_audit.audit.model import Audit
from credly_audit.audit.prior import PriorManifest
from credly_audit.errors import UsageError
from credly_audit.manifest.contents import FORMAT, FORMAT_VERSION, Copy, FileVerdict, Manifest, ManifestEntry, Role
from credly_audit.report.counts import count_audit

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE: Final = "urn:credly-audit:audit:v1"

CI_RUNS = tuple(
    map(
        Template,
        (
            "$GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID",
            "$CI_JOB_URL",  # GitLab
            "$BUILD_URL",  # Jenkins
            "$SYSTEM_COLLECTIONURI$SYSTEM_TEAMPROJECT/_build/results?buildId=$BUILD_BUILDID",  # Azure Pipelines
            "$BITBUCKET_GIT_HTTP_ORIGIN/pipelines/results/$BITBUCKET_BUILD_NUMBER",
            "$CIRCLE_BUILD_URL",
            "$BUILDKITE_BUILD_URL",
        ),
    )
)
"""The address of the current run, from the environment variables of each CI service."""


class AuditOrigin(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Who ran the audit and where: the address of a CI run, else a host and a user."""

    url: str | None = None
    host: str | None = None
    user: str | None = None

    @classmethod
    def find(cls, environ: Mapping[str, str]) -> Self:
        """Find the CI run that the environment names, else this host and user."""
        for template in CI_RUNS:
            if all(environ.get(name) for name in template.get_identifiers()):
                return cls(url=template.substitute(environ))
        return cls(host=socket.gethostname(), user=_find_user())


def _find_user() -> str:
    """Return the user's name; the number, where none is known for it."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


class CollectedCoverage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How much was collected; `by_status` counts organizations."""

    organizations: int
    tokens: int
    by_status: dict[str, int]


class ChainLink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The place of an audit among the signed ones of its series."""

    series: str
    previous: PriorManifest | None
    """None: it is the first one."""

    @property
    def number(self) -> int:
        """The number of the audit, from 1 on."""
        return 1 if self.previous is None else self.previous.number + 1


class AuditPredicate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is signed beside the digests of the files; instants are in UTC."""

    name: str
    """The name of the manifest's file."""
    generated_at: datetime
    as_of: datetime
    collected_at: datetime
    verdict: FileVerdict
    coverage: CollectedCoverage
    versions: dict[str, str]
    policy: list[Copy]
    configuration_digest: str | None
    """The SHA-256 over what decides in the configuration what is collected; null: not known, or of several."""
    origin: AuditOrigin
    chain: ChainLink | None
    """Null: the audit is not in a chain."""


class SubjectDigest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The digest of a file, in hex digits."""

    sha256: str


class SubjectNotes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a file is."""

    role: Role


class Subject(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of the audit; `name` is its path from the manifest's folder, `-` for what went to no file."""

    name: str
    digest: SubjectDigest
    annotations: SubjectNotes


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"type": "_type"}):
    """The signed payload."""

    type: str
    subject: list[Subject]
    predicateType: str  # noqa: N815 - in-toto's name
    predicate: AuditPredicate

    @classmethod
    def of(cls, path: Path, manifest: Manifest, audit: Audit, origin: AuditOrigin, chain: ChainLink | None) -> Self:
        """Return the statement of an audit, whose manifest goes to `path`."""
        counts = count_audit(audit)
        predicate = AuditPredicate(
            path.name,
            manifest.generated_at,
            manifest.as_of,
            manifest.collected_at,
            manifest.verdict,
            CollectedCoverage(counts["organizations"], counts["tokens"], counts["by_status"]),
            manifest.versions,
            manifest.policy,
            audit.snapshot.header.configuration_digest,
            origin,
            chain,
        )
        subjects = [Subject(each.path, SubjectDigest(each.sha256), SubjectNotes(each.role)) for each in manifest.files]
        return cls(STATEMENT_TYPE, subjects, PREDICATE_TYPE, predicate)

    @property
    def manifest(self) -> Manifest:
        """The manifest that an audit without a signature would have."""
        about = self.predicate
        files = [ManifestEntry(each.annotations.role, each.name, each.digest.sha256) for each in self.subject]
        return Manifest(
            FORMAT,
            FORMAT_VERSION,
            about.generated_at,
            about.as_of,
            about.collected_at,
            about.verdict,
            about.versions,
            files,
            about.policy,
        )


class UnknownPayload(UsageError):  # noqa: N818 - named as it is told
    """An envelope holds something else than the statement of an audit."""


def decode_statement(payload: bytes, payload_type: str, path: Path) -> Statement:
    """Return the statement in the payload of the envelope at `path`; UnknownPayload where it is none."""
    if payload_type != PAYLOAD_TYPE:
        raise UnknownPayload(f"{path}: the payload type {payload_type!r} is unknown; a manifest has {PAYLOAD_TYPE!r}")
    try:
        statement = msgspec.json.decode(payload, type=Statement)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnknownPayload(f"{path}: the payload is not a statement of credly-audit ({error})") from None
    if (statement.type, statement.predicateType) != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise UnknownPayload(
            f"{path}: the payload is a {statement.predicateType!r} in a {statement.type!r}; this version of "
            f"credly-audit reads {PREDICATE_TYPE!r} in {STATEMENT_TYPE!r}"
        )
    return statement

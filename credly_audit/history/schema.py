"""The tables of the history: changes, not copies.

Each configuration has a series of audits of its own. Every table but `series` begins with the number of a series, and
all other numbers (of audits, organizations, tokens, findings) count within it: a series is a history of its own.

A token's or a finding's state is one row from the audit that first saw it so (`since`) to the first one that, asking
its organization, did not (`until`, null: none yet). That nothing was seen in an organization that failed is no change
of it: coverage says so. No row holds a token's value.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

from credly_audit.severity import Severity

VERSIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
"""The versions of the schema, as `migrations/versions` makes them."""

HEAD = VERSIONS[-1]
"""The version that this code reads and writes."""

VERSION_TABLE = "credly_audit_version"
"""Where the version of the schema is kept: a name that no other program uses."""

EARLIER = 0
"""The series of the audits that were recorded before there were series: every new series begins with a copy of it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

NULL_INSTANT = -(2**63)
"""How a null instant is read in bulk: numpy's not-a-time."""


def convert_to_microseconds(instant: datetime) -> int:
    """Return an instant as microseconds since 1970 in UTC."""
    return (instant - EPOCH) // timedelta(microseconds=1)


class InstantType(TypeDecorator[datetime]):
    """An aware instant, kept as microseconds since 1970."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's signature
        """Numbers go through as they are: bulk writers have them already."""
        return convert_to_microseconds(value) if isinstance(value, datetime) else value

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - SQLAlchemy's signature
        """An aware instant in UTC."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


metadata = MetaData()

series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("name", Text, unique=True, comment="[history] name; null: the configuration has none"),
    Column("file", Text, unique=True, comment="the configuration's resolved path; null: it has a name"),
    Column("host", Text, comment="where that path was; null: the history is a file, which moves with it"),
    Column("manifest_number", Integer, comment="of the last signed manifest; null: none was signed"),
    Column("manifest_name", Text, comment="the name of its file"),
    Column("manifest_sha256", String(64), comment="its SHA-256"),
    Column("message_key", String(64), comment="keys the HMAC of recipients without [privacy] fingerprint_key"),
)


def make_series_column() -> Column[int]:
    """Make the column that says which series a row belongs to."""
    return Column("series", Integer, primary_key=True, autoincrement=False)


audits = Table(
    "audits",
    metadata,
    make_series_column(),
    Column("id", Integer, primary_key=True, autoincrement=False, comment="ascends with as_of"),
    Column("as_of", InstantType, nullable=False),
    Column("collected_at", InstantType, nullable=False),
    Column("recorded_at", InstantType, nullable=False),
    Column("tool_version", String(40), nullable=False),
    Column("fingerprint_key", String(16)),
    Column("outcome", String(16), nullable=False),
    Column("exit_code", SmallInteger, nullable=False),
    Column("violations", Integer, nullable=False),
    Column("organizations", Integer, nullable=False),
    Column("fully_seen", Integer, nullable=False),
    Column("tokens", Integer, nullable=False),
    Column("whole", Boolean, nullable=False, comment="all that is configured was asked and complete"),
    Column("full_scope", Boolean, nullable=False, comment="all that is configured was asked"),
    Column("inherited", Boolean, nullable=False, comment="copied from the series 0 when this series began"),
    *(Column(severity.value, Integer, nullable=False) for severity in Severity),
    Column("new", Integer, nullable=False),
    Column("persisting", Integer, nullable=False),
    Column("reopened", Integer, nullable=False),
    Column("resolved", Integer, nullable=False),
    Column("unseen", Integer, nullable=False),
    Column("waived", Integer, nullable=False),
    sqlite_with_rowid=False,
)

organizations = Table(
    "organizations",
    metadata,
    make_series_column(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("organization_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    UniqueConstraint("series", "organization_id"),
    sqlite_with_rowid=False,
)

coverage = Table(
    "coverage",
    metadata,
    make_series_column(),
    Column("audit", Integer, primary_key=True, autoincrement=False),
    Column("organization", Integer, primary_key=True, autoincrement=False),
    Column("status", String(12), nullable=False),
    Column("not_judged", Text, nullable=False, comment="ids of rules that said nothing, joined by commas"),
    Index("coverage_by_organization", "series", "organization", "status"),
    sqlite_with_rowid=False,
)

tokens = Table(
    "tokens",
    metadata,
    make_series_column(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("organization", Integer, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("description", Text, comment="as last seen, secrets in it redacted"),
    UniqueConstraint("series", "organization", "token_id"),
    sqlite_with_rowid=False,
)

findings = Table(
    "findings",
    metadata,
    make_series_column(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("finding_id", String(16), nullable=False),
    Column("rule_id", String(6), nullable=False),
    Column("organization", Integer, nullable=False),
    Column("token", Integer),
    UniqueConstraint("series", "finding_id"),
    Index("findings_by_organization", "series", "organization"),
    sqlite_with_rowid=False,
)


def make_states_table(subject: str, *columns: Column[Any]) -> Table:
    """Make the table of the states of a subject."""
    return Table(
        f"{subject}_states",
        metadata,
        make_series_column(),
        Column(subject, Integer, primary_key=True, autoincrement=False),
        Column("since", Integer, primary_key=True, autoincrement=False, comment="the audit that first saw it so"),
        Column("until", Integer, comment="the first audit that asked and did not see it so"),
        Column("latest", Boolean, nullable=False, comment="no later state of it is recorded"),
        *columns,
        Column("seen_at", InstantType, comment="where it ended: the last audit that saw it"),
        Column("gone_at", InstantType, comment="the first audit that saw all and missed it"),
        sqlite_with_rowid=False,
    )


token_states = make_states_table(
    "token",
    Column("fingerprint", String(16), comment="the last one known"),
    Column("fingerprint_key", String(16), comment="names the key of the fingerprint"),
    Column("permissions", SmallInteger, nullable=False, comment="read 1, write 2, delete 4; not known: times 8"),
    Column("expires_at", InstantType),
    Column("denied", SmallInteger, nullable=False, comment="permissions once known to be off"),
    Column("rotated_at", InstantType, comment="when its value was seen to change"),
)

finding_states = make_states_table(
    "finding",
    Column("weight", SmallInteger, nullable=False, comment="the severity: 0 info to 4 critical"),
    Column("waived", Boolean, nullable=False),
    Column("due_at", InstantType, comment="where the rule names a day of its own"),
    Column("first_seen_at", InstantType, nullable=False),
    Column("opened_at", InstantType, nullable=False, comment="since when it was there without a break"),
)

key_figures = Table(
    "key_figures",
    metadata,
    make_series_column(),
    Column("audit", Integer, primary_key=True, autoincrement=False),
    Column("name", String(40), primary_key=True),
    Column("value", Integer, nullable=False),
    sqlite_with_rowid=False,
)

successions = Table(
    "successions",
    metadata,
    make_series_column(),
    Column("id", String(16), primary_key=True),
    Column("organization_id", Text, nullable=False),
    Column("organization_name", Text, nullable=False),
    Column("old_token_id", Text, nullable=False),
    Column("new_token_id", Text, nullable=False),
    Column("description", Text, nullable=False, comment="of the new token"),
    Column("store", Text, nullable=False, comment="where the new value is, as it may be shown"),
    Column("opened_at", InstantType, nullable=False),
    Column("due_at", InstantType, nullable=False),
    Column("updated_at", InstantType, nullable=False),
    Column("ended_as", String(16), comment="closed or abandoned; null: unfinished"),
    Column("ended_at", InstantType),
    sqlite_with_rowid=False,
)

succession_consumers = Table(
    "succession_consumers",
    metadata,
    make_series_column(),
    Column("succession", String(16), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False, comment="in the order of switching, from 0"),
    Column("consumer", Text, nullable=False),
    Column("contact", Text),
    Column("state", String(16), nullable=False, comment="pending, deployed, failed or confirmed"),
    Column("at", InstantType, comment="when the state changed last"),
    Column("reason", Text, comment="why it failed"),
    sqlite_with_rowid=False,
)

messages = Table(
    "messages",
    metadata,
    make_series_column(),
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("recipient", String(16), nullable=False, comment="an HMAC of the address"),
    Column("name", Text, comment="as configured: the reference of an address, or the name of a contact"),
    Column("channel", Text, nullable=False, comment="the service that delivers it"),
    Column("as_of", InstantType, nullable=False, comment="of its audit"),
    Column("outcome", String(16), nullable=False, comment="the verdict that it reports"),
    Column("began_at", InstantType, nullable=False),
    Column("ended_at", InstantType),
    Column("result", String(8), comment="sent, failed or dropped; null: not known, as the run was interrupted"),
    Column("reason", Text, comment="why it failed"),
    Index("messages_by_recipient", "series", "recipient", "id"),
    sqlite_with_rowid=False,
)

message_items = Table(
    "message_items",
    metadata,
    make_series_column(),
    Column("message", Integer, primary_key=True, autoincrement=False),
    Column("finding_id", String(16), primary_key=True),
    Column("days_left", Integer, comment="until the expiration, rounded up"),
    Column("overdue", Boolean, nullable=False, comment="the finding was overdue"),
    Column("ended", Boolean, nullable=False, comment="since then the finding was resolved or accepted"),
    Index("message_items_by_finding", "series", "finding_id"),
    sqlite_with_rowid=False,
)

REMEDIATION_INDEX = Index(
    "finding_states_mended",
    finding_states.c.series,
    finding_states.c.gone_at,
    finding_states.c.opened_at,
    finding_states.c.weight,
    sqlite_where=finding_states.c.gone_at.is_not(None),
    postgresql_where=finding_states.c.gone_at.is_not(None),
)

BY_SERIES = (audits, key_figures, organizations, coverage, tokens, findings, token_states, finding_states)
"""Every table that holds rows of series."""

SUBJECT = {token_states: token_states.c.token, finding_states: finding_states.c.finding}
"""The column that says what a state is of."""

STATES = {token_states: tokens, finding_states: findings}
"""The subjects of each table of states."""

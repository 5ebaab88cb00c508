"""The tables as they began."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SEVERITIES = ("info", "low", "medium", "high", "critical")
COUNTS = ("new", "persisting", "reopened", "resolved", "unseen", "waived")


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "audits",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False, comment="ascends with as_of"),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("as_of", "collected_at", "recorded_at")),
        sa.Column("tool_version", sa.String(40), nullable=False),
        sa.Column("fingerprint_key", sa.String(16)),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("exit_code", sa.SmallInteger, nullable=False),
        *(
            sa.Column(name, sa.Integer, nullable=False)
            for name in ("violations", "organizations", "fully_seen", "tokens")
        ),
        sa.Column("whole", sa.Boolean, nullable=False, comment="all that is configured was asked and complete"),
        *(sa.Column(name, sa.Integer, nullable=False) for name in (*SEVERITIES, *COUNTS)),
    )
    op.create_table(
        "organizations",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("organization_id", sa.Text, nullable=False, unique=True),
        sa.Column("name", sa.Text, nullable=False),
    )
    op.create_table(
        "coverage",
        sa.Column("audit", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("organization", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("status", sa.String(12), nullable=False),
        sa.Column("not_judged", sa.Text, nullable=False, comment="ids of rules that said nothing, joined by commas"),
        sqlite_with_rowid=False,
    )
    op.create_index("coverage_by_organization", "coverage", ["organization", "status"])
    op.create_table(
        "tokens",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("organization", sa.Integer, nullable=False),
        sa.Column("token_id", sa.Text, nullable=False),
        sa.Column("description", sa.Text, comment="as last seen, secrets in it redacted"),
        sa.UniqueConstraint("organization", "token_id"),
    )
    op.create_table(
        "findings",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("finding_id", sa.String(16), nullable=False, unique=True),
        sa.Column("rule_id", sa.String(6), nullable=False),
        sa.Column("organization", sa.Integer, nullable=False),
        sa.Column("token", sa.Integer),
    )
    op.create_index("findings_by_organization", "findings", ["organization"])
    _states(
        "token",
        sa.Column("fingerprint", sa.String(16), comment="the last one known"),
        sa.Column("fingerprint_key", sa.String(16), comment="names the key of the fingerprint"),
        sa.Column(
            "permissions", sa.SmallInteger, nullable=False, comment="read 1, write 2, delete 4; not known: times 8"
        ),
        sa.Column("expires_at", sa.BigInteger),
        sa.Column("denied", sa.SmallInteger, nullable=False, comment="permissions once known to be off"),
        sa.Column("rotated_at", sa.BigInteger, comment="when its value was seen to change"),
    )
    _states(
        "finding",
        sa.Column("weight", sa.SmallInteger, nullable=False, comment="the severity: 0 info to 4 critical"),
        sa.Column("waived", sa.Boolean, nullable=False),
        sa.Column("due_at", sa.BigInteger, comment="where the rule names a day of its own"),
        sa.Column("first_seen_at", sa.BigInteger, nullable=False),
        sa.Column("opened_at", sa.BigInteger, nullable=False, comment="since when it was there without a break"),
    )
    op.create_index(
        "finding_states_mended",
        "finding_states",
        ["gone_at", "opened_at", "weight"],
        sqlite_where=sa.text("gone_at IS NOT NULL"),
        postgresql_where=sa.text("gone_at IS NOT NULL"),
    )


def _states(subject: str, *columns: sa.Column) -> None:  # type: ignore[type-arg]  # of every kind
    op.create_table(
        f"{subject}_states",
        sa.Column(subject, sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("since", sa.Integer, primary_key=True, autoincrement=False, comment="the audit that first saw it so"),
        sa.Column("until", sa.Integer, comment="the first audit that asked and did not see it so"),
        sa.Column("latest", sa.Boolean, nullable=False, comment="no later state of it is recorded"),
        *columns,
        sa.Column("seen_at", sa.BigInteger, comment="where it ended: the last audit that saw it"),
        sa.Column("gone_at", sa.BigInteger, comment="the first audit that saw all and missed it"),
        sqlite_with_rowid=False,
    )

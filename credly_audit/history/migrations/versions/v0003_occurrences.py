"""Give open findings on a token's expiry the id of their occurrence: a rotated token is a new one.

Since this version EXP001, EXP002, EXP004 and EXP005 tell their findings apart by the token's `expires_at`. Resolved
findings keep their id, which no audit finds again.
"""

import hashlib
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RULES = ("EXP001", "EXP002", "EXP004", "EXP005")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def upgrade() -> None:
    """Rename the open findings of these rules by the expiry of their token as last known."""
    findings = _table("findings", "id", "finding_id", "rule_id", "organization", "token")
    finding_states = _table("finding_states", "finding", "gone_at", "latest")
    tokens = _table("tokens", "id", "token_id")
    token_states = _table("token_states", "token", "expires_at", "latest")
    organizations = _table("organizations", "id", "organization_id")
    query = (
        sa.select(
            findings.c.series,
            findings.c.id,
            findings.c.rule_id,
            organizations.c.organization_id,
            tokens.c.token_id,
            token_states.c.expires_at,
        )
        .join(finding_states, _same(findings, finding_states, findings.c.id == finding_states.c.finding))
        .join(tokens, _same(findings, tokens, findings.c.token == tokens.c.id))
        .join(token_states, _same(findings, token_states, findings.c.token == token_states.c.token))
        .join(organizations, _same(findings, organizations, findings.c.organization == organizations.c.id))
        .where(
            findings.c.rule_id.in_(RULES),
            finding_states.c.latest == sa.true(),
            finding_states.c.gone_at.is_(None),
            token_states.c.latest == sa.true(),
            token_states.c.expires_at.is_not(None),
        )
    )
    connection = op.get_bind()
    renamed = [
        {"of_series": series, "number": number, "occurrence": _finding_id(*about)}
        for series, number, *about in connection.execute(query)
    ]
    if renamed:
        connection.execute(
            sa.update(findings)
            .where(findings.c.series == sa.bindparam("of_series"), findings.c.id == sa.bindparam("number"))
            .values(finding_id=sa.bindparam("occurrence")),
            renamed,
        )


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, sa.column("series"), *(sa.column(each) for each in columns))


def _same(one: sa.TableClause, other: sa.TableClause, condition: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    """Return the condition of a join within a series."""
    return sa.and_(one.c.series == other.c.series, condition)


def _finding_id(rule_id: str, organization_id: str, token_id: str, expires_at: int) -> str:
    second = (EPOCH + timedelta(microseconds=expires_at)).replace(microsecond=0)
    occurrence = second.isoformat().replace("+00:00", "Z")
    subject = f"{rule_id}\x1f{organization_id}\x1f{token_id}\x1f{occurrence}"
    return hashlib.sha256(subject.encode()).hexdigest()[:16]

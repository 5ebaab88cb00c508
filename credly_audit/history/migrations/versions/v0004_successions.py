"""Tables for successions (tokens that are being replaced) and their consumers, and for the key figures of audits."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty."""
    op.create_table(
        "key_figures",
        sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("audit", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "successions",
        sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.String(16), primary_key=True),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("organization_id", "organization_name", "old_token_id", "new_token_id")
        ),
        sa.Column("description", sa.Text, nullable=False, comment="of the new token"),
        sa.Column("store", sa.Text, nullable=False, comment="where the new value is, as it may be shown"),
        *(sa.Column(name, sa.BigInteger, nullable=False) for name in ("opened_at", "due_at", "updated_at")),
        sa.Column("ended_as", sa.String(16), comment="closed or abandoned; null: unfinished"),
        sa.Column("ended_at", sa.BigInteger),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "succession_consumers",
        sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("succession", sa.String(16), primary_key=True),
        sa.Column(
            "position",
            sa.Integer,
            primary_key=True,
            autoincrement=False,
            comment="in the order of switching, from 0",
        ),
        sa.Column("consumer", sa.Text, nullable=False),
        sa.Column("contact", sa.Text),
        sa.Column("state", sa.String(16), nullable=False, comment="pending, deployed, failed or confirmed"),
        sa.Column("at", sa.BigInteger, comment="when the state changed last"),
        sa.Column("reason", sa.Text, comment="why it failed"),
        sqlite_with_rowid=False,
    )

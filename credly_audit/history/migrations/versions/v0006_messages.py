"""Tables for the messages that were sent about audits, and what was in them."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables, empty."""
    op.add_column(
        "series",
        sa.Column(
            "message_key", sa.String(64), comment="keys the HMAC of recipients without [privacy] fingerprint_key"
        ),
    )
    op.create_table(
        "messages",
        sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("recipient", sa.String(16), nullable=False, comment="an HMAC of the address"),
        sa.Column("name", sa.Text, comment="as configured: the reference of an address, or the name of a contact"),
        sa.Column("channel", sa.Text, nullable=False, comment="the service that delivers it"),
        sa.Column("as_of", sa.BigInteger, nullable=False, comment="of its audit"),
        sa.Column("outcome", sa.String(16), nullable=False, comment="the verdict that it reports"),
        sa.Column("began_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column(
            "result", sa.String(8), comment="sent, failed or dropped; null: not known, as the run was interrupted"
        ),
        sa.Column("reason", sa.Text, comment="why it failed"),
        sqlite_with_rowid=False,
    )
    op.create_index("messages_by_recipient", "messages", ["series", "recipient", "id"])
    op.create_table(
        "message_items",
        sa.Column("series", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("message", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("finding_id", sa.String(16), primary_key=True),
        sa.Column("days_left", sa.Integer, comment="until the expiration, rounded up"),
        sa.Column("overdue", sa.Boolean, nullable=False, comment="the finding was overdue"),
        sa.Column("ended", sa.Boolean, nullable=False, comment="since then the finding was resolved or accepted"),
        sqlite_with_rowid=False,
    )
    op.create_index("message_items_by_finding", "message_items", ["series", "finding_id"])

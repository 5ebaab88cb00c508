"""Columns for the last signed manifest of a series, which the next one names."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, null."""
    about = "of the last signed manifest; null: none was signed"
    op.add_column("series", sa.Column("manifest_number", sa.Integer, comment=about))
    op.add_column("series", sa.Column("manifest_name", sa.Text, comment="the name of its file"))
    op.add_column("series", sa.Column("manifest_sha256", sa.String(64), comment="its SHA-256"))

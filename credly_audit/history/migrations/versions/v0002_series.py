"""Give each configuration a series of audits of its own; what was recorded before becomes series 0.

PostgreSQL alters its tables, so that rights that were granted on them stay. SQLite cannot change a primary key: there
each table is made anew, and its rows are copied.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEYS = {
    "audits": ("id",),
    "organizations": ("id",),
    "coverage": ("audit", "organization"),
    "tokens": ("id",),
    "findings": ("id",),
    "token_states": ("token", "since"),
    "finding_states": ("finding", "since"),
}
UNIQUE = {"organizations": ("organization_id",), "tokens": ("organization", "token_id"), "findings": ("finding_id",)}
INDEXES = {
    "coverage_by_organization": ("coverage", ("organization", "status")),
    "findings_by_organization": ("findings", ("organization",)),
    "finding_states_mended": ("finding_states", ("gone_at", "opened_at", "weight")),
}
SCOPE = {
    "full_scope": ("whole", "all that is configured was asked"),
    "inherited": ("false", "copied from the series 0 when this series began"),
}
"""New columns of audits, each with the value of those that are there: what was complete was of full scope."""


def upgrade() -> None:
    """From the one series of all audits."""
    op.create_table(
        "series",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", sa.Text, unique=True, comment="[history] name; null: the configuration has none"),
        sa.Column("file", sa.Text, unique=True, comment="the configuration's resolved path; null: it has a name"),
        sa.Column("host", sa.Text, comment="where that path was; null: the history is a file, which moves with it"),
    )
    for name, (table, _) in INDEXES.items():
        op.drop_index(name, table)
    change = _alter if op.get_bind().dialect.name == "postgresql" else _copy
    for table in KEYS:
        change(table)
    for name, (table, columns) in INDEXES.items():
        only = sa.text("gone_at IS NOT NULL") if "gone_at" in columns else None
        op.create_index(name, table, ["series", *columns], sqlite_where=only, postgresql_where=only)


def _alter(table: str) -> None:
    """Add the columns and make the keys anew."""
    op.add_column(table, sa.Column("series", sa.Integer, nullable=False, server_default="0"))
    op.alter_column(table, "series", server_default=None)
    inspector = sa.inspect(op.get_bind())
    op.drop_constraint(inspector.get_pk_constraint(table)["name"] or "", table)
    op.create_primary_key(None, table, ["series", *KEYS[table]])
    if table in UNIQUE:
        [before] = inspector.get_unique_constraints(table)
        op.drop_constraint(before["name"] or "", table)
        op.create_unique_constraint(None, table, ["series", *UNIQUE[table]])
    if table == "audits":
        for name, (value, comment) in SCOPE.items():
            op.add_column(table, sa.Column(name, sa.Boolean, comment=comment))
            op.execute(f"UPDATE audits SET {name} = {value}")  # noqa: S608 - names of our own
            op.alter_column(table, name, nullable=False)


def _copy(table: str) -> None:
    """Make the table anew and move its rows."""
    before = sa.Table(table, sa.MetaData(), autoload_with=op.get_bind())
    columns = [sa.Column(each.name, each.type, nullable=each.nullable) for each in before.columns]
    added = [sa.Column(name, sa.Boolean, nullable=False) for name in SCOPE] if table == "audits" else []
    op.rename_table(table, "before")
    op.create_table(
        table,
        sa.Column("series", sa.Integer, nullable=False),
        *columns,
        *added,
        sa.PrimaryKeyConstraint("series", *KEYS[table]),
        *([sa.UniqueConstraint("series", *UNIQUE[table])] if table in UNIQUE else []),
        sqlite_with_rowid=False,
    )
    names = [f'"{each.name}"' for each in columns]
    values = ", ".join([*names, *(SCOPE[each.name][0] for each in added)])
    into = ", ".join(["series", *names, *(each.name for each in added)])
    op.execute(f'INSERT INTO "{table}" ({into}) SELECT 0, {values} FROM before')  # noqa: S608 - names of our own
    op.drop_table("before")

"""Audits one after the other, as a history sees them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from credly_audit.audit.model import Audit
from credly_audit.history.database import Database
from credly_audit.history.schema import VERSION_TABLE, metadata
from credly_audit.history.store import History
from tests.build import AS_OF, audited, snapshot

MONTH = timedelta(days=30)


@dataclass
class Months:
    """Judges what was collected month by month, and records it."""

    history: History
    record: bool = True

    def audit(
        self,
        month: float,
        tokens: Sequence[dict[str, Any]],
        organizations: Sequence[dict[str, Any]] | None = None,
        **said: Any,
    ) -> Audit:
        """The audit of a month; `said` goes to `audited`, `key` names the fingerprints' key."""
        at = when(month)
        collected = snapshot(
            list(tokens), None if organizations is None else list(organizations), at=at, key=said.pop("key", None)
        )
        with self.history.past(at) as past:
            audit = audited(collected, as_of=at, past=past, **said)
        if self.record:
            self.history.record(audit)
        return audit


def make_first_version(database: Database) -> None:
    """Make a history what version 0001 of the schema left after three audits."""
    statements = (Path(__file__).parent / "version_0001.sql").read_text().splitlines()[1:]
    with database.writing() as connection:
        _begin_at(connection, "0001")
        for statement in statements:
            connection.exec_driver_sql(statement)


def return_to(database: Database, version: str) -> None:
    """Make a history what an earlier version of the schema would hold of it, finding ids included."""
    with database.writing() as connection:
        rows = {
            name: [dict(row) for row in connection.execute(sa.text(f'SELECT * FROM "{name}"')).mappings()]  # noqa: S608 - our own names
            for name in metadata.tables
        }
        organizations = {(row["series"], row["id"]): row["organization_id"] for row in rows["organizations"]}
        tokens = {(row["series"], row["id"]): row["token_id"] for row in rows["tokens"]}
        for row in rows["findings"]:
            series = row["series"]
            own = organizations[series, row["organization"]], tokens.get((series, row["token"]))
            row["finding_id"] = former_id(row["rule_id"], *own)
        _begin_at(connection, version)
        for name, found in rows.items():
            if found and sa.inspect(connection).has_table(name):
                table = sa.Table(name, sa.MetaData(), autoload_with=connection)
                kept = [{each.name: row[each.name] for each in table.columns} for row in found]
                connection.execute(sa.insert(table), kept)


def former_id(rule_id: str, organization_id: str | None, token_id: str | None) -> str:
    """The id that a finding had before schema 0003, when no rule here told findings apart by an expiry."""
    return hashlib.sha256(f"{rule_id}\x1f{organization_id}\x1f{token_id or ''}\x1f".encode()).hexdigest()[:16]


def _begin_at(connection: sa.Connection, version: str) -> None:
    """Begin anew with the tables of a version; 0001 kept its number where alembic usually does."""
    config = Config()
    config.set_main_option("script_location", "credly_audit.history:migrations")
    metadata.drop_all(connection)
    connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
    config.attributes["connection"] = connection
    command.upgrade(config, version)
    if version == "0001":
        connection.execute(sa.text(f"ALTER TABLE {VERSION_TABLE} RENAME TO alembic_version"))


def when(month: float) -> datetime:
    """The as_of of a month's audit."""
    return AS_OF + month * MONTH


def standing(audit: Audit) -> dict[tuple[str, str | None], str]:
    """The status of each finding by its rule and the last two digits of its token's id."""
    return {
        (row["rule_id"], row["token_id"] and row["token_id"][-2:]): row["status"] for row in audit.findings.records()
    }


def resolved(audit: Audit) -> set[tuple[str, str | None]]:
    """What was remediated since the last audit, as `standing` names it."""
    if audit.compared is None:
        return set()
    rows = audit.compared.resolved[["rule_id", "token_id"]].astype(object).itertuples(index=False)
    return {(rule_id, token_id[-2:] if isinstance(token_id, str) else None) for rule_id, token_id in rows}

"""Audits one after the other, as a history sees them."""

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
    config = Config()
    config.set_main_option("script_location", "credly_audit.history:migrations")
    statements = (Path(__file__).parent / "version_0001.sql").read_text().splitlines()[1:]
    with database.writing() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.text(f"ALTER TABLE {VERSION_TABLE} RENAME TO alembic_version"))
        for statement in statements:
            connection.exec_driver_sql(statement)


def when(month: float) -> datetime:
    """The as_of of a month's audit."""
    return AS_OF + month * MONTH


def standing(audit: Audit) -> dict[tuple[str, str | None], str]:
    """The status of each finding by its rule and the last two digits of its token's id."""
    return {
        (row["rule_id"], row["token_id"] and row["token_id"][-2:]): row["status"] for row in audit.findings.records()
    }


def resolved(audit: Audit) -> set[tuple[str, str | None]]:
    """What was mended since the last audit, as `standing` names it."""
    if audit.compared is None:
        return set()
    rows = audit.compared.resolved[["rule_id", "token_id"]].astype(object).itertuples(index=False)
    return {(rule_id, token_id[-2:] if isinstance(token_id, str) else None) for rule_id, token_id in rows}

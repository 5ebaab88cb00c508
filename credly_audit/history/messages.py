"""The messages of a series: what each recipient was sent, how its delivery ended, and what that means for the next one.

A message is recorded before it is sent and again when its delivery has ended: one without a result may have arrived.
Recipients are kept as an HMAC of their address.
"""

import secrets
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Self

import numpy as np
import pandas as pd
import sqlalchemy as sa

from credly_audit.audit.memory import KNOWN, Memory, Recipient, Undeliverables, Undelivered, identify_recipient
from credly_audit.audit.prior import make_empty_frame, make_typed_frame
from credly_audit.errors import CannotWrite
from credly_audit.history import column_io as bulk
from credly_audit.history.column_io import number
from credly_audit.history.database import Database, HistoryError
from credly_audit.history.schema import NULL_INSTANT, audits, finding_states, findings, message_items, messages, series
from credly_audit.history.series import Configuration, begin_series, find_series
from credly_audit.instants import LAST
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints

SENT, FAILED, DROPPED = "sent", "failed", "dropped"
"""How a delivery ended; dropped: it failed, and nothing of it is left to send."""

KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class MessageLog:
    """The messages of a configuration's series; CannotWrite or HistoryError where the database fails."""

    database: Database
    configuration: Configuration
    fingerprints: Fingerprints
    """Under the key of the HMAC."""

    @classmethod
    def open(cls, database: Database, configuration: Configuration, fingerprints: Fingerprints | None) -> Self:
        """Open the log; without fingerprints under a key, under a random key that the history keeps."""
        if fingerprints is None or fingerprints.key_fingerprint is None:
            with cannot_remember(database), database.writing() as connection:
                key = _make_key(connection, begin_series(connection, configuration))
            fingerprints = Fingerprints(Secret(key))
        return cls(database, configuration, fingerprints)

    def identify(self, kind: str, address: str) -> str:
        """Return the id of a recipient."""
        return identify_recipient(self.fingerprints, kind, address)

    def recall(self, recipient: str, as_of: datetime) -> Memory:
        """Return what a recipient was sent before an audit."""
        with (
            self.database.told(HistoryError, "cannot be read", "and run the audit again"),
            self.database.reading() as connection,
        ):
            return _recall(connection, find_series(connection, self.configuration).number, recipient, as_of)

    def begin(self, recipient: Recipient, as_of: datetime, outcome: str, items: pd.DataFrame) -> int:
        """Record that a message is about to be sent; return its number.

        `items`, a row a finding: finding_id, days_left (infinite: it has no expiration), overdue.
        """
        with cannot_remember(self.database), self.database.writing() as connection:
            own = begin_series(connection, self.configuration)
            last = sa.select(sa.func.coalesce(sa.func.max(messages.c.id), 0)).where(messages.c.series == own)
            message: int = connection.execute(last).scalar_one() + 1
            connection.execute(
                sa.insert(messages).values(
                    series=own,
                    id=message,
                    recipient=recipient.id,
                    name=recipient.name,
                    channel=recipient.channel,
                    as_of=as_of,
                    outcome=outcome,
                    began_at=datetime.now(UTC),
                )
            )
            days_left = items["days_left"].to_numpy(dtype="float64")
            many = len(items)
            columns = {
                "message": np.full(many, message),
                "finding_id": items["finding_id"].tolist(),
                "days_left": np.where(np.isfinite(days_left), days_left, NULL_INSTANT).astype("int64"),
                "overdue": items["overdue"].to_numpy(dtype=bool),
                "ended": np.zeros(many, dtype=bool),
            }
            bulk.insert(connection, own, message_items, columns)
        return message

    def end(self, message: int, reason: str | None) -> None:
        """Record how a delivery ended: why it failed, or None."""
        with cannot_remember(self.database), self.database.writing() as connection:
            own = begin_series(connection, self.configuration)
            connection.execute(
                sa.update(messages)
                .where(messages.c.series == own, messages.c.id == message)
                .values(ended_at=datetime.now(UTC), result=FAILED if reason else SENT, reason=reason)
            )

    def drop_unsent(self, kept: Collection[str]) -> None:
        """Drop what was not delivered to other recipients than those kept: nothing of it is left to send."""
        with cannot_remember(self.database), self.database.writing() as connection:
            own = begin_series(connection, self.configuration)
            lost = [
                number_of
                for number_of, each in load_undelivered(connection, own, LAST).items()
                if each.recipient.id not in kept
            ]
            connection.execute(
                sa.update(messages)
                .where(messages.c.series == own, messages.c.id.in_(lost))
                .values(ended_at=datetime.now(UTC), result=DROPPED)
            )


def cannot_remember(database: Database) -> Any:
    """Faults while a message is recorded."""
    return database.told(CannotWrite, "could not be written; a message may be repeated", "and run the audit again")


def load_key(connection: sa.Connection, own: int) -> str | None:
    """Return the random key of a series; None where it has none."""
    key: str | None = connection.execute(sa.select(series.c.message_key).where(series.c.id == own)).scalar()
    return key


def _make_key(connection: sa.Connection, own: int) -> str:
    key = load_key(connection, own)
    if key is None:
        key = secrets.token_hex(KEY_BYTES)
        connection.execute(sa.update(series).where(series.c.id == own).values(message_key=key))
    return key


def _recall(connection: sa.Connection, own: int, recipient: str, as_of: datetime) -> Memory:
    its = (messages.c.series == own, messages.c.recipient == recipient)
    columns = sa.select(messages.c.result, messages.c.as_of, messages.c.outcome).where(*its)
    newest = connection.execute(columns.order_by(messages.c.id.desc()).limit(1)).one_or_none()
    if newest is None:
        return Memory(make_empty_frame(KNOWN))
    sent = columns.where(messages.c.result == SENT).order_by(messages.c.id.desc()).limit(1)
    last = connection.execute(sent).one_or_none()
    before = messages.c.as_of <= as_of
    items = message_items
    rows = bulk.read(
        connection,
        sa.select(
            items.c.finding_id,
            number(sa.func.min(sa.case((before, items.c.days_left)))).label("days_left"),
            sa.func.max(sa.case((sa.and_(before, items.c.overdue), 1), else_=0)).label("overdue"),
            number(sa.func.max(sa.case((before, messages.c.as_of)))).label("at"),
        )
        .join(messages, sa.and_(messages.c.series == items.c.series, messages.c.id == items.c.message))
        .where(*its, messages.c.result == SENT, ~items.c.ended)
        .group_by(items.c.finding_id),
    )
    days_left = np.where(rows["days_left"] == NULL_INSTANT, np.inf, rows["days_left"].astype("float64"))
    known = make_typed_frame(rows | {"days_left": days_left, "overdue": rows["overdue"] != 0}, KNOWN)
    return Memory(
        known,
        None if last is None else last.as_of,
        None if last is None else last.outcome,
        newest.as_of if newest.result == FAILED else None,
        newest.as_of if newest.result is None else None,
    )


def load_undelivered(connection: sa.Connection, own: int, as_of: datetime) -> dict[int, Undelivered]:
    """Return by number the messages up to an audit that were not delivered, each the newest of its recipient."""
    newest = (
        sa.select(sa.func.max(messages.c.id))
        .where(messages.c.series == own, messages.c.as_of <= as_of)
        .group_by(messages.c.recipient)
    )
    query = sa.select(messages).where(
        messages.c.series == own,
        messages.c.id.in_(newest),
        sa.or_(messages.c.result.is_(None), messages.c.result == FAILED),
    )
    return {
        row.id: Undelivered(Recipient(row.recipient, row.name, row.channel), row.as_of, row.reason)
        for row in connection.execute(query.order_by(messages.c.id))
    }


def find_undeliverables(connection: sa.Connection, own: int, as_of: datetime) -> Undeliverables:
    """Return what was not delivered up to an audit, with the key by which its recipients are known."""
    return Undeliverables(tuple(load_undelivered(connection, own, as_of).values()), load_key(connection, own))


def end_items(connection: sa.Connection, own: int) -> None:
    """Mark what was sent of findings that are resolved or accepted now: where they come back, that is news."""
    over = (
        sa.select(findings.c.finding_id)
        .join(
            finding_states,
            sa.and_(finding_states.c.series == findings.c.series, finding_states.c.finding == findings.c.id),
        )
        .where(
            findings.c.series == own,
            finding_states.c.latest,
            sa.or_(finding_states.c.gone_at.is_not(None), finding_states.c.waived),
        )
    )
    connection.execute(
        sa.update(message_items)
        .where(message_items.c.series == own, ~message_items.c.ended, message_items.c.finding_id.in_(over))
        .values(ended=True)
    )


def forget_messages(connection: sa.Connection, own: int, instant: datetime | None) -> None:
    """Delete the messages on audits before an instant, or all (None), but not what was sent of open findings.

    Without an audit the series has no open findings, and no messages.
    """
    if instant is None or not connection.execute(sa.select(sa.exists().where(audits.c.series == own))).scalar():
        for table in (message_items, messages):
            connection.execute(sa.delete(table).where(table.c.series == own))
        return
    old = (messages.c.series == own, messages.c.as_of < instant)
    items = message_items
    known = sa.select(findings.c.finding_id).where(findings.c.series == own)
    sent = sa.select(messages.c.id).where(*old, messages.c.result == SENT)
    of_old: Sequence[Any] = (items.c.series == own, items.c.message.in_(sa.select(messages.c.id).where(*old)))
    is_used = sa.and_(~items.c.ended, items.c.finding_id.in_(known), items.c.message.in_(sent))
    connection.execute(sa.delete(items).where(*of_old, ~is_used))
    with_items = sa.select(items.c.message).where(items.c.series == own)
    connection.execute(sa.delete(messages).where(*old, messages.c.id.not_in(with_items)))

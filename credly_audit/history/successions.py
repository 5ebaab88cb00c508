"""The successions of a series: saved as they change, and closed by the audit that finds the old token gone."""

from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa

from credly_audit.audit.succession_model import (
    Succession,
    SuccessionState,
    Switch,
    SwitchState,
    find_finished,
)
from credly_audit.history.record import AuditRecord
from credly_audit.history.schema import succession_consumers, successions

COLUMNS = tuple(each.name for each in fields(Succession) if each.name != "switches")


def save_succession(connection: sa.Connection, series: int, succession: Succession) -> None:
    """Save a succession in place of what was saved of it before, unless that is newer."""
    own = (successions.c.series == series, successions.c.id == succession.id)
    saved_at = connection.execute(sa.select(successions.c.updated_at).where(*own)).scalar()
    if saved_at is not None and saved_at > succession.updated_at:
        return
    connection.execute(sa.delete(successions).where(*own))
    connection.execute(sa.delete(succession_consumers).where(*_load_consumers(series, succession.id)))
    row = {name: getattr(succession, name) for name in COLUMNS}
    connection.execute(sa.insert(successions).values(row | {"series": series}))
    for position, each in enumerate(succession.switches):
        connection.execute(
            sa.insert(succession_consumers).values(
                series=series,
                succession=succession.id,
                position=position,
                consumer=each.consumer,
                contact=each.contact,
                state=each.state.value,
                at=each.at,
                reason=each.reason,
            )
        )


def load_successions(connection: sa.Connection, series: int) -> list[Succession]:
    """Return all successions of a series, oldest first."""
    switches: dict[str, list[Switch]] = {}
    consumers = succession_consumers
    for row in connection.execute(
        sa.select(consumers).where(consumers.c.series == series).order_by(consumers.c.succession, consumers.c.position)
    ):
        switch = Switch(row.consumer, row.contact, SwitchState(row.state), row.at, row.reason)
        switches.setdefault(row.succession, []).append(switch)
    rows = connection.execute(
        sa.select(*(successions.c[name] for name in COLUMNS))
        .where(successions.c.series == series)
        .order_by(successions.c.opened_at, successions.c.id)
    ).mappings()
    return [
        Succession(
            **dict(row)
            | {
                "ended_as": row["ended_as"] and SuccessionState(row["ended_as"]),
                "switches": tuple(switches.get(row["id"], ())),
            }
        )
        for row in rows
    ]


def close_successions(connection: sa.Connection, series: int, audit: AuditRecord) -> None:
    """Close the successions whose old token an audit finds gone from a completely collected organization."""
    as_of = audit.audit["as_of"]
    keys = zip(audit.tokens["organization_id"], audit.tokens["token_id"], strict=True)
    listed = {(organization, token.lower()) for organization, token in keys}
    complete = set(audit.organizations.loc[audit.organizations["status"] == "complete", "organization_id"])
    opened = [each for each in load_successions(connection, series) if each.opened_at < as_of]
    for each in find_finished(opened, listed, complete):
        save_succession(connection, series, each.end(SuccessionState.CLOSED, max(as_of, each.updated_at)))


def forget_successions(connection: sa.Connection, series: int, instant: datetime | None) -> None:
    """Delete the finished successions that ended before an instant (None: all); unfinished ones stay."""
    ended = [successions.c.series == series, successions.c.ended_at.is_not(None)]
    if instant is not None:
        ended.append(successions.c.ended_at < instant)
    ids = connection.execute(sa.select(successions.c.id).where(*ended)).scalars().all()
    for each in ids:
        connection.execute(sa.delete(succession_consumers).where(*_load_consumers(series, each)))
        connection.execute(sa.delete(successions).where(successions.c.series == series, successions.c.id == each))


def has_unfinished(series: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
    """Return the condition that a series has an unfinished succession."""
    return sa.exists().where(successions.c.series == series, successions.c.ended_at.is_(None))


def _load_consumers(series: int, succession: str) -> tuple[sa.ColumnElement[bool], ...]:
    return succession_consumers.c.series == series, succession_consumers.c.succession == succession

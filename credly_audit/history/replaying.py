"""Audits that are recorded out of order, and audits that are to be forgotten."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from credly_audit.history import bulk
from credly_audit.history.bulk import number
from credly_audit.history.recording import append
from credly_audit.history.schema import (
    audits,
    coverage,
    finding_states,
    findings,
    organizations,
    token_states,
    tokens,
)
from credly_audit.history.seen import Seen
from credly_audit.rules.declare import Rule

STATES = {token_states: tokens, finding_states: findings}


def inserted(connection: sa.Connection, seen: Seen, rules: Mapping[str, Rule]) -> None:
    """Add an audit where its as_of places it; the same one again (as_of and collection) takes its own place.

    Those after it are taken out and added again, so that each is held against the one before it.
    """
    as_of, collected_at = seen.audit["as_of"], seen.audit["collected_at"]
    again = sa.and_(audits.c.as_of == as_of, audits.c.collected_at == collected_at)
    first = connection.execute(sa.select(sa.func.min(audits.c.id)).where(again | (audits.c.as_of > as_of))).scalar()
    if first is None:
        append(connection, seen, rules)
        return
    kept = connection.execute(
        sa.select(audits.c.id).where(audits.c.id >= first, ~again).order_by(audits.c.id)
    ).scalars()
    always = [rule.id for rule in rules.values() if rule.needs == "nothing"]
    others = [recorded(connection, each, always) for each in kept]
    _rewind(connection, first)
    earlier = [each for each in others if each.as_of <= seen.as_of]
    for each in [*earlier, seen, *others[len(earlier) :]]:
        append(connection, each, rules)


def recorded(connection: sa.Connection, audit: int, always: Sequence[str]) -> Seen:
    """What an audit saw, as far as the history tells: of an organization that failed, what was new alone.

    The rules `always` (ids) judge an organization that failed, too.
    """
    row = connection.execute(sa.select(audits).where(audits.c.id == audit)).mappings().one()
    seen = bulk.read(
        connection,
        sa.select(organizations.c.organization_id, organizations.c.name, coverage.c.status, coverage.c.not_judged)
        .join(coverage, coverage.c.organization == organizations.c.id)
        .where(coverage.c.audit == audit),
    )
    return Seen(
        {name: value for name, value in row.items() if name != "id"},
        pd.DataFrame(seen),
        _tokens(connection, audit),
        _findings(connection, audit, always),
    )


def _tokens(connection: sa.Connection, audit: int) -> pd.DataFrame:
    states = token_states
    rows = bulk.read(
        connection,
        sa.select(
            organizations.c.organization_id,
            tokens.c.token_id,
            tokens.c.description,
            states.c.fingerprint,
            states.c.permissions,
            states.c.denied,
            number(states.c.expires_at).label("expires_at"),
            number(states.c.rotated_at).label("rotated_at"),
        )
        .join(tokens, tokens.c.id == states.c.token)
        .join(organizations, organizations.c.id == tokens.c.organization)
        .join(coverage, coverage.c.organization == organizations.c.id)
        .where(*_there(states, audit)),
    )
    return pd.DataFrame(rows)


def _findings(connection: sa.Connection, audit: int, always: Sequence[str]) -> pd.DataFrame:
    states = finding_states
    rows = bulk.read(
        connection,
        sa.select(
            findings.c.finding_id,
            findings.c.rule_id,
            organizations.c.organization_id,
            tokens.c.token_id,
            coverage.c.not_judged,
            states.c.since,
            states.c.weight,
            number(states.c.waived).label("waived"),
            number(states.c.due_at).label("due_at"),
            number(states.c.first_seen_at).label("first_seen_at"),
        )
        .join(findings, findings.c.id == states.c.finding)
        .join(organizations, organizations.c.id == findings.c.organization)
        .join(coverage, coverage.c.organization == organizations.c.id)
        .outerjoin(tokens, tokens.c.id == findings.c.token)
        .where(*_there(states, audit, findings.c.rule_id.in_(always))),
    )
    frame = pd.DataFrame(rows)
    silent = frame.pop("not_judged").tolist()
    judged = [rule_id not in ids.split(",") for rule_id, ids in zip(frame["rule_id"], silent, strict=True)]
    frame = frame[np.array(judged, dtype=bool) | (frame.pop("since") == audit).to_numpy()]
    return frame.assign(waived=frame["waived"].astype(bool)).reset_index(drop=True)


def _there(states: sa.Table, audit: int, also: Any = None) -> list[Any]:
    """The conditions that a state was seen by an audit: begun, not ended, of an organization that answered."""
    return [
        coverage.c.audit == audit,
        sa.or_(coverage.c.status != "failed", states.c.since == audit, sa.false() if also is None else also),
        states.c.since <= audit,
        states.c.until.is_(None) | (states.c.until > audit),
    ]


def _rewind(connection: sa.Connection, first: int) -> None:
    """Take out an audit and all after it."""
    gone_since = sa.select(audits.c.as_of).where(audits.c.id == first).scalar_subquery()
    for states, subjects in STATES.items():
        subject = next(iter(states.c))
        touched = sa.select(subject).where(states.c.since >= first)
        connection.execute(
            sa.update(states)
            .where(states.c.since < first, states.c.gone_at >= gone_since, states.c.latest)
            .values(gone_at=None)
        )
        connection.execute(
            sa.update(states).where(states.c.since < first, states.c.until >= first).values(until=None, seen_at=None)
        )
        later = states.alias()
        connection.execute(
            sa.update(states)
            .where(
                subject.in_(touched),
                states.c.since < first,
                ~sa.exists().where(
                    later.c[subject.name] == subject, later.c.since > states.c.since, later.c.since < first
                ),
            )
            .values(latest=True)
        )
        connection.execute(sa.delete(states).where(states.c.since >= first))
        connection.execute(sa.delete(subjects).where(~sa.exists().where(subject == subjects.c.id)))
    connection.execute(sa.delete(coverage).where(coverage.c.audit >= first))
    connection.execute(sa.delete(audits).where(audits.c.id >= first))


def forget_before(connection: sa.Connection, instant: datetime | None) -> int:
    """Forget the audits before an instant (None: all) and all that none since has seen; how many these were.

    A finding keeps the date on which it was first seen.
    """
    oldest = None
    if instant is not None:
        oldest = connection.execute(sa.select(sa.func.min(audits.c.id)).where(audits.c.as_of >= instant)).scalar()
    forgotten = sa.delete(audits) if oldest is None else sa.delete(audits).where(audits.c.id < oldest)
    many: int = connection.execute(forgotten).rowcount
    if not many:
        return 0
    connection.execute(sa.delete(coverage).where(~sa.exists().where(audits.c.id == coverage.c.audit)))
    for states, subjects in STATES.items():
        subject = next(iter(states.c))
        unheard = sa.select(subjects.c.id).where(
            ~sa.exists().where(coverage.c.status != "failed", coverage.c.organization == subjects.c.organization)
        )
        connection.execute(sa.delete(states).where(subject.in_(unheard)))
        if oldest is not None:
            connection.execute(sa.delete(states).where(states.c.until <= oldest))
            connection.execute(sa.update(states).where(states.c.since < oldest).values(since=oldest))
    connection.execute(sa.delete(findings).where(~sa.exists().where(finding_states.c.finding == findings.c.id)))
    connection.execute(
        sa.delete(tokens).where(
            ~sa.exists().where(token_states.c.token == tokens.c.id), ~sa.exists().where(findings.c.token == tokens.c.id)
        )
    )
    used = [sa.exists().where(table.c.organization == organizations.c.id) for table in (coverage, tokens, findings)]
    connection.execute(sa.delete(organizations).where(~sa.or_(*used)))
    return many

"""Audits that are recorded out of order, and audits that are to be forgotten."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from credly_audit.history import column_io as bulk
from credly_audit.history.append import append
from credly_audit.history.column_io import number
from credly_audit.history.load_prior import load_figures
from credly_audit.history.queries import Moment
from credly_audit.history.record import AuditRecord
from credly_audit.history.schema import (
    EARLIER,
    STATES,
    SUBJECT,
    audits,
    coverage,
    finding_states,
    findings,
    key_figures,
    organizations,
    token_states,
    tokens,
)
from credly_audit.rules.declare import Rule


def insert_audit(connection: sa.Connection, series: int, seen: AuditRecord, rules: Mapping[str, Rule]) -> None:
    """Add an audit to a series where its as_of places it; the same one (as_of and collection) takes its own place.

    Those after it are taken out and added again, so that each is held against the one before it.
    """
    as_of, collected_at = seen.audit["as_of"], seen.audit["collected_at"]
    own = audits.c.series == series
    again = sa.and_(audits.c.as_of == as_of, audits.c.collected_at == collected_at)
    earliest = sa.select(sa.func.min(audits.c.id)).where(own, again | (audits.c.as_of > as_of))
    first = connection.execute(earliest).scalar()
    if first is None:
        append(connection, series, seen, rules)
        return
    kept = connection.execute(
        sa.select(audits.c.id).where(own, audits.c.id >= first, ~again).order_by(audits.c.id)
    ).scalars()
    always = [rule.id for rule in rules.values() if rule.needs == "nothing"]
    others = [read_recorded(connection, Moment.at(connection, series, each), always) for each in kept]
    _rewind(connection, Moment.at(connection, series, first))
    earlier = [each for each in others if each.as_of <= seen.as_of]
    for each in [*earlier, seen, *others[len(earlier) :]]:
        append(connection, series, each, rules)


def read_recorded(connection: sa.Connection, moment: Moment, always: Sequence[str]) -> AuditRecord:
    """Read what an audit saw, as far as the history has it: of an organization that failed, only what was new.

    The rules `always` (ids) judge an organization that failed, too.
    """
    one = sa.select(audits).where(*moment.of(audits), audits.c.id == moment.audit)
    row = connection.execute(one).mappings().one()
    seen = bulk.read(
        connection,
        sa.select(organizations.c.organization_id, organizations.c.name, coverage.c.status, coverage.c.not_judged)
        .join(coverage, coverage.c.organization == organizations.c.id)
        .where(*moment.of(organizations, coverage), coverage.c.audit == moment.audit),
    )
    return AuditRecord(
        {name: value for name, value in row.items() if name not in {"series", "id"}},
        pd.DataFrame(seen),
        _read_tokens(connection, moment),
        _read_findings(connection, moment, always),
        load_figures(connection, moment),
    )


def _read_tokens(connection: sa.Connection, moment: Moment) -> pd.DataFrame:
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
        .where(*moment.of(tokens, organizations), *_match_seen(states, moment)),
    )
    return pd.DataFrame(rows)


def _read_findings(connection: sa.Connection, moment: Moment, always: Sequence[str]) -> pd.DataFrame:
    states = finding_states
    own = sa.and_(tokens.c.id == findings.c.token, *moment.of(tokens))
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
        .outerjoin(tokens, own)
        .where(*moment.of(findings, organizations), *_match_seen(states, moment, findings.c.rule_id.in_(always))),
    )
    frame = pd.DataFrame(rows)
    silent = frame.pop("not_judged").tolist()
    judged = [rule_id not in ids.split(",") for rule_id, ids in zip(frame["rule_id"], silent, strict=True)]
    frame = frame[np.array(judged, dtype=bool) | (frame.pop("since") == moment.audit).to_numpy()]
    return frame.assign(waived=frame["waived"].astype(bool)).reset_index(drop=True)


def _match_seen(states: sa.Table, moment: Moment, also: Any = None) -> list[Any]:
    """Return the conditions that an audit saw a state: begun, not ended, of an organization that answered."""
    audit = moment.audit
    return [
        *moment.of(states, coverage),
        coverage.c.audit == audit,
        sa.or_(coverage.c.status != "failed", states.c.since == audit, sa.false() if also is None else also),
        states.c.since <= audit,
        states.c.until.is_(None) | (states.c.until > audit),
    ]


def _rewind(connection: sa.Connection, first: Moment) -> None:
    """Take out an audit and all after it."""
    for states, subjects in STATES.items():
        own, subject = sa.and_(*first.of(states)), SUBJECT[states]
        before = states.c.since < first.audit
        touched = sa.select(subject).where(own, states.c.since >= first.audit)
        connection.execute(
            sa.update(states).where(own, before, states.c.gone_at >= first.as_of, states.c.latest).values(gone_at=None)
        )
        connection.execute(
            sa.update(states).where(own, before, states.c.until >= first.audit).values(until=None, seen_at=None)
        )
        later = states.alias()
        connection.execute(
            sa.update(states)
            .where(
                own,
                subject.in_(touched),
                before,
                ~sa.exists().where(
                    *first.of(later),
                    later.c[subject.name] == subject,
                    later.c.since > states.c.since,
                    later.c.since < first.audit,
                ),
            )
            .values(latest=True)
        )
        connection.execute(sa.delete(states).where(own, states.c.since >= first.audit))
        unknown = ~sa.exists().where(own, subject == subjects.c.id)
        connection.execute(sa.delete(subjects).where(*first.of(subjects), unknown))
    for table in (coverage, key_figures):
        connection.execute(sa.delete(table).where(*first.of(table), table.c.audit >= first.audit))
    connection.execute(sa.delete(audits).where(*first.of(audits), audits.c.id >= first.audit))


def forget_before(connection: sa.Connection, series: int, instant: datetime | None) -> int:
    """Forget a series' audits before an instant (None: all) and all that none since has seen; how many these were.

    The audits from before there were series count as its own, so that they are forgotten with it. A finding keeps the
    date on which it was first seen.
    """
    many = _forget(connection, series, instant)
    earlier = _forget(connection, EARLIER, instant) if series != EARLIER else 0
    return max(many, earlier)


def _forget(connection: sa.Connection, series: int, instant: datetime | None) -> int:
    last = Moment.before(connection, series, None)
    oldest = None
    if instant is not None:
        since = sa.select(sa.func.min(audits.c.id)).where(*last.of(audits), audits.c.as_of >= instant)
        oldest = connection.execute(since).scalar()
    forgotten = sa.delete(audits).where(*last.of(audits))
    many: int = connection.execute(forgotten if oldest is None else forgotten.where(audits.c.id < oldest)).rowcount
    if not many:
        return 0
    for table in (coverage, key_figures):
        _delete_unused(connection, last, table, _is_used(last, audits, audits.c.id == table.c.audit))
    for states, subjects in STATES.items():
        of_subject = coverage.c.organization == subjects.c.organization
        heard = _is_used(last, coverage, coverage.c.status != "failed", of_subject)
        unheard = sa.select(subjects.c.id).where(*last.of(subjects), ~heard)
        own = sa.and_(*last.of(states))
        connection.execute(sa.delete(states).where(own, SUBJECT[states].in_(unheard)))
        if oldest is not None:
            connection.execute(sa.delete(states).where(own, states.c.until <= oldest))
            connection.execute(sa.update(states).where(own, states.c.since < oldest).values(since=oldest))
    _delete_unused(
        connection, last, findings, _is_used(last, finding_states, finding_states.c.finding == findings.c.id)
    )
    with_state = _is_used(last, token_states, token_states.c.token == tokens.c.id)
    _delete_unused(connection, last, tokens, with_state, _is_used(last, findings, findings.c.token == tokens.c.id))
    by = [_is_used(last, table, table.c.organization == organizations.c.id) for table in (coverage, tokens, findings)]
    _delete_unused(connection, last, organizations, *by)
    return many


def _is_used(last: Moment, table: sa.Table, *conditions: Any) -> Any:
    """Return the condition that the series has such a row in a table."""
    return sa.exists().where(*last.of(table), *conditions)


def _delete_unused(connection: sa.Connection, last: Moment, table: sa.Table, *used: Any) -> None:
    """Delete the series' rows of a table that nothing uses."""
    connection.execute(sa.delete(table).where(*last.of(table), ~sa.or_(*used)))

"""What the history says as of one of its audits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from credly_audit.history import column_io as bulk
from credly_audit.history.column_io import number
from credly_audit.history.schema import (
    EARLIER,
    NULL_INSTANT,
    SUBJECT,
    audits,
    coverage,
    finding_states,
    findings,
    organizations,
    token_states,
    tokens,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """An audit of a series as the last one known; `newest`: there is none after it. `audit` 0: before the first."""

    series: int
    audit: int
    as_of: int
    """In microseconds."""
    newest: bool

    @classmethod
    def before(cls, connection: sa.Connection, series: int, as_of: datetime | None) -> "Moment":
        """Find the last audit before an instant; None: the last of all."""
        query = sa.select(audits.c.id, number(audits.c.as_of)).where(audits.c.series == series)
        query = query.order_by(audits.c.id.desc()).limit(1)
        newest = connection.execute(query).one_or_none()
        if as_of is not None and newest is not None:
            found = connection.execute(query.where(audits.c.as_of < as_of)).one_or_none()
        else:
            found = newest
        number_of, at = (0, NULL_INSTANT) if found is None else found
        return cls(series, number_of, at, found == newest)

    @classmethod
    def at(cls, connection: sa.Connection, series: int, audit: int) -> "Moment":
        """Find an audit by its id."""
        query = sa.select(number(audits.c.as_of)).where(audits.c.series == series, audits.c.id == audit)
        return cls(series, audit, connection.execute(query).scalar_one(), newest=False)

    def of(self, *tables: sa.FromClause) -> list[Any]:
        """Return the conditions that rows belong to the series."""
        return [table.c.series == self.series for table in tables]

    def latest(self, states: sa.Table) -> Any:
        """Return the condition that a state of the series is the last known of its subject."""
        if self.newest:
            return sa.and_(*self.of(states), states.c.latest)
        later, subject = states.alias(), SUBJECT[states]
        since = later.c.since
        return sa.and_(
            *self.of(states),
            states.c.since <= self.audit,
            ~sa.exists().where(
                *self.of(later), later.c[subject.name] == subject, since > states.c.since, since <= self.audit
            ),
        )


@dataclass(frozen=True, slots=True)
class Sightings:
    """When organizations were audited, up to a moment; arrays by the organizations' numbers, in microseconds."""

    ids: np.ndarray
    """Organization ids (object), None where a number has none."""
    heard_in: np.ndarray
    """The number of the last audit to which it answered at all, any but `failed`; 0: there is none."""
    heard_at: np.ndarray
    audited_at: np.ndarray
    fully_seen_at: np.ndarray
    in_scope: np.ndarray
    """Whether the last audit that asked all that was configured, or one since, audited it (bool)."""
    instants: np.ndarray
    """The as_of of each audit by its number."""

    @classmethod
    def upto(cls, connection: sa.Connection, moment: Moment) -> "Sightings":
        """Load what the history knows of each organization."""
        ids_of = sa.select(organizations.c.id, organizations.c.organization_id).where(*moment.of(organizations))
        known = bulk.read(connection, ids_of)
        size = int(known["id"].max(initial=0)) + 1
        ids = np.full(size, None, dtype=object)
        ids[known["id"]] = known["organization_id"].to_numpy(dtype=object)
        flags = (number(audits.c[name]).label(name) for name in ("full_scope", "inherited"))
        dates_of = sa.select(audits.c.id, number(audits.c.as_of).label("as_of"), *flags).where(*moment.of(audits))
        dates = bulk.read(connection, dates_of)
        instants = np.full(int(dates["id"].max(initial=0)) + 1, NULL_INSTANT, dtype="int64")
        instants[dates["id"]] = dates["as_of"]
        rows = bulk.read(
            connection,
            sa.select(coverage.c.organization, coverage.c.status, sa.func.max(coverage.c.audit).label("audit"))
            .where(*moment.of(coverage), coverage.c.audit <= moment.audit)
            .group_by(coverage.c.organization, coverage.c.status),
        )
        statuses, places = rows["status"].to_numpy(dtype=object), rows["organization"]
        instants[0] = NULL_INSTANT
        last_in = np.zeros((3, size), dtype="int64")
        for last, wanted in zip(last_in, (statuses != "failed", statuses != "", statuses == "complete"), strict=True):
            np.maximum.at(last, places[wanted.astype(bool)], rows["audit"][wanted.astype(bool)])
        heard_at, audited_at, fully_seen_at = instants[last_in]
        in_scope = last_in[1] >= _find_scope_since(moment, dates)
        return cls(ids, last_in[0], heard_at, audited_at, fully_seen_at, in_scope, instants)


def _find_scope_since(moment: Moment, dates: dict[str, Any]) -> int:
    """Return the number of the audit since which audited organizations count as in scope.

    What was recorded before there were series may be of other configurations: it says nothing of the scope of one.
    """
    known = dates["id"] <= moment.audit
    of_others = known & ((dates["inherited"] != 0) | (moment.series == EARLIER))
    last_full = int(dates["id"][known & (dates["full_scope"] != 0)].max(initial=1))
    return max(last_full, int(dates["id"][of_others].max(initial=0)) + 1)


def load_known_tokens(
    connection: sa.Connection, moment: Moment, seen: Sightings, *, described: bool = False
) -> pd.DataFrame:
    """Load every token as last known.

    token, organization, since (numbers), token_id, fingerprint, fingerprint_key, permissions, expires_at, denied,
    rotated_at, ended, gone, seen_at, began_at (instants in microseconds), and description, where asked for.
    """
    states = token_states
    columns = (
        states.c.fingerprint,
        states.c.fingerprint_key,
        states.c.permissions,
        number(states.c.expires_at).label("expires_at"),
        states.c.denied,
        number(states.c.rotated_at).label("rotated_at"),
    )
    about = (tokens.c.organization, tokens.c.token_id, *([tokens.c.description] if described else []))
    return _load_known(connection, moment, seen, (states, columns), (tokens, about))


def load_known_findings(
    connection: sa.Connection, moment: Moment, seen: Sightings, *, whole: bool = False
) -> pd.DataFrame:
    """Load every finding as last known: finding, finding_id, organization, since, weight, waived, first_seen_at, ends.

    With `whole` also rule_id, token (NULL_INSTANT: none), due_at and opened_at.
    """
    states = finding_states
    columns = [bulk.pack(sa.case((states.c.waived, 1), else_=0), (states.c.weight, 3)).label("weight")]
    columns += [number(states.c[name]).label(name) for name in ("first_seen_at", *(WHOLE if whole else ()))]
    about = [findings.c.finding_id, findings.c.organization]
    about += [findings.c.rule_id, number(findings.c.token).label("token")] if whole else []
    frame = _load_known(connection, moment, seen, (states, columns), (findings, about))
    weight, waived = bulk.unpack(frame["weight"].to_numpy(), 3)
    return frame.assign(weight=weight, waived=waived != 0)


WHOLE = ("due_at", "opened_at")


def _load_known(
    connection: sa.Connection,
    moment: Moment,
    seen: Sightings,
    of_states: tuple[sa.Table, Sequence[Any]],
    of_subjects: tuple[sa.Table, Sequence[Any]],
) -> pd.DataFrame:
    """Load the last known states beside their subjects: in two queries, as a join takes three times as long."""
    states, columns = of_states
    subject = SUBJECT[states]
    query = sa.select(subject, states.c.since, *columns, *find_ends(states, moment)).where(moment.latest(states))
    known = bulk.read(connection, query.order_by(subject))
    return add_ends(known | load_named(connection, moment, len(known[subject.name]), states, of_subjects), seen)


def load_named(
    connection: sa.Connection,
    moment: Moment,
    many: int,
    of_states: sa.Table,
    of_subjects: tuple[sa.Table, Sequence[Any]],
) -> dict[str, Any]:
    """Load columns of the subjects of the `many` last known states, in the order of their numbers."""
    subjects, about = of_subjects
    found = bulk.read(connection, sa.select(*about).where(*moment.of(subjects)).order_by(subjects.c.id))
    if len(next(iter(found.values()))) == many:
        return found  # every subject has one
    subject = SUBJECT[of_states]
    with_state = sa.select(subject).where(moment.latest(of_states)).order_by(subject)
    numbers = sa.select(subjects.c.id).where(*moment.of(subjects)).order_by(subjects.c.id)
    ids = bulk.read(connection, numbers)["id"]
    rows = np.searchsorted(ids, bulk.read(connection, with_state)[subject.name])
    return {name: values.take(rows) for name, values in found.items()}


def find_ends(states: sa.Table, moment: Moment) -> list[Any]:
    """Return whether a state has ended and whether its subject is gone, packed, and when it was last seen."""
    ended = sa.case((states.c.until <= moment.audit, 1), else_=0)
    gone = sa.case((states.c.gone_at <= moment.as_of, 1), else_=0)
    return [bulk.pack(gone, (ended, 1)).label("ends"), number(states.c.seen_at).label("seen_at")]


def add_ends(columns: dict[str, Any], seen: Sightings) -> pd.DataFrame:
    """Add ended, gone, began_at and seen_at: an open state was last seen when its organization last answered."""
    ended, gone = (flag != 0 for flag in bulk.unpack(columns.pop("ends"), 1))
    began = seen.instants[columns["since"]]
    lasting = np.maximum(began, seen.heard_at[columns["organization"]])
    seen_at = np.where(ended, columns["seen_at"], lasting)
    return pd.DataFrame(columns | {"ended": ended, "gone": gone, "began_at": began, "seen_at": seen_at})


def set_seen_at(connection: sa.Connection, moment: Moment, seen: Sightings, frame: pd.DataFrame) -> pd.DataFrame:
    """Set `seen_at` of open findings to the last audit that evaluated their rule.

    `frame` has organization, rule_id, ended, began_at and seen_at.
    """
    heard_in = seen.heard_in[frame["organization"].to_numpy()]
    rows = connection.execute(
        sa.select(coverage.c.audit, coverage.c.organization, coverage.c.not_judged).where(
            *moment.of(coverage), coverage.c.audit.in_(np.unique(heard_in).tolist()), coverage.c.not_judged != ""
        )
    )
    silent = {place: ids for audit, place, ids in rows if audit == seen.heard_in[place]}
    silent_now = [
        rule_id in silent.get(place, "")
        for place, rule_id in zip(frame["organization"].tolist(), frame["rule_id"].tolist(), strict=True)
    ]
    late = np.flatnonzero(np.array(silent_now, dtype=bool) & ~frame["ended"].to_numpy())
    if not len(late):
        return frame
    judged_at = _find_last_judged(connection, moment, frame.iloc[late])
    seen_at = frame["seen_at"].to_numpy().copy()
    seen_at[late] = np.maximum(frame["began_at"].to_numpy()[late], judged_at)
    return frame.assign(seen_at=seen_at)


def _find_last_judged(connection: sa.Connection, moment: Moment, frame: pd.DataFrame) -> np.ndarray:
    """Return when the rule of each row last judged its organization (NULL_INSTANT: never); one query for all."""
    wanted: dict[int, dict[str, int]] = {}
    for place, rule_id in zip(frame["organization"].tolist(), frame["rule_id"].tolist(), strict=True):
        wanted.setdefault(place, {})[rule_id] = NULL_INSTANT
    answers = connection.execute(
        sa.select(coverage.c.organization, coverage.c.not_judged, number(audits.c.as_of))
        .join(audits, audits.c.id == coverage.c.audit)
        .where(
            *moment.of(coverage, audits),
            coverage.c.audit <= moment.audit,
            coverage.c.status != "failed",
            bulk.match_any(connection, coverage.c.organization, list(wanted)),
        )
    )
    for place, not_judged, at in answers:
        silent = not_judged.split(",")
        for rule_id, judged_at in wanted[place].items():
            if rule_id not in silent:
                wanted[place][rule_id] = max(judged_at, at)
    keys = zip(frame["organization"].tolist(), frame["rule_id"].tolist(), strict=True)
    return np.array([wanted[place][rule_id] for place, rule_id in keys], dtype="int64")

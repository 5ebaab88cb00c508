"""All that judging may know of the audits before it, read in as few and as short columns as it fits into."""

from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from credly_audit.audit.prior import (
    ABOUT,
    DESCRIBED,
    LAST_KNOWN_FINDINGS,
    LAST_KNOWN_TOKENS,
    OPEN,
    REMEDIATED,
    SEEN_ORGANIZATIONS,
    TREND,
    Past,
    make_typed_frame,
)
from credly_audit.audit.succession_model import make_frame
from credly_audit.history import column_io as bulk
from credly_audit.history.column_io import number
from credly_audit.history.queries import Moment, Sightings, add_ends, find_ends, load_named, set_seen_at
from credly_audit.history.schema import (
    NULL_INSTANT,
    audits,
    finding_states,
    findings,
    key_figures,
    organizations,
    token_states,
    tokens,
)
from credly_audit.history.successions import load_successions


def load_past(connection: sa.Connection, moment: Moment) -> Past:
    """Load all that an evaluation may know of the past; it is usable for as long as the connection."""
    seen = Sightings.upto(connection, moment)
    listed = np.flatnonzero(seen.audited_at != NULL_INSTANT)
    return Past(
        tokens=_load_tokens(connection, moment, seen),
        findings=_load_findings(connection, moment),
        organizations=make_typed_frame(
            {
                "organization_id": seen.ids[listed],
                "audited_at": seen.audited_at[listed],
                "fully_seen_at": seen.fully_seen_at[listed],
                "in_scope": seen.in_scope[listed],
            },
            SEEN_ORGANIZATIONS,
        ),
        remediated=load_remediated(connection, moment),
        audits=_load_trend(connection, moment),
        successions=make_frame(load_successions(connection, moment.series)),
        figures=load_figures(connection, moment),
        describe=lambda ids: describe_tokens(connection, moment, ids),
        about=lambda ids: load_about(connection, moment, seen, ids),
        open_in=lambda ids: open_in(connection, moment, seen, ids),
    )


def _load_tokens(connection: sa.Connection, moment: Moment, seen: Sightings) -> pd.DataFrame:
    """Load LAST_KNOWN_TOKENS, its small columns packed into one: an evaluation waits for this."""
    states = token_states
    ends, seen_at = find_ends(states, moment)
    state = bulk.pack(states.c.permissions, (states.c.denied, 3), (ends, 2))
    keyed = states.c.fingerprint + sa.func.coalesce(":" + states.c.fingerprint_key, "")
    dates = [number(states.c[name]).label(name) for name in ("expires_at", "rotated_at")]
    columns = (sa.type_coerce(keyed, sa.String).label("fingerprint"), state.label("state"), *dates)
    query = sa.select(*columns, seen_at).where(moment.latest(states)).order_by(states.c.token)
    known = bulk.read(connection, query)
    about = (tokens, (tokens.c.organization, tokens.c.token_id))
    known |= load_named(connection, moment, len(known["state"]), states, about)
    denied, ended, gone, permissions = bulk.unpack(known["state"], 3, 1, 1)
    fingerprint, key = _split_fingerprints(known["fingerprint"])
    return make_typed_frame(
        {
            "organization_id": pd.array(seen.ids, dtype="string").take(known["organization"]),
            "token_id": known["token_id"],
            "fingerprint": fingerprint,
            "fingerprint_key": key,
            "expires_at": known["expires_at"],
            "permissions": permissions,
            "denied": denied,
            "rotated_at": known["rotated_at"],
            "seen_at": np.where(ended != 0, known["seen_at"], seen.heard_at[known["organization"]]),
            "gone": gone != 0,
        },
        LAST_KNOWN_TOKENS,
    )


def _split_fingerprints(keyed: pd.api.extensions.ExtensionArray) -> tuple[Any, Any]:
    """Split `fingerprint` or `fingerprint:key` into fingerprints and the names of their keys (null: no key)."""
    texts = pd.Series(keyed)
    if not texts.str.contains(":", regex=False).any():
        return keyed, pd.array([None] * len(texts), dtype="string")
    parts = texts.str.partition(":")
    return parts[0], parts[2].where(parts[2] != "")


def _load_findings(connection: sa.Connection, moment: Moment) -> pd.DataFrame:
    """Load LAST_KNOWN_FINDINGS, all but their ids packed into one number: an evaluation waits for this."""
    states = finding_states
    gone = sa.case((states.c.gone_at <= moment.as_of, 1), else_=0)
    flags = ((states.c.weight, 3), (sa.case((states.c.waived, 1), else_=0), 1), (gone, 1))
    state = bulk.pack(number(states.c.first_seen_at), *flags)
    query = sa.select(state.label("state")).where(moment.latest(states)).order_by(states.c.finding)
    packed = bulk.read(connection, query)["state"]
    weight, waived, resolved, first_seen_at = bulk.unpack(packed, 3, 1, 1)
    ids = load_named(connection, moment, len(packed), states, (findings, (findings.c.finding_id,)))
    columns = {
        "weight": weight,
        "waived": waived != 0,
        "resolved": resolved != 0,
        "first_seen_at": first_seen_at,
    }
    return make_typed_frame(ids | columns, LAST_KNOWN_FINDINGS)


def describe_tokens(connection: sa.Connection, moment: Moment, ids: pd.Series) -> pd.DataFrame:
    """Return the last known descriptions (DESCRIBED) of some tokens by their ids."""
    query = (
        sa.select(organizations.c.organization_id, tokens.c.token_id, tokens.c.description)
        .join(organizations, organizations.c.id == tokens.c.organization)
        .where(*moment.of(tokens, organizations), bulk.match_any(connection, tokens.c.token_id, ids.tolist()))
    )
    return make_typed_frame(bulk.read(connection, query), DESCRIBED)


def load_about(connection: sa.Connection, moment: Moment, seen: Sightings, ids: pd.Series) -> pd.DataFrame:
    """Load ABOUT for some of the findings' ids."""
    states, of_token = finding_states, token_states
    last = sa.select(of_token.c.token, of_token.c.fingerprint).where(moment.latest(of_token)).subquery()
    own = sa.and_(tokens.c.id == findings.c.token, *moment.of(tokens))
    query = (
        sa.select(
            findings.c.finding_id,
            findings.c.rule_id,
            findings.c.organization,
            tokens.c.token_id,
            tokens.c.description,
            last.c.fingerprint,
            states.c.weight,
            states.c.since,
            *(number(states.c[name]).label(name) for name in ("due_at", "first_seen_at", "opened_at")),
            *find_ends(states, moment),
        )
        .join(findings, findings.c.id == states.c.finding)
        .outerjoin(tokens, own)
        .outerjoin(last, last.c.token == findings.c.token)
        .where(
            moment.latest(states), *moment.of(findings), bulk.match_any(connection, findings.c.finding_id, ids.tolist())
        )
    )
    frame = set_seen_at(connection, moment, seen, add_ends(bulk.read(connection, query), seen))
    columns = {name: frame[name].to_numpy() for name in ABOUT if name in frame}
    return make_typed_frame(columns | {"organization_id": seen.ids[frame["organization"].to_numpy()]}, ABOUT)


def open_in(connection: sa.Connection, moment: Moment, seen: Sightings, ids: pd.Series) -> pd.DataFrame:
    """Load OPEN for some of the organizations' ids."""
    states = finding_states
    query = (
        sa.select(
            organizations.c.id,
            organizations.c.organization_id,
            organizations.c.name.label("organization_name"),
            sa.func.count().label("open_findings"),
            sa.func.max(states.c.weight).label("weight"),
        )
        .join(findings, findings.c.id == states.c.finding)
        .join(organizations, organizations.c.id == findings.c.organization)
        .where(
            moment.latest(states),
            *moment.of(findings, organizations),
            ~states.c.waived,
            states.c.gone_at.is_(None) | (states.c.gone_at > moment.as_of),
            bulk.match_any(connection, organizations.c.organization_id, ids.tolist()),
        )
        .group_by(organizations.c.id, organizations.c.organization_id, organizations.c.name)
        .order_by(organizations.c.organization_id)
    )
    columns = bulk.read(connection, query)
    return make_typed_frame(columns | {"last_audited_at": seen.audited_at[columns["id"]]}, OPEN)


def load_remediated(connection: sa.Connection, moment: Moment) -> pd.DataFrame:
    """Return how many findings of each severity appeared at one audit and were resolved at another (REMEDIATED)."""
    states = finding_states
    query = (
        sa.select(
            states.c.weight,
            number(states.c.opened_at).label("opened_at"),
            number(states.c.gone_at).label("resolved_at"),
            sa.func.count().label("findings"),
        )
        .where(*moment.of(states), states.c.gone_at.is_not(None), states.c.gone_at <= moment.as_of)
        .group_by(states.c.weight, states.c.opened_at, states.c.gone_at)
    )
    return make_typed_frame(bulk.read(connection, query), REMEDIATED)


def load_figures(connection: sa.Connection, moment: Moment) -> dict[str, int]:
    """Return the key figures that an audit recorded, by name."""
    query = sa.select(key_figures.c.name, key_figures.c.value)
    rows = connection.execute(query.where(*moment.of(key_figures), key_figures.c.audit == moment.audit))
    return {row.name: row.value for row in rows}


def _load_trend(connection: sa.Connection, moment: Moment) -> pd.DataFrame:
    query = sa.select(*(audits.c[name] for name in TREND)).where(*moment.of(audits), audits.c.id <= moment.audit)
    rows = pd.DataFrame(connection.execute(query.order_by(audits.c.id)).all(), columns=list(TREND))
    return make_typed_frame({name: rows[name] for name in TREND}, TREND)

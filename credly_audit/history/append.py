"""Adds what an audit saw to the history: what changed since the audits before it, and nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import sqlalchemy as sa

from credly_audit.audit.findings import convert_to_plain
from credly_audit.audit.prior import find_positions, take_with_default
from credly_audit.audit.unseen import Scope
from credly_audit.history import column_io as bulk
from credly_audit.history.column_io import make_storable
from credly_audit.history.queries import Moment, Sightings, load_known_findings, load_known_tokens, set_seen_at
from credly_audit.history.record import AuditRecord
from credly_audit.history.schema import (
    NULL_INSTANT,
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


def append(connection: sa.Connection, series: int, seen: AuditRecord, rules: Mapping[str, Rule]) -> None:
    """Add what the newest audit of a series saw: no recorded one may have a later as_of."""
    last = Moment.before(connection, series, None)
    sightings = Sightings.upto(connection, last)
    audit = last.audit + 1
    known = load_known_findings(connection, last, sightings, whole=True)
    gone_rules = sorted(set(known["rule_id"]) - set(rules))
    orgs = seen.organizations.assign(not_judged=_extend(seen.organizations["not_judged"], gone_rules))
    connection.execute(sa.insert(audits).values({"series": series, "id": audit} | dict(seen.audit)))
    names = list(seen.figures)
    bulk.insert(
        connection,
        series,
        key_figures,
        {"audit": np.full(len(names), audit), "name": names, "value": [seen.figures[name] for name in names]},
    )
    places = _record_organizations(connection, last, orgs)
    bulk.insert(
        connection,
        series,
        coverage,
        {
            "audit": np.full(len(orgs), audit),
            "organization": places,
            "status": orgs["status"].tolist(),
            "not_judged": orgs["not_judged"].tolist(),
        },
    )
    change = _Change(connection, last, sightings, seen.as_of, orgs, places)
    listed = change.tokens(seen, load_known_tokens(connection, last, sightings, described=True))
    change.findings(seen, known, listed, rules)


def _extend(not_judged: pd.Series, more: list[str]) -> pd.Series:
    return not_judged.map(lambda ids: ",".join(filter(None, [ids, *more]))) if more else not_judged


def _record_organizations(connection: sa.Connection, last: Moment, orgs: pd.DataFrame) -> np.ndarray:
    """The organizations' numbers, new ones added, new names kept."""
    columns = (organizations.c.id, organizations.c.organization_id, organizations.c.name)
    known = bulk.read(connection, sa.select(*columns).where(*last.of(organizations)))
    ids = [make_storable(each) for each in orgs["organization_id"]]
    names = [make_storable(each) for each in orgs["name"]]
    places = find_positions(pd.array(ids, dtype="string"), pd.array(known["organization_id"], dtype="string"))
    numbers = take_with_default(known["id"], places, default=-1)
    fresh = np.flatnonzero(places < 0)
    numbers[fresh] = known["id"].max(initial=0) + 1 + np.arange(len(fresh))
    bulk.insert(
        connection,
        last.series,
        organizations,
        {
            "id": numbers[fresh],
            "organization_id": [ids[each] for each in fresh],
            "name": [names[each] for each in fresh],
        },
    )
    other = [row for row, place in enumerate(places) if place >= 0 and known["name"][place] != names[row]]
    renamed = {"id": numbers[other], "name": [names[each] for each in other]}
    bulk.update(connection, last.series, organizations, ["id"], renamed)
    return numbers


@dataclass(frozen=True, slots=True)
class _Change:
    """The writing of one audit's changes; `numbers` are those of the organizations in `orgs`."""

    connection: sa.Connection
    last: Moment
    sightings: Sightings
    as_of: int
    orgs: pd.DataFrame
    numbers: np.ndarray

    @property
    def audit(self) -> int:
        """The number of the audit."""
        return self.last.audit + 1

    def tokens(self, seen: AuditRecord, known: pd.DataFrame) -> np.ndarray:
        """Record the tokens; their numbers, a value a row of `seen.tokens`."""
        now = seen.tokens
        own = self.numbers[find_positions(now["organization_id"], self.orgs["organization_id"])]
        places = self._find_places(known, own, now["token_id"])
        of = {
            name: take_with_default(known[name].to_numpy(), places, default=NULL_INSTANT)
            for name in ("expires_at", "rotated_at", "permissions", "token", "since")
        }
        fingerprint, key, same_value = _load_values(now["fingerprint"], seen.audit["fingerprint_key"], known, places)
        denied = now["denied"].to_numpy() | take_with_default(known["denied"].to_numpy(), places, default=0)
        told = now["rotated_at"].to_numpy()
        rotated = np.where(same_value & (of["rotated_at"] != NULL_INSTANT), of["rotated_at"], told)
        open_before = take_with_default(~known["ended"].to_numpy(), places, default=False)
        same = (
            open_before
            & same_value
            & (of["expires_at"] == now["expires_at"].to_numpy())
            & (of["permissions"] == now["permissions"].to_numpy())
            & (take_with_default(known["denied"].to_numpy(), places, default=-1) == denied)
            & (of["rotated_at"] == rotated)
        )
        numbers = of["token"]
        fresh = np.flatnonzero(places < 0)
        numbers[fresh] = self._number_next(tokens) + np.arange(len(fresh))
        described = [make_storable(each) for each in convert_to_plain(now["description"])]
        bulk.insert(
            self.connection,
            self.last.series,
            tokens,
            {
                "id": numbers[fresh],
                "organization": own[fresh],
                "token_id": now["token_id"].take(fresh).tolist(),
                "description": [described[each] for each in fresh],
            },
        )
        before = convert_to_plain(known["description"])
        reworded = [row for row, place in enumerate(places) if place >= 0 and before[place] != described[row]]
        bulk.update(
            self.connection,
            self.last.series,
            tokens,
            ["id"],
            {"id": numbers[reworded], "description": [described[each] for each in reworded]},
        )
        self._replace(token_states, known, places[~same & (places >= 0)])
        bulk.insert(
            self.connection,
            self.last.series,
            token_states,
            self._make_states("token", numbers[~same])
            | {
                "fingerprint": fingerprint[~same].tolist(),
                "fingerprint_key": key[~same].tolist(),
                "permissions": now["permissions"].to_numpy()[~same],
                "expires_at": now["expires_at"].to_numpy()[~same],
                "denied": denied[~same],
                "rotated_at": rotated[~same],
            },
        )
        missed = self._find_asked(known, failed=False) & ~_find_hits(known, places)
        complete = self._add_status(known["organization"].to_numpy(), "complete")
        self._end(token_states, known, missed & ~(known["ended"].to_numpy() & ~complete), gone=complete)
        return numbers

    def findings(self, seen: AuditRecord, known: pd.DataFrame, listed: np.ndarray, rules: Mapping[str, Rule]) -> None:
        """Record the findings; `listed` are the numbers of `seen.tokens`."""
        now = seen.findings
        places = find_positions(now["finding_id"], known["finding_id"])
        of = {
            name: take_with_default(known[name].to_numpy(), places, default=NULL_INSTANT)
            for name in ("finding", "weight", "due_at", "first_seen_at", "opened_at")
        }
        there = take_with_default(~known["gone"].to_numpy(), places, default=False)
        told = now["first_seen_at"].to_numpy()
        first = np.where(places < 0, np.minimum(told, self.as_of), of["first_seen_at"])
        opened = np.where(there, of["opened_at"], self.as_of)
        same = (
            take_with_default(~known["ended"].to_numpy(), places, default=False)
            & (of["weight"] == now["weight"].to_numpy())
            & (take_with_default(known["waived"].to_numpy(), places, default=False) == now["waived"].to_numpy())
            & (of["due_at"] == now["due_at"].to_numpy())
        )
        own = self.numbers[find_positions(now["organization_id"], self.orgs["organization_id"])]
        keys = (now["organization_id"], now["token_id"].fillna(""))
        rows = find_positions(keys, (seen.tokens["organization_id"], seen.tokens["token_id"]))
        of_token = take_with_default(listed, rows, default=NULL_INSTANT)
        numbers = of["finding"]
        fresh = np.flatnonzero(places < 0)
        numbers[fresh] = self._number_next(findings) + np.arange(len(fresh))
        bulk.insert(
            self.connection,
            self.last.series,
            findings,
            {
                "id": numbers[fresh],
                "finding_id": now["finding_id"].take(fresh).tolist(),
                "rule_id": now["rule_id"].take(fresh).tolist(),
                "organization": own[fresh],
                "token": of_token[fresh],
            },
        )
        self._replace(finding_states, known, places[~same & (places >= 0)])
        bulk.insert(
            self.connection,
            self.last.series,
            finding_states,
            self._make_states("finding", numbers[~same])
            | {
                "weight": now["weight"].to_numpy()[~same],
                "waived": now["waived"].to_numpy()[~same],
                "due_at": now["due_at"].to_numpy()[~same],
                "first_seen_at": first[~same],
                "opened_at": opened[~same],
            },
        )
        absent = np.flatnonzero(
            self._find_asked(known, failed=True) & ~known["gone"].to_numpy() & ~_find_hits(known, places)
        )
        remediated = np.zeros(len(known), dtype=bool)
        remediated[absent], unseen = self._resolve_absent(seen, known.take(absent), rules)
        closed = remediated.copy()
        closed[absent] |= unseen & ~self._add_status(known["organization"].to_numpy()[absent], "failed")
        self._end(finding_states, known, closed & ~(known["ended"].to_numpy() & ~remediated), gone=remediated)

    def _resolve_absent(
        self, seen: AuditRecord, absent: pd.DataFrame, rules: Mapping[str, Rule]
    ) -> tuple[np.ndarray, np.ndarray]:
        ids = bulk.read(
            self.connection,
            sa.select(findings.c.id, tokens.c.token_id)
            .join(tokens, tokens.c.id == findings.c.token)
            .where(
                *self.last.of(findings, tokens),
                bulk.match_any(self.connection, findings.c.id, absent["finding"].tolist()),
            ),
        )
        theirs = pd.Series(ids["token_id"], index=ids["id"], dtype="string").reindex(absent["finding"])
        names = pd.Series(self.orgs["organization_id"].array, index=self.numbers).reindex(absent["organization"])
        listed = (seen.tokens["organization_id"], seen.tokens["token_id"])
        whole, full_scope = (bool(seen.audit[name]) for name in ("whole", "full_scope"))
        return Scope(self.orgs, listed, whole, full_scope).classify_absent(
            pd.DataFrame(
                {"rule_id": absent["rule_id"].array, "organization_id": names.array, "token_id": theirs.array}
            ),
            rules,
        )

    def _find_places(self, known: pd.DataFrame, own: np.ndarray, token_ids: pd.Series) -> np.ndarray:
        """Where each token (its organization's number, its id) stands among those known."""
        return find_positions(
            (own.astype(str), token_ids), (known["organization"].to_numpy().astype(str), known["token_id"])
        )

    def _number_next(self, table: sa.Table) -> int:
        query = sa.select(sa.func.max(table.c.id)).where(*self.last.of(table))
        highest: int | None = self.connection.execute(query).scalar()
        return (highest or 0) + 1

    def _make_states(self, subject: str, numbers: np.ndarray) -> dict[str, Any]:
        return {
            subject: numbers,
            "since": np.full(len(numbers), self.audit),
            "latest": np.ones(len(numbers), dtype=bool),
        }

    def _replace(self, states: sa.Table, known: pd.DataFrame, places: np.ndarray) -> None:
        """A later state of these subjects begins with this audit: end the one that is open."""
        subject = SUBJECT[states].name
        rows = self._find_last_seen(states, known.take(places))
        ended = rows["ended"].to_numpy()
        for ends, columns in ((False, {"until": self.audit}), (True, {})):
            chosen = rows[ended == ends]
            bulk.update(
                self.connection,
                self.last.series,
                states,
                [subject, "since"],
                {
                    subject: chosen[subject].to_numpy(),
                    "since": chosen["since"].to_numpy(),
                    "latest": np.zeros(len(chosen), dtype=bool),
                }
                | {name: np.full(len(chosen), value) for name, value in columns.items()}
                | ({} if ends else {"seen_at": chosen["seen_at"].to_numpy()}),
            )

    def _end(self, states: sa.Table, known: pd.DataFrame, missed: np.ndarray, *, gone: np.ndarray) -> None:
        """These were not seen: what is open ends, and what is proved to be gone is so since this audit."""
        subject = SUBJECT[states].name
        rows = self._find_last_seen(states, known[missed & ~known["gone"].to_numpy()])
        gone = gone[missed & ~known["gone"].to_numpy()]
        for ends in (False, True):
            chosen = rows[rows["ended"].to_numpy() == ends]
            gone_at = np.where(gone[rows["ended"].to_numpy() == ends], self.as_of, NULL_INSTANT)
            columns = {subject: chosen[subject].to_numpy(), "since": chosen["since"].to_numpy(), "gone_at": gone_at}
            if not ends:
                columns |= {"until": np.full(len(chosen), self.audit), "seen_at": chosen["seen_at"].to_numpy()}
            bulk.update(self.connection, self.last.series, states, [subject, "since"], columns)

    def _find_last_seen(self, states: sa.Table, rows: pd.DataFrame) -> pd.DataFrame:
        return set_seen_at(self.connection, self.last, self.sightings, rows) if states is finding_states else rows

    def _find_asked(self, known: pd.DataFrame, *, failed: bool) -> np.ndarray:
        """Which of what is known belongs to organizations that this audit asked; those that failed may count too."""
        asked = self.numbers if failed else self.numbers[(self.orgs["status"] != "failed").to_numpy(dtype=bool)]
        return np.isin(known["organization"].to_numpy(), asked)

    def _add_status(self, organization_numbers: np.ndarray, status: str) -> np.ndarray:
        return np.isin(organization_numbers, self.numbers[(self.orgs["status"] == status).to_numpy(dtype=bool)])


def _find_hits(known: pd.DataFrame, places: np.ndarray) -> np.ndarray:
    hit = np.zeros(len(known), dtype=bool)
    hit[places[places >= 0]] = True
    return hit


def _load_values(
    now: pd.Series, key: str | None, known: pd.DataFrame, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The last known fingerprint and the key of each, and whether they are as before."""
    then = take_with_default(known["fingerprint"].to_numpy(dtype=object), places, default=None)
    then_key = take_with_default(known["fingerprint_key"].to_numpy(dtype=object), places, default=None)
    then[pd.isna(then)], then_key[pd.isna(then_key)] = None, None
    withheld = now.isna().to_numpy()
    fingerprint = np.where(withheld, then, now.astype(object).to_numpy())
    keys = np.where(withheld, then_key, np.full(len(now), key, dtype=object))
    return fingerprint, keys, (fingerprint == then) & (keys == then_key)

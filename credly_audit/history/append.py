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
    listed = change.record_tokens(seen, load_known_tokens(connection, last, sightings, described=True))
    change.record_findings(seen, known, listed, rules)


def _extend(not_judged: pd.Series, more: list[str]) -> pd.Series:
    return not_judged.map(lambda ids: ",".join(filter(None, [ids, *more]))) if more else not_judged


def _record_organizations(connection: sa.Connection, last: Moment, orgs: pd.DataFrame) -> np.ndarray:
    """Record the organizations and return their numbers: new ones are added, new names kept."""
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
class StateDiff:
    """What an audit saw of tokens, or of findings, held against what is known of them.

    `known` has a row a subject; `places` is where each row of the audit is among them (-1: nowhere).
    """

    known: pd.DataFrame
    places: np.ndarray

    @property
    def fresh(self) -> np.ndarray:
        """The rows of the audit that are not known (positions)."""
        return np.flatnonzero(self.places < 0)

    @property
    def was_open(self) -> np.ndarray:
        """Mark the rows of the audit whose known state has not ended (bool)."""
        return ~self.recall("ended", default=True)

    @property
    def missed(self) -> np.ndarray:
        """Mark what is known and is no row of the audit (bool, a value a row of `known`)."""
        missed = np.ones(len(self.known), dtype=bool)
        missed[self.places[self.places >= 0]] = False
        return missed

    def recall(self, column: str, *, default: Any = NULL_INSTANT) -> np.ndarray:
        """Return what is known of each row of the audit; the default for one that is not known."""
        values: np.ndarray = take_with_default(self.known[column].to_numpy(), self.places, default=default)
        return values


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

    def record_tokens(self, seen: AuditRecord, known: pd.DataFrame) -> np.ndarray:
        """Record the tokens; their numbers, a value a row of `seen.tokens`."""
        now = seen.tokens
        own = self._number_organizations(now)
        diff = StateDiff(known, self._find_places(known, own, now["token_id"]))
        fingerprint, key, same_value = _recall_values(now["fingerprint"], seen.audit["fingerprint_key"], diff)
        denied = now["denied"].to_numpy() | diff.recall("denied", default=0)
        rotated_before = diff.recall("rotated_at")
        rotated = np.where(same_value & (rotated_before != NULL_INSTANT), rotated_before, now["rotated_at"].to_numpy())
        same = (
            diff.was_open
            & same_value
            & (diff.recall("expires_at") == now["expires_at"].to_numpy())
            & (diff.recall("permissions") == now["permissions"].to_numpy())
            & (diff.recall("denied", default=-1) == denied)
            & (rotated_before == rotated)
        )
        described = [make_storable(each) for each in convert_to_plain(now["description"])]
        numbers = self._record_states(
            token_states,
            diff,
            same,
            {"organization": own, "token_id": now["token_id"].tolist(), "description": described},
            {
                "fingerprint": fingerprint.tolist(),
                "fingerprint_key": key.tolist(),
                "permissions": now["permissions"].to_numpy(),
                "expires_at": now["expires_at"].to_numpy(),
                "denied": denied,
                "rotated_at": rotated,
            },
        )
        before = convert_to_plain(known["description"])
        reworded = [row for row, place in enumerate(diff.places) if place >= 0 and before[place] != described[row]]
        columns = {"id": numbers[reworded], "description": [described[each] for each in reworded]}
        bulk.update(self.connection, self.last.series, tokens, ["id"], columns)
        complete = self._mark_with_status(known["organization"].to_numpy(), "complete")
        missed = self._mark_asked(known, failed=False) & diff.missed
        self._end(token_states, known, missed & ~(known["ended"].to_numpy() & ~complete), gone=complete)
        return numbers

    def record_findings(
        self, seen: AuditRecord, known: pd.DataFrame, listed: np.ndarray, rules: Mapping[str, Rule]
    ) -> None:
        """Record the findings; `listed` are the numbers of `seen.tokens`."""
        now = seen.findings
        diff = StateDiff(known, find_positions(now["finding_id"], known["finding_id"]))
        first = np.where(
            diff.places < 0, np.minimum(now["first_seen_at"].to_numpy(), self.as_of), diff.recall("first_seen_at")
        )
        same = (
            diff.was_open
            & (diff.recall("weight") == now["weight"].to_numpy())
            & (diff.recall("waived", default=False) == now["waived"].to_numpy())
            & (diff.recall("due_at") == now["due_at"].to_numpy())
        )
        keys = (now["organization_id"], now["token_id"].fillna(""))
        rows = find_positions(keys, (seen.tokens["organization_id"], seen.tokens["token_id"]))
        self._record_states(
            finding_states,
            diff,
            same,
            {
                "finding_id": now["finding_id"].tolist(),
                "rule_id": now["rule_id"].tolist(),
                "organization": self._number_organizations(now),
                "token": take_with_default(listed, rows, default=NULL_INSTANT),
            },
            {
                "weight": now["weight"].to_numpy(),
                "waived": now["waived"].to_numpy(),
                "due_at": now["due_at"].to_numpy(),
                "first_seen_at": first,
                "opened_at": np.where(diff.recall("gone", default=True), self.as_of, diff.recall("opened_at")),
            },
        )
        absent = np.flatnonzero(self._mark_asked(known, failed=True) & ~known["gone"].to_numpy() & diff.missed)
        remediated = np.zeros(len(known), dtype=bool)
        remediated[absent], unseen = self._resolve_absent(seen, known.take(absent), rules)
        closed = remediated.copy()
        closed[absent] |= unseen & ~self._mark_with_status(known["organization"].to_numpy()[absent], "failed")
        self._end(finding_states, known, closed & ~(known["ended"].to_numpy() & ~remediated), gone=remediated)

    def _record_states(
        self, states: sa.Table, diff: StateDiff, same: np.ndarray, subject: dict[str, Any], state: dict[str, Any]
    ) -> np.ndarray:
        """Record new subjects, and the states of all but those that are the same; return the subjects' numbers.

        The columns `subject` and `state` have a value a row of the audit, as `same` has.
        """
        subjects, name = STATES[states], SUBJECT[states].name
        numbers = diff.recall(name)
        numbers[diff.fresh] = self._find_next_number(subjects) + np.arange(len(diff.fresh))
        bulk.insert(self.connection, self.last.series, subjects, _take({"id": numbers} | subject, diff.fresh))
        changed = np.flatnonzero(~same)
        self._replace(states, diff.known, diff.places[changed][diff.places[changed] >= 0])
        begun = {
            name: numbers,
            "since": np.full(len(numbers), self.audit),
            "latest": np.ones(len(numbers), dtype=bool),
        }
        bulk.insert(self.connection, self.last.series, states, _take(begun | state, changed))
        return numbers

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

    def _number_organizations(self, rows: pd.DataFrame) -> np.ndarray:
        """Return the number of the organization of each row."""
        own: np.ndarray = self.numbers[find_positions(rows["organization_id"], self.orgs["organization_id"])]
        return own

    def _find_places(self, known: pd.DataFrame, own: np.ndarray, token_ids: pd.Series) -> np.ndarray:
        """Return where each token (its organization's number, its id) is among the known ones."""
        return find_positions(
            (own.astype(str), token_ids), (known["organization"].to_numpy().astype(str), known["token_id"])
        )

    def _find_next_number(self, table: sa.Table) -> int:
        query = sa.select(sa.func.max(table.c.id)).where(*self.last.of(table))
        highest: int | None = self.connection.execute(query).scalar()
        return (highest or 0) + 1

    def _replace(self, states: sa.Table, known: pd.DataFrame, places: np.ndarray) -> None:
        """End the open states of subjects whose next state begins with this audit."""
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
        """End the open states of what this audit missed, and mark as gone what is proved to be gone."""
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

    def _mark_asked(self, known: pd.DataFrame, *, failed: bool) -> np.ndarray:
        """Mark what belongs to organizations that this audit queried; with `failed` also to those that failed."""
        asked = self.numbers if failed else self.numbers[(self.orgs["status"] != "failed").to_numpy(dtype=bool)]
        return np.isin(known["organization"].to_numpy(), asked)

    def _mark_with_status(self, organization_numbers: np.ndarray, status: str) -> np.ndarray:
        return np.isin(organization_numbers, self.numbers[(self.orgs["status"] == status).to_numpy(dtype=bool)])


def _take(columns: Mapping[str, Any], rows: np.ndarray) -> dict[str, Any]:
    """Return some rows of columns, which are arrays or lists."""
    return {
        name: values[rows] if isinstance(values, np.ndarray) else [values[row] for row in rows]
        for name, values in columns.items()
    }


def _recall_values(now: pd.Series, key: str | None, diff: StateDiff) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the last known fingerprint and the key of each token, and whether they are as before."""
    then, then_key = (diff.recall(name, default=None).astype(object) for name in ("fingerprint", "fingerprint_key"))
    then[pd.isna(then)], then_key[pd.isna(then_key)] = None, None
    withheld = now.isna().to_numpy()
    fingerprint = np.where(withheld, then, now.astype(object).to_numpy())
    keys = np.where(withheld, then_key, np.full(len(now), key, dtype=object))
    return fingerprint, keys, (fingerprint == then) & (keys == then_key)

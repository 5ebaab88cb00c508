"""Top priorities: the open findings in groups of work, ordered by what breaks first, then by exposure, then by age.

Page, workbook, terminal, mail and Markdown show these groups; no format orders work by itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum
from functools import cached_property

import numpy as np
import pandas as pd

from credly_audit.audit.findings import convert_to_plain
from credly_audit.audit.model import Audit
from credly_audit.severity import Severity
from credly_audit.text import count, distance, has_words, one_line, spoken_day

MOST_GROUPS = 10
"""The most groups that a first screen shows."""

MOST_EXAMPLES = 3
MOST_CONTACTS = 2
MOST_STOPS = 3
LONGEST_ADDRESS = 254


class Tier(IntEnum):
    """What a group of work is about, in the order of urgency."""

    BROKEN = 1
    """Tokens that have expired and are still listed."""
    OUTAGE = 2
    """What stops working before the next audit."""
    EXPOSURE = 3
    """What others could use or reach."""
    OVERDUE = 4
    """Other work that is past its due date."""
    EXPIRING = 5
    """What expires after the next audit, within the windows of its rule."""
    OTHER = 6


BY_THE_HOUR = (Tier.BROKEN, Tier.OUTAGE, Tier.EXPIRING)
"""The tiers whose work is ordered by when something stops working."""

EXPOSURES = ("DOC006", "INV002", "PRM001", "OAU001", "CHG001")
OUTAGES = ("EXP002", "INV003", "COV005")
EXPIRIES = ("EXP001", "EXP002")
"""The rules whose findings say that the consumers of a token stop working."""

BREAK_TIMES = {"EXP001": "expires_at", "INV003": "last_expires_at", "COV005": "credential_expires_at"}
"""The evidence that says when what a rule flags stops working; for other rules, the due date counts."""

TITLES = {
    ("EXP002", Tier.OUTAGE): "Rotate {tokens} of {organizations} that {expires} before the next audit",
    ("EXP002", Tier.EXPIRING): "Plan the rotation of {tokens} of {organizations} that {expires} after the next audit",
    ("INV003", Tier.OUTAGE): "Create a successor in {organizations} where every token expires before the next audit",
    ("INV003", Tier.EXPIRING): "Plan a successor in {organizations} where every token expires soon",
    ("COV005", Tier.OUTAGE): "Rotate the audit credential of {organizations}, which expires before the next audit",
}
"""What to do about a group, by rule and tier, where that is more than the rule's task."""


@dataclass(frozen=True, slots=True)
class Example:
    """One of the tokens (or organizations) of a group that come first."""

    subject: str
    organization: str
    when: datetime | None

    def describe(self, as_of: datetime) -> str:
        """Return it in words: `"ServiceNow" (Northgate) tomorrow 03:09 UTC`."""
        name = f"“{self.subject}” ({self.organization})" if self.subject else self.organization
        return f"{name} {describe_moment(self.when, as_of)}" if self.when else name


@dataclass(frozen=True, slots=True)
class Stop:
    """A consumer, and when the first of its tokens in a group expires."""

    consumer: str
    when: datetime


@dataclass(frozen=True, slots=True)
class Priority:
    """One group of work."""

    number: int
    """Its place, from 1."""
    tier: Tier
    rule_id: str
    severity: Severity
    """The highest in the group."""
    title: str
    """What to do, and how much of it."""
    next_at: datetime | None
    """When the first of it breaks or is due."""
    overdue_since: datetime | None
    """The oldest due date that is past."""
    findings: int
    examples: tuple[Example, ...]
    """What comes first: of different organizations, where they have names."""
    stops: tuple[Stop, ...]
    """The consumers that stop working first."""
    more_stops: int
    contacts: tuple[str, ...]
    """Those with most of it."""
    more_contacts: int

    def describe_dates(self, as_of: datetime) -> str:
        """Return when it begins and since when it is overdue, as far as that is known."""
        if self.overdue_since is not None and self.tier is not Tier.OUTAGE:
            return f"overdue since {spoken_day(self.overdue_since)} ({count_days(as_of - self.overdue_since)})"
        if self.next_at is None:
            return ""
        word = "first" if self.tier in BY_THE_HOUR else "due"
        return f"{word} {describe_moment(self.next_at, as_of)}"

    def describe_first(self, as_of: datetime) -> str:
        """Return the examples, and the consumers that stop first, a sentence each; empty where there are none."""
        first = f"First: {'; '.join(each.describe(as_of) for each in self.examples)}." if self.examples else ""
        return " ".join(filter(None, [first, self.describe_stops(as_of)]))

    def describe_stops(self, as_of: datetime) -> str:
        """Return which consumers stop working when; empty where none is known."""
        if not self.stops:
            return ""
        named = [f"{one_line(each.consumer, 60)} {describe_moment(each.when, as_of)}" for each in self.stops]
        more = f"; {count(self.more_stops, 'other', 'others')}" if self.more_stops else ""
        word = "Stopped working" if self.tier is Tier.BROKEN else "Will stop working"
        return f"{word}: {'; '.join(named)}{more}."

    def describe_contacts(self) -> str:
        """Return whom to ask; empty where no one is known."""
        more = f" and {count(self.more_contacts, 'other', 'others')}" if self.more_contacts else ""
        return f"{', '.join(one_line(each, LONGEST_ADDRESS) for each in self.contacts)}{more}" if self.contacts else ""


def describe_moment(when: datetime, as_of: datetime) -> str:
    """Return an instant: with its hour where it is today or tomorrow, else its day and the distance."""
    days = (when.date() - as_of.date()).days
    if days in {0, 1} and when >= as_of:
        return f"{'tomorrow' if days else 'today'} {when:%H:%M} UTC"
    return f"{spoken_day(when)} ({distance(when, as_of)})"


def count_days(time: timedelta) -> str:
    """Return whole days: `321 days`."""
    return count(time.days, "day", "days")


@dataclass(frozen=True)
class Priorities:
    """The groups of an audit's open findings above `info`, each computed when it is first used."""

    audit: Audit

    @cached_property
    def _rows(self) -> pd.DataFrame:
        """A row a finding that asks for work: rule_id, tier, severity, organization_row, token_row, when, due_at."""
        frame = self.audit.findings.frame[self.audit.findings.actionable]
        as_of = pd.Timestamp(self.audit.as_of)
        rules = frame["rule_id"].astype("string").to_numpy(dtype=object)
        when = self._break_times(frame, rules)
        overdue = (frame["due_at"] < as_of).fillna(value=False).to_numpy(dtype=bool)
        soon = (when <= as_of + self.audit.policy.next_audit).fillna(value=False).to_numpy(dtype=bool)
        tiers = np.select(
            [
                rules == "EXP001",
                np.isin(rules, OUTAGES) & soon,
                np.isin(rules, EXPOSURES),
                overdue,
                np.isin(rules, OUTAGES),
            ],
            [Tier.BROKEN, Tier.OUTAGE, Tier.EXPOSURE, Tier.OVERDUE, Tier.EXPIRING],
            Tier.OTHER,
        )
        return frame[["severity", "organization_row", "token_row", "due_at", "owner"]].assign(
            rule=rules, tier=tiers, when=when, overdue=overdue
        )

    def _break_times(self, frame: pd.DataFrame, rules: np.ndarray) -> pd.Series:
        """Return when what a finding is about stops working; else when it is due."""
        when = frame["due_at"].copy()
        for rule_id, column in BREAK_TIMES.items():
            evidence = self.audit.findings.evidence.get(rule_id)
            hit = rules == rule_id
            if evidence is not None and column in evidence and hit.any():
                places = frame["evidence_row"].to_numpy()[hit]
                when[hit] = evidence[column].take(places).to_numpy() if len(evidence) else when[hit]
        return when

    @property
    def expirations(self) -> pd.Series:
        """When what each finding that asks for work warns of will expire; null: it warns of no expiration."""
        rows = self._rows
        return rows["when"].where(rows["rule"].isin(OUTAGES))

    @cached_property
    def _order(self) -> pd.DataFrame:
        """A row a group, in order: rule, tier, severity (weight), when, due (oldest overdue), findings."""
        rows = self._rows
        if rows.empty:
            return pd.DataFrame(columns=["rule", "tier", "severity", "when", "due", "findings"])
        late = rows["due_at"].where(rows["overdue"])
        grouped = rows.assign(weight=rows["severity"].cat.codes.astype(int), late=late).groupby(["tier", "rule"])
        groups = grouped.agg(
            severity=("weight", "max"), when=("when", "min"), due=("late", "min"), findings=("rule", "size")
        ).reset_index()
        by_hour = groups["tier"].isin(BY_THE_HOUR)
        weight = (-groups["severity"]).where(~by_hour, 0)
        moment = groups["when"].where(by_hour, groups["due"].fillna(groups["when"]))
        exposure = groups["rule"].map(dict(zip(EXPOSURES, range(len(EXPOSURES)), strict=True)))
        exposure = exposure.where(groups["tier"] == Tier.EXPOSURE, 0)
        groups = groups.assign(weight=weight, moment=moment, exposure=exposure)
        groups = groups.sort_values(["tier", "exposure", "weight", "moment", "rule"], kind="stable", na_position="last")
        return groups.reset_index(drop=True)

    @cached_property
    def of_findings(self) -> np.ndarray:
        """For each row of `Findings.frame` the number of its group; 0: it asks for no work."""
        numbers = np.zeros(len(self.audit.findings.frame), dtype="int64")
        rows, order = self._rows, self._order
        keys = pd.MultiIndex.from_frame(order[["tier", "rule"]])
        own = pd.MultiIndex.from_frame(rows[["tier", "rule"]])
        numbers[rows.index.to_numpy()] = keys.get_indexer(own) + 1 if len(rows) else 0
        return numbers

    def groups(self, most: int | None = MOST_GROUPS) -> Iterator[Priority]:
        """Yield the groups in order, at most so many."""
        rows = self._rows
        numbers = self.of_findings[rows.index.to_numpy()]
        for position, group in enumerate(self._order.head(most or len(self._order)).itertuples(index=False), 1):
            its = rows[numbers == position]
            yield self._describe(position, group, its.sort_values(["when", "organization_row"], kind="stable"))

    @property
    def many(self) -> int:
        """Return the number of groups."""
        return len(self._order)

    def _describe(self, number: int, group: object, rows: pd.DataFrame) -> Priority:
        rule_id, tier = group.rule, Tier(group.tier)  # type: ignore[attr-defined]
        owners = rows["owner"].dropna().value_counts()
        owners = owners[owners > 0]
        when, due = rows["when"].min(), group.due  # type: ignore[attr-defined]
        stops = list(self._stops(rows)) if rule_id in EXPIRIES else []
        return Priority(
            number,
            tier,
            rule_id,
            list(Severity)[int(rows["severity"].cat.codes.max())],
            self._title(rule_id, tier, rows),
            None if pd.isna(when) else when.to_pydatetime(),
            None if pd.isna(due) else due.to_pydatetime(),
            len(rows),
            tuple(self._examples(rows, with_time=tier in BY_THE_HOUR)),
            tuple(stops[:MOST_STOPS]),
            max(len(stops) - MOST_STOPS, 0),
            tuple(map(str, owners.index[:MOST_CONTACTS])),
            max(len(owners) - MOST_CONTACTS, 0),
        )

    def _title(self, rule_id: str, tier: Tier, rows: pd.DataFrame) -> str:
        tokens = rows.loc[rows["token_row"] >= 0, "token_row"].nunique()
        organizations = count(rows["organization_row"].nunique(), "organization", "organizations")
        one = tokens == 1
        words = {
            "tokens": count(tokens, "token", "tokens"),
            "organizations": organizations,
            "applications": count(len(rows), "OAuth application", "OAuth applications"),
            "entries": count(len(rows), "register entry", "register entries"),
            "waivers": count(len(rows), "expired waiver", "expired waivers"),
            "is": "is" if one else "are",
            "expires": "expires" if one else "expire",
        }
        rule = self.audit.rules[rule_id]
        title = TITLES.get((rule_id, tier), rule.task)
        if title:
            return title.format(**words)
        name = rule.name.replace("-", " ").capitalize()
        many = words["tokens"] if tokens == len(rows) else count(len(rows), "finding", "findings")
        return f"{name}: {many} of {organizations}" if rows["token_row"].ge(0).any() else f"{name}: {organizations}"

    def _stops(self, rows: pd.DataFrame) -> Iterator[Stop]:
        """Yield each consumer of the tokens once, the first to stop first."""
        tokens = self.audit.tokens
        places = rows["token_row"].to_numpy()
        stopping = pd.DataFrame(
            {
                "set": tokens["consumers_row"].to_numpy()[places],
                "when": tokens["expires_at"].take(places).array,
            }
        )
        stopping = stopping[stopping["set"] >= 0].groupby("set")["when"].min().sort_values(kind="stable")
        named: set[str] = set()
        for place, when in stopping.items():
            for each in self.audit.consumers[int(str(place))]:
                if each.name.casefold() not in named:
                    named.add(each.name.casefold())
                    yield Stop(each.name, when.to_pydatetime())

    def _examples(self, rows: pd.DataFrame, *, with_time: bool) -> Iterator[Example]:
        """Yield the first of a group: at most one an organization."""
        first = rows.drop_duplicates("organization_row").head(MOST_EXAMPLES)
        names = convert_to_plain(self.audit.organizations["name"].take(first["organization_row"]))
        tokens = self.audit.tokens.reindex(first["token_row"].where(first["token_row"] >= 0))
        for name, text, token, when in zip(
            names,
            convert_to_plain(tokens["description"]),
            first["token_row"],
            convert_to_plain(first["when"]),
            strict=True,
        ):
            subject = one_line(text, 60) if text and has_words(text) else ""
            if token >= 0 and not subject:
                subject = "token without description"
            yield Example(subject, one_line(name, 60), when if with_time else None)

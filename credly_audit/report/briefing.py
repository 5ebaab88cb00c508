"""What a head of security needs in ten seconds: the verdict, its coverage, the top priorities, the outlook.

Every report for people shows this, in this order; they differ in how they look.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from credly_audit.audit.consumers import describe_consumers
from credly_audit.audit.findings import Findings, convert_to_plain
from credly_audit.audit.memory import Undelivered
from credly_audit.audit.model import Audit
from credly_audit.instants import LAST
from credly_audit.report.priorities import EXPIRIES, LONGEST_ADDRESS, Priorities
from credly_audit.severity import Severity
from credly_audit.text import called, count, number, one_line, spoken_day

MOST_NAMED = 20
"""The most incomplete organizations that a short report names."""

MOST_ACTIONS = 10
MOST_DECISIONS = 5
MOST_REMOVED = 10
MOST_MESSAGES = 5
MONTHS = 12


@dataclass(frozen=True, slots=True)
class Unseen:
    """An organization that is incomplete; its reason says why, and what to do."""

    organization_id: str
    name: str
    status: str
    reason: str
    tokens: int
    """The number of tokens that were collected nevertheless."""
    contact: str | None
    position: int
    """Its row in the organizations frame."""
    accepted: bool
    """Whether a waiver accepts that; it still was not seen."""


@dataclass(frozen=True, slots=True)
class Action:
    """What to do about one token, application or organization in one group of work."""

    subject: str
    organization_id: str
    organization_name: str
    token_id: str | None
    fingerprint: str | None
    severity: Severity
    due_at: datetime | None
    what: str
    why: str
    also: tuple[str, ...]
    """The names of the other rules with open findings on it."""
    contact: str | None
    findings: int
    """The number of findings."""
    position: int
    """Where the highest stands in `Findings.frame`."""
    description: str | None
    """The token's own, None for an organization."""
    priority: int
    """The number of its group (report.priorities)."""
    stops: str
    """Which consumers stop working when the token expires, and when; empty where it is not about that."""
    overdue_days: int | None
    """For how many whole days the first of its findings is overdue; None: none is."""


@dataclass(frozen=True, slots=True)
class Month:
    """The number of unexpired tokens that expire in a month; `soon`: within the widest window of EXP002."""

    first: datetime
    tokens: int
    soon: int


def write_headline(audit: Audit) -> str:
    """Return the verdict as a sentence that begins with its word; a part of an audit is named in a second one."""
    said = describe_verdict(audit)
    return said if audit.part is None else f"{said} This is only a part of the audit: {audit.part.name}."


def describe_verdict(audit: Audit) -> str:
    """Return the verdict as a sentence that begins with its word."""
    verdict = audit.verdict
    accepted, hidden = len(verdict.accepted), len(verdict.not_seen)
    organizations = count(len(audit.organizations), "organization", "organizations")
    violations = (
        count(verdict.violations, "policy violation", "policy violations")
        if verdict.violations
        else "no policy violations"
    )
    if verdict.outcome == "incomplete":
        lacks = [f"{count(len(audit.broken), 'rule', 'rules')} failed"] if audit.broken else []
        if hidden:
            but = f" ({number(accepted)} of them accepted)" if accepted else ""
            lacks.insert(0, f"{number(hidden)} of {organizations} could not be collected completely{but}")
        scope = "in the data collected" if hidden else "by the other rules"
        return f"Incomplete: {' and '.join(lacks)}. {violations[0].upper()}{violations[1:]} {scope}."
    tokens = f"{count(len(audit.tokens), 'token', 'tokens')} of {organizations}"
    coverage = f"all complete but {number(accepted)} that a waiver accepts" if accepted else "all complete"
    if verdict.outcome == "violations":
        return f"Violations: {violations}. {tokens}, {coverage}."
    return f"Pass: {tokens}, {coverage}; {violations}."


def list_incomplete(audit: Audit) -> list[Unseen]:
    """The organizations that could not be collected completely, in the order of asking."""
    frame = audit.organizations[(audit.organizations["status"] != "complete").to_numpy()]
    names = ["organization_id", "name", "status", "reason", "tokens", "contact"]
    rows = zip(*(convert_to_plain(frame[name]) for name in names), strict=True)
    facts = [dict(zip(names, row, strict=True)) for row in rows]
    return [
        Unseen(
            **fact,
            position=position,
            accepted=fact["organization_id"] in audit.verdict.accepted,
        )
        for position, fact in zip(frame.index.tolist(), facts, strict=True)
    ]


def describe_removed(audit: Audit) -> Iterator[str]:
    """Yield a sentence for each organization that left the configuration with open findings, the most severe first."""
    if audit.compared is None:
        return
    removed = audit.compared.removed
    for _, row in removed.head(MOST_REMOVED).iterrows():
        findings = count(row["open_findings"], "open finding", "open findings")
        yield (
            f"Removed from scope: {one_line(row['organization_name'], 60)}, with {findings} (highest severity: "
            f"{row['highest_severity']}); last audited on {spoken_day(row['last_audited_at'])}."
        )
    if len(removed) > MOST_REMOVED:
        rest = count(len(removed) - MOST_REMOVED, "more organization", "more organizations")
        yield f"Removed from scope with open findings: {rest}."


def describe_decisions(audit: Audit) -> Iterator[str]:
    """A sentence for each kind of decision that asks for attention: how many, and which first."""
    made = audit.decisions
    for one, more, judged in (
        (
            "waiver expired, and its findings are open again",
            "waivers expired, and their findings are open again",
            made.expired,
        ),
        ("waiver expires before the next audit", "waivers expire before the next audit", made.expiring),
        ("waiver matches no finding", "waivers match no finding", made.unused),
    ):
        yield from _name_decisions(one, more, [(each.waiver.id, each.waiver.last_day) for each in judged])
    yield from _name_decisions(
        "waiver is not yet in force",
        "waivers are not yet in force",
        [(each.waiver.id, each.waiver.approved_on) for each in made.of_state("pending")],
    )
    yield from _name_decisions(
        "plan is overdue", "plans are overdue", [(each.plan.id, each.plan.last_day) for each in made.overdue]
    )


def describe_undelivered(messages: Sequence[Undelivered]) -> str:
    """Return in a sentence which messages were not delivered, and why; empty where all were."""
    if not messages:
        return ""
    named = [
        f"{one_line(each.recipient.name or 'a contact without a name', LONGEST_ADDRESS)} ({each.recipient.channel}, "
        f"{spoken_day(each.as_of)}: {each.reason or 'not known, as that run was interrupted'})"
        for each in messages[:MOST_MESSAGES]
    ]
    more = len(messages) - len(named)
    if more:
        named.append(count(more, "other", "others"))
    many = count(len(messages), "message on an earlier audit", "messages on earlier audits")
    return (
        f"Not delivered: {many}, to {'; '.join(named)}. The next run with notifications sends again what is still open."
    )


def _name_decisions(one: str, more: str, decisions: list[tuple[str, date]]) -> Iterator[str]:
    if decisions:
        names = ", ".join(f"{one_line(name, 40)} ({spoken_day(day)})" for name, day in decisions[:MOST_DECISIONS])
        yield f"{count(len(decisions), one, more)}: {names}{' …' if len(decisions) > MOST_DECISIONS else ''}"


def list_actions(audit: Audit, most: int | None = MOST_ACTIONS) -> Iterator[Action]:
    """Yield the actions in the order of the top priorities, then by due date and severity; all where `most` is None.

    A token with findings of three groups is an action of each. Findings of severity info ask for none.
    """
    frame = audit.findings.frame
    asks = audit.findings.actionable
    priorities = Priorities(audit).of_findings[asks]
    live = _group_by_subject(
        frame.loc[asks].assign(application=_find_applications(audit.findings)[asks], priority=priorities)
    )
    starts = np.flatnonzero(live["action"].diff().ne(0).to_numpy())
    bounds = list(pairwise([*starts.tolist(), len(live)]))[:most]
    highest = live.take(starts[:most])
    organizations = audit.organizations.take(highest["organization_row"])
    tokens = audit.tokens.reindex(highest["token_row"].where(highest["token_row"] >= 0))
    columns = {
        "organization_id": convert_to_plain(organizations["organization_id"]),
        "organization_name": convert_to_plain(organizations["name"]),
        "contact": convert_to_plain(highest["owner"]),
        "token_id": convert_to_plain(tokens["token_id"]),
        "fingerprint": convert_to_plain(tokens["fingerprint"]),
        "description": convert_to_plain(tokens["description"]),
        "severity": [Severity(severity) for severity in highest["severity"]],
        "due_at": convert_to_plain(highest["first_due"]),
        "why": convert_to_plain(highest["message"]),
        "position": convert_to_plain(highest["position"]),
        "priority": convert_to_plain(highest["priority"]),
        "also": _name_related(audit, live, highest["subject"]),
        "stops": _describe_stops(audit, highest),
        "overdue_days": [_count_overdue(due, audit.as_of) for due in convert_to_plain(highest["first_due"])],
    }
    rule_ids = convert_to_plain(highest["rule_id"])
    rows = zip(*columns.values(), strict=True)
    for (start, end), rule_id, values in zip(bounds, rule_ids, rows, strict=True):
        yield _make_action(audit, rule_id, end - start, dict(zip(columns, values, strict=True)))


def _describe_stops(audit: Audit, highest: pd.DataFrame) -> list[str]:
    """Return for the first finding of each action which consumers stop when; empty for rules about something else."""
    rows = highest["token_row"]
    expires = convert_to_plain(audit.tokens["expires_at"].reindex(rows.where(rows >= 0)))
    rule_ids = convert_to_plain(highest["rule_id"])
    return [
        f"{spoken_day(when)} {when:%H:%M} UTC: {describe_consumers(consumers)}"
        if consumers and rule_id in EXPIRIES and when
        else ""
        for consumers, when, rule_id in zip(audit.consumers_of(rows), expires, rule_ids, strict=True)
    ]


def _count_overdue(due_at: datetime | None, as_of: datetime) -> int | None:
    return (as_of - due_at).days if due_at is not None and due_at < as_of else None


def _find_applications(findings: Findings) -> np.ndarray:
    """For each finding the OAuth application that it is about; empty where it is about none."""
    rule_ids = findings.frame["rule_id"].astype(object).to_numpy()
    named = np.full(len(rule_ids), "", dtype=object)
    for rule_id, evidence in findings.evidence.items():
        if "application_id" in evidence:
            hit = rule_ids == rule_id
            rows = findings.frame["evidence_row"].to_numpy()[hit]
            named[hit] = evidence["application_id"].astype(object).to_numpy()[rows]
    return named


def _group_by_subject(live: pd.DataFrame) -> pd.DataFrame:
    """Return the findings action after action, in the order of priority, first due date and highest severity.

    Adds `subject` and `action` (0, 1, 2 …), `first_due` and `position` (in `Findings.frame`); the most severe of an
    action comes first.
    """
    subject = ["organization_row", "token_row", "application"]
    live = live.assign(position=live.index, weight=-live["severity"].cat.codes.astype(int))
    groups = live.groupby(["priority", *subject], sort=False)
    live = live.assign(
        subject=live.groupby(subject, sort=False).ngroup(),
        first_due=groups["due_at"].transform("min"),
        highest=groups["weight"].transform("min"),
    )
    live = live.sort_values(["priority", "first_due", "highest", *subject, "weight"], kind="stable", ignore_index=True)
    return live.assign(action=live.groupby(["priority", "subject"], sort=False).ngroup())


def _name_related(audit: Audit, live: pd.DataFrame, subjects: pd.Series) -> Iterator[tuple[str, ...]]:
    """Yield for the first finding of each action the names of the other rules that flag its subject."""
    pairs = live[["subject", "rule_id"]].drop_duplicates()
    rules: dict[int, list[str]] = {}
    for subject, rule_id in zip(convert_to_plain(pairs["subject"]), convert_to_plain(pairs["rule_id"]), strict=True):
        rules.setdefault(subject, []).append(rule_id)
    own = convert_to_plain(live["rule_id"].take(subjects.index))
    for subject, rule_id in zip(convert_to_plain(subjects), own, strict=True):
        yield tuple(audit.rules[each].name.replace("-", " ") for each in rules[subject] if each != rule_id)


def _make_action(audit: Audit, rule_id: str, many: int, facts: dict[str, Any]) -> Action:
    organization = facts["organization_name"]
    is_token = facts["token_id"] is not None
    return Action(
        **facts,
        subject=called(facts["description"], organization, facts["fingerprint"]) if is_token else organization,
        what=audit.rules[rule_id].remediation,
        findings=many,
    )


def count_expiries(audit: Audit) -> list[Month]:
    """The unexpired tokens by month of expiry, for the month of as_of and the eleven after it, as far as there are."""
    as_of = pd.Timestamp(audit.as_of)
    ahead = audit.tokens.loc[audit.expiring, "expires_at"]
    soon = ahead[ahead - as_of <= pd.Timedelta(days=find_soon_days(audit))]
    per_month, soon_per_month = (_count_by_month(instants) for instants in (ahead, soon))
    first = _make_key(audit.as_of)
    return [
        Month(_take_first(key), per_month.get(key, 0), soon_per_month.get(key, 0))
        for key in range(first, min(first + MONTHS, _make_key(LAST) + 1))
    ]


def find_soon_days(audit: Audit) -> int:
    """Return the length of the widest window of EXP002 in days."""
    windows = audit.policy.effective_options(audit.rules["EXP002"]).model_dump()["windows"]
    return max(windows.values(), default=audit.policy.next_audit.days)


def _make_key(month: datetime) -> int:
    return month.year * 12 + month.month


def _take_first(key: int) -> datetime:
    return datetime((key - 1) // 12, (key - 1) % 12 + 1, 1, tzinfo=UTC)


def _count_by_month(instants: pd.Series) -> dict[int, int]:
    counts = (instants.dt.year * 12 + instants.dt.month).value_counts()
    return {int(month): int(many) for month, many in counts.items()}


def count_permissions(audit: Audit) -> dict[str, int]:
    """Unexpired tokens by what they may do; every token is counted once."""
    tokens = audit.tokens[~audit.expired]
    flags = {
        name: tokens[f"{name}_enabled"].fillna(value=False).to_numpy(dtype=bool) for name in ("read", "write", "delete")
    }
    unknown = tokens[["read_enabled", "write_enabled", "delete_enabled"]].isna().any(axis=1).to_numpy()
    full = flags["read"] & flags["write"] & flags["delete"]
    delete = flags["delete"] & ~full
    write = flags["write"] & ~flags["delete"]
    privileged = flags["write"] | flags["delete"]
    return {
        "read, write and delete": int(full.sum()),
        "delete": int(delete.sum()),
        "write": int(write.sum()),
        "unknown": int((unknown & ~privileged).sum()),
        "read-only": int((flags["read"] & ~privileged & ~unknown).sum()),
        "none": int((~flags["read"] & ~privileged & ~unknown).sum()),
    }

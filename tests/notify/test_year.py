"""A year of monthly messages, held against a count in plain Python that knows nothing of the history."""

import math
from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from credly_audit.audit.model import Audit
from credly_audit.config.settings import NotifySettings
from credly_audit.history.store import History
from credly_audit.notify.notices import Notices
from tests.notify.conftest import Mailbox
from tests.year import Year

TEAM = "security@example.org"
THRESHOLDS = (60, 35, 14, 7, 1)
REMIND_EVERY = 60
COVERAGE = {"COV001", "COV002", "COV003", "COV004"}
EXPIRES = {"EXP002": "expires_at", "INV003": "last_expires_at", "COV005": "credential_expires_at"}


class ShortYear(Year):
    """A year of few organizations, two of which have one contact."""

    def contact(self, place: int) -> str:
        return f"badges-{place % 4}@northgate.example"


class Person:
    """What one recipient heard, by finding: the fewest days left, whether it was overdue, and the day."""

    def __init__(self) -> None:
        self.heard: dict[str, tuple[float, bool, datetime]] = {}
        self.verdict: str | None = None

    def listen(self, rows: list[dict[str, Any]], statuses: list[str], at: datetime) -> Counter[str] | None:
        """Return what the message of an audit counts; None: there is none."""
        there = {row["finding_id"] for row in rows if not row["waived"]}
        self.heard = {finding: told for finding, told in self.heard.items() if finding in there}
        asking = [row for row in rows if not row["waived"] and row["status"] != "unseen" and row["severity"] != "info"]
        violated = any(row["severity"] in {"high", "critical"} and row["rule_id"] not in COVERAGE for row in asking)
        verdict = "incomplete" if set(statuses) != {"complete"} else "violations" if violated else "pass"
        if verdict == "pass" or not asking:
            return None
        why = {row["finding_id"]: self.find_reason(row, at) for row in asking}
        if "remind" in why.values():
            why = {finding: "remind" if reason == "lasting" else reason for finding, reason in why.items()}
        news = {finding: reason for finding, reason in why.items() if reason not in {None, "lasting"}}
        if not news and verdict in {self.verdict, "violations"}:
            return None
        for row in asking:
            if row["finding_id"] in news:
                self.hear(row, at)
        self.verdict = verdict
        return Counter(str(reason) for reason in news.values())

    def find_reason(self, row: dict[str, Any], at: datetime) -> str | None:
        told = self.heard.get(row["finding_id"])
        if told is None:
            return "new"
        left = days_left(row, at)
        passed = [days for days in THRESHOLDS if left <= days < told[0]]
        if passed:
            return f"within {min(days for days in THRESHOLDS if left <= days)}"
        if is_overdue(row, at) and not told[1]:
            return "overdue"
        if not is_overdue(row, at) and row["rule_id"] not in COVERAGE:
            return None
        return "remind" if (at.date() - told[2].date()).days >= REMIND_EVERY else "lasting"

    def hear(self, row: dict[str, Any], at: datetime) -> None:
        before = self.heard.get(row["finding_id"], (math.inf, False, at))
        self.heard[row["finding_id"]] = (min(before[0], days_left(row, at)), before[1] or is_overdue(row, at), at)


def days_left(row: dict[str, Any], at: datetime) -> float:
    if row["rule_id"] not in EXPIRES:
        return math.inf
    return math.ceil((row["evidence"][EXPIRES[row["rule_id"]]] - at) / timedelta(days=1))


def is_overdue(row: dict[str, Any], at: datetime) -> bool:
    return bool(row["due_at"] is not None and row["due_at"] < at)


class Count:
    """The messages of a year, by recipient and month, as this test counts them."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {}

    def expect(self, audit: Audit) -> dict[str, Counter[str]]:
        """Return what the message to each recipient of an audit counts."""
        rows = list(audit.findings.records())
        organizations = audit.organizations[["organization_id", "contact", "status"]].astype(object)
        places = [tuple(each) for each in organizations.itertuples(index=False)]
        theirs = {TEAM: {each for each, _, _ in places}}
        for each, contact, _ in places:
            theirs.setdefault(contact, set()).add(each)
        expected = {}
        for address, ids in theirs.items():
            own = [row for row in rows if row["organization_id"] in ids]
            statuses = [status for each, _, status in places if each in ids]
            news = self.people.setdefault(address, Person()).listen(own, statuses, audit.as_of)
            if news is not None:
                expected[address] = news
        return expected


def test_a_year_of_messages_is_what_an_independent_count_says(tmp_path: Path, mailbox: Mailbox) -> None:
    history = History.opened(f"sqlite:///{tmp_path}/h.sqlite", tmp_path / "credly-audit.toml", {}, create=True)
    assert history is not None
    settings = NotifySettings(
        urls=("env:TEAM",), contacts="env:SMTP", thresholds=THRESHOLDS, remind_every_days=REMIND_EVERY
    )
    notices = Notices.from_settings(settings, Path(), {"TEAM": f"{mailbox.url}&to={TEAM}", "SMTP": mailbox.url})
    count, messages = Count(), Counter[str]()
    recorded: Audit | None = None

    def tell(audit: Audit) -> None:
        mailbox.envelopes.clear()
        notices.send(audit, {}, history.open_messages(None))
        expected = count.expect(audit)
        assert mailbox.recipients == sorted(expected)
        for [address], mail in mailbox.envelopes:
            messages[address] += 1
            assert describe(expected[address]) in mail["Subject"] or messages[address] == 1

    for audit in ShortYear(organizations=5, tokens=3, audits=12).play(history):
        if recorded is not None:
            tell(recorded)
        recorded = audit
    assert recorded is not None
    tell(recorded)

    assert len(messages) == 5
    assert 20 < messages.total() < 12 * 5, "not every month for everyone"


def describe(news: Counter[str]) -> str:
    """Return the counts as a subject has them."""
    within = sorted((int(reason.split()[1]), many) for reason, many in news.items() if reason.startswith("within"))
    new, overdue, remind = (news[reason] for reason in ("new", "overdue", "remind"))
    parts = [f"{new} new finding{'s' * (new != 1)}"] if new else []
    parts += [f"{many} expire{'s' * (many == 1)} within {days} day{'s' * (days != 1)}" for days, many in within]
    parts += [f"{overdue} finding{'s are' if overdue != 1 else ' is'} overdue"] if overdue else []
    parts += [f"{remind} reminder{'s' * (remind != 1)}"] if remind else []
    return ", ".join(parts)

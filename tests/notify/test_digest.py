"""Who hears what, and when again: each test plays audits against a history and reads what a real mail server got."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from credly_audit.audit.memory import Undelivered
from credly_audit.audit.model import Audit
from credly_audit.config.settings import NotifySettings
from credly_audit.history.store import History
from credly_audit.notify.correspondence import name_recipients
from credly_audit.notify.notices import Notices
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints
from tests.build import AS_OF, BETA, organization, token, waiver
from tests.history.months import Months, when
from tests.notify.conftest import Mailbox
from tests.notify.test_notices import SEVERE, text_of

TEAM = "security@example.org"
CRM, IT = "crm@acme.example", "it@beta.example"
PLACES = [organization(contact=CRM), organization(BETA, contact=f"IT desk <{IT}>")]
DISABLED = ["EXP004", "CHG"]

QUIET: dict[str, Any] = {"due_days": {"high": 900}}
"""A policy by which nothing becomes overdue."""

GRAVE = token(1, **SEVERE, expires_at=AS_OF + timedelta(days=900))


class Team:
    """A team and two contacts who are told of audits, one after the other."""

    def __init__(self, history: History, mailbox: Mailbox, **notify: Any) -> None:
        self.history, self.mailbox = history, mailbox
        environ = {"TEAM": f"{mailbox.url}&to={TEAM}", "SMTP": mailbox.url}
        settings = {"urls": ["env:TEAM"], "contacts": "env:SMTP", "on": ["violations", "incomplete"]} | notify
        self.notices = Notices.from_settings(NotifySettings.model_validate(settings), Path(), environ)

    def hears(
        self,
        day: float,
        tokens: Sequence[dict[str, Any]],
        organizations: Sequence[dict[str, Any]] = PLACES,
        *,
        key: Fingerprints | None = None,
        **said: Any,
    ) -> dict[str, str]:
        """Audit, record, tell; return the text of what each address got."""
        audit = Months(self.history).audit((day + 0.4) / 30, tokens, organizations, **{"disable": DISABLED} | said)
        return self.hear(audit, key=key)

    def hear(self, audit: Audit, *, key: Fingerprints | None = None) -> dict[str, str]:
        self.mailbox.envelopes.clear()
        self.notices.send(audit, {}, self.history.open_messages(key))
        assert len(self.mailbox.recipients) == len(set(self.mailbox.recipients)), "one message a run"
        return {address: text_of(mail) for [address], mail in self.mailbox.envelopes}

    @property
    def undelivered(self) -> tuple[Undelivered, ...]:
        return name_recipients(self.history.undelivered(), [CRM, IT], None)


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history that has just begun."""
    return open_history(tmp_path)


def open_history(folder: Path, name: str | None = None) -> History:
    history = History.opened(
        f"sqlite:///{folder}/history.sqlite", folder / "credly-audit.toml", {}, name=name, create=True
    )
    assert history is not None
    return history


@pytest.fixture
def team(history: History, mailbox: Mailbox) -> Team:
    return Team(history, mailbox)


def test_each_hears_of_a_finding_once(team: Team) -> None:
    first = team.hears(0, [GRAVE])
    again = team.hears(3, [GRAVE])
    more = team.hears(6, [GRAVE, token(2, BETA, **SEVERE)])

    assert set(first) == {TEAM, CRM}
    assert "This is the first message to this address" in first[CRM]
    assert again == {}
    assert set(more) == {TEAM, IT}
    assert "Since the message of 23 Nov 2026: 1 new finding." in more[TEAM]
    assert "number 2" in more[TEAM]
    assert "number 1" not in more[TEAM]


@pytest.mark.parametrize(
    ("thresholds", "days"),
    [((60, 35, 14, 7, 1), [60, 35, 14, 7, 1]), ((14, 1), [60, 14, 1]), ((), [60])],
)
def test_an_expiration_is_told_at_each_threshold(
    history: History, mailbox: Mailbox, thresholds: tuple[int, ...], days: list[int]
) -> None:
    team = Team(history, mailbox, thresholds=thresholds, on=["violations", "incomplete", "pass"])
    expires = AS_OF + timedelta(days=62)
    told = [
        left
        for left in (62, 60, 36, 35, 34, 14, 7, 1)
        if CRM in team.hears(62 - left, [token(1, expires_at=expires)], PLACES[:1], disable=["INV", *DISABLED])
    ]

    assert told == days
    if thresholds:
        assert {mail["Subject"] for _, mail in mailbox.envelopes} == {"credly-audit: 1 expires within 1 day"}


def test_thresholds_that_are_removed_or_added_repeat_nothing(history: History, mailbox: Mailbox) -> None:
    expires = AS_OF + timedelta(days=40)

    def hears(day: int, *thresholds: int) -> bool:
        team = Team(history, mailbox, thresholds=thresholds, on=["violations", "pass"])
        return CRM in team.hears(day, [token(1, expires_at=expires)], PLACES[:1], disable=["INV", *DISABLED])

    assert hears(0, 60, 35, 14)
    assert not hears(1, 60, 14)
    assert not hears(6, 60, 50, 14)
    assert hears(10, 60, 30)
    assert not hears(11, 60, 35, 30)


def test_overdue_work_is_told_and_reminded_of(team: Team) -> None:
    heard = {day: team.hears(day, [GRAVE]).get(CRM, "") for day in (0, 13, 15, 30, 44, 45, 46, 75)}

    assert {day for day, said in heard.items() if said} == {0, 15, 45, 75}
    assert "1 finding is overdue." in heard[15]
    assert "Overdue since 7 Dec 2026 (1 day)." in heard[15]
    assert "Since the message of 8 Dec 2026: 1 reminder." in heard[45]


def test_reminders_come_together(history: History, mailbox: Mailbox) -> None:
    team = Team(history, mailbox, remind_every_days=10)
    two = [GRAVE, token(2, **SEVERE)]

    heard = {day: team.hears(day, two if day >= 4 else [GRAVE]).get(CRM, "") for day in (0, 4, 15, 19, 25, 35)}

    assert [day for day, said in heard.items() if said] == [0, 4, 15, 19, 25, 35]
    assert "Since the message of 12 Dec 2026: 2 reminders." in heard[25]


def test_an_organization_that_becomes_incomplete_is_news_and_is_reminded_of(team: Team) -> None:
    failed = [PLACES[0], organization(BETA, contact=IT, status="failed", reason="HTTP 503, five times.")]
    both = [GRAVE, token(2, BETA, **SEVERE)]
    team.hears(0, both, **QUIET)

    heard = {day: team.hears(day, [GRAVE], failed, **QUIET) for day in (1, 2, 31, 32)}

    assert {day: set(each) for day, each in heard.items()} == {1: {TEAM, IT}, 2: set(), 31: {TEAM, IT}, 32: set()}
    assert "Beta: HTTP 503, five times." in heard[1][IT]
    assert "Beta: HTTP 503, five times." in heard[31][IT]
    assert "number 2" not in heard[31][TEAM], "carried over: not assessed"
    assert team.hears(33, both, **QUIET) == {}


def test_what_comes_back_is_news(team: Team) -> None:
    accepted = {"waivers": [waiver("PRM", expires=AS_OF.date() + timedelta(days=100))]}
    harmless = token(1, expires_at=AS_OF + timedelta(days=900))

    assert set(team.hears(0, [GRAVE])) == {TEAM, CRM}
    assert team.hears(3, [harmless]) == {}
    assert "1 new finding" in team.hears(6, [GRAVE])[CRM], "reopened"
    assert team.hears(9, [GRAVE], **accepted) == {}
    assert "1 new finding" in team.hears(12, [GRAVE])[CRM], "no longer accepted"


def test_a_verdict_that_becomes_pass_is_told_where_it_is_to_be(history: History, mailbox: Mailbox) -> None:
    team = Team(history, mailbox, on=["violations", "pass"])
    clean = token(1, expires_at=AS_OF + timedelta(days=150))

    assert set(team.hears(0, [GRAVE])) == {TEAM, CRM}
    [said] = team.hears(3, [clean]).values()
    assert "Pass: 1 token of 2 organizations" in said
    assert "the verdict was violations" in said
    assert team.hears(6, [clean]) == {}


def test_what_was_not_delivered_is_sent_at_the_next_run(team: Team, mailbox: Mailbox) -> None:
    mailbox.unknown = {CRM}
    assert set(team.hears(0, [GRAVE])) == {TEAM}
    [lost] = team.undelivered
    assert (lost.recipient.name, lost.recipient.channel) == (CRM, "E-Mail")
    assert lost.reason == "the mail server refused the recipient (550)"
    mailbox.unknown = set()

    [(address, said)] = team.hears(3, [GRAVE]).items()

    assert address == CRM
    assert "It holds what could not be delivered on 23 Nov 2026, too." in said
    assert team.undelivered == ()
    assert team.hears(6, [GRAVE]) == {}


def test_what_was_not_delivered_and_is_resolved_is_dropped(team: Team, mailbox: Mailbox) -> None:
    mailbox.refuses = True
    team.hears(0, [GRAVE])
    assert len(team.undelivered) == 2
    mailbox.refuses = False

    assert team.hears(3, [token(1)]) == {}
    assert team.undelivered == ()


def test_where_no_mail_gets_through_all_of_it_is_sent_at_the_next_run(history: History, mailbox: Mailbox) -> None:
    team = Team(history, mailbox, urls=[])
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(5)]
    places = [organization(each, contact=f"{each[:8]}@acme.example", status="failed") for each in ids]
    mailbox.refuses = True
    team.hears(0, [], places)
    assert len(team.undelivered) == 5
    mailbox.refuses = False

    assert len(team.hears(3, [], places)) == 5


def test_a_clock_that_was_ahead_silences_nothing(team: Team) -> None:
    expiring = token(1, **SEVERE, expires_at=AS_OF + timedelta(days=50))
    assert set(team.hears(0, [expiring])) == {TEAM, CRM}
    assert set(team.hears(49, [expiring])) == {TEAM, CRM}, "ahead by 49 days"

    assert team.hears(1, [expiring]) == {}
    assert "1 expires within 35 days" in team.hears(15, [expiring])[CRM]


def test_configurations_that_share_a_history_have_memories_of_their_own(mailbox: Mailbox, tmp_path: Path) -> None:
    for name in ("one", "other"):
        team = Team(open_history(tmp_path, name), mailbox)
        assert set(team.hears(0, [GRAVE])) == {TEAM, CRM}
        assert team.hears(3, [GRAVE]) == {}


def test_the_history_holds_no_address(team: Team, mailbox: Mailbox, tmp_path: Path) -> None:
    mailbox.unknown = {IT}
    team.hears(0, [GRAVE, token(2, BETA, **SEVERE)])

    kept = b"".join(path.read_bytes() for path in tmp_path.glob("history.sqlite*")).lower()
    assert b"env:team" in kept
    assert b"it desk" in kept
    assert not [each for each in (TEAM, CRM, IT, mailbox.url) if each.encode() in kept]


def test_recipients_are_known_by_the_fingerprint_key_where_there_is_one(team: Team, mailbox: Mailbox) -> None:
    key = Fingerprints(Secret("MADE-UP-fingerprint-key"))
    mailbox.unknown = {CRM}
    team.hears(0, [GRAVE], key=key)

    found = team.history.undelivered()
    assert found.key is None
    [lost] = name_recipients(found, [f"The team <{CRM}>"], key)
    assert lost.recipient.name == CRM
    [unnamed] = name_recipients(found, [CRM], None)
    assert unnamed.recipient.name is None


def test_what_was_sent_of_open_findings_is_not_forgotten(team: Team) -> None:
    quiet = QUIET | {"disable": ["EXP", "CHG", "DOC", "INV"]}
    team.hears(-120, [GRAVE, token(2, **SEVERE)], **quiet)
    team.hears(-90, [GRAVE, token(3, BETA, **SEVERE)], **quiet)
    assert count_rows(team) == {"messages": 4, "message_items": 6}

    later = Months(team.history, record=False).audit(-1, [GRAVE], PLACES, **quiet)
    team.history.record(later, keep_days=45)

    assert count_rows(team) == {"messages": 2, "message_items": 2}, "what is resolved is forgotten"
    assert team.hears(-20, [GRAVE], **quiet) == {}
    assert team.hears(-10, [], PLACES, **quiet) == {}
    team.history.purge(when(-0.5))
    assert count_rows(team) == {"messages": 0, "message_items": 0}


def count_rows(team: Team) -> dict[str, int]:
    with team.history.database.reading() as connection:
        return {
            table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()  # noqa: S608 - our own names
            for table in ("messages", "message_items")
        }


def test_a_history_that_is_purged_forgets_the_messages(team: Team) -> None:
    team.hears(0, [GRAVE])
    team.history.purge(None)

    assert count_rows(team) == {"messages": 0, "message_items": 0}
    assert team.history.undelivered().key is None
    assert "This is the first message" in team.hears(1, [GRAVE])[CRM]


def test_a_history_that_cannot_be_written_keeps_no_message_back(
    team: Team, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    team.hears(0, [token(3)])
    with sqlite3.connect(tmp_path / "history.sqlite") as connection:
        connection.execute("CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(FAIL, 'full'); END")

    assert set(team.hears(3, [GRAVE])) == {TEAM, CRM}
    assert caplog.text.count("a message may be repeated") == 1


def test_a_message_names_the_tokens_their_dates_and_so_many(team: Team) -> None:
    many = [token(number, **SEVERE, expires_at=AS_OF + timedelta(days=900)) for number in range(1, 12)]

    said = team.hears(0, many)[CRM]

    assert said.count("Due 7 Dec 2026 (in 14 days).") == 8
    assert "   - and 3 more" in said


def test_the_guidance_and_the_title_are_in_every_message(team: Team) -> None:
    audit = Months(team.history).audit(0, [GRAVE], PLACES)
    words = replace(audit.presentation, title="Acme Identity", guidance="Ask *the team* first.")

    team.hear(replace(audit, presentation=words))

    for _, mail in team.mailbox.envelopes:
        assert mail["Subject"].startswith("Acme Identity: Violations: ")
        html = mail.get_body(("html",))
        assert html is not None
        assert "Ask <em>the team</em> first." in html.get_content()
        assert "This is the first message to this address" in html.get_content()

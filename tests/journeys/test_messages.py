"""Messages with memory, as a person sees them: `run`, `check`, `doctor` and `notify test`, and a run that is killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import openpyxl
import pytest

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command
from tests.journeys.test_notify import told
from tests.journeys.test_run import AS_OF_DATE, JSON_ONLY
from tests.notify.conftest import Mailbox, Receiver, mailbox, receiver

__all__ = ["mailbox", "receiver", "told"]

CRM, TEAM = "crm@acme.example", "security@example.org"
RUN = ("run", *JSON_ONLY, "--as-of")
LATER = "2026-11-24"
BOTH = [CRM, TEAM]


def take(mailbox: Mailbox) -> list[str]:
    """Return who got a mail, and forget it."""
    recipients = mailbox.recipients
    mailbox.envelopes.clear()
    return recipients


def test_a_run_tells_what_is_new_and_the_heartbeat_goes_on(told: Command, mailbox: Mailbox, receiver: Receiver) -> None:
    assert told(*RUN, AS_OF_DATE).code == 1
    assert take(mailbox) == BOTH

    done = told(*RUN, LATER, "--verbose")
    assert done.code == 1
    assert take(mailbox) == []
    assert f"no notification by E-Mail to {CRM}: nothing is new" in done.err
    assert [path for _, path, *_ in receiver.asked] == ["/beat", "/beat"]

    assert told(*RUN, LATER, "--no-history").code == 1
    assert take(mailbox) == BOTH, "without a history, everything"


def test_check_remembers_only_with_record(told: Command, mailbox: Mailbox, tmp_path: Path) -> None:
    told("collect", "-o", "today.snapshot")
    check = ("check", "today.snapshot", "--output", "json=a.json", "--notify", "--as-of")
    database = tmp_path / "state/credly-audit/history.sqlite"
    told(*check, AS_OF_DATE, "--record")
    assert take(mailbox) == BOTH
    before = database.read_bytes()

    told(*check, LATER)
    assert take(mailbox) == BOTH, "sent as ever, and not remembered"
    assert database.read_bytes() == before
    told(*check, LATER, "--record")
    assert take(mailbox) == []


def test_what_was_not_delivered_is_on_the_first_screens_and_is_sent_again(
    told: Command, mailbox: Mailbox, tmp_path: Path
) -> None:
    mailbox.unknown = {CRM}
    told(*RUN, AS_OF_DATE)
    assert take(mailbox) == [TEAM]
    day = "the mail server refused the recipient (550)"
    said = f"Not delivered: 1 message on an earlier audit, to {CRM} (E-Mail, 23 Nov 2026: {day})"
    doctor = told("doctor")
    assert f"Messages      {said}" in doctor.out
    [lost] = json.loads(told("doctor", "--format", "json").out)["history"]["undelivered"]
    assert (lost["recipient"]["name"], lost["reason"]) == (CRM, day)

    formats = ("--format", "html", "--format", "xlsx", "--format", "markdown", "--split-by", "contact")
    done = told("run", *formats, "--as-of", LATER, "--no-notify")
    assert said in done.out
    reports = tmp_path / "reports"
    assert said in (reports / f"credly-audit-{LATER}.html").read_text()
    assert "Not delivered: 1 message" in (reports / f"credly-audit-{LATER}.md").read_text()
    sheet = openpyxl.load_workbook(reports / f"credly-audit-{LATER}.xlsx")["Summary"]
    assert [cell.value for row in sheet for cell in row if str(cell.value).startswith(said)]
    parts = list(reports.glob("*by-contact*.html"))
    assert parts
    assert not [path for path in parts if "Not delivered" in path.read_text()]

    mailbox.unknown = set()
    told(*RUN, "2026-11-25")
    assert take(mailbox) == [CRM]
    assert "Messages " not in told("doctor").out
    assert "Not delivered" not in told(*RUN, "2026-11-26").out


def test_a_run_killed_between_sending_and_recording_sends_again_and_says_so(
    told: Command, mailbox: Mailbox, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "credly_audit", *RUN, AS_OF_DATE]
    running: list[subprocess.Popen[bytes]] = []

    def kill() -> None:
        running[0].kill()

    mailbox.on_mail = kill
    with subprocess.Popen(command, cwd=tmp_path, env=dict(os.environ), stderr=subprocess.PIPE) as process:
        running.append(process)
        assert process.wait(120) == -9
    mailbox.on_mail = None
    assert take(mailbox) == [TEAM]

    doctor = told("doctor").out
    assert "to env:TEAM (E-Mail, 23 Nov 2026: not known, as that run was interrupted)" in doctor
    done = told(*RUN, LATER)

    [(_, mail)] = [each for each in mailbox.envelopes if each[0] == [TEAM]]
    assert take(mailbox) == BOTH
    html = mail.get_body(("html",))
    assert html is not None
    assert "It may repeat a message on the audit of 23 Nov 2026: that run was interrupted" in html.get_content()
    assert "an earlier run was interrupted while it sent the message on the audit of 23 Nov 2026" in done.err
    told(*RUN, "2026-11-25")
    assert take(mailbox) == []


def test_a_run_for_one_organization_leaves_the_memory_of_the_others(
    told: Command, mailbox: Mailbox, sandbox: Sandbox
) -> None:
    beta = sandbox.world.organizations[1]
    told(*RUN, AS_OF_DATE)
    take(mailbox)

    told(*RUN, LATER, "--organization", beta.id)
    told(*RUN, "2026-11-25")

    assert take(mailbox) == []


def test_notify_test_sends_a_marked_message_to_each_channel_and_contact(
    told: Command, mailbox: Mailbox, receiver: Receiver, tmp_path: Path
) -> None:
    done = told("notify", "test")
    assert (done.code, done.out) == (0, f"env:TEAM (E-Mail): sent\n{CRM} (E-Mail): sent\n")
    assert {mail["Subject"] for _, mail in mailbox.envelopes} == {"[Test] credly-audit: test message"}
    assert take(mailbox) == BOTH

    mailbox.unknown = {CRM}
    config = tmp_path / "credly-audit.toml"
    config.write_text(config.read_text().replace('name = "Beta"', 'name = "Beta"\ncontact = "The IT desk"'))
    done = told("notify", "test")
    assert done.code == 4
    assert done.out.splitlines() == [
        "env:TEAM (E-Mail): sent",
        f"{CRM} (E-Mail): not sent: the mail server refused the recipient (550)",
        "The IT desk (E-Mail): not sent: the contact is not a mail address",
    ]
    mailbox.refuses = True
    assert "env:TEAM (E-Mail): not sent: check its address" in told("notify", "test").out
    assert not receiver.asked
    assert not (tmp_path / "state").exists()


def test_notify_test_needs_something_to_test(told: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEAM")
    done = told("notify", "test")
    assert (done.code, done.err) == (2, "credly-audit: [notify] urls: environment variable TEAM is not set\n")

    config = tmp_path / "credly-audit.toml"
    config.write_text(config.read_text().partition("[notify]")[0])
    done = told("notify", "test")
    assert done.code == 2
    assert done.err == "credly-audit: [notify]: there is nothing to test; set `urls` or `contacts`\n"

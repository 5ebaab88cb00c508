"""`run` and `check` tell people: when, by which way, and what becomes of the exit code."""

import io
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from openpyxl import load_workbook

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, configure
from tests.journeys.test_run import AS_OF_DATE, JSON_ONLY
from tests.notify.conftest import PASSWORD, Mailbox, Receiver, mailbox, receiver

__all__ = ["mailbox", "receiver"]

NOTIFY = """
[notify]
urls = ["env:TEAM"]
attach = ["xlsx"]
contacts = "env:SMTP"
heartbeat = "env:BEAT"
"""


@pytest.fixture
def told(
    credly_audit: Command,
    sandbox: Sandbox,
    mailbox: Mailbox,
    receiver: Receiver,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Command:
    """Acme has a token that may do everything, and a contact; the team, the contacts and a monitor are told."""
    config = configure(tmp_path, sandbox)
    config.write_text(
        config.read_text().replace('name = "Acme"', 'name = "Acme"\ncontact = "crm@acme.example"') + NOTIFY
    )
    grave = sandbox.world.organizations[0].tokens[1]
    grave.write_enabled = grave.delete_enabled = True
    monkeypatch.setenv("TEAM", f"{mailbox.url}&to=security@example.org")
    monkeypatch.setenv("SMTP", mailbox.url)
    monkeypatch.setenv("BEAT", f"http://{receiver.address}/beat")
    return credly_audit


def test_the_report_of_a_run_arrives_as_it_was_written(told: Command, mailbox: Mailbox, tmp_path: Path) -> None:
    done = told("run", "--as-of", AS_OF_DATE, "--format", "xlsx", "--verbose")

    assert done.code == 1, done.err
    mails = {recipient: mail for [recipient], mail in mailbox.envelopes}
    assert sorted(mails) == ["crm@acme.example", "security@example.org"]
    [attached] = mails["security@example.org"].iter_attachments()
    assert attached.get_content() == (tmp_path / "reports" / f"credly-audit-{AS_OF_DATE}.xlsx").read_bytes()
    [theirs] = mails["crm@acme.example"].iter_attachments()
    cells = {cell.value for sheet in load_workbook(io.BytesIO(theirs.get_content())) for row in sheet for cell in row}
    assert "Acme" in cells
    assert "Beta" not in cells
    assert PASSWORD not in done.out + done.err
    assert "notification sent by E-Mail" in done.err


def test_what_is_attached_need_not_be_written(told: Command, mailbox: Mailbox, tmp_path: Path) -> None:
    told("run", "--as-of", AS_OF_DATE, *JSON_ONLY)

    [attached] = mailbox.envelopes[0][1].iter_attachments()
    assert attached.get_filename() == f"credly-audit-{AS_OF_DATE}.xlsx"
    assert not list((tmp_path / "reports").glob("*.xlsx"))


def test_a_notice_that_fails_changes_no_exit_code(told: Command, mailbox: Mailbox, receiver: Receiver) -> None:
    mailbox.refuses, receiver.status = True, 503

    done = told("run", "--as-of", AS_OF_DATE, *JSON_ONLY, "--fail-on", "never", "--quiet")
    assert (done.code, done.out) == (0, "")
    assert "heartbeat was not accepted" in done.err
    done = told("run", "--as-of", AS_OF_DATE, *JSON_ONLY)
    assert done.code == 1
    assert "notification by E-Mail could not be sent" in done.err


def test_a_missing_address_is_said_before_anything_is_asked(
    told: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TEAM")

    done = told("run", *JSON_ONLY)

    assert done.code == 2
    assert done.err == "credly-audit: [notify] urls: environment variable TEAM is not set\n"
    assert not sandbox.requests
    assert not list((tmp_path / "reports").glob("*"))


def test_nobody_is_told_where_none_is_to_be(told: Command, mailbox: Mailbox, receiver: Receiver) -> None:
    assert told("run", "--as-of", AS_OF_DATE, *JSON_ONLY, "--no-notify").code == 1

    assert not mailbox.envelopes
    assert not receiver.asked


def test_a_subset_is_no_sign_that_the_whole_was_audited(told: Command, sandbox: Sandbox, receiver: Receiver) -> None:
    told("run", "--as-of", AS_OF_DATE, *JSON_ONLY, "--organization", sandbox.world.organizations[1].id)
    assert not receiver.asked

    told("run", "--as-of", AS_OF_DATE, *JSON_ONLY)
    assert [path for _, path, *_ in receiver.asked] == ["/beat"]


def test_a_run_that_fails_gives_no_sign_of_life(told: Command, receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way of the folder")

    assert told("run", *JSON_ONLY).code == 2
    assert not receiver.asked


def test_check_tells_only_where_it_is_asked_to(
    told: Command, mailbox: Mailbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    told("collect", "-o", "today.snapshot")
    team = os.environ["TEAM"]
    monkeypatch.delenv("TEAM")

    assert told("check", "today.snapshot", "--as-of", AS_OF_DATE, "--output", "json=a.json").code == 1
    assert not mailbox.envelopes
    monkeypatch.setenv("TEAM", team)
    told("check", "today.snapshot", "--as-of", AS_OF_DATE, "--output", "json=b.json", "--notify")
    assert mailbox.recipients == ["crm@acme.example", "security@example.org"]


@pytest.fixture
def monitored(sandbox: Sandbox, receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the configuration of two organizations whose runs a monitor follows."""
    config = configure(tmp_path, sandbox)
    config.write_text(f'{config.read_text()}\n[notify]\nheartbeat = "env:BEAT"\nheartbeat_protocol = "healthchecks"\n')
    monkeypatch.setenv("BEAT", f"http://{receiver.address}/beat/?key=1")
    return config


def beats(receiver: Receiver) -> list[str]:
    """Return the requests of a run, and forget them."""
    asked = [path for _, path, *_ in receiver.asked]
    receiver.asked.clear()
    return asked


@pytest.mark.parametrize("fails_on", [(), (1,), (3,), (1, 3)])
def test_a_monitor_hears_the_start_and_the_verdict_without_names(
    credly_audit: Command,
    sandbox: Sandbox,
    receiver: Receiver,
    monitored: Path,
    fails_on: tuple[int, ...],
) -> None:
    monitored.write_text(f"{monitored.read_text()}heartbeat_fails_on = {list(fails_on)}\n")
    acme, beta = sandbox.world.organizations

    for code, outcome in enumerate(["pass", "violations", None, "incomplete"]):
        if outcome is None:
            continue
        acme.tokens[1].write_enabled = acme.tokens[1].delete_enabled = outcome == "violations"
        beta.faults = ["status=401"] if outcome == "incomplete" else []
        done = credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY, "--no-history")
        assert done.code == code, done.err
        last = f"/beat/{code}?key=1" if code in fails_on else "/beat/?key=1"
        start, end = receiver.asked
        assert (start[:3], end[:2]) == (("POST", "/beat/start?key=1", b""), ("POST", last))
        assert end[2].decode().startswith(f"{outcome} (exit code {code})\n")
        assert not any(each.name.encode() in end[2] for each in (acme, beta))
        receiver.asked.clear()


def test_a_monitor_hears_of_a_run_without_a_verdict(
    credly_audit: Command, receiver: Receiver, monitored: Path, tmp_path: Path
) -> None:
    run = ("run", "--as-of", AS_OF_DATE, *JSON_ONLY)
    secret = tmp_path / "secret-1"
    token = secret.read_text()
    secret.unlink()
    assert credly_audit(*run).code == 2
    assert beats(receiver)[-1] == "/beat/2?key=1"
    secret.write_text(token)
    secret.chmod(0o600)

    assert credly_audit(*run, "--fail-on", "hihg").code == 2
    assert beats(receiver) == ["/beat/2?key=1"]

    full = ("--output", "csv=/dev/full")
    assert credly_audit(*run, *full).code == 4
    assert beats(receiver) == ["/beat/start?key=1", "/beat/4?key=1"]

    assert credly_audit(*run, "--organization", "Acme").code == 0
    assert credly_audit(*run, "--no-notify").code == 0
    assert beats(receiver) == []

    receiver.status = 500
    done = credly_audit(*run)
    assert done.code == 0
    assert "the heartbeat was not accepted (HTTPError)" in done.err
    assert receiver.address not in done.err

    monitored.write_text(
        monitored.read_text().replace('heartbeat_protocol = "healthchecks"', "heartbeat_fails_on = [1]")
    )
    done = credly_audit(*run)
    assert done.code == 2
    assert "heartbeat_fails_on needs heartbeat_protocol" in done.err


@pytest.mark.usefixtures("monitored")
def test_a_monitor_hears_of_a_run_that_is_interrupted(sandbox: Sandbox, receiver: Receiver, tmp_path: Path) -> None:
    sandbox.world.organizations[0].faults = ["stall"]
    command = [sys.executable, "-m", "credly_audit", "run", "--as-of", AS_OF_DATE, *JSON_ONLY]
    with subprocess.Popen(command, cwd=tmp_path, env=dict(os.environ), stderr=subprocess.PIPE) as process:
        deadline = time.monotonic() + 60
        while not sandbox.requests:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    assert beats(receiver) == ["/beat/start?key=1", "/beat/130?key=1"]


def test_apprise_is_loaded_for_those_alone_who_use_it(sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    run = "import sys; from credly_audit.cli.main import outcome; "
    run += "outcome(['run', '--format', 'json', '--quiet']); print('apprise' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", run], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert done.stdout.splitlines()[-1] == "False"

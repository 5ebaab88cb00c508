"""Whom an audit tells, and of what: each test reads what a real mail server or web server was sent."""

import io
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from openpyxl import load_workbook
from pydantic import ValidationError

from credly_audit.audit.model import Audit
from credly_audit.config.presentation import Presentation
from credly_audit.config.settings import NotifySettings
from credly_audit.errors import ConfigurationError
from credly_audit.notify.digest import Digest
from credly_audit.notify.notices import Notices
from credly_audit.process.extras import MissingExtra
from credly_audit.renderers.base import Renderer
from credly_audit.text import message
from tests.build import ACME, AS_OF, BETA, audited, organization, snapshot, token, waiver
from tests.notify.conftest import PASSWORD, Mailbox, Receiver
from tests.renderers.rendering import hostile, hostile_audit, tried

SEVERE = {"write_enabled": True, "delete_enabled": True}


def violated(**said: Any) -> Audit:
    """Acme has a token that may do everything, Beta has none."""
    places = [organization(contact="crm@acme.example"), organization(BETA, contact="it@beta.example")]
    rows = [token(1, description="Migration of the learning platform", **SEVERE), token(2, BETA)]
    return audited(snapshot(rows, places), **said)


def half_seen(**said: Any) -> Audit:
    """As `violated`, but Beta was not seen."""
    places = [
        organization(contact="crm@acme.example"),
        organization(BETA, contact="it@beta.example", status="failed", reason="HTTP 503, five times."),
    ]
    return audited(snapshot([token(1, **SEVERE)], places), **said)


def passed() -> Audit:
    return audited(snapshot([token(1)]))


def send(audit: Audit, environ: Mapping[str, str], **notify: Any) -> None:
    Notices.from_settings(NotifySettings.model_validate(notify), Path(), environ).send(audit, {})


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    content: str = part.get_content()
    return content.replace("\r\n", "\n")


def workbook_text(mail: EmailMessage) -> str:
    [attached] = mail.iter_attachments()
    book = load_workbook(io.BytesIO(attached.get_content()))
    return "\n".join(str(cell.value) for sheet in book for row in sheet.iter_rows() for cell in row if cell.value)


def test_a_mail_says_the_verdict_and_what_to_do_first(mailbox: Mailbox) -> None:
    send(violated(), {"TEAM": f"{mailbox.url}&to=security@example.org"}, urls=["env:TEAM"])

    [(recipients, mail)] = mailbox.envelopes
    assert recipients == ["security@example.org"]
    assert mail["Subject"].startswith("credly-audit: Violations: 1 policy violation.")
    assert "Approve or replace 1 token of 1 organization with full access" in text_of(mail)
    assert mailbox.logins == ["auditor"]


def test_a_contact_s_mail_has_the_team_s_title_its_guidance_and_a_page_with_what_to_do_and_by_when(
    mailbox: Mailbox,
) -> None:
    hostile = token(1, **SEVERE | {"description": "<script>alert(1)</script> of team CRM"})
    audit = audited(snapshot([hostile], [organization(contact="crm@acme.example")]))
    words = Presentation(title="Acme: badge tokens", guidance="# Ask first\n\nCall the **CISO** before you rotate.")
    address = f"{mailbox.url}&reply=security@acme.example"
    send(replace(audit, presentation=words), {"SERVER": address}, contacts="env:SERVER")

    [(recipients, mail)] = mailbox.envelopes
    assert recipients == ["crm@acme.example"]
    assert mail["Subject"].startswith("Acme: badge tokens: Violations: 1 policy violation.")
    assert mail["Reply-To"] == "security@acme.example"
    html = mail.get_body(("html",))
    assert html is not None
    page = html.get_content()
    assert "<strong>CISO</strong>" in page
    assert "Call the **CISO** before you rotate." in text_of(mail)
    assert "<script>" not in page
    assert "alert(1)" in page
    for said in (page, text_of(mail)):
        assert "Approve or replace 1 token of 1 organization with full access" in said
        assert audit.rules["PRM001"].remediation in said
        assert "7 Dec 2026 (in 14 days)" in said


def test_the_workbook_comes_with_the_mail(mailbox: Mailbox) -> None:
    send(violated(), {"TEAM": f"{mailbox.url}&to=security@example.org"}, urls=["env:TEAM"], attach=["xlsx"])

    [(_, mail)] = mailbox.envelopes
    [attached] = mail.iter_attachments()
    assert attached.get_filename() == "credly-audit-2026-11-23.xlsx"
    assert "Migration of the learning platform" in workbook_text(mail)


def test_a_webhook_gets_the_same_words(receiver: Receiver) -> None:
    send(violated(), {"HOOK": f"json://{receiver.address}/audits"}, urls=["env:HOOK"])

    [(method, path, content, _)] = receiver.asked
    assert (method, path) == ("POST", "/audits")
    assert json.loads(content)["message"] == Digest.of_everything(violated()).write_text()


@pytest.mark.parametrize(
    ("on", "ended", "told"),
    [
        ("violations", violated, True),
        ("violations", half_seen, True),
        ("violations", partial(half_seen, fail_on=("never",)), False),
        ("incomplete", partial(half_seen, fail_on=("never",)), True),
        ("incomplete", violated, False),
        ("violations", passed, False),
        ("incomplete", passed, False),
        ("pass", passed, True),
    ],
)
def test_what_is_told_is_what_was_asked_for(
    receiver: Receiver, on: str, ended: Callable[[], Audit], told: bool
) -> None:
    send(ended(), {"HOOK": f"json://{receiver.address}"}, urls=["env:HOOK"], on=[on])

    assert bool(receiver.asked) is told


def test_each_contact_gets_their_own_part_alone(mailbox: Mailbox) -> None:
    send(half_seen(), {"SMTP": mailbox.url}, contacts="env:SMTP", attach=["xlsx"])

    by_recipient = {recipient: mail for [recipient], mail in mailbox.envelopes}
    assert sorted(by_recipient) == ["crm@acme.example", "it@beta.example"]
    for recipient, others in (("crm@acme.example", ("Beta", BETA)), ("it@beta.example", ("Acme", ACME))):
        mail = by_recipient[recipient]
        everything = mail.as_string() + text_of(mail) + workbook_text(mail)
        assert not [word for word in others if word in everything]
    assert by_recipient["crm@acme.example"]["Subject"].startswith("credly-audit: Violations: 1 policy violation")
    assert "Beta: HTTP 503, five times." in text_of(by_recipient["it@beta.example"])


def test_a_contact_who_has_nothing_gets_no_mail(mailbox: Mailbox) -> None:
    send(violated(), {"SMTP": mailbox.url}, contacts="env:SMTP", on=["violations", "incomplete", "pass"])

    assert mailbox.recipients == ["crm@acme.example"]


def test_what_a_waiver_accepts_is_nothing_to_tell_a_contact(mailbox: Mailbox) -> None:
    send(half_seen(waivers=[waiver("PRM"), waiver("COV", BETA)]), {"SMTP": mailbox.url}, contacts="env:SMTP")

    assert mailbox.recipients == []


def test_findings_below_the_gate_are_told_to_a_contact_where_passes_are_told(mailbox: Mailbox) -> None:
    audit = audited(snapshot([token(1, description="test")]))

    send(audit, {"SMTP": mailbox.url}, contacts="env:SMTP")
    assert mailbox.recipients == []
    send(audit, {"SMTP": mailbox.url}, contacts="env:SMTP", on=["pass"])
    assert mailbox.recipients == ["crm-team@acme.example"]


def test_several_addresses_of_one_contact_each_get_the_mail(mailbox: Mailbox) -> None:
    places = [organization(contact="crm@acme.example, ciso@acme.example")]

    send(audited(snapshot([token(1, **SEVERE)], places)), {"SMTP": mailbox.url}, contacts="env:SMTP")

    assert mailbox.recipients == ["ciso@acme.example", "crm@acme.example"]


@pytest.mark.parametrize("contact", ["The CRM team", "crm@acme.example>, <all@acme.example", "@", ",", "a@b@c"])
def test_a_contact_that_is_no_mail_address_is_said(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture, contact: str
) -> None:
    audit = audited(snapshot([token(1, **SEVERE)], [organization(contact=contact)]))

    send(audit, {"SMTP": mailbox.url}, contacts="env:SMTP")

    assert mailbox.recipients == []
    assert "the contact is not a mail address" in caplog.text


def test_a_contact_who_is_not_to_be_told_need_not_be_a_mail_address(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    places = [organization(contact="The CRM team")]

    send(audited(snapshot([token(1, description="test")], places)), {"SMTP": mailbox.url}, contacts="env:SMTP")

    assert not caplog.records


def test_a_notice_that_fails_is_said_without_its_address(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    mailbox.refuses = True

    send(violated(), {"TEAM": f"{mailbox.url}&to=security@example.org"}, urls=["env:TEAM"])

    assert "notification by E-Mail could not be sent" in caplog.text
    assert PASSWORD not in caplog.text


def test_one_notice_that_fails_keeps_no_other_from_being_sent(receiver: Receiver, mailbox: Mailbox) -> None:
    mailbox.refuses = True
    hook, beat = f"json://{receiver.address}", f"http://{receiver.address}/beat"
    environ = {"TEAM": f"{mailbox.url}&to=a@example.org", "HOOK": hook, "SMTP": mailbox.url, "BEAT": beat}

    send(violated(), environ, urls=["env:TEAM", "env:HOOK"], contacts="env:SMTP", heartbeat="env:BEAT")

    assert [(method, path) for method, path, *_ in receiver.asked] == [("POST", "/"), ("GET", "/beat")]


def test_where_no_mail_gets_through_not_every_contact_is_tried(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.refuses = True
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(8)]
    places = [organization(each, contact=f"{each[:8]}@acme.example", status="failed") for each in ids]

    send(audited(snapshot([], places)), {"SMTP": mailbox.url}, contacts="env:SMTP")

    assert caplog.text.count("@acme.example could not be sent: ") == 3
    assert "no notification to 5 more contacts: mail cannot be sent" in caplog.text


def test_a_report_that_cannot_be_made_keeps_no_notice_back(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("MADE-UP")

    monkeypatch.setattr("credly_audit.renderers.xlsx.RENDERER", Renderer(".xlsx", broken))

    send(violated(), {"SMTP": mailbox.url}, contacts="env:SMTP", attach=["xlsx", "json"])

    [(_, mail)] = mailbox.envelopes
    assert "Top priorities" in text_of(mail)
    assert "the attachment of a notification could not be sent (KeyError)" in caplog.text
    assert "MADE-UP" not in caplog.text


@pytest.mark.parametrize("ended", [passed, half_seen])
def test_a_heart_beats_however_the_audit_ended(receiver: Receiver, ended: Callable[[], Audit]) -> None:
    send(ended(), {"BEAT": f"http://{receiver.address}/ping/made-up"}, heartbeat="env:BEAT")

    assert [(method, path) for method, path, *_ in receiver.asked] == [("GET", "/ping/made-up")]


def test_a_heartbeat_takes_no_credential_from_netrc(
    receiver: Receiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password MADE-UP")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))

    send(passed(), {"BEAT": f"http://{receiver.address}/ping"}, heartbeat="env:BEAT")

    [(*_, headers)] = receiver.asked
    assert "Authorization" not in headers


def test_a_heartbeat_that_is_not_heard_is_said_without_its_address(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500

    send(passed(), {"BEAT": f"http://{receiver.address}/MADE-UP-check-id"}, heartbeat="env:BEAT")

    assert "the heartbeat was not accepted (HTTPError)" in caplog.text
    assert "MADE-UP" not in caplog.text


def test_every_address_that_cannot_be_had_is_named_at_once() -> None:
    settings = NotifySettings.model_validate(
        {"urls": ["env:TEAM", "env:CHAT"], "contacts": "env:SMTP", "heartbeat": "env:BEAT"}
    )

    with pytest.raises(ConfigurationError) as raised:
        Notices.from_settings(settings, Path(), {"TEAM": "MADE-UP://nothing", "BEAT": "ftp://MADE-UP"})

    assert raised.value.mistakes == [
        "[notify] urls: environment variable CHAT is not set",
        "[notify] contacts: environment variable SMTP is not set",
        "[notify] urls: the value of env:TEAM is not an address that apprise supports",
        "[notify] heartbeat: the value of env:BEAT is not an http or https address",
    ]


@pytest.mark.parametrize(
    ("server", "why"),
    [
        ("json://127.0.0.1:1", "is no mail server such as mailtos://"),
        ("mailto://127.0.0.1:1/all@example.org?from=a@example.org", "names a recipient; leave that to each contact"),
    ],
)
def test_the_contacts_server_is_a_mail_server_without_recipients(server: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why):
        Notices.from_settings(NotifySettings(contacts="env:SMTP"), Path(), {"SMTP": server})


def test_without_apprise_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)

    with pytest.raises(MissingExtra, match=r"pip install 'credly-audit\[notify\]'"):
        Notices.from_settings(NotifySettings(urls=("env:CHAT",)), Path(), {"CHAT": "json://127.0.0.1"})
    Notices.from_settings(NotifySettings(heartbeat="env:BEAT"), Path(), {"BEAT": "https://ping.example/1"})


def test_apprise_says_nothing_of_its_own(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        send(violated(), {"TEAM": f"{mailbox.url}&to=security@example.org"}, urls=["env:TEAM"])

    assert mailbox.envelopes
    assert not [record for record in caplog.records if record.name.startswith("apprise")]


@tried
@given(hostile)
def test_hostile_text_mentions_nobody_and_links_nowhere(text: str) -> None:
    said = message(text, 5_000)

    assert "\n" not in said
    assert "\x1b" not in said
    assert not [mark for mark in ("://", "www.", "](", "<!", "<@", "<http", " @o", " #1") if mark in said]


def test_hostile_text_arrives_as_words(mailbox: Mailbox, receiver: Receiver) -> None:
    hostile_text = "<!channel> @everyone <https://e.example|x>\r\nBcc: all@e.example\x1b[31m <script>alert(1)</script>"
    environ = {"TEAM": f"{mailbox.url}&to=security@example.org", "HOOK": f"json://{receiver.address}"}

    send(hostile_audit(hostile_text), environ, urls=["env:TEAM", "env:HOOK"])

    [(recipients, mail)] = mailbox.envelopes
    assert recipients == ["security@example.org"]
    assert mail["Bcc"] is None
    [(*_, content, _)] = receiver.asked
    html = mail.get_body(("html",))
    assert html is not None
    for said in (text_of(mail), html.get_content(), json.loads(content)["message"]):
        assert "channel" in said
        assert not [mark for mark in ("<!channel", "@everyone", "https://", "\x1b", "<script") if mark in said]
        assert not [line for line in said.splitlines() if line.startswith("Bcc")]


def test_the_mail_names_twenty_of_those_not_seen() -> None:
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(23)]
    places = [organization(each, name=f"Org {each[:8]}", status="failed", reason="Refused.") for each in ids]

    said = Digest.of_everything(audited(snapshot([], places), as_of=AS_OF)).write_text()

    assert said.count(": Refused.\n") == 20
    assert "- and 3 more, in the report" in said


def test_the_team_s_mail_has_both_parts_and_a_reply_to(mailbox: Mailbox) -> None:
    url = f"{mailbox.url}&to=security@example.org"
    audit = replace(violated(), presentation=Presentation(title="Acme Identity", guidance="Ask *the team* first."))

    send(audit, {"TEAM": url}, urls=["env:TEAM"], reply_to="help@example.org")
    send(audit, {"TEAM": f"{url}&reply=other@example.org"}, urls=["env:TEAM"], reply_to="help@example.org")
    send(audit, {"SMTP": mailbox.url}, contacts="env:SMTP", reply_to="help@example.org")

    mails = [mail for _, mail in mailbox.envelopes]
    assert [mail["Reply-To"] for mail in mails] == ["help@example.org", "other@example.org", "help@example.org"]
    for mail in mails:
        part = mail.get_body(("html",))
        assert part is not None
        assert "Ask <em>the team</em> first." in part.get_content()
        assert "the team" in text_of(mail)
        assert "Approve or replace 1 token of 1 organization with full access" in text_of(mail)


@pytest.mark.parametrize("address", ["help", "a@x.example, b@x.example", "a@x.example\nBcc: b@x.example", "A <a@x.de>"])
def test_a_reply_to_that_is_not_one_mail_address_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="reply_to"):
        NotifySettings.model_validate({"reply_to": address})

"""Who a contact is: a part goes to exactly the address that is written, or its contact is named as not notified."""

import re
from unicodedata import normalize

import apprise
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credly_audit.audit.model import Audit
from credly_audit.errors import ConfigurationError
from credly_audit.notify.mail import Address, MailServer, NoServer, read_contact
from tests.build import audited, organization, snapshot, token
from tests.notify.conftest import Mailbox
from tests.notify.test_notices import SEVERE, send
from tests.renderers.rendering import tried

ATEXT = "abcXYZ019!#$%&'*+-/=?^_`{|}~"

LOCALS = st.one_of(
    st.lists(st.text(ATEXT + "äßЖ中", min_size=1, max_size=8), min_size=1, max_size=3).map(".".join),
    st.text(ATEXT + ' .,:;<>@()[]"\\', min_size=1, max_size=12).map(
        lambda text: '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    ),
)

DOMAINS = st.lists(
    st.from_regex(r"[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?", fullmatch=True), min_size=1, max_size=3
)

TROUBLE = st.text("ab@.,:;<>\"'\\ +()[]\n\r\t\0\u00a0\u200b\ufeffäß。", max_size=30)


def letters(text: str) -> str:
    return re.sub(r"[^a-zA-Z@.]", "", text)


def of_contacts(*contacts: str) -> Audit:
    """An organization with something to do for each."""
    ids = [f"{number:08x}-0000-4000-8000-000000000000" for number in range(len(contacts))]
    places = [organization(each, contact=contact) for each, contact in zip(ids, contacts, strict=True)]
    return audited(snapshot([token(number, each, **SEVERE) for number, each in enumerate(ids)], places))


@tried
@given(LOCALS, DOMAINS.map(".".join), st.sampled_from(["{}", " {}\n", "CRM team <{}>", '"Doe, John" <{}>', "\ufeff{}"]))
def test_an_address_is_read_as_it_is_written(local: str, domain: str, written: str) -> None:
    addresses, unusable = read_contact(written.format(f"{local}@{domain}"))

    assert [str(address) for address in addresses] == [f"{normalize('NFC', local)}@{domain.lower()}"]
    assert unusable == []


@tried
@given(TROUBLE)
def test_no_text_is_taken_for_an_address_that_is_not_in_it(text: str) -> None:
    addresses, unusable = read_contact(text)

    for address in addresses:
        assert f"{address.local}@".casefold() in normalize("NFC", text).casefold()
        before = normalize("NFC", text).partition(f"{address.local}@")[0]
        assert re.search(r"(\A|[\s,;<\u200b\ufeff])\Z", before)
    assert addresses or unusable


@pytest.mark.parametrize(
    ("contact", "recipient"),
    [
        ("o'neil@x.example", "o'neil@x.example"),
        ("a+b@x.example", "a+b@x.example"),
        ('"a:b"@x.example', '"a:b"@x.example'),
        ('"a, b"@x.example', '"a, b"@x.example'),
        ('"Doe, John" <j.doe@x.example>', "j.doe@x.example"),
        ("CRM team <crm@X.example>", "crm@x.example"),
        ("\u00a0crm@x.example\u200b", "crm@x.example"),
        ("info@Bücher.example", "info@xn--bcher-kva.example"),
        ("fuss@fußball.example", "fuss@xn--fuball-cta.example"),
        ("größe@x.example", "größe@x.example"),
        ("用户@例え.example", "用户@xn--r8jz45g.example"),
        ("a%b!c=d/e?f&g{h}|~@x.example", "a%b!c=d/e?f&g{h}|~@x.example"),
        ("postmaster@[127.0.0.1]", "postmaster@[127.0.0.1]"),
        ("crm@localhost", "crm@localhost"),
    ],
)
def test_a_part_goes_to_exactly_the_address_of_its_contact(mailbox: Mailbox, contact: str, recipient: str) -> None:
    send(of_contacts(contact), {"SMTP": mailbox.url}, contacts="env:SMTP")

    [(recipients, mail)] = mailbox.envelopes
    assert recipients == [recipient]
    [to] = mail["To"].addresses
    written = to.addr_spec.encode("utf-8", "surrogateescape").decode()
    assert Address.read(written) == Address.read(recipient)
    assert (mail["Cc"], mail["Bcc"]) == (None, None)


@pytest.mark.parametrize(
    "contact",
    ["a:b@x.example", "mailto:a@x.example", "a b@x.example", "a@x.example (CRM)", "a@x..example", ".a@x.example",
     "a@-x.example-\u0660", "undisclosed: a@x.example;", "a@b@x.example", "a\0b@x.example", "x@y <a@x.example>",
     "Team"],
)  # fmt: skip
def test_what_is_no_address_is_named_and_nobody_gets_its_part(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture, contact: str
) -> None:
    send(of_contacts(contact, "other@x.example"), {"SMTP": mailbox.url}, contacts="env:SMTP")

    assert mailbox.recipients == ["other@x.example"]
    [said] = [record.getMessage() for record in caplog.records if record.name == "credly_audit.notify.notices"]
    assert re.fullmatch(r"no notification to .+: the contact is not a mail address", said)
    assert letters(contact) in letters(said)


def test_one_person_gets_one_mail_however_the_contact_is_written(mailbox: Mailbox) -> None:
    ways = (
        "crm@x.example",
        " CRM@X.example ",
        "The team <crm@x.example>",
        '"crm"@x.example',
        "it@x.example; Crm@x.example",
    )

    send(of_contacts(*ways), {"SMTP": mailbox.url}, contacts="env:SMTP", attach=["json"])

    assert mailbox.recipients == ["crm@x.example", "it@x.example"]
    by_recipient = {recipient: mail["Subject"] for [recipient], mail in mailbox.envelopes}
    assert "5 policy violations" in by_recipient["crm@x.example"]
    assert "1 policy violation" in by_recipient["it@x.example"]


@pytest.mark.parametrize("how", ["unknown", "hangs_up_on", "full"])
def test_refused_recipients_are_named_and_keep_nobody_else_from_getting_theirs(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    refused = [f"gone{number}@x.example" for number in range(5)]
    getattr(mailbox, how).update(refused)

    send(of_contacts(*refused[:4], f"{refused[4]}, both@x.example", "last@x.example"), {"SMTP": mailbox.url},
         contacts="env:SMTP")  # fmt: skip

    assert mailbox.recipients == ["both@x.example", "last@x.example"]
    for address in refused:
        assert f"notification by E-Mail to {address} could not be sent: the mail server " in caplog.text


def test_a_server_without_internationalized_addresses_is_said_to_be_one(
    mailbox: Mailbox, caplog: pytest.LogCaptureFixture
) -> None:
    mailbox.takes_utf8 = False

    send(of_contacts("größe@x.example", "info@bücher.example"), {"SMTP": mailbox.url}, contacts="env:SMTP")

    assert mailbox.recipients == ["info@xn--bcher-kva.example"]
    assert "to größe@x.example could not be sent: the mail server takes no internationalized addresses" in caplog.text


def test_who_was_not_written_to_is_named(mailbox: Mailbox, caplog: pytest.LogCaptureFixture) -> None:
    server = mailbox.url.replace("MADE-UP-mail-password", "MADE-UP-another")

    send(of_contacts(*(f"crm{number}@x.example" for number in range(5))), {"SMTP": server}, contacts="env:SMTP")

    assert caplog.text.count("the mail server refused the login (535)") == 3
    assert "no notification to 2 more contacts: mail cannot be sent: crm3@x.example, crm4@x.example" in caplog.text
    assert "MADE-UP" not in caplog.text


@pytest.mark.parametrize(
    "more", ["&cc=boss@x.example", "&bcc=boss@x.example", "&to=boss@x.example", "&+Bcc=boss@x.example"]
)
def test_a_server_that_names_other_recipients_is_refused(more: str) -> None:
    with pytest.raises(NoServer, match="names a recipient"):
        MailServer.of(f"mailto://user:MADE-UP@127.0.0.1?from=audit@x.example{more}", apprise)


def test_what_the_servers_address_says_of_the_sender_is_in_the_mail(mailbox: Mailbox) -> None:
    url = f"{mailbox.url.replace('from=audit', 'from=Pr%C3%BCfung%20%3Caudit')}%3E&reply=help@x.example&+X-Team=Audit"

    send(of_contacts("crm@x.example"), {"SMTP": url}, contacts="env:SMTP", attach=["xlsx"])

    [(_, mail)] = mailbox.envelopes
    [sender] = mail["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("Prüfung", "audit@example.org")
    assert (mail["Reply-To"], mail["X-Team"]) == ("help@x.example", "Audit")
    assert mail["Date"]
    assert mail["Message-ID"].endswith("@example.org>")


def test_a_mail_server_that_cannot_be_used_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ConfigurationError, match="is no mail server such as"):
        send(of_contacts("crm@x.example"), {"SMTP": "mailto://"}, contacts="env:SMTP")

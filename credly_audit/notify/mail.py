"""Mail to exactly the addresses of a contact, through the server that an address of apprise names.

Apprise takes recipients apart again (`o'neil@x.example` would become `neil@x.example`), knows no internationalized
ones, and does not say whether it was the server or one recipient that failed. So it only reads the server's address.
"""

import mimetypes
import re
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email import policy
from email.headerregistry import Address as Mailbox
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from pathlib import Path
from typing import Any, Self
from unicodedata import normalize

from credly_audit.secrets import Secret
from credly_audit.secrets.redaction import INVISIBLE
from credly_audit.text import fold, one_line

PIECE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,;\r\n])+')
"""A contact between two separators; in quotes there is none."""

ATOM = r'[^\s\x00-\x20\x7f()<>\[\]:;@\\,."]+'
NAMED = re.compile(r'(?:"(?:[^"\\]|\\.)*"\s*|[^<>"@,;:\\]*)<(?P<address>(?:"(?:[^"\\]|\\.)*"|[^<>"])*)>')
ADDRESS = re.compile(rf'(?P<local>{ATOM}(?:\.{ATOM})*|"(?:[ !#-\[\]-~\x80-\U0010ffff]|\\[ -~])+")@(?P<domain>[^@]+)')
"""RFC 5321 and 6531; what one server takes beyond it, another one takes for something else."""

ASCII_DOMAIN = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*|\[(?:IPv6:)?[0-9A-Fa-f:.]+\]")

MAIL = "E-Mail"
"""How the channel is called, as by apprise."""

SERVER = re.compile(r"mailtos?://", re.IGNORECASE)

EXAMPLE = "mailtos://user:password@smtp.example.org?from=audit@example.org"

OF_A_MAILBOX = frozenset({550, 551, 552, 553})
"""What a server says of one recipient, also after it was given the mail."""

GOING_DOWN = 421


class NoServer(ValueError):  # noqa: N818 - named as it is told
    """An address names no server for mails to contacts; the message is the end of a sentence."""


class ServerFailed(Exception):  # noqa: N818 - named as it is told
    """The server takes no mail, for any recipient; the text holds no address and no password."""


@dataclass(frozen=True, slots=True)
class Address:
    """One mail address: its local part as it was written, its domain as the network knows it."""

    local: str
    domain: str
    name: str | None = field(default=None, compare=False)
    """The name that is written before it."""

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"

    @property
    def person(self) -> str:
        """Whose it is: the same for all ways to write it, with capitals or quotes."""
        return f"{fold(_unquoted(self.local))}@{self.domain}"

    @classmethod
    def read(cls, text: str) -> Self | None:
        """Return the address that a text is, perhaps with a name before it; None where it is none."""
        text = _trimmed(text)
        name = None
        if named := NAMED.fullmatch(text):
            name = one_line(_unquoted(_trimmed(text[: named.start("address") - 1]))) or None
            text = _trimmed(named["address"])
        found = ADDRESS.fullmatch(normalize("NFC", text))
        if found is None or not text.isprintable():
            return None
        domain = _domain(found["domain"])
        return None if domain is None else cls(found["local"], domain, name)


def read_contact(contact: str) -> tuple[list[Address], list[str]]:
    """Return the addresses that a contact is, and the parts of it that are none."""
    pieces = [piece for piece in map(_trimmed, PIECE.findall(contact)) if piece]
    read = [(piece, Address.read(piece)) for piece in pieces]
    unusable = [piece for piece, address in read if not address]
    return [address for _, address in read if address], unusable if pieces else [contact]


@dataclass(frozen=True, slots=True)
class Body:
    """The two forms of what a mail says."""

    text: str
    html: str


@dataclass(frozen=True, slots=True, repr=False)
class MailServer:
    """A server that takes mails, and who they are from."""

    host: str
    port: int
    mode: str
    """`starttls`, `ssl` or `insecure`."""
    user: str | None
    password: Secret | None
    verifies: bool
    timeout: float
    sender: Mailbox
    headers: Mapping[str, str]

    @classmethod
    def of(cls, url: str, apprise: Any, reply_to: str | None = None) -> Self:
        """Return the server that an address of apprise, the library, names; its own `reply` counts first. NoServer."""
        read = apprise.Apprise.instantiate(url, suppress_exceptions=True) if SERVER.match(url) else None
        if read is None:
            raise NoServer(f"is no mail server such as {EXAMPLE}")
        sender = Address.read(read.from_addr[1])
        if sender is None:
            raise NoServer("has no sender that is a mail address; add from=audit@example.org")
        recipients = {"to", "cc", "bcc"} & {name.lower() for name in read.headers}
        if recipients or read.cc or read.bcc or [each for _, each in read.targets] != [read.from_addr[1]]:
            raise NoServer("names a recipient; leave that to each contact")
        if read.pgp_mode != "no":
            raise NoServer("asks for PGP, which mails to contacts cannot have; leave pgp out")
        name = read.from_addr[0] if read.from_addr[0] not in {False, read.app_id} else "credly-audit"
        answers = ", ".join(sorted(read.reply_to)) or reply_to
        headers = dict(read.headers) | ({"Reply-To": answers} if answers else {})
        return cls(
            read.smtp_host,
            read.port,
            read.secure_mode,
            read.user or None,
            Secret(read.password) if read.password else None,
            bool(read.verify_certificate),
            float(read.socket_connect_timeout),
            Mailbox(name, username=_unquoted(sender.local), domain=sender.domain),
            headers,
        )

    def send(self, subject: str, body: Body, attached: Sequence[Path], recipient: Address) -> str | None:
        """Send a mail; return why the server takes none for this recipient, None where it took it.

        ServerFailed where it would take none for any other either.
        """
        mail = self._mail(subject, body, attached, recipient)
        try:
            smtp = self._session()
            try:
                return self._sent(smtp, mail, recipient)
            finally:
                with suppress(OSError):
                    smtp.quit()
        except (OSError, UnicodeError) as error:
            raise ServerFailed(_why(error)) from None

    def _session(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if not self.verifies:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.mode == "ssl":
            smtp: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, timeout=self.timeout, context=context)
        else:
            smtp = smtplib.SMTP(self.host, self.port, timeout=self.timeout)
        try:
            if self.mode == "starttls":
                smtp.starttls(context=context)
            if self.user and self.password:
                smtp.login(self.user, self.password.reveal())
            smtp.ehlo_or_helo_if_needed()
        except BaseException:
            smtp.close()
            raise
        return smtp

    def _mail(self, subject: str, body: Body, attached: Sequence[Path], recipient: Address) -> EmailMessage:
        mail = EmailMessage(policy.SMTP if recipient.local.isascii() else policy.SMTPUTF8)
        mail["Subject"] = " ".join(subject.split())
        mail["From"] = self.sender
        mail["To"] = Mailbox(username=_unquoted(recipient.local), domain=recipient.domain)
        mail["Date"] = localtime()
        mail["Message-ID"] = make_msgid("credly-audit", self.sender.domain)
        mail["Auto-Submitted"] = "auto-generated"
        for name, value in self.headers.items():
            if name not in mail:
                mail[name] = value
        mail.set_content(body.text)
        mail.add_alternative(body.html, subtype="html")
        for path in attached:
            kind, _, of_it = (mimetypes.guess_type(path.name)[0] or "application/octet-stream").partition("/")
            mail.add_attachment(path.read_bytes(), kind, of_it, filename=path.name)
        return mail

    def _sent(self, smtp: smtplib.SMTP, mail: EmailMessage, recipient: Address) -> str | None:
        """Hand over one mail; why the server does not take it for this recipient, or None."""
        address = str(recipient)
        options = [] if address.isascii() else ["SMTPUTF8", "BODY=8BITMIME"]
        if options and not smtp.has_extn("smtputf8"):
            return "the mail server takes no internationalized addresses (SMTPUTF8)"
        try:
            smtp.sendmail(self.sender.addr_spec, [address], mail.as_bytes(), options)
        except smtplib.SMTPRecipientsRefused as error:
            code = error.recipients[address][0]
            if code == GOING_DOWN:
                raise
            return f"the mail server refused the recipient ({code})"
        except smtplib.SMTPDataError as error:
            if error.smtp_code not in OF_A_MAILBOX:
                raise
            return f"the mail server refused the mail for the recipient ({error.smtp_code})"
        except smtplib.SMTPServerDisconnected as error:
            if isinstance(error.__context__, TimeoutError):
                raise
            return "the mail server ended the connection"
        return None


def _why(error: Exception) -> str:
    """What failed, without the server's words: they could repeat the login."""
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return f"the mail server refused the login ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPSenderRefused):
        return f"the mail server refused the sender ({error.smtp_code})"
    if isinstance(error, smtplib.SMTPResponseException):
        return f"the mail server refused the mail ({error.smtp_code})"
    return f"the mail server cannot be used ({type(error).__name__})"


def _trimmed(text: str) -> str:
    """The text without what is invisible at its ends."""
    shown = [place for place, letter in enumerate(text) if not letter.isspace() and not INVISIBLE.match(letter)]
    return text[shown[0] : shown[-1] + 1] if shown else ""


def _unquoted(local: str) -> str:
    return re.sub(r"\\(.)", r"\1", local[1:-1]) if local.startswith('"') else local


def _domain(text: str) -> str | None:
    """The domain as the network knows it; None where it can be none."""
    if ASCII_DOMAIN.fullmatch(text):
        return text.lower()
    import idna  # noqa: PLC0415 - its tables take a while, and few domains need them

    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None

"""Tells people of an audit: through apprise to whatever they read, and to each contact its own part by mail.

A notice that fails is said and changes no exit code. Addresses hold passwords: they are secrets, and never shown.
"""

import importlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from credly_audit import __version__
from credly_audit.audit.model import Audit
from credly_audit.audit.split import select_contact
from credly_audit.config.settings import NotifySettings
from credly_audit.errors import ConfigurationError, ExitCode
from credly_audit.files.writing import replace_file
from credly_audit.instants import iso_day
from credly_audit.notify.heartbeat import Heartbeat
from credly_audit.notify.mail import SERVER, Address, Body, MailServer, NoServer, ServerFailed, read_contact
from credly_audit.notify.mail_body import write_html
from credly_audit.process.extras import must_have
from credly_audit.renderers.base import renderer
from credly_audit.report.briefing import (
    MOST_NAMED,
    describe_decisions,
    describe_removed,
    list_incomplete,
    write_headline,
)
from credly_audit.report.priorities import Priorities
from credly_audit.secrets import Secret, SecretError, mask_reference, read_secret
from credly_audit.text import message, one_line, spoken_day

log = logging.getLogger(__name__)

MOST_IN_VAIN = 3
"""Mails to contacts that fail one after the other before no more are tried."""


@dataclass(frozen=True, slots=True)
class Notices:
    """The `[notify]` of a configuration, its secrets read before anything is asked of Credly."""

    on: tuple[str, ...]
    attach: tuple[str, ...]
    urls: tuple[Secret, ...]
    contacts: MailServer | None
    heartbeat: Heartbeat | None
    reply_to: str | None

    @classmethod
    def from_settings(cls, settings: NotifySettings, folder: Path, environ: Mapping[str, str]) -> "Notices":
        """ConfigurationError with every secret that is missing or no address; MissingExtra where apprise is needed."""
        if settings.urls or settings.contacts:
            must_have("notify", "[notify]")
        mistakes: list[str] = []

        def secret(reference: str | None, key: str) -> Secret | None:
            try:
                return None if reference is None else read_secret(reference, folder, environ)
            except SecretError as error:
                mistakes.append(f"[notify] {key}: {error}")
                return None

        urls = {reference: secret(reference, "urls") for reference in dict.fromkeys(settings.urls)}
        contacts, heartbeat = secret(settings.contacts, "contacts"), secret(settings.heartbeat, "heartbeat")
        mistakes += _no_addresses(urls)
        server = None
        try:
            server = MailServer.of(contacts.reveal(), _apprise(), settings.reply_to) if contacts else None
        except NoServer as error:
            mistakes.append(f"[notify] contacts: the value of {mask_reference(settings.contacts or '')} {error}")
        beating = None
        if heartbeat and not heartbeat.reveal().lower().startswith(("http://", "https://")):
            mistakes.append(
                f"[notify] heartbeat: the value of {mask_reference(settings.heartbeat or '')} is not an http or https "
                "address"
            )
        elif heartbeat:
            beating = Heartbeat(heartbeat, settings.heartbeat_protocol, settings.heartbeat_fails_on)
        if mistakes:
            if beating is not None:
                beating.report_failure(ExitCode.USAGE)
            raise ConfigurationError(mistakes)
        addresses = tuple(filter(None, urls.values()))
        return cls(settings.on, settings.attach, addresses, server, beating, settings.reply_to)

    def send(self, audit: Audit, reports: Mapping[str, Path], *, beats: bool = True) -> None:
        """Tell of the audit where it is one to be told of; then give a sign of life, unless it is not to.

        `reports` are those of the whole audit by format; what is to be attached and is not among them is made anew.
        """
        if self.urls and self._tells(audit):
            with self._attached(audit, reports) as files:
                for each in self.urls:
                    self._tell(each.reveal(), audit, files)
        if self.contacts is not None:
            self._tell_contacts(self.contacts, audit)
        if self.heartbeat is not None and beats:
            self.heartbeat.report_verdict(audit)

    def _tells(self, audit: Audit) -> bool:
        """`violations` is told whenever the gate would fail, also where the audit is incomplete."""
        happened = {audit.verdict.outcome} | ({"violations"} if audit.verdict.violations else set())
        return not happened.isdisjoint(self.on)

    def _tell_contacts(self, server: MailServer, audit: Audit) -> None:
        """Send each contact their own part; nothing to those who have nothing to do."""
        post = Post(server)
        for each in _people(audit):
            with _survived(f"the notice to {each.named}"):
                part = select_contact(audit, *each.contacts)
                if not self._tells(part):
                    continue
                for text in each.unusable:
                    log.warning("no notice to %s: the contact is not a mail address", one_line(text, 60))
                if post.in_vain == MOST_IN_VAIN:
                    post.unsent += map(str, each.addresses)
                    continue
                with self._attached(part, {}) as files:
                    for address in each.addresses:
                        post.send(part, files, address)
        if post.unsent:
            count, names = len(post.unsent), ", ".join(post.unsent)
            log.warning("no notice to %d more contacts: mail cannot be sent: %s", count, names)

    @contextmanager
    def _attached(self, audit: Audit, reports: Mapping[str, Path]) -> Iterator[list[Path]]:
        """The reports to attach; those that were not written live for as long as it takes to send them."""
        with ExitStack() as kept:
            files = dict(reports)
            missing = [name for name in self.attach if name not in files]
            if missing:
                with _survived("what is attached to a notice"):
                    files |= _rendered(audit, missing, Path(kept.enter_context(_folder())))
            yield [files[name] for name in dict.fromkeys(self.attach) if name in files]

    def _tell(self, url: str, audit: Audit, attached: Sequence[Path]) -> bool:
        """Whether it was sent."""
        apprise = _apprise()
        notices = apprise.Apprise()
        notices.add(url)
        is_mail = SERVER.match(url) is not None
        if is_mail and self.reply_to:
            _set_reply_to(notices, self.reply_to)
        file_of = importlib.import_module("apprise.attachment.file").AttachFile
        service = ", ".join(dict.fromkeys(str(each.service_name) for each in notices))
        sent = False
        with _survived(f"the notice by {service}"):
            sent = bool(
                notices.notify(
                    title=_subject(audit),
                    body=write_html(audit, _title(audit)) if is_mail else body(audit),
                    attach=[file_of(str(path)) for path in attached] or None,
                    body_format=apprise.NotifyFormat.HTML if is_mail else apprise.NotifyFormat.TEXT,
                )
            )
            if not sent:
                log.warning("the notice by %s could not be sent; check its address and whether it answers", service)
        if sent:
            log.info("notice sent by %s", service)
        return sent


def body(audit: Audit) -> str:
    """The audit in a mail's worth of plain text: the verdict, what is incomplete, the top priorities."""
    lines = [write_headline(audit)]
    if audit.presentation.guidance:
        lines += ["", *(message(line, 500) for line in audit.presentation.guidance.strip().splitlines())]
    hidden = list_incomplete(audit)
    if hidden:
        lines += ["", "Incomplete:"]
        lines += [f"- {message(each.name, 60)}: {message(each.reason)}" for each in hidden[:MOST_NAMED]]
    if len(hidden) > MOST_NAMED:
        lines.append(f"- and {len(hidden) - MOST_NAMED} more, in the report")
    removed = list(describe_removed(audit))
    if removed:
        lines += ["", *(f"- {message(each, 500)}" for each in removed)]
    in_need = list(describe_decisions(audit))
    if in_need:
        lines += ["", "Decisions that need attention:", *(f"- {message(each, 500)}" for each in in_need)]
    first = list(Priorities(audit).groups())
    if first:
        lines += ["", "Top priorities:"]
    for each in first:
        dates = each.describe_dates(audit.as_of)
        details = f"{f' ({dates})' if dates else ''}. {message(each.describe_first(audit.as_of), 1_000)}"
        lines.append(f"{each.number}. {message(each.title)}{details}".rstrip())
        lines.append(f"   {audit.rules[each.rule_id].remediation}")
    return "\n".join([*lines, "", f"As of {spoken_day(audit.as_of)}, by credly-audit {__version__}."])


@contextmanager
def _survived(what: str) -> Iterator[None]:
    """An audit does not fail by a notice, whatever a service's plugin or a report of a part raises."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - said, by its kind alone: its words could hold an address
        log.warning("%s could not be sent (%s)", what, type(error).__name__)


@dataclass(slots=True)
class People:
    """Who gets the same part: the organizations that have these contacts."""

    contacts: tuple[str, ...]
    addresses: list[Address] = field(default_factory=list)
    unusable: list[str] = field(default_factory=list)
    """What is written there and is no mail address."""

    @property
    def named(self) -> str:
        """Who they are, for the log."""
        return one_line(", ".join(map(str, self.addresses)) or ", ".join(self.contacts))


def _people(audit: Audit) -> list[People]:
    """Those with something to do, each of them once, in whichever ways the contacts are written."""
    contacts = {
        str(contact): read_contact(str(contact)) for contact in audit.organizations["contact"].dropna().unique()
    }
    written: dict[str, list[str]] = {}
    addresses: dict[str, Address] = {}
    for contact, (found, _) in contacts.items():
        for address in found:
            addresses.setdefault(address.person, address)
            written.setdefault(address.person, []).append(contact)
    groups: dict[tuple[str, ...], People] = {}
    for person, theirs in written.items():
        key = tuple(dict.fromkeys(theirs))
        groups.setdefault(key, People(key)).addresses.append(addresses[person])
    for contact, (_, unusable) in contacts.items():
        if unusable:
            groups.setdefault((contact,), People((contact,))).unusable += unusable
    with_something = _with_something_to_do(audit)
    return [each for each in groups.values() if not with_something.isdisjoint(each.contacts)]


def _with_something_to_do(audit: Audit) -> set[str]:
    """The contacts of organizations with a finding that asks for an action, or that were not seen, unless waived."""
    unseen_ids = set(audit.verdict.not_seen) - set(audit.verdict.accepted)
    theirs = audit.organizations["organization_id"].isin(unseen_ids).to_numpy(dtype=bool, copy=True)
    theirs[audit.findings.frame["organization_row"].to_numpy()[audit.findings.actionable]] = True
    return {str(contact) for contact in audit.organizations.loc[theirs, "contact"].dropna()}


@dataclass(slots=True)
class Post:
    """The mails to contacts of one audit; after some that a server does not take, no more are tried."""

    server: MailServer
    in_vain: int = 0
    unsent: list[str] = field(default_factory=list)
    """Who was not written to."""

    def send(self, part: Audit, attached: Sequence[Path], address: Address) -> None:
        """Send the part to one address, and say how that went: what one recipient is refused, no other is."""
        if self.in_vain == MOST_IN_VAIN:
            self.unsent.append(str(address))
            return
        try:
            refused = self.server.send(
                _subject(part), Body(body(part), write_html(part, _title(part))), attached, address
            )
        except ServerFailed as error:
            self.in_vain += 1
            refused = str(error)
        else:
            self.in_vain = 0
        if refused:
            log.warning("the notice by E-Mail could not be sent to %s: %s", address, refused)
        else:
            log.info("notice sent by E-Mail to %s", address)


def _subject(audit: Audit) -> str:
    return message(f"{_title(audit)}: {write_headline(audit)}", 300)


def _title(audit: Audit) -> str:
    """Return the team's own title, else the name of the tool."""
    return one_line(audit.presentation.title or "credly-audit", 100)


def _set_reply_to(notices: Any, address: str) -> None:
    """Let answers to a mail go to this address, unless the server's address names another one."""
    for each in notices:
        if getattr(each, "reply_to", None) == set():
            each.reply_to.add(address)


def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="credly-audit-")


def _rendered(audit: Audit, formats: Sequence[str], folder: Path) -> dict[str, Path]:
    made = {}
    for name in formats:
        made[name] = folder / f"credly-audit-{iso_day(audit.as_of)}{renderer(name).suffix}"
        with replace_file(made[name]) as file:
            renderer(name).render(audit, file)
    return made


def _no_addresses(urls: Mapping[str, Secret | None]) -> Iterator[str]:
    """What apprise would not know what to do with."""
    for reference, url in urls.items():
        if url and not _apprise().Apprise().add(url.reveal()):
            yield f"[notify] urls: the value of {mask_reference(reference)} is not an address that apprise supports"


def _apprise() -> Any:
    """The library, with a log of its own silenced: it could show addresses."""
    theirs = logging.getLogger("apprise")
    theirs.propagate = False
    theirs.disabled = True
    return importlib.import_module("apprise")

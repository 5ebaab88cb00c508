"""Tells people of an audit: through apprise to whatever they read, and to each contact its own part by mail.

A notice that fails is said and changes no exit code. Addresses hold passwords: they are secrets, and never shown.
"""

import importlib
import logging
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from credly_audit.audit.model import Audit
from credly_audit.audit.split import select_contact
from credly_audit.config.settings import NotifySettings
from credly_audit.errors import ConfigurationError, ExitCode
from credly_audit.files.writing import replace_file
from credly_audit.instants import iso_day
from credly_audit.notify.contacts import People, Post, find_people
from credly_audit.notify.correspondence import CONTACT, REFERENCE, Correspondence, attempt
from credly_audit.notify.digest import Digest, ReminderPace
from credly_audit.notify.heartbeat import Heartbeat
from credly_audit.notify.mail import MAIL, SERVER, Address, Body, MailServer, NoServer, ServerFailed, read_contact
from credly_audit.notify.mail_body import write_html
from credly_audit.process.extras import must_have
from credly_audit.renderers.base import renderer
from credly_audit.secrets import Secret, SecretError, mask_reference, read_secret
from credly_audit.text import one_line

if TYPE_CHECKING:
    from credly_audit.history.messages import MessageLog

log = logging.getLogger(__name__)


NO_ADDRESS = "the contact is not a mail address"
TOOL = "credly-audit"
TEST = "This is a test message of credly-audit (`notify test`). No audit was run, and nothing needs to be done."


@dataclass(frozen=True, slots=True)
class Channel:
    """An address of `[notify] urls`, and how the configuration refers to it."""

    reference: str
    url: Secret

    @property
    def name(self) -> str:
        """The reference as it may be shown."""
        return mask_reference(self.reference)

    @property
    def service(self) -> str:
        """What delivers its messages."""
        notices = _apprise().Apprise()
        notices.add(self.url.reveal())
        return ", ".join(dict.fromkeys(str(each.service_name) for each in notices))


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test message fared; `reason` says why it failed (None: it was accepted)."""

    name: str
    channel: str
    reason: str | None


@dataclass(frozen=True, slots=True)
class Notices:
    """The `[notify]` of a configuration, its secrets read before anything is asked of Credly."""

    on: tuple[str, ...]
    attach: tuple[str, ...]
    channels: tuple[Channel, ...]
    contacts: MailServer | None
    heartbeat: Heartbeat | None
    reply_to: str | None
    pace: ReminderPace

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
        channels = tuple(Channel(reference, url) for reference, url in urls.items() if url)
        pace = ReminderPace(settings.thresholds, settings.remind_every_days)
        return cls(settings.on, settings.attach, channels, server, beating, settings.reply_to, pace)

    def send(
        self, audit: Audit, reports: Mapping[str, Path], messages: "MessageLog | None" = None, *, beats: bool = True
    ) -> None:
        """Send what is news to each recipient, by a log of messages, else everything; then the heartbeat, if it beats.

        `reports` are those of the whole audit by format; what is to be attached and is not among them is made anew.
        """
        letters = Correspondence(self.pace, messages)
        if self.channels and self._tells(audit):
            self._tell_channels(letters, audit, reports)
        if self.contacts is not None:
            self._tell_contacts(self.contacts, letters, audit)
        if audit.part is None:
            letters.finish()
        if self.heartbeat is not None and beats:
            self.heartbeat.report_verdict(audit)

    def test(self, contacts: Iterable[str], title: str | None) -> Iterator[Trial]:
        """Send a marked message to each address, and to each contact once; yield how that went."""
        subject = f"[Test] {one_line(title or TOOL, 100)}: test message"
        body = Body(TEST, Markup("<p>{}</p>").format(TEST))
        for channel in self.channels:
            yield Trial(channel.name, channel.service, attempt(partial(self._push, channel, subject, body, ())))
        if self.contacts is None:
            return
        tried = set()
        for contact in contacts:
            addresses, unusable = read_contact(contact)
            yield from (Trial(each, MAIL, NO_ADDRESS) for each in unusable if each not in tried)
            tried.update(unusable)
            for address in addresses:
                if address.person not in tried:
                    tried.add(address.person)
                    yield Trial(str(address), MAIL, self._try_mail(self.contacts, subject, body, address))

    def _try_mail(self, server: MailServer, subject: str, body: Body, address: Address) -> str | None:
        try:
            return server.send(subject, body, (), address)
        except ServerFailed as error:
            return str(error)

    def _tell_channels(self, letters: Correspondence, audit: Audit, reports: Mapping[str, Path]) -> None:
        with ExitStack() as kept:
            files: list[Path] | None = None
            for channel in self.channels:
                with _survived(f"notification by {channel.service}"):
                    recipient = letters.find_recipient(REFERENCE, channel.reference, channel.name, channel.service)
                    digest = letters.draft(audit, recipient)
                    if digest is None:
                        log.info("no notification by %s: nothing is new", channel.service)
                        continue
                    if files is None:
                        files = kept.enter_context(self._attached(audit, reports))
                    failed = letters.deliver(digest, recipient, partial(self._tell, channel, digest, files))
                    if failed:
                        log.warning("notification by %s could not be sent: %s", channel.service, failed)
                    else:
                        log.info("notification sent by %s", channel.service)

    def _tells(self, audit: Audit) -> bool:
        """`violations` is told whenever the gate would fail, also where the audit is incomplete."""
        happened = {audit.verdict.outcome} | ({"violations"} if audit.verdict.violations else set())
        return not happened.isdisjoint(self.on)

    def _tell_contacts(self, server: MailServer, letters: Correspondence, audit: Audit) -> None:
        """Send each contact their own part; nothing to those who have nothing to do."""
        post = Post(server, letters)
        for each in find_people(audit):
            with _survived(f"notification to {each.named}"):
                part = select_contact(audit, *each.contacts)
                if not self._tells(part):
                    continue
                for text in each.unusable:
                    log.warning("no notification to %s: %s", one_line(text, 60), NO_ADDRESS)
                self._tell_people(post, part, each)
        if post.unsent:
            count, names = len(post.unsent), ", ".join(post.unsent)
            log.warning("no notification to %d more contacts: mail cannot be sent: %s", count, names)

    def _tell_people(self, post: Post, part: Audit, people: People) -> None:
        with ExitStack() as kept:
            files: list[Path] | None = None
            for address in people.addresses:
                recipient = post.letters.find_recipient(CONTACT, address.person, address.name, MAIL)
                digest = post.letters.draft(part, recipient)
                if digest is None:
                    log.info("no notification by %s to %s: nothing is new", MAIL, address)
                    continue
                if files is None and not post.is_over:
                    files = kept.enter_context(self._attached(part, {}))
                post.send(digest, files or (), recipient, address)

    @contextmanager
    def _attached(self, audit: Audit, reports: Mapping[str, Path]) -> Iterator[list[Path]]:
        """The reports to attach; those that were not written live for as long as it takes to send them."""
        with ExitStack() as kept:
            files = dict(reports)
            missing = [name for name in self.attach if name not in files]
            if missing:
                with _survived("the attachment of a notification"):
                    files |= _rendered(audit, missing, Path(kept.enter_context(_folder())))
            yield [files[name] for name in dict.fromkeys(self.attach) if name in files]

    def _tell(self, channel: Channel, digest: Digest, attached: Sequence[Path]) -> str | None:
        return self._push(channel, digest.subject, Body(digest.write_text(), write_html(digest)), attached)

    def _push(self, channel: Channel, subject: str, body: Body, attached: Sequence[Path]) -> str | None:
        """Send a message by apprise; return why it failed, or None."""
        apprise = _apprise()
        url = channel.url.reveal()
        notices = apprise.Apprise()
        notices.add(url)
        is_mail = SERVER.match(url) is not None
        if is_mail and self.reply_to:
            _set_reply_to(notices, self.reply_to)
        file_of = importlib.import_module("apprise.attachment.file").AttachFile
        sent = notices.notify(
            title=subject,
            body=body.html if is_mail else body.text,
            attach=[file_of(str(path)) for path in attached] or None,
            body_format=apprise.NotifyFormat.HTML if is_mail else apprise.NotifyFormat.TEXT,
        )
        return None if sent else "check its address and whether it answers"


@contextmanager
def _survived(what: str) -> Iterator[None]:
    """An audit does not fail by a notice, whatever a service's plugin or a report of a part raises."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - said, by its kind alone: its words could hold an address
        log.warning("%s could not be sent (%s)", what, type(error).__name__)


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

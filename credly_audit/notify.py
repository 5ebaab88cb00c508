"""Tells people of an audit: through apprise to whatever they read, and to each contact its own part by mail.

A notice that fails is said and changes no exit code. Addresses hold passwords: they are secrets, and never shown.
"""

import importlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import requests

from credly_audit.audit import Audit
from credly_audit.config.settings import NotifySettings
from credly_audit.errors import ConfigurationError
from credly_audit.files import written_whole
from credly_audit.parts import for_contact
from credly_audit.renderers.base import renderer
from credly_audit.renderers.briefing import actions, headline, unseen
from credly_audit.renderers.text import one_line, spoken
from credly_audit.secrets import Secret, SecretError, read

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds for a heartbeat."""


@dataclass(frozen=True, slots=True)
class Notices:
    """The `[notify]` of a configuration, its secrets read before anything is asked of Credly."""

    on: tuple[str, ...]
    attach: tuple[str, ...]
    urls: tuple[Secret, ...]
    contacts: Secret | None
    heartbeat: Secret | None

    @classmethod
    def asked(cls, settings: NotifySettings, folder: Path, environ: Mapping[str, str]) -> "Notices":
        """ConfigurationError with every secret that is missing or no address, and where apprise is not installed."""
        mistakes: list[str] = []

        def secret(reference: str | None, key: str) -> Secret | None:
            try:
                return None if reference is None else read(reference, folder, environ)
            except SecretError as error:
                mistakes.append(f"notify.{key}: {error}")
                return None

        urls = [secret(each, f"urls[{number}]") for number, each in enumerate(settings.urls, 1)]
        found = cls(
            settings.on,
            settings.attach,
            tuple(each for each in urls if each is not None),
            secret(settings.contacts, "contacts"),
            secret(settings.heartbeat, "heartbeat"),
        )
        if settings.urls or settings.contacts:
            mistakes += found._mistaken(settings)
        if mistakes:
            raise ConfigurationError(mistakes)
        return found

    def _mistaken(self, settings: NotifySettings) -> Iterator[str]:
        try:
            apprise = _apprise()
        except ImportError:
            yield "notify: needs the extra: pip install 'credly-audit[notify]'"
            return
        for each, reference in zip(self.urls, settings.urls, strict=False):
            if not apprise.Apprise().add(each.reveal()):
                yield f"notify.urls: what {reference} holds is no address that apprise knows"
        if self.contacts and not apprise.Apprise().add(_mail_to(self.contacts, "somebody@example.org")):
            yield f"notify.contacts: what {settings.contacts} holds is no mail address such as mailtos://user:pass@host"

    def send(self, audit: Audit, written: Sequence[Path]) -> None:
        """Tell of the audit where it is one to be told of; then give a sign of life."""
        if self._tells(audit):
            attached = [path for path in written if path.name.endswith(self._suffixes) and "-by-" not in path.name]
            for each in self.urls:
                self._tell(each.reveal(), audit, attached)
        if self.contacts is not None:
            for contact in audit.organizations["contact"].dropna().unique():
                part = for_contact(audit, contact)
                if self._tells(part):
                    with _rendered(part, self.attach) as files:
                        self._tell(_mail_to(self.contacts, contact), part, files)
        if self.heartbeat is not None:
            _beat(self.heartbeat.reveal())

    @property
    def _suffixes(self) -> tuple[str, ...]:
        return tuple(renderer(name).suffix for name in self.attach)

    def _tells(self, audit: Audit) -> bool:
        """`violations` is told whenever the gate would fail, also where the audit is incomplete."""
        happened = {audit.verdict.outcome} | ({"violations"} if audit.verdict.violations else set())
        return not happened.isdisjoint(self.on)

    def _tell(self, url: str, audit: Audit, attached: Sequence[Path]) -> None:
        apprise = _apprise()
        notices = apprise.Apprise()
        notices.add(url)
        service = notices[0].service_name
        try:
            sent = bool(
                notices.notify(
                    title=one_line(f"credly-audit: {headline(audit)}"),
                    body=body(audit),
                    attach=[str(path) for path in attached] or None,
                    body_format=apprise.NotifyFormat.TEXT,
                )
            )
        except Exception as error:  # noqa: BLE001 - a service's plugin raises what it likes; an audit does not fail by it
            log.warning("the notice by %s could not be sent (%s)", service, type(error).__name__)
            return
        if sent:
            log.info("notice sent by %s", service)
        else:
            log.warning("the notice by %s could not be sent; check its address and that the service answers", service)


def body(audit: Audit) -> str:
    """The audit in a mail's worth of plain text: the verdict, what was not seen, what to do first."""
    lines = [headline(audit)]
    hidden = unseen(audit)
    if hidden:
        lines += ["", "Not fully seen:"] + [
            f"- {one_line(each.name, 60)}: {one_line(each.reason)}" for each in hidden[:20]
        ]
        lines += [f"- and {len(hidden) - 20} more, in the report"] if len(hidden) > 20 else []  # noqa: PLR2004
    first = list(actions(audit))
    if first:
        lines += ["", "What to do first:"]
    for each in first:
        due = f", by {spoken(each.due_at, audit.as_of)}" if each.due_at else ""
        lines += [f"- {each.subject}{due}: {each.why} {each.what}"]
    return "\n".join(lines)


@contextmanager
def _rendered(audit: Audit, formats: Sequence[str]) -> Iterator[list[Path]]:
    """The part's reports, for as long as it takes to send them."""
    with tempfile.TemporaryDirectory(prefix="credly-audit-") as folder:
        paths = [Path(folder) / f"credly-audit-{audit.as_of:%Y-%m-%d}{renderer(name).suffix}" for name in formats]
        for path, name in zip(paths, formats, strict=True):
            with written_whole(path) as file:
                renderer(name).render(audit, file)
        yield paths


def _mail_to(server: Secret, contact: str) -> str:
    url = server.reveal()
    return f"{url}{'&' if '?' in url else '?'}to={quote(contact, safe='')}"


def _beat(url: str) -> None:
    try:
        answered = requests.get(url, timeout=PATIENCE)
        answered.raise_for_status()
    except requests.RequestException as error:
        log.warning("the heartbeat was not heard (%s); check notify.heartbeat", type(error).__name__)


def _apprise() -> Any:
    """The library, with a log of its own silenced: it could show addresses."""
    logging.getLogger("apprise").addHandler(logging.NullHandler())
    logging.getLogger("apprise").propagate = False
    return importlib.import_module("apprise")

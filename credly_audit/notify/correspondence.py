"""The messages on one audit: drafted from what was sent before, and recorded before and after their delivery."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING

from credly_audit.audit.memory import Recipient, Undeliverables, Undelivered, identify_recipient
from credly_audit.audit.model import Audit
from credly_audit.errors import AuditError
from credly_audit.notify.digest import Digest, ReminderPace
from credly_audit.notify.mail import read_contact
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.text import spoken_day

if TYPE_CHECKING:
    from credly_audit.history.messages import MessageLog

log = logging.getLogger(__name__)

REFERENCE, CONTACT = "reference", "contact"
"""What recipients are known by: the reference of an address, so that its password may change, or a mail address."""

NO_ID = ""
"""The id of every recipient where there is no log."""


@dataclass(slots=True)
class Correspondence:
    """The messages on one audit; without a log each holds everything, and nothing is remembered of it."""

    pace: ReminderPace
    messages: "MessageLog | None" = None
    addressed: set[str] = field(default_factory=set)
    """The recipients to whom a message was sent, or was to be sent."""
    is_lost: bool = False
    """Whether a message could not be recorded, which is reported once."""

    def find_recipient(self, kind: str, address: str, name: str | None, channel: str) -> Recipient:
        """Return the recipient with this address, which a `kind` of channel has to itself."""
        return Recipient(NO_ID if self.messages is None else self.messages.identify(kind, address), name, channel)

    def draft(self, audit: Audit, recipient: Recipient) -> Digest | None:
        """Return the message to a recipient; None where there is no news."""
        if self.messages is None:
            return Digest.of_everything(audit)
        try:
            memory = self.messages.recall(recipient.id, audit.as_of)
        except AuditError as error:
            log.warning("what was sent before is not known, so that messages hold everything: %s", error)
            return Digest.of_everything(audit)
        if memory.interrupted is not None:
            day = spoken_day(memory.interrupted)
            log.warning(
                "an earlier run was interrupted while it sent the message on the audit of %s by %s: it may be repeated",
                day,
                recipient.channel,
            )
        return Digest.of_news(audit, memory, self.pace)

    def deliver(self, digest: Digest, recipient: Recipient, send: Callable[[], str | None]) -> str | None:
        """Send a message by a function that returns why it failed; record both; return why it failed, or None."""
        self.addressed.add(recipient.id)
        audit = digest.audit
        number = self._begin(digest, recipient, audit.as_of, audit.verdict.outcome)
        reason = attempt(send)
        if self.messages is not None and number is not None:
            try:
                self.messages.end(number, reason)
            except AuditError as error:
                self._report_loss(error)
        return reason

    def finish(self) -> None:
        """Drop the failed messages of recipients for whom there is no news any more, or who are none any more."""
        if self.messages is not None:
            try:
                self.messages.drop_unsent(self.addressed)
            except AuditError as error:
                self._report_loss(error)

    def _begin(self, digest: Digest, recipient: Recipient, as_of: datetime, outcome: str) -> int | None:
        if self.messages is None:
            return None
        try:
            return self.messages.begin(recipient, as_of, outcome, digest.items)
        except AuditError as error:
            self._report_loss(error)
            return None

    def _report_loss(self, error: AuditError) -> None:
        if not self.is_lost:
            log.warning("%s", error)
        self.is_lost = True


def attempt(send: Callable[[], str | None]) -> str | None:
    """Send a message by a function that returns why it failed; return that, or what it raised, or None."""
    try:
        return send()
    except Exception as error:  # noqa: BLE001 - whatever a service's plugin raises; its words could hold an address
        return type(error).__name__


def name_recipients(
    found: Undeliverables, contacts: Iterable[str], fingerprints: Fingerprints | None
) -> tuple[Undelivered, ...]:
    """Return what was not delivered, with the addresses of those who are contacts still as their names.

    Recipients are known by fingerprints under the configured key, or else by the random key of the history.
    """
    keyed = fingerprints if fingerprints is not None and fingerprints.key_fingerprint else None
    if keyed is None and found.key is not None:
        keyed = Fingerprints(Secret(found.key))
    if keyed is None or not found.messages:
        return found.messages
    addresses = [address for contact in contacts for address in read_contact(contact)[0]]
    names = {identify_recipient(keyed, CONTACT, each.person): str(each) for each in addresses}
    return tuple(
        replace(each, recipient=replace(each.recipient, name=names.get(each.recipient.id, each.recipient.name)))
        for each in found.messages
    )

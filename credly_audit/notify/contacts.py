"""The contacts of organizations: who of them has something to do, and the mails to them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from credly_audit.audit.memory import Recipient
from credly_audit.audit.model import Audit
from credly_audit.notify.correspondence import Correspondence
from credly_audit.notify.digest import Digest
from credly_audit.notify.mail import MAIL, Address, Body, MailServer, ServerFailed, read_contact
from credly_audit.notify.mail_body import write_html
from credly_audit.text import one_line

log = logging.getLogger(__name__)

MOST_IN_VAIN = 3
"""Mails to contacts that fail one after the other before no more are tried."""


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


def find_people(audit: Audit) -> list[People]:
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
    letters: Correspondence
    in_vain: int = 0
    unsent: list[str] = field(default_factory=list)
    """Who was not written to."""

    @property
    def is_over(self) -> bool:
        """Whether no more mails are tried."""
        return self.in_vain == MOST_IN_VAIN

    def send(self, digest: Digest, attached: Sequence[Path], recipient: Recipient, address: Address) -> None:
        """Send a message to one address, and say how that went: what one recipient is refused, no other is."""
        if self.is_over:
            self.unsent.append(str(address))
            self.letters.deliver(digest, recipient, lambda: "mail cannot be sent")
            return
        refused = self.letters.deliver(digest, recipient, partial(self._try, digest, attached, address))
        if refused:
            log.warning("notification by %s to %s could not be sent: %s", MAIL, address, refused)
        else:
            log.info("notification sent by %s to %s", MAIL, address)

    def _try(self, digest: Digest, attached: Sequence[Path], address: Address) -> str | None:
        body = Body(digest.write_text(), write_html(digest))
        try:
            refused = self.server.send(digest.subject, body, attached, address)
        except ServerFailed as error:
            self.in_vain += 1
            return str(error)
        self.in_vain = 0
        return refused

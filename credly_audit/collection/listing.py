"""One organization's list: read until a reading is confirmed, or until two readings were inconsistent."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Generic

from credly_audit.collection.reading import EarlyEnd, Reading, Wanted
from credly_audit.config.settings import Organization
from credly_audit.credly.applications import Application, read_applications
from credly_audit.credly.auth import Credential
from credly_audit.credly.client import Effort
from credly_audit.credly.wire import FingerprintOf, ListPage, R, TokenRow, read_page
from credly_audit.secrets.fingerprint import Trace

MOST_STRIKES = 2
"""Readings that may contradict themselves or each other, until the list counts as inconsistent."""


@dataclass
class Listing(ABC, Generic[R]):
    """What is known of one list of an organization. `place` is its number among the lists asked for.

    `credential` is None where it could not be read; `reading.trouble` says why. What was found is to be used once the
    listing is finished.
    """

    path: ClassVar[str]
    """The list's name in the API."""
    what: ClassVar[str]
    """A row of it, as people call it."""

    place: int
    organization: Organization
    credential: Credential | None
    readings: list[Reading[R]] = field(init=False)
    """Every pass over the pages, the latest last."""
    doubts: list[str] = field(init=False, default_factory=list)
    """What speaks against the latest reading; empty where it proved itself, or another pass showed the same."""
    strikes: int = field(init=False, default=0)
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        self.readings = [Reading(self.what)]

    @abstractmethod
    def read(self, body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]) -> ListPage[R]:
        """Return the page in an answer's body; NotAList where there is none."""

    @property
    def reading(self) -> Reading[R]:
        """The pass that counts: the latest."""
        return self.readings[-1]

    def wanted(self) -> Wanted | None:
        """Return the next page to ask for; None where there is none, or none yet."""
        return self.reading.wanted()

    def take(self, wanted: Wanted, page: ListPage[R]) -> None:
        """Take in a page that has arrived, and begin another reading where this one ends in doubt."""
        self.reading.take(wanted, page)
        if self.reading.finished and not self.reading.trouble and not self.reading.faults():
            self._confirm_or_read_again()

    def fail(self, wanted: Wanted, trouble: EarlyEnd) -> None:
        """Note that a page could not be read."""
        self.reading.fail(wanted, trouble)

    @property
    def finished(self) -> bool:
        """Whether everything was read that will be."""
        return self.reading.finished

    @cached_property
    def rows(self) -> dict[str, R]:
        """Every row once, by id: those of the latest reading where it is confirmed, else what any reading saw."""
        counted = self.readings if self.reading.trouble or self.doubts else [self.reading]
        return {identifier: row for reading in counted for identifier, row in reading.rows().items()}

    def _confirm_or_read_again(self) -> None:
        """Accept a reading that proves itself by its totals, or that shows what the sound one before it showed."""
        reading, before = self.reading, self._sound_reading_before()
        self.doubts = reading.contradictions()
        is_confirmed = not self.doubts and reading.has_totals
        if not self.doubts and not is_confirmed and before is not None:
            is_confirmed = reading.shows_same_as(before)
            self.doubts = [] if is_confirmed else [f"its pages contained other {self.what}s when they were read again"]
        self.strikes += bool(self.doubts)
        if not is_confirmed and self.strikes < MOST_STRIKES:
            self.readings.append(Reading(self.what))

    def _sound_reading_before(self) -> Reading[R] | None:
        before = self.readings[-2] if len(self.readings) > 1 else None
        return before if before and not before.contradictions() else None


@dataclass
class Applications(Listing[Application]):
    """An organization's OAuth applications."""

    path = "oauth_applications"
    what = "OAuth application"

    def read(
        self, body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]
    ) -> ListPage[Application]:
        """Return the page in an answer's body; NotAList where there is none."""
        return read_applications(body, fingerprint_of, traced)


@dataclass
class Tokens(Listing[TokenRow]):
    """An organization's tokens, and its OAuth applications where they are asked for."""

    path = "authorization_tokens"
    what = "token"

    applications: Applications | None = None

    def read(self, body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]) -> ListPage[TokenRow]:
        """Return the page in an answer's body; NotAList where there is none."""
        return read_page(body, fingerprint_of, traced)

    @property
    def lists(self) -> list[Listing[Any]]:
        """All that is asked for of the organization."""
        return [self] if self.applications is None else [self, self.applications]

    @property
    def name(self) -> str:
        """What the organization is called: in the configuration, else by Credly, else its id."""
        if self.organization.name:
            return self.organization.name
        return next((row.owner_name for row in self.own_rows if row.owner_name), self.organization.id)

    def owns(self, row: TokenRow) -> bool:
        """Return whether the row is the organization's own; one that names no owner is."""
        return row.owner_id is None or row.owner_id.lower() == self.organization.id.lower()

    @cached_property
    def own_rows(self) -> list[TokenRow]:
        """The rows that are the organization's own."""
        return [row for row in self.rows.values() if self.owns(row)]

    @property
    def audit_credential_rows(self) -> list[TokenRow]:
        """The rows of the credential that was used; none where it is not listed, or its value is withheld."""
        fingerprint = self.credential.fingerprint if self.credential else None
        return [row for row in self.rows.values() if fingerprint and row.fingerprint == fingerprint]

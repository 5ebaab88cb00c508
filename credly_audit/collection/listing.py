"""One organization's listing: read once, read afresh where the first reading contradicts itself, and then judged."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Generic

from credly_audit.collection.reading import Reading, Wanted
from credly_audit.config.settings import Organization
from credly_audit.credly.applications import Application, read_applications
from credly_audit.credly.auth import Credential
from credly_audit.credly.client import Effort
from credly_audit.credly.wire import FingerprintOf, Page, R, Row, read_page
from credly_audit.fingerprint import Trace


@dataclass
class Listing(ABC, Generic[R]):
    """What is known of one list of an organization. `place` is its number among the lists asked for.

    `credential` is None where there is none to be had; `reading.trouble` says why. What it found is to be asked for
    once it is finished.
    """

    path: ClassVar[str]
    """The list's name in the API."""
    what: ClassVar[str]
    """A row of it, as people call it."""

    place: int
    organization: Organization
    credential: Credential | None
    reading: Reading[R] = field(init=False)
    earlier: Reading[R] | None = None
    """The first reading, where it contradicted itself and a second was made."""
    effort: Effort = field(default_factory=Effort)

    def __post_init__(self) -> None:
        self.reading = Reading(self.what)

    @abstractmethod
    def read(self, body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]) -> Page[R]:
        """The page in an answer's body; Unreadable where there is none."""

    def wanted(self) -> Wanted | None:
        """The next page to ask for; None where there is none, or none yet."""
        return self.reading.wanted()

    def took(self, wanted: Wanted, page: Page[R]) -> None:
        """A page has come."""
        self.reading.took(wanted, page)
        self._start_afresh_where_needed()

    def fail(self, wanted: Wanted, sentence: str) -> None:
        """A page could not be had."""
        self.reading.fail(wanted, sentence)

    @property
    def finished(self) -> bool:
        """Whether all was read that will be."""
        return self.reading.finished

    @cached_property
    def rows(self) -> dict[str, R]:
        """Every row that was seen, once, by id.

        A second reading that is whole and without contradiction stands alone; else what either saw is kept.
        """
        latest = self.reading.rows()
        if self.earlier is None or not (self.reading.trouble or self.reading.contradictions()):
            return latest
        return self.earlier.rows() | latest

    def _start_afresh_where_needed(self) -> None:
        reading = self.reading
        is_whole = reading.finished and not reading.trouble and not reading.faults()
        if is_whole and self.earlier is None and reading.contradictions():
            self.earlier, self.reading = reading, Reading(self.what)


@dataclass
class Applications(Listing[Application]):
    """An organization's OAuth applications."""

    path = "oauth_applications"
    what = "OAuth application"

    def read(self, body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]) -> Page[Application]:
        """The page in an answer's body; Unreadable where there is none."""
        return read_applications(body, fingerprint_of, traced)


@dataclass
class Tokens(Listing[Row]):
    """An organization's tokens, and its OAuth applications where they are asked for."""

    path = "authorization_tokens"
    what = "token"

    applications: Applications | None = None

    def read(self, body: bytes, fingerprint_of: FingerprintOf, traced: Callable[[Trace], None]) -> Page[Row]:
        """The page in an answer's body; Unreadable where there is none."""
        return read_page(body, fingerprint_of, traced)

    @property
    def lists(self) -> list[Listing[Any]]:
        """All that is asked for of the organization."""
        return [self] if self.applications is None else [self, self.applications]

    @property
    def name(self) -> str:
        """How the organization is called: in the configuration, else by Credly, else its id."""
        if self.organization.name:
            return self.organization.name
        names = (row.owner_name for row in self.rows.values() if row.owner_id == self.organization.id)
        return next((name for name in names if name), self.organization.id)

    @property
    def own_rows(self) -> list[Row]:
        """The rows of the credential that asked; none where it is not listed, or its value is withheld."""
        fingerprint = self.credential.fingerprint if self.credential else None
        return [row for row in self.rows.values() if fingerprint and row.fingerprint == fingerprint]

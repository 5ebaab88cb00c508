"""One organization's listing: read once, read afresh where the first reading contradicts itself, and then judged."""

from dataclasses import dataclass, field
from functools import cached_property

from credly_audit.collection.reading import Reading, Wanted
from credly_audit.config.settings import Organization
from credly_audit.credly.auth import Credential
from credly_audit.credly.client import Effort
from credly_audit.credly.wire import Page, Row


@dataclass
class Listing:
    """What is known of one organization. `place` is its number among those asked.

    `credential` is None where there is none to be had; `reading.trouble` says why. What it found (`rows`, `name`,
    `own_rows`) is to be asked for once it is finished.
    """

    place: int
    organization: Organization
    credential: Credential | None
    reading: Reading = field(default_factory=Reading)
    earlier: Reading | None = None
    """The first reading, where it contradicted itself and a second was made."""
    effort: Effort = field(default_factory=Effort)

    def wanted(self) -> Wanted | None:
        """The next page to ask for; None where there is none, or none yet."""
        return self.reading.wanted()

    def took(self, wanted: Wanted, page: Page) -> None:
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
    def rows(self) -> dict[str, Row]:
        """Every token that was seen, once, by id.

        A second reading that is whole and without contradiction stands alone; else what either saw is kept.
        """
        latest = self.reading.rows()
        if self.earlier is None or not (self.reading.trouble or self.reading.contradictions()):
            return latest
        return self.earlier.rows() | latest

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

    def _start_afresh_where_needed(self) -> None:
        reading = self.reading
        is_whole = reading.finished and not reading.trouble and not reading.faults()
        if is_whole and self.earlier is None and reading.contradictions():
            self.earlier, self.reading = reading, Reading()

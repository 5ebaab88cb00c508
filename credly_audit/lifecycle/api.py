"""What is asked of Credly about one organization's tokens: does this value work, what is listed, and the one POST."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, auto
from http import HTTPStatus
from typing import Literal

from credly_audit.collection.reading import MOST_PAGES
from credly_audit.config.settings import Organization
from credly_audit.credly.auth import Credential, TokenCredential
from credly_audit.credly.client import Client
from credly_audit.credly.new_token import Made, read_made, read_values
from credly_audit.credly.pace import Throttled
from credly_audit.credly.refusals import Answer, explain_refusal, words
from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.credly.wire import Row, Unreadable, read_page
from credly_audit.instants import read_instant
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.redaction import Redactor

REFUSALS = range(400, 500)
"""Credly did not do what was asked with a POST, except where it took too long (408)."""


class Verdict(Enum):
    """What Credly says to a credential."""

    WORKS = auto()
    REFUSED = auto()
    """401: expired, rotated away, revoked, or of the other environment."""
    SILENT = auto()
    """Neither the one nor the other can be said."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at the listing with one credential: the rows by id, and `said`, why there are none."""

    verdict: Verdict
    said: str = ""
    rows: Mapping[str, Row] = field(default_factory=dict)
    values: Mapping[str, Secret] = field(default_factory=dict, repr=False)

    def row_of(self, fingerprint: str | None) -> Row | None:
        """The token of that value."""
        return next((row for row in self.rows.values() if fingerprint and row.fingerprint == fingerprint), None)


@dataclass(frozen=True, slots=True)
class Posted:
    """What came back of the one POST."""

    said: str
    """Why it is not known to be done; empty where the answer says that it is."""
    made: Made
    refused: bool
    """Whether Credly answered that it will not do it: nothing is under way, and nothing was changed."""


class Shown(Enum):
    """What the listing that a second credential sees shows as a token's value."""

    NEW = auto()
    """Another value than the old one."""
    OLD = auto()
    NOTHING = auto()
    """The value is withheld, or there is nothing to look with."""
    SILENT = auto()
    """Credly did not answer."""


@dataclass(frozen=True, slots=True)
class Found:
    """The value that the listing shows for a token, or why there is none."""

    shown: Shown
    why_not: str = ""
    value: Secret | None = field(default=None, repr=False)


class Asker:
    """Asks about one organization. No value leaves it but as a Secret."""

    def __init__(self, client: Client, organization: Organization, fingerprints: Fingerprints) -> None:
        self._client = client
        self._fingerprints = fingerprints
        self._called = organization.called
        self._path = f"/organizations/{organization.id}/authorization_tokens"

    def probe(self, credential: Credential) -> Seen:
        """Whether the credential opens the listing; page 1 of it."""
        return self._page(credential, 1, Redactor(self._fingerprints.digest, credential.traces))

    def listed(self, credential: Credential) -> Seen:
        """The whole listing as that credential sees it."""
        redactor = Redactor(self._fingerprints.digest, credential.traces)
        rows: dict[str, Row] = {}
        values: dict[str, Secret] = {}
        for number in range(1, MOST_PAGES):
            page = self._page(credential, number, redactor)
            if page.verdict is not Verdict.WORKS:
                return page
            if page.rows.keys() <= rows.keys():
                break
            rows |= page.rows
            values |= page.values
        return Seen(Verdict.WORKS, "", rows, values)

    def probe_value(self, value: Secret) -> Seen:
        """Whether the value opens the listing."""
        return self.probe(TokenCredential(value, self._fingerprints.of(value.reveal())))

    def find_value(self, credential: Credential | None, token_ids: Collection[str], old: Secret | None) -> Found:
        """What the listing that a second credential sees shows for a token, known by its ids, in place of `old`."""
        if credential is None:
            return Found(Shown.NOTHING, "no fallback_token is configured to look for the new one with")
        if not token_ids:
            return Found(Shown.NOTHING, "the token's id is not known, by which the new one could be looked for")
        seen = self.listed(credential)
        if seen.verdict is not Verdict.WORKS:
            shown = Shown.SILENT if seen.verdict is Verdict.SILENT else Shown.NOTHING
            return Found(shown, f"fallback_token could not look for the new one: {seen.said}")
        values = [seen.values[each] for each in token_ids if each in seen.values]
        if not values:
            return Found(Shown.NOTHING, "the listing that fallback_token sees withholds the new one")
        new = next((value for value in values if value != old), None)
        return Found(Shown.OLD, "the listing shows the old one still") if new is None else Found(Shown.NEW, "", new)

    def rotate(self, credential: Credential, description: str | None) -> Posted:
        """Once, whatever comes back."""
        return self._post(f"{self._path}/rotate", "rotate", credential, description)

    def create(self, credential: Credential, description: str) -> Posted:
        """Once, whatever comes back."""
        return self._post(self._path, "create", credential, description)

    def _page(self, credential: Credential, number: int, redactor: Redactor) -> Seen:
        try:
            answer = self._client.get(f"{self._path}?page={number}", credential)
        except (NoAnswer, Throttled) as trouble:
            return Seen(Verdict.SILENT, str(trouble))
        if answer.status == HTTPStatus.UNAUTHORIZED:
            refusal = explain_refusal(answer, self._called, redactor.words, doubt=credential.doubt)
            return Seen(Verdict.REFUSED, str(refusal))
        if answer.status != HTTPStatus.OK:
            return Seen(Verdict.SILENT, str(explain_refusal(answer, self._called, redactor.words)))
        try:
            page = read_page(answer.body, self._fingerprints.of, redactor.know)
        except Unreadable as error:
            return Seen(Verdict.SILENT, f"the answer is no list of tokens: {error}")
        return Seen(Verdict.WORKS, "", {row.id: row for row in page.rows}, read_values(answer.body))

    def _post(
        self, path: str, action: Literal["rotate", "create"], credential: Credential, description: str | None
    ) -> Posted:
        redactor = Redactor(self._fingerprints.digest, credential.traces)
        content = {} if description is None else {"description": description}
        try:
            answer = self._client.post(path, credential, content)
        except NoAnswer as trouble:
            return Posted(trouble.what, Made(None), refused=False)
        refused = answer.status in REFUSALS and answer.status != HTTPStatus.REQUEST_TIMEOUT
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return Posted(self._refusal(action, answer, redactor), Made(None), refused=refused)
        made = read_made(answer.body, self._fingerprints.of, redactor.know)
        said = "" if made.row or made.value or made.others else self._refusal(action, answer, redactor)
        return Posted(said, made, refused=False)

    def _refusal(self, action: str, answer: Answer, redactor: Redactor) -> str:
        said = words(answer)
        if answer.status == HTTPStatus.FORBIDDEN and said is not None:
            why = f"the credential of {self._called} may not {action} tokens"
        elif answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            return explain_refusal(answer, self._called, redactor.words).what
        else:
            why = f"an answer without a token came to the request to {action} one for {self._called}"
        own_words = " ".join(redactor.words(said).split())[:200] if said else ""
        return f"{answer.status}: {why}" + (f" (Credly says: {own_words})" if own_words else "")


def instant(text: str | None) -> datetime | None:
    """A date as the API writes it; None where it is none."""
    return read_instant(text or "", assume_utc=True)

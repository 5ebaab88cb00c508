"""Ask Credly about the tokens of one organization: does a value work, what is listed, and the one POST."""

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
from credly_audit.credly.wire import NotAList, TokenRow, read_page
from credly_audit.instants import read_instant
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.redaction import Redactor

REFUSALS = range(400, 500)
"""Credly did not do what was asked with a POST, except where it took too long (408)."""


class Access(Enum):
    """How Credly answers a credential."""

    WORKS = auto()
    REFUSED = auto()
    """401: expired, rotated away, revoked, or of the other environment."""
    SILENT = auto()
    """Credly did not answer, or not with a list of tokens."""


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the listing with one credential: the rows by id, and the reason why there are none."""

    access: Access
    reason: str = ""
    rows: Mapping[str, TokenRow] = field(default_factory=dict)
    values: Mapping[str, Secret] = field(default_factory=dict, repr=False)

    def find_row(self, fingerprint: str | None) -> TokenRow | None:
        """Return the token whose value has this fingerprint."""
        return next((row for row in self.rows.values() if fingerprint and row.fingerprint == fingerprint), None)


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back of the one POST."""

    reason: str
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
class FoundValue:
    """The value that the listing shows for a token, or why there is none."""

    shown: Shown
    why_not: str = ""
    value: Secret | None = field(default=None, repr=False)


class TokensApi:
    """The token endpoints of one organization. A value leaves them only as a Secret."""

    def __init__(self, client: Client, organization: Organization, fingerprints: Fingerprints) -> None:
        self._client = client
        self._fingerprints = fingerprints
        self._called = organization.called
        self._path = f"/organizations/{organization.id}/authorization_tokens"

    def probe(self, credential: Credential) -> Look:
        """Look at page 1 of the listing, to find out whether the credential works."""
        return self._read_page(credential, 1, Redactor(self._fingerprints.digest, credential.traces))

    def list_tokens(self, credential: Credential) -> Look:
        """Look at the complete listing as that credential sees it."""
        redactor = Redactor(self._fingerprints.digest, credential.traces)
        rows: dict[str, TokenRow] = {}
        values: dict[str, Secret] = {}
        for number in range(1, MOST_PAGES):
            page = self._read_page(credential, number, redactor)
            if page.access is not Access.WORKS:
                return page
            if page.rows.keys() <= rows.keys():
                break
            rows |= page.rows
            values |= page.values
        return Look(Access.WORKS, "", rows, values)

    def probe_value(self, value: Secret) -> Look:
        """Look at page 1 of the listing with this value as the credential."""
        return self.probe(self.make_credential(value))

    def make_credential(self, value: Secret) -> Credential:
        """Make a value into a credential."""
        return TokenCredential(value, self.fingerprint_of(value))

    def fingerprint_of(self, value: Secret) -> str | None:
        """Return the fingerprint of a value."""
        return self._fingerprints.of(value.reveal())

    def find_value(self, credential: Credential | None, token_ids: Collection[str], old: Secret | None) -> FoundValue:
        """Look up, with a second credential, the value of a token with one of these ids, in place of `old`."""
        if credential is None:
            return FoundValue(Shown.NOTHING, "no fallback_token is configured to look for the new one with")
        if not token_ids:
            return FoundValue(Shown.NOTHING, "the token's id is not known, by which the new one could be looked for")
        look = self.list_tokens(credential)
        if look.access is not Access.WORKS:
            shown = Shown.SILENT if look.access is Access.SILENT else Shown.NOTHING
            return FoundValue(shown, f"fallback_token could not look for the new one: {look.reason}")
        values = [look.values[each] for each in token_ids if each in look.values]
        if not values:
            return FoundValue(Shown.NOTHING, "the listing that fallback_token sees withholds the new one")
        new = next((value for value in values if value != old), None)
        return (
            FoundValue(Shown.OLD, "the listing shows the old one still")
            if new is None
            else FoundValue(Shown.NEW, "", new)
        )

    def rotate(self, credential: Credential, description: str | None) -> Reply:
        """Ask for a new value once, whatever comes back."""
        return self._post(f"{self._path}/rotate", "rotate", credential, description)

    def create(self, credential: Credential, description: str) -> Reply:
        """Ask for a new token once, whatever comes back."""
        return self._post(self._path, "create", credential, description)

    def _read_page(self, credential: Credential, number: int, redactor: Redactor) -> Look:
        try:
            answer = self._client.get(f"{self._path}?page={number}", credential)
        except (NoAnswer, Throttled) as trouble:
            return Look(Access.SILENT, str(trouble))
        if answer.status == HTTPStatus.UNAUTHORIZED:
            refusal = explain_refusal(answer, self._called, redactor.redact, doubt=credential.doubt)
            return Look(Access.REFUSED, str(refusal))
        if answer.status != HTTPStatus.OK:
            return Look(Access.SILENT, str(explain_refusal(answer, self._called, redactor.redact)))
        try:
            page = read_page(answer.body, self._fingerprints.of, redactor.know)
        except NotAList as error:
            return Look(Access.SILENT, f"the answer is no list of tokens: {error}")
        return Look(Access.WORKS, "", {row.id: row for row in page.rows}, read_values(answer.body))

    def _post(
        self, path: str, action: Literal["rotate", "create"], credential: Credential, description: str | None
    ) -> Reply:
        redactor = Redactor(self._fingerprints.digest, credential.traces)
        content = {} if description is None else {"description": description}
        try:
            answer = self._client.post(path, credential, content)
        except NoAnswer as trouble:
            return Reply(trouble.what, Made(None), refused=False)
        refused = answer.status in REFUSALS and answer.status != HTTPStatus.REQUEST_TIMEOUT
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return Reply(self._describe_refusal(action, answer, redactor), Made(None), refused=refused)
        made = read_made(answer.body, self._fingerprints.of, redactor.know)
        reason = "" if made.row or made.value or made.others else self._describe_refusal(action, answer, redactor)
        return Reply(reason, made, refused=False)

    def _describe_refusal(self, action: str, answer: Answer, redactor: Redactor) -> str:
        own = words(answer)
        if answer.status == HTTPStatus.FORBIDDEN and own is not None:
            why = f"the credential of {self._called} may not {action} tokens"
        elif answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            return explain_refusal(answer, self._called, redactor.redact).what
        else:
            why = f"an answer without a token came to the request to {action} one for {self._called}"
        own_words = " ".join(redactor.redact(own).split())[:200] if own else ""
        return f"{answer.status}: {why}" + (f" (Credly says: {own_words})" if own_words else "")


def read_time(text: str | None) -> datetime | None:
    """Read a date as the API writes it; None where it is none."""
    return read_instant(text or "", assume_utc=True)

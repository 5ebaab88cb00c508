"""Call Credly's token endpoints of one organization: probe a value, read the listing, and send the one POST."""

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
from credly_audit.credly.new_token import NewToken, read_new_token, read_values
from credly_audit.credly.pace import Throttled
from credly_audit.credly.refusals import Answer, explain_refusal, words
from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.credly.wire import NotAList, TokenRow, read_page
from credly_audit.instants import read_instant
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.redaction import Redactor

REFUSALS = range(400, 500)
"""Statuses that say that Credly did not carry out a POST, except 408 (the request took too long)."""


class Access(Enum):
    """Whether Credly accepts a credential."""

    WORKS = auto()
    REFUSED = auto()
    """401: the value has expired, was replaced or revoked, or belongs to the other environment."""
    SILENT = auto()
    """Credly did not answer with a list of tokens."""


@dataclass(frozen=True, slots=True)
class Look:
    """The listing as one credential sees it: the rows by id, or the reason why there are none."""

    access: Access
    reason: str = ""
    rows: Mapping[str, TokenRow] = field(default_factory=dict)
    values: Mapping[str, Secret] = field(default_factory=dict, repr=False)

    def find_row(self, fingerprint: str | None) -> TokenRow | None:
        """Return the token whose value has this fingerprint."""
        return next((row for row in self.rows.values() if fingerprint and row.fingerprint == fingerprint), None)


@dataclass(frozen=True, slots=True)
class PostResult:
    """The answer to the one POST."""

    reason: str
    """Why the request is not known to be done; empty where the answer confirms it."""
    new_token: NewToken
    refused: bool
    """Whether Credly refused the request: nothing was changed and nothing is in progress."""


class ListedValue(Enum):
    """Which value of a token the listing shows to a second credential."""

    NEW = auto()
    """Another value than the old one."""
    OLD = auto()
    NOTHING = auto()
    """The listing withholds the value, or there is no second credential."""
    SILENT = auto()
    """Credly did not answer."""


@dataclass(frozen=True, slots=True)
class ValueLookup:
    """The value that the listing shows for a token, or the reason why there is none."""

    listed: ListedValue
    reason: str = ""
    value: Secret | None = field(default=None, repr=False)


class TokensApi:
    """The token endpoints of one organization; values leave this class only as Secret."""

    def __init__(self, client: Client, organization: Organization, fingerprints: Fingerprints) -> None:
        self._client = client
        self._fingerprints = fingerprints
        self._called = organization.called
        self._path = f"/organizations/{organization.id}/authorization_tokens"

    def probe(self, credential: Credential) -> Look:
        """Read page 1 of the listing to find out whether the credential works."""
        return self._read_page(credential, 1, Redactor(self._fingerprints.digest, credential.traces))

    def list_tokens(self, credential: Credential) -> Look:
        """Read the complete listing as that credential sees it."""
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
        """Read page 1 of the listing with this value as the credential."""
        return self.probe(self.make_credential(value))

    def make_credential(self, value: Secret) -> Credential:
        """Return a credential that authenticates with this value."""
        return TokenCredential(value, self.compute_fingerprint(value))

    def compute_fingerprint(self, value: Secret) -> str | None:
        """Return the fingerprint of a value."""
        return self._fingerprints.of(value.reveal())

    def find_value(self, credential: Credential | None, token_ids: Collection[str], old: Secret | None) -> ValueLookup:
        """Look up the value that replaced `old`, with a second credential, by the ids that the token may have."""
        if credential is None:
            return ValueLookup(ListedValue.NOTHING, "no fallback_token is configured that could look up the new value")
        if not token_ids:
            return ValueLookup(
                ListedValue.NOTHING, "the new value cannot be looked up, because the token's id is not known"
            )
        look = self.list_tokens(credential)
        if look.access is not Access.WORKS:
            listed = ListedValue.SILENT if look.access is Access.SILENT else ListedValue.NOTHING
            return ValueLookup(listed, f"fallback_token could not look up the new value: {look.reason}")
        values = [look.values[each] for each in token_ids if each in look.values]
        if not values:
            return ValueLookup(ListedValue.NOTHING, "the listing does not show the new value to fallback_token")
        new = next((value for value in values if value != old), None)
        return (
            ValueLookup(ListedValue.OLD, "the listing still shows the old value")
            if new is None
            else ValueLookup(ListedValue.NEW, "", new)
        )

    def rotate(self, credential: Credential, description: str | None) -> PostResult:
        """Request a new value once, whatever the answer is."""
        return self._post(f"{self._path}/rotate", "rotate", credential, description)

    def create(self, credential: Credential, description: str) -> PostResult:
        """Request a new token once, whatever the answer is."""
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
            return Look(Access.SILENT, f"the answer is not a list of tokens: {error}")
        return Look(Access.WORKS, "", {row.id: row for row in page.rows}, read_values(answer.body))

    def _post(
        self, path: str, action: Literal["rotate", "create"], credential: Credential, description: str | None
    ) -> PostResult:
        redactor = Redactor(self._fingerprints.digest, credential.traces)
        content = {} if description is None else {"description": description}
        try:
            answer = self._client.post(path, credential, content)
        except NoAnswer as trouble:
            return PostResult(trouble.what, NewToken(None), refused=False)
        refused = answer.status in REFUSALS and answer.status != HTTPStatus.REQUEST_TIMEOUT
        if not HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return PostResult(self._describe_refusal(action, answer, redactor), NewToken(None), refused=refused)
        made = read_new_token(answer.body, self._fingerprints.of, redactor.know)
        reason = "" if made.row or made.value or made.others else self._describe_refusal(action, answer, redactor)
        return PostResult(reason, made, refused=False)

    def _describe_refusal(self, action: str, answer: Answer, redactor: Redactor) -> str:
        own = words(answer)
        if answer.status == HTTPStatus.FORBIDDEN and own is not None:
            why = f"the credential of {self._called} is not permitted to {action} tokens"
        elif answer.status >= HTTPStatus.MULTIPLE_CHOICES:
            return explain_refusal(answer, self._called, redactor.redact).what
        else:
            why = f"Credly answered the request to {action} a token of {self._called} without a token"
        own_words = " ".join(redactor.redact(own).split())[:200] if own else ""
        return f"{answer.status}: {why}" + (f" (Credly says: {own_words})" if own_words else "")


def read_time(text: str | None) -> datetime | None:
    """Read a date as the API writes it; None where it is not a date."""
    return read_instant(text or "", assume_utc=True)

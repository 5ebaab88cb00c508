"""Which organizations a credential sees: normally one, its owner ([CLI] clients read `GET /organizations` so)."""

import re
from typing import Any

import msgspec

from credly_audit.config.types import UUID_SHAPE
from credly_audit.credly.answers import refusal
from credly_audit.credly.auth import Credential
from credly_audit.credly.client import Client
from credly_audit.credly.trouble import NoAnswer
from credly_audit.credly.wire import Unreadable, clean, read_page
from credly_audit.redaction import Redactor

MOST_PAGES = 1_000


class Seen(msgspec.Struct, frozen=True):
    """An organization as Credly describes it; `contact` is whom it names for technical matters, else at all."""

    id: str
    name: str | None = None
    contact: str | None = None


class _Row(msgspec.Struct):
    id: str
    name: Any = None
    contact_email: Any = None
    technical_contact_email: Any = None


class _Page(msgspec.Struct):
    data: list[_Row]


def organizations(client: Client, credential: Credential, redactor: Redactor) -> list[Seen]:
    """Every organization of the listing, page after page until one brings nothing new.

    NoAnswer, as one sentence, where it could not be had.
    """
    found: dict[str, Seen] = {}
    for page in range(1, MOST_PAGES + 1):
        answer = client.get(f"/organizations?page={page}", credential)
        if answer.status != 200:
            said = refusal(answer, "the organization", redactor.words, "organizations", doubt=credential.doubt)
            raise NoAnswer(said, passing=False)
        new = {each.id: each for each in _rows(answer.body, redactor) if each.id not in found}
        if not new:
            return list(found.values())
        found |= new
    raise NoAnswer(f"there are more than {MOST_PAGES:,} pages without an end: that cannot be right", passing=False)


def owner(client: Client, credential: Credential, organization_id: str, redactor: Redactor) -> list[Seen]:
    """Return whose tokens are listed: under OAuth Credly does not open the listing of organizations.

    That is the organization, by the name that its own tokens give it; others, where every token names another owner;
    nothing where the credential does not see it. NoAnswer where it cannot be told.
    """
    answer = client.get(f"/organizations/{organization_id}/authorization_tokens?page=1", credential)
    if answer.status == 404:
        return []
    if answer.status != 200:
        raise NoAnswer(refusal(answer, "the organization", redactor.words, doubt=credential.doubt), passing=False)
    try:
        rows = read_page(answer.body, redactor.digest, redactor.know).rows
    except Unreadable as error:
        raise NoAnswer(f"the answer is no list of tokens: {error}", passing=False) from None
    owners = {(row.owner_id or organization_id).lower(): row.owner_name for row in rows} or {organization_id: None}
    seen = [organization_id] if organization_id in owners else sorted(filter(re.compile(UUID_SHAPE).match, owners))
    return [Seen(each, _words(redactor, owners[each])) for each in seen]


def _rows(body: bytes, redactor: Redactor) -> list[Seen]:
    try:
        rows = msgspec.json.decode(body, type=_Page).data
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        raise NoAnswer("the answer is no list of organizations: check [api] base_url", passing=False) from None
    return [
        Seen(
            redactor.without_values(each.id.lower()),
            _words(redactor, each.name),
            _words(redactor, each.technical_contact_email, each.contact_email),
        )
        for each in rows
    ]


def _words(redactor: Redactor, *values: Any) -> str | None:
    """The first text among the values, without secrets."""
    return next((redactor.words(clean(value)) for value in values if isinstance(value, str) and value), None)

"""Which organizations a credential sees: normally one, its owner ([CLI] clients read `GET /organizations` so)."""

import re
from typing import Any

import msgspec

from credly_audit.config.types import UUID_SHAPE
from credly_audit.credly.auth import Credential
from credly_audit.credly.client import Client
from credly_audit.credly.refusals import explain_refusal
from credly_audit.credly.transport_errors import NoAnswer
from credly_audit.credly.wire import ABSENT, Fields, ListPage, NotAList, Scalar, WirePage, decode_page, read_page
from credly_audit.reasons import ReasonCode
from credly_audit.secrets.redaction import Redactor

MOST_PAGES = 1_000


class ListedOrganization(msgspec.Struct, frozen=True):
    """An organization as Credly describes it; `contact` is whom it names for technical matters, else at all."""

    id: str
    name: str | None = None
    contact: str | None = None


class _Row(msgspec.Struct):
    id: Any = None
    name: Any = None
    contact_email: Any = None
    technical_contact_email: Any = None


class _OrganizationsPage(WirePage):
    data: list[_Row | list[Any] | Scalar] | dict[str, Any] | Scalar | msgspec.UnsetType = ABSENT


MOST_READINGS = 3


def organizations(client: Client, credential: Credential, redactor: Redactor) -> list[ListedOrganization]:
    """Return every organization of the listing, read until its totals, or a second reading, say that these are all.

    NoAnswer, as one sentence, where it could not be read or stays inconsistent.
    """
    before: list[str] = []
    for _ in range(MOST_READINGS):
        found, totals = _read(client, credential, redactor)
        if totals == {len(found)} or (totals == {None} and list(found) == before):
            return list(found.values())
        before = list(found)
    raise NoAnswer(
        ReasonCode.CONTRADICTION,
        "Credly's list of organizations was inconsistent in several readings: run it again",
        passing=False,
    )


def _read(
    client: Client, credential: Credential, redactor: Redactor
) -> tuple[dict[str, ListedOrganization], set[int | None]]:
    """Return the organizations by id, page after page until one brings nothing new; and how many each page claims."""
    found: dict[str, ListedOrganization] = {}
    totals: set[int | None] = set()
    for number in range(1, MOST_PAGES + 1):
        answer = client.get(f"/organizations?page={number}", credential)
        if answer.status != 200:
            raise explain_refusal(answer, "the organization", redactor.redact, "organizations", doubt=credential.doubt)
        page = _read_page(answer.body, redactor)
        totals.add(page.total_count)
        if found.keys() >= {each.id for each in page.rows}:
            return found, totals
        found |= {each.id: each for each in page.rows if each.id not in found}
    raise NoAnswer(
        ReasonCode.TOO_MANY_PAGES,
        f"there are more than {MOST_PAGES:,} pages without an end, which is not plausible",
        passing=False,
    )


def owner(client: Client, credential: Credential, organization_id: str, redactor: Redactor) -> list[ListedOrganization]:
    """Return whose tokens are listed: under OAuth Credly does not open the listing of organizations.

    That is the organization, by the name that its own tokens give it; others, where every token names another owner;
    nothing where the credential does not see it. NoAnswer where it cannot be told.
    """
    answer = client.get(f"/organizations/{organization_id}/authorization_tokens?page=1", credential)
    if answer.status == 404:
        return []
    if answer.status != 200:
        raise explain_refusal(answer, "the organization", redactor.redact, doubt=credential.doubt)
    try:
        rows = read_page(answer.body, redactor.digest, redactor.know).rows
    except NotAList as error:
        raise NoAnswer(ReasonCode.NOT_A_LIST, f"the answer is not a list of tokens: {error}", passing=False) from None
    owners = {(row.owner_id or organization_id).lower(): row.owner_name for row in rows} or {organization_id: None}
    seen = [organization_id] if organization_id in owners else sorted(filter(re.compile(UUID_SHAPE).match, owners))
    return [ListedOrganization(each, _find_text(redactor, owners[each])) for each in seen]


def _read_page(body: bytes, redactor: Redactor) -> ListPage[ListedOrganization]:
    try:
        page = decode_page(body, _OrganizationsPage, lambda each, fields: _read_organization(each, fields, redactor))
    except NotAList:
        page = None
    if page is None or page.faults:
        raise NoAnswer(
            ReasonCode.NOT_A_LIST, "the answer is not a list of organizations: check [api] base_url", passing=False
        )
    return page


def _read_organization(wire: object, fields: Fields, redactor: Redactor) -> ListedOrganization | None:
    """Return an organization; None where it has no id to be known by."""
    if not isinstance(wire, _Row) or not isinstance(wire.id, str):
        fields.fault("it has no id that is a text")
        return None
    return ListedOrganization(
        redactor.redact_values(wire.id.lower()),
        _find_text(redactor, wire.name),
        _find_text(redactor, wire.technical_contact_email, wire.contact_email),
    )


def _find_text(redactor: Redactor, *values: Any) -> str | None:
    """The first text among the values, without secrets."""
    return next((redactor.redact(value) for value in values if isinstance(value, str) and value), None)

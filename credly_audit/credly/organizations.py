"""Which organizations a credential sees: normally one, its owner ([CLI] clients read `GET /organizations` so)."""

from collections.abc import Callable
from typing import Any

import msgspec

from credly_audit.credly.answers import refusal
from credly_audit.credly.auth import Credential
from credly_audit.credly.client import Client
from credly_audit.credly.trouble import NoAnswer
from credly_audit.credly.wire import clean

MOST_PAGES = 1_000


class Seen(msgspec.Struct, frozen=True):
    """An organization as Credly describes it."""

    id: str
    name: str | None = None
    contact_email: str | None = None


class _Page(msgspec.Struct):
    data: list[Any] | Any = None


def organizations(client: Client, credential: Credential, redact: Callable[[str], str]) -> list[Seen]:
    """Every organization of the listing, page after page until one brings nothing new.

    NoAnswer, as one sentence, where it could not be had: under OAuth Credly does not open this listing.
    """
    found: dict[str, Seen] = {}
    for page in range(1, MOST_PAGES + 1):
        answer = client.get(f"/organizations?page={page}", credential)
        if answer.status != 200:
            raise NoAnswer(refusal(answer, "the organization", redact), passing=False)
        new = [each for each in _rows(answer.body) if each.id not in found]
        if not new:
            break
        found |= {each.id: each for each in new}
    return list(found.values())


def _rows(body: bytes) -> list[Seen]:
    try:
        rows = msgspec.json.decode(body, type=_Page).data
        seen = msgspec.convert(rows, list[Seen])
    except (msgspec.MsgspecError, UnicodeError):
        raise NoAnswer("the answer is no list of organizations: check [api] base_url", passing=False) from None
    return [Seen(each.id.lower(), each.name and clean(each.name), each.contact_email) for each in seen]

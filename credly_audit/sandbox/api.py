"""What each endpoint answers, as Credly's documentation says, or as a comment says where it says nothing."""

import json
import re
import secrets
import uuid
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from credly_audit.instants import shift
from credly_audit.sandbox import oauth_endpoint
from credly_audit.sandbox.faults import Faults
from credly_audit.sandbox.shapes import (
    PER_PAGE,
    Reply,
    make_application_row,
    make_older_row,
    organization_row,
    page,
    refusal,
    split_pages,
    spoil_page,
    spoil_row,
    token_row,
)
from credly_audit.sandbox.world import LIFETIME, SandboxOrganization, Token, World

ROUTES = (
    ("POST", r"/oauth/token", "oauth-token"),
    ("GET", r"/v1/organizations", "organizations"),
    ("GET", r"/v1/organizations/([^/]+)", "organization"),
    ("GET", r"/v1/organizations/([^/]+)/authorization_tokens", "list"),
    ("POST", r"/v1/organizations/([^/]+)/authorization_tokens", "create"),
    ("POST", r"/v1/organizations/([^/]+)/authorization_tokens/rotate", "rotate"),
    ("GET", r"/v1/organizations/([^/]+)/oauth_applications", "oauth-applications"),
)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """A request as the server read it. The credential and the body, which may hold one, are in no repr."""

    method: str
    path: str
    query: Mapping[str, str]
    action: str
    """Empty where no endpoint is known for method and path."""
    organization_id: str
    authorization: str = field(repr=False)
    body: bytes = field(repr=False)

    @classmethod
    def read(cls, method: str, target: str, authorization: str, body: bytes) -> "ApiRequest":
        """Find the endpoint that method and path mean."""
        path, _, query = target.partition("?")
        for verb, pattern, action in ROUTES:
            found = re.fullmatch(pattern, path.rstrip("/"))
            if found and verb == method:
                organization_id = unquote(found[1]) if found.groups() else ""
                return cls(method, path, dict(parse_qsl(query)), action, organization_id, authorization, body)
        return cls(method, path, dict(parse_qsl(query)), "", "", authorization, body)

    @property
    def scopes(self) -> frozenset[str]:
        """The scopes of a fault that this request is in."""
        page_asked = f"page{self.query.get('page', '1')}"
        return frozenset({self.method.lower(), self.action, self.organization_id, page_asked})


class Refused(Exception):  # noqa: N818 - it carries an answer, no defect
    """What was asked is not done; the answer says why."""

    def __init__(self, answer: Reply) -> None:
        super().__init__(answer.status)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: the holder of a token, or of an OAuth access token (`token` is None then)."""

    token: Token | None

    @property
    def sees_read_only(self) -> bool:
        """A token without write or delete is shown the read-only tokens alone (Credly's page on the listing)."""
        return self.token is not None and self.token.read_only


Endpoint = Callable[[ApiRequest, SandboxOrganization, Caller, Faults], Reply]


class SandboxApi:
    """The endpoints over a world. Not safe to call from two threads at once: the server takes a lock."""

    def __init__(self, world: World, clock: Callable[[], datetime], origin: str) -> None:
        self.world = world
        self.clock = clock
        self.origin = origin
        self.bearers = oauth_endpoint.Bearers()
        self._endpoints: dict[str, Endpoint] = {
            "organization": self._organization,
            "list": self._list,
            "create": self._create,
            "rotate": self._rotate,
            "oauth-applications": self._applications,
        }

    def answer(self, request: ApiRequest, faults: Faults) -> Reply:
        """Do what was asked, or say why not."""
        try:
            if request.action == "oauth-token":
                return self.bearers.grant(request.authorization, request.body, self.world, faults)
            if request.action == "organizations":
                return self._organizations(request)
            if request.action not in self._endpoints:
                raise Refused(refusal(404, f"No endpoint {request.method} {request.path}"))
            organization, caller = self._admitted(request)
            return self._endpoints[request.action](request, organization, caller, faults)
        except Refused as refused:
            return refused.answer

    def _admitted(self, request: ApiRequest) -> tuple[SandboxOrganization, Caller]:
        organization = self.world.organization(request.organization_id)
        scheme, _, credential = request.authorization.partition(" ")
        if scheme.lower() == "bearer":
            bearer = self.bearers.known(credential)
            if bearer is None:
                raise Refused(oauth_endpoint.INVALID_TOKEN)
            if organization is None or organization.id not in bearer.organizations:
                raise Refused(NOT_FOUND)
            if "authorization_tokens" not in bearer.scopes:
                raise Refused(refusal(403, "The access token lacks the scope authorization_tokens"))
            return organization, Caller(None)
        value = basic_user(request.authorization)
        for token in organization.tokens if organization else ():
            if token.token == value:
                if token.expired(self.clock()):
                    raise Refused(UNAUTHORIZED)
                assert organization is not None  # noqa: S101 - it has this token
                return organization, Caller(token)
        # Nothing recorded says whether an organization of others is 403 or 404: Rails looks a record up among those
        # that the caller may see, which makes it 404; 403 is kept for a token that lacks a permission.
        raise Refused(NOT_FOUND if self._belongs(value) else UNAUTHORIZED)

    def _belongs(self, value: str | None) -> list[SandboxOrganization]:
        """The organizations that the credential is a living token of."""
        now = self.clock()
        return [
            one
            for one in (self.world.of_token(value) if value else ())
            if any(token.token == value and not token.expired(now) for token in one.tokens)
        ]

    def _organizations(self, request: ApiRequest) -> Reply:
        # A public client that uses OAuth avoids these two endpoints: access tokens seem not to reach them.
        if request.authorization.lower().startswith("bearer "):
            raise Refused(NOT_UNDER_OAUTH)
        mine = self._belongs(basic_user(request.authorization))
        if not mine:
            raise Refused(UNAUTHORIZED)
        number, pages = split_pages(len(mine), request.query)
        rows = [organization_row(one, self.origin) for one in mine[(number - 1) * PER_PAGE : number * PER_PAGE]]
        return Reply(200, page(rows, len(mine), number, pages, self.origin + request.path))

    def _organization(self, _: ApiRequest, organization: SandboxOrganization, caller: Caller, __: Faults) -> Reply:
        if caller.token is None:
            raise Refused(NOT_UNDER_OAUTH)
        return Reply(200, {"data": organization_row(organization, self.origin), "metadata": {}})

    def _list(self, request: ApiRequest, organization: SandboxOrganization, caller: Caller, faults: Faults) -> Reply:
        if "listing-of" in faults:
            organization = self.world.organization(faults["listing-of"]) or organization
        if organization.shape == "legacy":
            faults = {"legacy": "", **faults}
        if organization.masked:
            faults = {"masked": "null", **faults}
        shown = organization.tokens
        if caller.sees_read_only and "legacy" not in faults:
            shown = [token for token in shown if token.read_only]
        # Nothing in the metadata tells of the cut, so total_count counts what is shown.
        number, pages = split_pages(len(shown), request.query)
        first = 0 if "page-repeats" in faults else (number - 1) * PER_PAGE
        rows = [token_row(token, organization, self.origin) for token in shown[first : first + PER_PAGE]]
        if faults:
            rows = [spoil_row(row, faults) for row in rows]
        answer = page(rows, len(shown), number, pages, self.origin + request.path)
        if "shifting" in faults:
            self._shift(organization, caller, faults["shifting"])
        return Reply(200, spoil_page(answer, faults) if faults else answer)

    def _shift(self, organization: SandboxOrganization, caller: Caller, how: str) -> None:
        """Somebody removes or adds a token between two pages, at the head of the list."""
        others = [token for token in organization.tokens if token is not caller.token]
        if how == "added":
            organization.tokens.insert(0, self._new_token("Added while the list was read"))
        elif others:
            organization.tokens.remove(others[0])

    def _create(self, request: ApiRequest, organization: SandboxOrganization, caller: Caller, faults: Faults) -> Reply:
        if caller.token is not None and caller.token.write_enabled is False:
            raise Refused(refusal(403, "The authorization token lacks write permission"))
        token = self._new_token(_read_description(request))
        if "read-only-token" in faults:
            token.write_enabled = token.delete_enabled = False
        organization.tokens.append(token)
        place = f"{self.origin}{request.path}/{token.id}"
        return self._shown(201, organization, token, faults, {"Location": place})

    def _rotate(self, request: ApiRequest, organization: SandboxOrganization, caller: Caller, faults: Faults) -> Reply:
        token = caller.token
        if token is None:
            raise Refused(refusal(422, "An OAuth access token has no authorization token to rotate"))
        description = _read_description(request)
        # The documented sample keeps id and created_at; no word says that write permission is needed.
        token.token = new_value()
        token.expires_at = shift(self.clock(), LIFETIME)
        token.description = token.description if description is None else description
        return self._shown(200, organization, token, faults, {})

    def _shown(
        self, status: int, organization: SandboxOrganization, token: Token, faults: Faults, headers: dict[str, str]
    ) -> Reply:
        row = token_row(token, organization, self.origin, value="no-token-in-answer" not in faults)
        row = make_older_row(row) if organization.shape == "legacy" else row
        return Reply(status, {"data": spoil_row(row, faults), "metadata": {}}, headers)

    def _new_token(self, description: str | None) -> Token:
        now = self.clock()
        return Token(
            str(uuid.uuid4()),
            new_value(),
            description,
            write_enabled=True,
            delete_enabled=True,
            created_at=now,
            expires_at=shift(now, LIFETIME),
        )

    def _applications(self, request: ApiRequest, organization: SandboxOrganization, _: Caller, faults: Faults) -> Reply:
        every = organization.oauth_applications
        number, pages = split_pages(len(every), request.query)
        rows = [make_application_row(one) for one in every[(number - 1) * PER_PAGE : number * PER_PAGE]]
        answer = page(rows, len(every), number, pages, self.origin + request.path)
        return Reply(200, spoil_page(answer, faults) if faults else answer)


UNAUTHORIZED = refusal(401, "Unauthorized", WWW_Authenticate='Basic realm="Application"')
NOT_FOUND = refusal(404, "Organization not found")
NOT_UNDER_OAUTH = refusal(403, "Organizations are not open to an OAuth access token")


def new_value() -> str:
    """A new token's value: random, and visibly none of Credly's."""
    return "MADE-UP-" + secrets.token_urlsafe(21)


def basic_user(authorization: str) -> str | None:
    """The user name of `Basic base64("<token>:")`; None where it is anything else: the password must be blank."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        user, colon, password = b64decode(encoded, validate=True).decode().partition(":")
    except (NotBase64, UnicodeDecodeError):
        return None
    return user if colon and not password else None


def _read_description(request: ApiRequest) -> str | None:
    """The one documented field of the body; others are ignored, as Rails ignores them."""
    try:
        body: Any = json.loads(request.body or b"{}")
    except ValueError:
        raise Refused(refusal(400, "The body is not JSON")) from None
    description = body.get("description") if isinstance(body, dict) else None
    if description is not None and not isinstance(description, str):
        raise Refused(refusal(422, "Description is invalid"))
    return description

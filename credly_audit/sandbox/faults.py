"""Define the faults of the sandbox: their names, their grammar, and which of them apply to a request.

    NAME[=VALUE][@SCOPE]…[+SKIP][xCOUNT]        status=503@rotate, stall@88cf96b7-…@page3, lost-after+1x2

A scope is an organization's id, an action, `get`, `post` or `pageN`; a request must be in all that are named. The
first SKIP such requests are served normally, the next COUNT get the fault (all of them, if no COUNT is given).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from threading import Lock

from credly_audit.errors import UsageError

ACTIONS = ("list", "create", "rotate", "organizations", "organization", "oauth-applications", "oauth-token")

NUMBER = r"\d+(\.\d+)?"
WHOLE = r"\d+"
CLAIM = r'[a-z_]+:(-?(0|[1-9]\d*)(\.\d+)?|true|false|null|"[^"\\]*")'
UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"


@dataclass(frozen=True, slots=True)
class FaultKind:
    """A fault by its name; `takes` names its value in the help, `shape` is what the value must match."""

    name: str
    says: str
    takes: str = ""
    shape: str = ""
    default: str | None = None
    where: tuple[str, ...] = ()
    """The scopes that it has where none but an organization is named."""


KINDS = {
    kind.name: kind
    for kind in (
        FaultKind("latency", "delay every response", "SECONDS", NUMBER),
        FaultKind("status", "respond with this error status; do nothing", "CODE", r"[45]\d\d"),
        FaultKind(
            "status-after", "carry out the request, then respond with this status", "CODE", r"[45]\d\d", None, ("post",)
        ),
        FaultKind("rate", "respond 429 above this number of requests per second", "REQUESTS", NUMBER),
        FaultKind("retry-after", "send Retry-After in seconds with 429 and 503", "SECONDS", WHOLE),
        FaultKind("retry-after-date", "send Retry-After as a date with 429 and 503", "SECONDS", WHOLE),
        FaultKind("html", "a web page with status 200"),
        FaultKind("forbidden-html", "a web page with status 403, as firewalls send it"),
        FaultKind("empty-401", "status 401 without a body"),
        FaultKind("redirect", "redirect (307) to this address", "URL", r".+"),
        FaultKind("stall", "accept the request and never respond"),
        FaultKind("stall-after", "carry out the request and never respond", where=("post",)),
        FaultKind("reset", "reset the connection"),
        FaultKind("lost-before", "close the connection; do nothing", where=("post",)),
        FaultKind("lost-after", "carry out the request, then close the connection", where=("post",)),
        FaultKind("cut", "cut off the response"),
        FaultKind("drip", "send the response byte by byte at this interval", "SECONDS", NUMBER, "0.2"),
        FaultKind("bad-utf8", "respond in bytes that are not UTF-8"),
        FaultKind("data-object", "`data` is an object instead of a list", where=("list",)),
        FaultKind("data-missing", "`data` is missing", where=("list",)),
        FaultKind("metadata-null", "`metadata` is null", where=("list",)),
        FaultKind("metadata-empty", "`metadata` is {}", where=("list",)),
        FaultKind(
            "metadata-only", "`metadata` has only these fields", "FIELD[,FIELD]", r"[a-z_]+(,[a-z_]+)*", None, ("list",)
        ),
        FaultKind("claim", "set a field of `metadata` to this JSON value", "FIELD:JSON", CLAIM, None, ("list",)),
        FaultKind("listing-of", "list the tokens of this organization instead", "ID", UUID, None, ("list",)),
        FaultKind("page-repeats", "every page is page 1 again", where=("list",)),
        FaultKind("total-pages", "`total_pages` reports this number", "N", WHOLE, None, ("list",)),
        FaultKind("total-count", "`total_count` reports this number", "N", WHOLE, None, ("list",)),
        FaultKind("short-page", "every page but the last lacks a token", where=("list",)),
        FaultKind(
            "shifting",
            "after page 1 a token is removed (or added)",
            "HOW",
            "removed|added",
            "removed",
            ("list", "page1"),
        ),
        FaultKind("lone-surrogates", "descriptions contain half a character and a NUL", where=("list",)),
        FaultKind("foreign-next-page-url", "links to pages lead to another host", where=("list",)),
        FaultKind("masked", "the listing masks values: null, or stars", "HOW", "null|stars", "null", ("list",)),
        FaultKind("legacy", "the older shape: no permissions, expiry, metadata", where=("list",)),
        FaultKind("no-token-in-answer", "the responses to create and rotate lack the value"),
        FaultKind("read-only-token", "a created token is read-only", where=("create",)),
        FaultKind("oauth-expires", "lifetime of OAuth access tokens (7200)", "SECONDS", WHOLE, None, ("oauth-token",)),
    )
}

SCOPE = rf"{UUID}|{'|'.join(ACTIONS)}|get|post|page\d+"
GRAMMAR = re.compile(rf"([^=@+]+?)(?:=(.*?))?((?:@(?:{SCOPE}))*)(?:\+(\d+))?(?:x(\d+))?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault as it was asked for."""

    name: str
    value: str
    scopes: frozenset[str]
    skip: int
    count: int | None

    @classmethod
    def read(cls, text: str) -> "Fault":
        """What a person wrote; UsageError, naming the nearest known fault, where it is none."""
        parts = GRAMMAR.fullmatch(text)
        if parts is None:
            known = f"an organization's id, {', '.join(ACTIONS)}, get, post, pageN"
            raise UsageError(f"fault '{text}': write NAME[=VALUE][@SCOPE][+SKIP][xCOUNT], where a scope is {known}")
        name, value, scopes, skip, count = parts.groups()
        if name not in KINDS:
            near = get_close_matches(name, KINDS, 1, 0)
            raise UsageError(f"fault '{text}': there is no fault '{name}'; did you mean '{near[0]}'?")
        kind = KINDS[name]
        value = kind.default if value is None else value
        if kind.takes and not re.fullmatch(kind.shape, value or ""):
            raise UsageError(f"fault '{text}': write {name}={kind.takes}, optionally followed by @SCOPE, +SKIP, xCOUNT")
        if not kind.takes and value is not None:
            raise UsageError(f"fault '{text}': {name} takes no value")
        asked = frozenset(scopes.split("@")[1:])
        usual = () if any(not re.fullmatch(UUID, scope) for scope in asked) else kind.where
        return cls(name, value or "", asked.union(usual), int(skip or 0), None if count is None else int(count))


def explained() -> Iterable[tuple[str, str]]:
    """Every fault as it is written, and what it does."""
    for kind in KINDS.values():
        value = f"={kind.takes}" if kind.takes else ""
        yield (kind.name + (f"[{value}]" if kind.default else value), kind.says)


Faults = dict[str, str]
"""The faults that one request meets: their values by their names."""


class FaultPlan:
    """Counts how often each fault was met; safe to ask from many threads."""

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._everywhere = [Fault.read(text) for text in texts]
        self._read: dict[tuple[str, str], Fault] = {}
        self._seen: dict[tuple[str, Fault], int] = {}
        self._lock = Lock()

    def met_by(self, scopes: frozenset[str], organization_id: str, its_own: Sequence[str] = ()) -> Faults:
        """The faults that a request in `scopes` meets; `its_own` are those of the organization it asks."""
        if not self._everywhere and not its_own:
            return {}
        with self._lock:
            own = [self._own(organization_id, text) for text in its_own]
            faults = [("", fault) for fault in self._everywhere] + [(organization_id, fault) for fault in own]
            return {fault.name: fault.value for owner, fault in faults if self._strikes(owner, fault, scopes)}

    def _own(self, organization_id: str, text: str) -> Fault:
        key = (organization_id, text)
        if key not in self._read:
            self._read[key] = Fault.read(text)
        return self._read[key]

    def _strikes(self, owner: str, fault: Fault, scopes: frozenset[str]) -> bool:
        if not fault.scopes <= scopes:
            return False
        seen = self._seen.get((owner, fault), 0)
        self._seen[owner, fault] = seen + 1
        return seen >= fault.skip and (fault.count is None or seen < fault.skip + fault.count)

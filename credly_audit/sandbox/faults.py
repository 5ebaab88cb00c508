"""The faults that can be asked of the sandbox: their names, their grammar, and which of them a request meets.

    NAME[=VALUE][@SCOPE]…[+SKIP][xCOUNT]        status=503@rotate, stall@88cf96b7-…@page3, lost-after+1x2

A scope is an organization's id, an action, `get`, `post` or `pageN`; a request must be in all that are named. The
first SKIP such requests are left alone, the next COUNT meet the fault (all of them, where no COUNT is given).
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
class Kind:
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
        Kind("latency", "every answer takes that much longer", "SECONDS", NUMBER),
        Kind("status", "an error of that status, nothing is done", "CODE", r"[45]\d\d"),
        Kind(
            "status-after", "what was asked is done, then answered with an error", "CODE", r"[45]\d\d", None, ("post",)
        ),
        Kind("rate", "no more requests a second than that, 429 beyond", "REQUESTS", NUMBER),
        Kind("retry-after", "429 and 503 say when to come back, in seconds", "SECONDS", WHOLE),
        Kind("retry-after-date", "the same, as a date that many seconds ahead", "SECONDS", WHOLE),
        Kind("html", "a web page with status 200"),
        Kind("forbidden-html", "a web page with status 403, as a firewall sends it"),
        Kind("empty-401", "status 401 without a body"),
        Kind("redirect", "status 307 to that address", "URL", r".+"),
        Kind("stall", "the request is taken and never answered"),
        Kind("stall-after", "what was asked is done, and never answered", where=("post",)),
        Kind("reset", "the connection is reset"),
        Kind("lost-before", "the connection ends before anything was done", where=("post",)),
        Kind("lost-after", "what was asked is done, then the connection ends", where=("post",)),
        Kind("cut", "the answer ends in its middle"),
        Kind("drip", "the answer comes byte by byte, that far apart", "SECONDS", NUMBER, "0.2"),
        Kind("bad-utf8", "the answer is not UTF-8"),
        Kind("data-object", "`data` is an object instead of a list", where=("list",)),
        Kind("data-missing", "there is no `data`", where=("list",)),
        Kind("metadata-null", "`metadata` is null", where=("list",)),
        Kind("metadata-empty", "`metadata` is {}", where=("list",)),
        Kind(
            "metadata-only", "`metadata` has only these fields", "FIELD[,FIELD]", r"[a-z_]+(,[a-z_]+)*", None, ("list",)
        ),
        Kind("claim", "a field of `metadata` says that, in JSON", "FIELD:JSON", CLAIM, None, ("list",)),
        Kind("listing-of", "the tokens of that organization are listed", "ID", UUID, None, ("list",)),
        Kind("page-repeats", "every page is page 1 again", where=("list",)),
        Kind("total-pages", "`total_pages` claims that many", "N", WHOLE, None, ("list",)),
        Kind("total-count", "`total_count` claims that many", "N", WHOLE, None, ("list",)),
        Kind("short-page", "every page but the last lacks a token", where=("list",)),
        Kind(
            "shifting",
            "after page 1 a token is removed (or added)",
            "HOW",
            "removed|added",
            "removed",
            ("list", "page1"),
        ),
        Kind("lone-surrogates", "descriptions hold half a character and a NUL", where=("list",)),
        Kind("foreign-next-page-url", "links to pages lead to another host", where=("list",)),
        Kind("masked", "the listing withholds values: null, or stars", "HOW", "null|stars", "null", ("list",)),
        Kind("legacy", "the older shape: no permissions, expiry, metadata", where=("list",)),
        Kind("no-token-in-answer", "the answers to create and rotate lack the value"),
        Kind("read-only-token", "a created token can only read", where=("create",)),
        Kind("oauth-expires", "OAuth access tokens live that long (7200)", "SECONDS", WHOLE, None, ("oauth-token",)),
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


class Plan:
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

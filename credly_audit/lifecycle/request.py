"""Describe what an operator requests with the options of `rotate` or `create`."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import sleep
from typing import TypeVar
from uuid import UUID

from credly_audit.errors import UsageError
from credly_audit.lifecycle.outcome import Action
from credly_audit.secrets import find_mistake, is_reference, list_forms

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Patience:
    """Waiting times in seconds, and numbers of tries; the tests use smaller ones."""

    read_back: float = 60.0
    pause: float = 2.0
    """The pause between two looks."""
    tries: int = 3
    """How often a store or a proof is tried; neither changes anything at Credly."""
    settling: float = 5.0
    """How long an unanswered request may still be in progress before the second look."""

    def repeat(self, look: Callable[[], T], *, until: Callable[[T], bool]) -> T:
        """Repeat a look until it satisfies `until`, at most `tries` times; return the last one."""
        found = look()
        for _ in range(1, self.tries):
            if until(found):
                break
            sleep(self.pause)
            found = look()
        return found


PATIENCE = Patience()

LIMIT = 10
"""How many tokens `create --for-expired` creates at most, where the command does not say."""


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID as Credly writes one, in either case."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The options of a command; `{id}` in a store is filled in. Raises UsageError for invalid options."""

    action: Action
    config: Path
    organizations: tuple[str, ...] = ()
    """The ids named; none: for `rotate` the marked organizations, or the one of `credential`."""
    credential: str | None = None
    store: str | None = None
    read_back: str | None = None
    description: str | None = None
    due: timedelta | None = None
    """Rotate only tokens that expire within this time."""
    replaces: str | None = None
    """For `create`: the id of the token that the new one is to replace."""
    replaces_due: timedelta | None = None
    """Within which time every consumer is to be confirmed."""
    for_expired: bool = False
    """For `create`: create a token in the place of each that has expired in its store."""
    tags: tuple[str, ...] = ()
    """For `for_expired`: only organizations with one of these tags."""
    limit: int | None = None
    """For `for_expired`: the most tokens to create; None: LIMIT."""
    then: str | None = None
    emergency_dir: Path | None = None
    fail_on: tuple[str, ...] = ()
    break_lock: bool = False
    dry_run: bool = False
    patience: Patience = field(default_factory=lambda: PATIENCE)

    @property
    def renews(self) -> bool:
        """Whether it is about the configured tokens, so that their `store` and `read_back` apply."""
        return self.action == "rotate" or self.for_expired

    def __post_init__(self) -> None:
        """Check everything that can be checked before anything is read or sent."""
        if self.action == "create":
            self._check_create()
        if self.replaces is not None and not is_uuid(self.replaces):
            raise UsageError("--replaces: write the token's id, a UUID as the reports show it, and never its value")
        if self.replaces_due is not None and self.replaces is None:
            raise UsageError("--replaces-due: belongs to --replaces; add it, or leave this out")
        if self.credential is not None and not is_reference(self.credential):
            wrong = find_mistake(self.credential) or (
                f"write a reference to the token, not the token: {list_forms()} "
                "(and replace the token if this one is real: it is in the shell's history)"
            )
            raise UsageError(f"--credential: {wrong}")
        if self.read_back not in {None, "none"} and not is_reference(self.read_back or "", "read back"):
            wrong = find_mistake(self.read_back or "") or f"write {list_forms('read back', 'none')}"
            raise UsageError(f"--read-back: {wrong}")
        if self.then is not None and not (self.then.startswith("exec:") and is_reference(self.then)):
            raise UsageError("--then: write exec:COMMAND")

    def _check_create(self) -> None:
        """Check which options of `create` go together."""
        if not self.for_expired:
            for option, value in (("--tag", self.tags), ("--limit", self.limit)):
                if value:
                    raise UsageError(f"{option}: belongs to --for-expired; add it, or leave this out")
            if len(self.organizations) != 1:
                raise UsageError("--organization: name the organization of the new token, one")
            if self.store is None:
                raise UsageError("--store: say where to store the new token's value")
            if not (self.replaces and self.description is None) and not (self.description or "").strip():
                raise UsageError("--description is empty: name the purpose and the owner of the token")
            return
        own = {
            "--replaces": self.replaces,
            "--credential": self.credential,
            "--store": self.store,
            "--read-back": self.read_back,
            "--description": self.description,
        }
        given = [option for option, value in own.items() if value is not None]
        if given:
            raise UsageError(
                f"{given[0]}: --for-expired takes this from the configuration and the expired token; leave it out"
            )

"""What an operator asks for with `rotate` or `create`, as the options say it."""

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
    """Seconds and tries; the tests have less of it."""

    read_back: float = 60.0
    pause: float = 2.0
    """Between two looks."""
    tries: int = 3
    """How often the store, or a proof, is tried: neither changes anything at Credly."""
    settling: float = 5.0
    """How long a request that nobody answered may still be under way before the second look."""

    def repeat(self, look: Callable[[], T], *, until: Callable[[T], bool]) -> T:
        """Look until it shows what is waited for, `tries` times at most; return the last look."""
        found = look()
        for _ in range(1, self.tries):
            if until(found):
                break
            sleep(self.pause)
            found = look()
        return found


PATIENCE = Patience()


def is_uuid(text: str) -> bool:
    """Return whether a text is a UUID as Credly writes one, in either case."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the options say; `{id}` in a place is filled in. UsageError for what cannot be meant."""

    action: Action
    config: Path
    organizations: tuple[str, ...] = ()
    """The ids named; none: for `rotate` those that are marked, or the one of `credential`."""
    credential: str | None = None
    store: str | None = None
    read_back: str | None = None
    description: str | None = None
    due: timedelta | None = None
    """Only tokens that expire within it."""
    replaces: str | None = None
    """For `create`: the id of the token that the new one is to replace."""
    replaces_due: timedelta | None = None
    """Within which time every consumer is to be confirmed."""
    then: str | None = None
    emergency_dir: Path | None = None
    fail_on: tuple[str, ...] = ()
    break_lock: bool = False
    dry_run: bool = False
    patience: Patience = field(default_factory=lambda: PATIENCE)

    def __post_init__(self) -> None:
        """Check what can be checked before anything is read or asked."""
        if self.replaces is not None and not is_uuid(self.replaces):
            raise UsageError("--replaces: write the token's id, a UUID as the reports show it, and never its value")
        if self.replaces_due is not None and self.replaces is None:
            raise UsageError("--replaces-due: belongs to --replaces; add it, or leave this out")
        if self.description is None and self.replaces is not None:
            pass  # the new token takes the old one's
        elif self.action == "create" and not (self.description or "").strip():
            raise UsageError("--description is empty: say what the token is for and whose it is")
        if self.credential is not None and not is_reference(self.credential):
            wrong = find_mistake(self.credential) or (
                f"say where the token is, not the token: {list_forms()} "
                "(and replace the token if this one is real: it is in the shell's history)"
            )
            raise UsageError(f"--credential: {wrong}")
        if self.read_back not in {None, "none"} and not is_reference(self.read_back or "", "read back"):
            wrong = find_mistake(self.read_back or "") or f"write {list_forms('read back', 'none')}"
            raise UsageError(f"--read-back: {wrong}")
        if self.then is not None and not (self.then.startswith("exec:") and is_reference(self.then)):
            raise UsageError("--then: write exec:COMMAND")

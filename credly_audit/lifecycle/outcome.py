"""How each token ends: in one state, with what happened and what a person has to do, by fingerprint alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Literal

from credly_audit.credly.wire import Row
from credly_audit.errors import ExitCode

Action = Literal["rotate", "create"]


class State(StrEnum):
    """The states of the documentation; the names are read by other programs."""

    ROTATED = "rotated"
    CREATED = "created"
    UNCHANGED = "unchanged"
    """Nothing was done: the value in force is in force still."""
    EMERGENCY = "emergency"
    """The new value is in a file and, as far as is known, nowhere else."""
    LOST = "lost"
    """The old value is dead and the new one cannot be had."""
    UNKNOWN = "unknown"
    """Nobody answers."""


class OldValue(StrEnum):
    """What became of the value that was rotated away."""

    DEAD = "dead"
    ALIVE = "alive"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a token just made breaks."""

    rule_id: str
    severity: str
    message: str
    fails: bool
    """Whether `--fail-on` names it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """A token's end. Texts are sentences; no value is in any of them."""

    organization_id: str
    organization_name: str
    action: Action
    state: State
    message: str
    """What happened."""
    next_step: str | None = None
    """What a person has to do; None: nothing."""
    token_id: str | None = None
    row: Row | None = None
    """Of the token made, as it was last seen."""
    fingerprint_before: str | None = None
    fingerprint: str | None = None
    """Of the new value."""
    expires_at: datetime | None = None
    stored_in: str | None = None
    """The place, of a command its program alone."""
    emergency_file: Path | None = None
    gap_seconds: float | None = None
    """From the request that killed the old value until the new one could be read, `--then` included."""
    old_value: OldValue | None = None
    violations: tuple[Violation, ...] = ()
    must_act: bool = False
    """A person must act though the token is rotated or created."""
    was_asked: bool = False
    """Whether this run sent the request that changes something."""
    rehearsed: bool = False
    """A dry run: this is what would be done."""
    defect: bool = False
    """A defect of the tool itself cut it short."""

    @property
    def exit_code(self) -> ExitCode:
        """What this token alone would end the command with."""
        if self.defect:
            return ExitCode.UNEXPECTED
        if self.must_act or self.state in {State.EMERGENCY, State.LOST, State.UNKNOWN}:
            return ExitCode.INCOMPLETE
        if self.rehearsed:
            return ExitCode.OK
        if self.state is State.UNCHANGED or any(violation.fails for violation in self.violations):
            return ExitCode.VIOLATIONS
        return ExitCode.OK

    @property
    def speaks_against_going_on(self) -> bool:
        """Whether what went wrong here, after the request, would likely go wrong with the next token too."""
        return self.was_asked and self.exit_code in {ExitCode.UNEXPECTED, ExitCode.INCOMPLETE}


def exit_code_of(outcomes: Iterable[Outcome]) -> ExitCode:
    """The gravest of all; OK where there is none."""
    codes = {outcome.exit_code for outcome in outcomes}
    gravest_first = (ExitCode.UNEXPECTED, ExitCode.INCOMPLETE, ExitCode.VIOLATIONS)
    return next((code for code in gravest_first if code in codes), ExitCode.OK)

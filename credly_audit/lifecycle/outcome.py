"""Define how the rotation or creation of a token ends; docs/runbook.md is generated from the table of endings."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Literal, Self

from credly_audit.audit.succession_model import Succession
from credly_audit.credly.wire import TokenRow
from credly_audit.errors import ExitCode

Action = Literal["rotate", "create"]


class State(StrEnum):
    """The states of the documentation; the names are read by other programs."""

    ROTATED = "rotated"
    CREATED = "created"
    UNCHANGED = "unchanged"
    """Nothing changed: the current value stays valid."""
    EMERGENCY = "emergency"
    """The new value is in a file and, as far as is known, nowhere else."""
    LOST = "lost"
    """The old value no longer works and the new one cannot be read."""
    UNKNOWN = "unknown"
    """Credly does not answer, or its answers prove nothing."""


class OldValue(StrEnum):
    """Whether the old value still works after a rotation."""

    DEAD = "dead"
    ALIVE = "alive"
    UNKNOWN = "unknown"


class Step(StrEnum):
    """The steps of a command, in the order of docs/lifecycle.md."""

    LOCK = "Lock"
    TRY = "Check the store"
    ANNOUNCE = "Confirm"
    RESERVE = "Reserve space"
    POST = "Send the request"
    STORE = "Store"
    PROVE = "Verify"
    FINISH = "Clean up"
    SWITCH = "Switch the consumers"


WEB_PAGE = "Credly's web page (Developers > Authorization Tokens)"

CHECK_AGAIN = "run the same command again in a few minutes: it first checks what happened, "

JOURNAL_STAYS = (
    ". The token's expiration date in Credly's web page shows whether it was rotated. {journal} stays until the "
    "outcome is known"
)

RUN_AGAIN_TO_FINISH = (
    "run the same command again: it checks what happened and finishes the rotation without requesting another value"
)


class Ending(Enum):
    """List how a token can end: the step, the state, the message of the report, and the next step for an operator.

    A state or a next step of None leaves the current one unchanged. The exit code follows from the state unless the
    ending has its own. Words in braces are filled in with the facts of the case.
    """

    def __init__(
        self,
        step: Step,
        state: State | None,
        message: str,
        next_step: str | None = None,
        exit_code: ExitCode | None = None,
    ) -> None:
        self.step = step
        self.state = state
        self.message = message
        self.next_step = next_step
        self.exit_code = exit_code

    EARLIER_UNCLEAR = (
        Step.TRY,
        State.UNKNOWN,
        "an earlier rotation was interrupted, and its outcome could not be determined: {reason}",
        "run the same command again when Credly can be reached; {journal} stays until the outcome is known",
    )
    NOT_DONE = (Step.TRY, State.UNCHANGED, "nothing was changed: {reason}", "fix that and run the command again")
    VALUE_REFUSED = (
        Step.TRY,
        State.LOST,
        "nothing was changed, because Credly refuses the current value: {reason}",
        (
            "check base_url (production or sandbox); if the token has expired, create one in Credly's web page "
            "(Developers > Authorization Tokens); if an earlier rotation used another --emergency-dir, name that one "
            "again"
        ),
    )
    EXPIRED_WITHOUT_CREDENTIAL = (
        Step.TRY,
        State.LOST,
        "nothing was changed: the token in {store} has expired, and no other credential can create one: {reason}",
        (
            "create a token in Credly's web page (Developers > Authorization Tokens) and store it; or configure a "
            "fallback_token with write permission and run the command again"
        ),
    )
    NOT_PROVED_EXPIRED = (
        Step.TRY,
        State.LOST,
        "nothing was changed: Credly refuses the token in {store}, but it is not known to have expired: {reason}",
        (
            "check base_url (production or sandbox), the store and the other credential; if the token has expired, "
            "create one in Credly's web page (Developers > Authorization Tokens) and store it"
        ),
    )
    EXPIRY_UNKNOWN = (
        Step.TRY,
        State.UNCHANGED,
        "nothing was changed: it is not known whether the token is due, as the listing does not show when it expires",
        "to rotate it anyway, name it with --organization and omit --due",
    )
    SUCCESSOR_ELSEWHERE = (
        Step.TRY,
        State.UNCHANGED,
        "nothing was done: token {old} already has a successor ({token}), whose value is not in {store}: {reason}",
        (
            "run the same command with the --store of the first run, or abandon that succession with "
            "`credly-audit succession abandon {succession}`"
        ),
    )
    WOULD_BE_DONE = (
        Step.ANNOUNCE,
        State.UNCHANGED,
        "would be {done}; its value would be stored in {store}",
        None,
        ExitCode.OK,
    )
    LIMIT_REACHED = (
        Step.ANNOUNCE,
        State.UNCHANGED,
        "not started: --limit {limit} is reached",
        "run the command again, or raise --limit",
    )
    NOT_AGREED = (Step.ANNOUNCE, State.UNCHANGED, "not confirmed: nothing was changed")
    INTERRUPTED = (Step.ANNOUNCE, State.UNCHANGED, "not started: interrupted", "run the command again")
    NOT_BEGUN = (
        Step.ANNOUNCE,
        State.UNCHANGED,
        "not started, because {other} ended as {state}",
        "fix that first, then run the command again",
    )
    NO_ROOM = (
        Step.RESERVE,
        State.UNCHANGED,
        "no space for an emergency copy could be reserved, so no request was sent: {reason}",
        "free or repair the disk, or name another folder with --emergency-dir, and run the command again",
    )
    NOT_ROTATED = (
        Step.POST,
        State.UNCHANGED,
        "not rotated; the old value {holds}: {reason}",
        "run the command again later",
    )
    NOT_ROTATED_SO_FAR = (
        Step.POST,
        State.UNCHANGED,
        (
            "not rotated; the old value {holds}: {reason}; if it stops working later, Credly processed the request "
            "late: check the token in Credly's web page"
        ),
        "run the command again later",
    )
    NEW_VALUE_LOST = (
        Step.POST,
        State.LOST,
        "{reason}; the old value no longer works, and {search}",
        (
            "create a token in Credly's web page (Developers > Authorization Tokens) and store it in place of this one "
            "(or configure a fallback_token and run the same command again, which looks for the new value without "
            "requesting another); remove {journal} when that is done"
        ),
    )
    IN_DOUBT = (
        Step.POST,
        State.UNKNOWN,
        "{reason}; {doubt}",
        f"{CHECK_AGAIN}and looks up a new value with fallback_token{JOURNAL_STAYS}",
    )
    IN_DOUBT_WITHOUT_FALLBACK = (
        Step.POST,
        State.UNKNOWN,
        "{reason}; {doubt}",
        f"{CHECK_AGAIN}if you configure a fallback_token{JOURNAL_STAYS}",
    )
    STORE_NOT_RESTORED = (
        Step.POST,
        None,
        "{message}; the store contains a value that Credly refuses, as the old value could not be restored: {reason}",
        "store the old value in {store} again; then {next_step}",
        ExitCode.INCOMPLETE,
    )
    PERHAPS_CREATED = (
        Step.POST,
        State.UNKNOWN,
        "{reason}; it is not known whether a token was created: {refusal}",
        (
            f"look in {WEB_PAGE} for a token with this description and delete it there; then remove {{journal}} and "
            "run the command again"
        ),
    )
    SEVERAL_CREATED = (
        Step.POST,
        State.UNKNOWN,
        "{reason}; {many} new tokens have this description: {tokens}",
        f"delete the unused ones in {WEB_PAGE}, remove {{journal}}, and run the command again",
    )
    CREATED_WITHOUT_VALUE = (
        Step.POST,
        State.LOST,
        "{reason}; the token was created, but the listing does not show its value",
        f"delete token {{token}} in {WEB_PAGE}, and create one there; then remove {{journal}}",
    )
    NOT_CREATED = (
        Step.POST,
        State.UNCHANGED,
        "no token was created: {reason}",
        "fix that and run the command again",
    )
    NOT_VERIFIED = (
        Step.STORE,
        State.UNKNOWN,
        "the value in Credly's answer could not be verified, so it was not stored: {reason}; it is in {file}",
        "run the same command again when Credly can be reached: it tries this value first",
    )
    NEW_TOKEN_NOT_VERIFIED = (
        Step.STORE,
        State.UNKNOWN,
        "the value in Credly's answer could not be verified, so it was not stored: {reason}; it is in {file}",
        "check whether it works, and store it if it does; then remove {file} and its .json file",
    )
    STORE_FAILED = (
        Step.STORE,
        State.EMERGENCY,
        "{reason}; the new value is in {file}",
        (
            "store the content of {file}, then remove the file and its .json file; or run the same command again once "
            "the store works, which finishes the rotation"
        ),
    )
    STORE_OF_NEW_TOKEN_FAILED = (
        Step.STORE,
        State.EMERGENCY,
        "{reason}; the new value is in {file}",
        "store the content of {file}, then remove the file and its .json file",
    )
    STORE_AND_COPY_FAILED = (
        Step.STORE,
        State.LOST,
        "{reason}, and the emergency copy could not be written either",
        f"create a token in {WEB_PAGE}",
    )
    STORE_AND_COPY_FAILED_BUT_LISTED = (
        Step.STORE,
        State.UNKNOWN,
        ("{reason}, and the emergency copy could not be written either; the listing shows the value to fallback_token"),
        "repair the store and the disk, and run the same command again, which looks for the value in the listing",
    )
    NOT_PROVED = (
        Step.PROVE,
        State.UNKNOWN,
        "the new value is stored, but it could not be verified: {reason}",
        "check it with `credly-audit doctor`; a copy stays in {file} until then",
    )
    CREATED = (Step.PROVE, State.CREATED, "the new token works and is stored")
    SUCCESSOR_EXISTS = (
        Step.PROVE,
        State.CREATED,
        "the successor {token} of token {old} was created earlier and works",
    )
    ROTATED = (Step.PROVE, State.ROTATED, "the new value works and is stored; the old value no longer works")
    ROTATED_OLD_UNKNOWN = (
        Step.PROVE,
        State.ROTATED,
        "the new value works and is stored; it is not known whether the old value still works: {reason}",
    )
    ROTATED_OLD_ALIVE = (
        Step.PROVE,
        State.ROTATED,
        "the new value works and is stored, but the old value still works too",
        "treat the old value as active: check the token in Credly's web page, or contact Credly's support",
        ExitCode.INCOMPLETE,
    )
    COPY_STAYS = (
        Step.FINISH,
        None,
        "{message}",
        "remove {file}, a copy of the value ({reason})",
        ExitCode.INCOMPLETE,
    )
    THEN_FAILED = (
        Step.FINISH,
        None,
        "{message}; --then failed: {reason}",
        "run the --then program yourself: the new value is in the store",
        ExitCode.INCOMPLETE,
    )
    EXPIRED_REPLACED = (
        Step.FINISH,
        None,
        "{message}; it takes the place of token {old}, which expired on {day}",
        "make sure that {consumers} the new value; then delete the expired token {old} in " + WEB_PAGE,
    )
    FINISHED_EARLIER = (Step.FINISH, None, "{message} (this run finished an earlier one that was interrupted)")
    NOT_REVIEWED = (
        Step.FINISH,
        None,
        "{message}; its permissions could not be evaluated: {reason}",
        None,
        ExitCode.UNEXPECTED,
    )
    DEFECT = (
        Step.FINISH,
        State.UNKNOWN,
        "unexpected error: {reason}; please report it; {journal} records what is known",
        RUN_AGAIN_TO_FINISH,
        ExitCode.UNEXPECTED,
    )
    DEFECT_VALUE_KEPT = (
        Step.FINISH,
        State.EMERGENCY,
        "unexpected error: {reason}; please report it; the new value is in {file}",
        RUN_AGAIN_TO_FINISH,
        ExitCode.UNEXPECTED,
    )
    DEFECT_OF_CREATE = (
        Step.FINISH,
        State.UNKNOWN,
        "unexpected error: {reason}; please report it; {journal} records what is known",
        f"look for the new token in {WEB_PAGE}",
        ExitCode.UNEXPECTED,
    )
    DEFECT_OF_CREATE_VALUE_KEPT = (
        Step.FINISH,
        State.EMERGENCY,
        "unexpected error: {reason}; please report it; the new value is in {file}",
        f"look for the new token in {WEB_PAGE}",
        ExitCode.UNEXPECTED,
    )
    NOT_RECORDED = (
        Step.SWITCH,
        None,
        "{message}; no consumer was switched, as the succession could not be recorded: {reason}",
        "fix that, and run the same command again: it finishes this without creating another token",
        ExitCode.INCOMPLETE,
    )
    STATE_NOT_RECORDED = (
        Step.SWITCH,
        None,
        "{message}; not all consumers were switched, as their states could not be recorded: {reason}",
        "fix that, and run the same command again: it switches those that are not confirmed",
        ExitCode.INCOMPLETE,
    )
    SUCCESSOR_NARROWER = (
        Step.SWITCH,
        None,
        "{message}; it lacks {lacking}, which the old token has, so no consumer was switched",
        (
            "grant the missing permissions to token {token} in Credly's web page and run the same command again; it "
            "creates no other token. The old token stays valid"
        ),
        ExitCode.INCOMPLETE,
    )
    SWITCH_FAILED = (
        Step.SWITCH,
        None,
        "{message}; {failed}",
        (
            "fix that and run the same command again: it creates no other token and switches only these. The old token "
            "stays valid"
        ),
        ExitCode.INCOMPLETE,
    )
    SWITCH_OPEN = (
        Step.SWITCH,
        None,
        "{message}; {many} not confirmed: {waiting}",
        (
            "when each works with the new token, run `credly-audit succession confirm --consumer NAME`; do not delete "
            "the old token {old} before that"
        ),
    )
    REPLACED = (
        Step.SWITCH,
        None,
        "{message}; every consumer is confirmed",
        f"delete the old token {{old}} in {WEB_PAGE}; the next audit that no longer finds it closes the succession",
    )


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that the new token violates."""

    rule_id: str
    severity: str
    message: str
    fails: bool
    """Whether `--fail-on` names it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome for one token. Its texts are sentences and contain no value."""

    organization_id: str
    organization_name: str
    action: Action
    state: State
    message: str
    """What happened."""
    next_step: str | None = None
    """What an operator has to do; None where nothing is left to do."""
    token_id: str | None = None
    row: TokenRow | None = None
    """The created token, as the listing last showed it."""
    fingerprint_before: str | None = None
    fingerprint: str | None = None
    """The fingerprint of the new value."""
    expires_at: datetime | None = None
    stored_in: str | None = None
    """The store; for a command, only its program."""
    emergency_file: Path | None = None
    gap_seconds: float | None = None
    """From the request that ended the old value until the new one could be read, `--then` included."""
    old_value: OldValue | None = None
    replaces: str | None = None
    """The id of the token that a new one replaces."""
    succession: Succession | None = None
    """What `create --replaces` opened or continued."""
    violations: tuple[Violation, ...] = ()
    must_act: bool = False
    """Whether an operator must act although the token is rotated or created."""
    request_sent: bool = False
    """Whether this run sent the request that changes something."""
    is_dry_run: bool = False
    """Whether the outcome describes what a dry run would do."""
    defect: bool = False
    """Whether a defect of the tool itself interrupted the work."""

    def end(self, ending: Ending, **facts: object) -> Self:
        """Return this outcome with the ending's state and texts; `facts` fill in the texts."""
        facts = {"message": self.message, "next_step": self.next_step} | facts
        return replace(
            self,
            state=ending.state or self.state,
            message=ending.message.format(**facts),
            next_step=ending.next_step.format(**facts) if ending.next_step else self.next_step,
            is_dry_run=self.is_dry_run or ending.exit_code is ExitCode.OK,
            must_act=self.must_act or ending.exit_code is ExitCode.INCOMPLETE,
            defect=self.defect or ending.exit_code is ExitCode.UNEXPECTED,
        )

    @property
    def exit_code(self) -> ExitCode:
        """The exit code of the command if this were its only token."""
        if self.defect:
            return ExitCode.UNEXPECTED
        if self.must_act or self.state in {State.EMERGENCY, State.LOST, State.UNKNOWN}:
            return ExitCode.INCOMPLETE
        if self.is_dry_run:
            return ExitCode.OK
        if self.state is State.UNCHANGED or any(violation.fails for violation in self.violations):
            return ExitCode.VIOLATIONS
        return ExitCode.OK

    @property
    def stops_others(self) -> bool:
        """Whether a failure after the request is likely to affect the next token too."""
        return self.request_sent and self.exit_code in {ExitCode.UNEXPECTED, ExitCode.INCOMPLETE}


def find_exit_code(outcomes: Iterable[Outcome]) -> ExitCode:
    """Return the most severe exit code of the outcomes; OK where there are none."""
    codes = {outcome.exit_code for outcome in outcomes}
    most_severe_first = (ExitCode.UNEXPECTED, ExitCode.INCOMPLETE, ExitCode.VIOLATIONS)
    return next((code for code in most_severe_first if code in codes), ExitCode.OK)

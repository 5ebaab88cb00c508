"""How a token ends: its outcome, and the one table of all endings, from which docs/runbook.md is generated."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Literal, Self

from credly_audit.audit.succession import Succession
from credly_audit.credly.wire import TokenRow
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
    """The old value is dead and the new one cannot be read."""
    UNKNOWN = "unknown"
    """Credly does not answer, or its answers prove nothing."""


class OldValue(StrEnum):
    """What became of the value that was rotated away."""

    DEAD = "dead"
    ALIVE = "alive"
    UNKNOWN = "unknown"


class Step(StrEnum):
    """The steps of a command, in the order of docs/lifecycle.md."""

    LOCK = "Lock"
    TRY = "Try the store"
    ANNOUNCE = "Say what will happen"
    RESERVE = "Take up room"
    POST = "POST, once"
    STORE = "Copy"
    PROVE = "Prove"
    FINISH = "Remove the copy"
    SWITCH = "Switch the consumers"


WEB_PAGE = "Credly's web page (Developers > Authorization Tokens)"

LOOK_AGAIN = "run the same command again in some minutes: it first finds out what happened, "

KEPT = (
    ". The token's expiration date in Credly's web page shows whether it was rotated. {journal} keeps what is known "
    "until then"
)

BY_ITSELF = "run the same command again: it finds out and finishes it without asking for another value"


class Ending(Enum):
    """How a token can end: at which step, in which state, what the report says, and what a person has to do.

    A state or a next step that is None stays as it was. The exit code follows from the state unless the ending has its
    own. Words in braces are facts of the case.
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
        "an earlier rotation was cut short, and nobody says what became of it: {reason}",
        "run the same command again when Credly can be reached; {journal} keeps what is known until then",
    )
    NOT_DONE = (Step.TRY, State.UNCHANGED, "nothing was done: {reason}", "mend that, and run again")
    VALUE_REFUSED = (
        Step.TRY,
        State.LOST,
        "nothing was done, because the value in force is refused: {reason}",
        (
            "check base_url (production, sandbox); if the token has expired, make one in Credly's web page "
            "(Developers > Authorization Tokens); if an earlier rotation had another --emergency-dir, name that again"
        ),
    )
    EXPIRY_UNKNOWN = (
        Step.TRY,
        State.UNCHANGED,
        "nothing was done: whether it is due is not known, as the listing does not show its expiry",
        "to rotate it all the same, name it with --organization and leave out --due",
    )
    SUCCESSOR_ELSEWHERE = (
        Step.TRY,
        State.UNCHANGED,
        "nothing was done: token {old} has a successor already ({token}), whose value is not in {store}: {reason}",
        (
            "run the same command with the --store of the first time, or give that succession up with "
            "`credly-audit succession abandon {succession}`"
        ),
    )
    WOULD_BE_DONE = (
        Step.ANNOUNCE,
        State.UNCHANGED,
        "would be {done}; its value would go to {store}",
        None,
        ExitCode.OK,
    )
    NOT_AGREED = (Step.ANNOUNCE, State.UNCHANGED, "not agreed to: nothing was done")
    INTERRUPTED = (Step.ANNOUNCE, State.UNCHANGED, "not begun: interrupted", "run again")
    NOT_BEGUN = (
        Step.ANNOUNCE,
        State.UNCHANGED,
        "not begun, because {other} ended as {state}",
        "mend that first, and run again",
    )
    NO_ROOM = (
        Step.RESERVE,
        State.UNCHANGED,
        "no room for an emergency copy could be taken up, so nothing was asked: {reason}",
        "mend the disk, or name another place with --emergency-dir, and run again",
    )
    NOT_ROTATED = (
        Step.POST,
        State.UNCHANGED,
        "not rotated, and the old value {holds}: {reason}",
        "run again later",
    )
    NOT_ROTATED_SO_FAR = (
        Step.POST,
        State.UNCHANGED,
        (
            "not rotated, and the old value {holds}: {reason}; should it stop working later, the request was still "
            "under way: the page of the token in Credly shows it"
        ),
        "run again later",
    )
    NEW_VALUE_LOST = (
        Step.POST,
        State.LOST,
        "{reason}; the old value is dead, and {search}",
        (
            "make a token in Credly's web page (Developers > Authorization Tokens) and put it where this one was; or "
            "configure a fallback_token and run the same command again, which looks for the new value without asking "
            "for another; remove {journal} when that is done"
        ),
    )
    IN_DOUBT = (
        Step.POST,
        State.UNKNOWN,
        "{reason}; {doubt}",
        f"{LOOK_AGAIN}and looks up a new value with fallback_token{KEPT}",
    )
    IN_DOUBT_WITHOUT_FALLBACK = (
        Step.POST,
        State.UNKNOWN,
        "{reason}; {doubt}",
        f"{LOOK_AGAIN}if you configure a fallback_token{KEPT}",
    )
    STORE_NOT_RESTORED = (
        Step.POST,
        None,
        "{message}; the store holds a value that is refused, as it did not take the old one again: {reason}",
        "put the old value back into {store}; then {next_step}",
        ExitCode.INCOMPLETE,
    )
    PERHAPS_CREATED = (
        Step.POST,
        State.UNKNOWN,
        "{reason}; whether a token was made is not known: {refusal}",
        (
            f"look in {WEB_PAGE} for a token of this description, and delete it there; then run again, and remove "
            "{journal}"
        ),
    )
    SEVERAL_CREATED = (
        Step.POST,
        State.UNKNOWN,
        "{reason}; {many} tokens of this description are new: {tokens}",
        f"delete what nobody uses in {WEB_PAGE}, and run again; remove {{journal}} when that is done",
    )
    CREATED_WITHOUT_VALUE = (
        Step.POST,
        State.LOST,
        "{reason}; the token was made, but the listing withholds its value",
        f"delete token {{token}} in {WEB_PAGE}, and make one there; then remove {{journal}}",
    )
    NOT_CREATED = (Step.POST, State.UNCHANGED, "no token was made: {reason}", "mend that, and run again")
    NOT_VERIFIED = (
        Step.STORE,
        State.UNKNOWN,
        "the value in Credly's answer could not be verified, so it was not stored: {reason}; it is in {file}",
        "run the same command again when Credly can be reached, which tries it first",
    )
    NEW_TOKEN_NOT_VERIFIED = (
        Step.STORE,
        State.UNKNOWN,
        "the value in Credly's answer could not be verified, so it was not stored: {reason}; it is in {file}",
        "if it works, put it into the store; then remove {file} and its .json",
    )
    STORE_FAILED = (
        Step.STORE,
        State.EMERGENCY,
        "{reason}; the new value is in {file}",
        (
            "put the content of {file} into the store, then remove the file and its .json; once the store works, the "
            "same command finishes it, too"
        ),
    )
    STORE_OF_NEW_TOKEN_FAILED = (
        Step.STORE,
        State.EMERGENCY,
        "{reason}; the new value is in {file}",
        "put the content of {file} into the store, then remove the file and its .json",
    )
    STORE_AND_COPY_FAILED = (
        Step.STORE,
        State.LOST,
        "{reason}, and the emergency copy could not be written either",
        f"make a token in {WEB_PAGE}",
    )
    STORE_AND_COPY_FAILED_BUT_LISTED = (
        Step.STORE,
        State.UNKNOWN,
        (
            "{reason}, and the emergency copy could not be written either; the listing that fallback_token sees shows "
            "the value"
        ),
        "mend store and disk, and run the same command again, which looks for the value there",
    )
    NOT_PROVED = (
        Step.PROVE,
        State.UNKNOWN,
        "the new value is stored, but nobody says whether it works: {reason}",
        "find out with `credly-audit doctor`; its copy stays in {file} until then",
    )
    CREATED = (Step.PROVE, State.CREATED, "the new token works and is stored")
    SUCCESSOR_EXISTS = (
        Step.PROVE,
        State.CREATED,
        "the successor {token} of token {old} was created earlier and works",
    )
    ROTATED = (Step.PROVE, State.ROTATED, "the new value works and is stored; the old one is dead")
    ROTATED_OLD_UNKNOWN = (
        Step.PROVE,
        State.ROTATED,
        "the new value works and is stored; whether the old one is dead is not known: {reason}",
    )
    ROTATED_OLD_ALIVE = (
        Step.PROVE,
        State.ROTATED,
        "the new value works and is stored, but the old one still works too",
        "treat the old value as live: look at the token in Credly's web page, or tell Credly's support",
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
        "do by hand what --then should have done: the new value is in the store",
        ExitCode.INCOMPLETE,
    )
    FINISHED_EARLIER = (Step.FINISH, None, "{message} (an earlier rotation was cut short; this finished it)")
    NOT_REVIEWED = (
        Step.FINISH,
        None,
        "{message}; its permissions could not be judged: {reason}",
        None,
        ExitCode.UNEXPECTED,
    )
    DEFECT = (
        Step.FINISH,
        State.UNKNOWN,
        "unexpected error: {reason}; please report it; what is known is in {journal}",
        BY_ITSELF,
        ExitCode.UNEXPECTED,
    )
    DEFECT_VALUE_KEPT = (
        Step.FINISH,
        State.EMERGENCY,
        "unexpected error: {reason}; please report it; the new value is in {file}",
        BY_ITSELF,
        ExitCode.UNEXPECTED,
    )
    DEFECT_OF_CREATE = (
        Step.FINISH,
        State.UNKNOWN,
        "unexpected error: {reason}; please report it; what is known is in {journal}",
        "look for the new token in Credly's web page",
        ExitCode.UNEXPECTED,
    )
    DEFECT_OF_CREATE_VALUE_KEPT = (
        Step.FINISH,
        State.EMERGENCY,
        "unexpected error: {reason}; please report it; the new value is in {file}",
        "look for the new token in Credly's web page",
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
        "{message}; the consumers were not all switched, as their states could not be recorded: {reason}",
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
            "the old token {old} before"
        ),
    )
    REPLACED = (
        Step.SWITCH,
        None,
        "{message}; every consumer is confirmed",
        f"delete the old token {{old}} in {WEB_PAGE}; the next audit that finds it gone closes the succession",
    )


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a token just created breaks."""

    rule_id: str
    severity: str
    message: str
    fails: bool
    """Whether `--fail-on` names it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one token ended. Texts are sentences; no value is in any of them."""

    organization_id: str
    organization_name: str
    action: Action
    state: State
    message: str
    """What happened."""
    next_step: str | None = None
    """What a person has to do; None: nothing."""
    token_id: str | None = None
    row: TokenRow | None = None
    """Of the token created, as the listing last showed it."""
    fingerprint_before: str | None = None
    fingerprint: str | None = None
    """Of the new value."""
    expires_at: datetime | None = None
    stored_in: str | None = None
    """The place, of a command its program only."""
    emergency_file: Path | None = None
    gap_seconds: float | None = None
    """From the request that killed the old value until the new one could be read, `--then` included."""
    old_value: OldValue | None = None
    succession: Succession | None = None
    """What `create --replaces` opened or continued."""
    violations: tuple[Violation, ...] = ()
    must_act: bool = False
    """A person must act though the token is rotated or created."""
    was_asked: bool = False
    """Whether this run sent the request that changes something."""
    rehearsed: bool = False
    """A dry run: this is what would be done."""
    defect: bool = False
    """A defect of the tool itself cut it short."""

    def end(self, ending: Ending, **facts: object) -> Self:
        """Return this outcome with the ending's state and texts; `facts` fill what the texts leave open."""
        facts = {"message": self.message, "next_step": self.next_step} | facts
        return replace(
            self,
            state=ending.state or self.state,
            message=ending.message.format(**facts),
            next_step=ending.next_step.format(**facts) if ending.next_step else self.next_step,
            rehearsed=self.rehearsed or ending.exit_code is ExitCode.OK,
            must_act=self.must_act or ending.exit_code is ExitCode.INCOMPLETE,
            defect=self.defect or ending.exit_code is ExitCode.UNEXPECTED,
        )

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
    def stops_others(self) -> bool:
        """Whether what went wrong here, after the request, would likely go wrong with the next token too."""
        return self.was_asked and self.exit_code in {ExitCode.UNEXPECTED, ExitCode.INCOMPLETE}


def exit_code_of(outcomes: Iterable[Outcome]) -> ExitCode:
    """Return the most severe exit code of all; OK where there is none."""
    codes = {outcome.exit_code for outcome in outcomes}
    most_severe_first = (ExitCode.UNEXPECTED, ExitCode.INCOMPLETE, ExitCode.VIOLATIONS)
    return next((code for code in most_severe_first if code in codes), ExitCode.OK)

"""Rotates one token: the POST once, and then the new value from wherever it can still be had."""

from dataclasses import dataclass, replace
from time import monotonic, sleep

from credly_audit.credly.wire import Row
from credly_audit.errors import CannotWrite
from credly_audit.lifecycle.asking import Asker, Posted, Seen, Verdict, instant
from credly_audit.lifecycle.emergency import EmergencyCopy
from credly_audit.lifecycle.keeping import Keeper
from credly_audit.lifecycle.states import OldValue, Outcome, State
from credly_audit.lifecycle.tasks import Attempt, Patience, Task
from credly_audit.secrets import Secret

WEB_PAGE = "make a token in Credly's web page (Developers > Authorization Tokens) and put it where this one was"


@dataclass(frozen=True, slots=True)
class Found:
    """The new value, or why it cannot be had."""

    value: Secret | None
    why_not: str = ""


class Rotator:
    """Rotates tokens one after another with the same patience."""

    def __init__(self, keeper: Keeper, patience: Patience) -> None:
        self._keeper = keeper
        self._patience = patience

    def rotate(self, task: Task, asker: Asker, copy: EmergencyCopy, row: Row | None) -> Outcome:
        """From the POST to the end; `row` is the token as the listing showed it before."""
        attempt = Attempt(task, asker, copy, monotonic())
        posted = asker.rotate(task.credential, task.description)
        row = posted.made.row or row
        base = replace(_base(task, row), was_asked=True)
        value = posted.made.value
        if value is not None and value != task.value and asker.is_value(value):
            return self._keeper.keep(attempt, value, base)
        return self._find_out(attempt, base, posted)

    def resume(self, task: Task, asker: Asker, copy: EmergencyCopy) -> Outcome:
        """Finish what an earlier run began: its POST killed the old value, the new one is kept, or is to be found."""
        base = replace(_base(task, None), token_id=copy.undertaking.token_id)
        attempt = Attempt(task, asker, copy, monotonic())
        if copy.value is not None:
            return self._without_gap(self._keeper.keep(attempt, copy.value, base))
        found = self._by_id(task, asker, base.token_id)
        if found.value is not None and found.value != task.value:
            return self._without_gap(self._keeper.keep(attempt, found.value, base))
        said = "an earlier rotation was cut short after its request, and the old value is dead"
        return _lost(base, f"{said}; {found.why_not}", copy)

    @staticmethod
    def _without_gap(outcome: Outcome) -> Outcome:
        """The gap began in a run that could not tell of it."""
        note = f"{outcome.message} (an earlier rotation was cut short; this finished it)"
        return replace(outcome, gap_seconds=None, message=note)

    def _find_out(self, attempt: Attempt, base: Outcome, posted: Posted) -> Outcome:
        """No value came back: look what became of the old one, and for the new one in the listing."""
        task, asker, copy = attempt.task, attempt.asker, attempt.copy
        said = posted.said or "Credly answered as if it were done, without the new value"
        old = asker.probe(task.credential)
        if old.verdict is Verdict.WORKS and not posted.answered:
            sleep(self._patience.settling)  # the request may still be under way
            old = asker.probe(task.credential)
        if old.verdict is Verdict.WORKS:
            return _unchanged(base, said, copy, posted)
        found = self._by_id(task, asker, base.token_id)
        if found.value is not None and found.value != task.value:
            return self._keeper.keep(attempt, found.value, base)
        if old.verdict is Verdict.REFUSED:
            return _lost(base, f"{said}; the old value is dead, and {found.why_not}", copy)
        if found.value is not None:
            return _unchanged(base, said, copy, posted)
        return _unknown(base, said, old, copy)

    def _by_id(self, task: Task, asker: Asker, token_id: str | None) -> Found:
        """The token's value in the listing that the second credential sees."""
        if task.fallback is None:
            return Found(None, "no fallback_token is configured to look for the new one with")
        if token_id is None:
            return Found(None, "the token's id is not known, by which the new one could be looked for")
        seen = asker.listed(task.fallback)
        if seen.verdict is not Verdict.WORKS:
            return Found(None, f"fallback_token could not look for the new one: {seen.said}")
        value = seen.values.get(token_id)
        if value is None:
            return Found(None, "the listing that fallback_token sees withholds the new one")
        return Found(value, "the listing shows the old one still")


def not_reserved(task: Task, error: CannotWrite | OSError) -> Outcome:
    """Nothing was asked, since there would have been no place for the value."""
    return task.outcome(
        State.UNCHANGED,
        f"no room for an emergency copy could be taken up, so nothing was asked: {error}",
        "mend the disk, or name another place with --emergency-dir, and run again",
    )


def _base(task: Task, row: Row | None) -> Outcome:
    base = task.outcome(State.UNKNOWN, "")
    if row is None:
        return base
    return replace(base, token_id=row.id, expires_at=instant(row.expires_at))


def _unchanged(base: Outcome, said: str, copy: EmergencyCopy, posted: Posted) -> Outcome:
    copy.settle()
    later = (
        ""
        if posted.answered
        else "; should it stop working later, the request was still under way: the page of the token in Credly shows it"
    )
    return replace(
        base,
        state=State.UNCHANGED,
        message=f"not rotated, and the old value still works: {said}{later}",
        next_step="run again later",
        old_value=OldValue.ALIVE,
        expires_at=None,
    )


def _lost(base: Outcome, said: str, copy: EmergencyCopy) -> Outcome:
    return replace(
        base,
        state=State.LOST,
        message=said,
        next_step=f"{WEB_PAGE}; or configure a fallback_token and run the same command again, which looks for the new "
        f"value without asking for another; remove {copy.journal} when that is done",
        old_value=OldValue.DEAD,
        expires_at=None,
    )


def _unknown(base: Outcome, said: str, old: Seen, copy: EmergencyCopy) -> Outcome:
    return replace(
        base,
        state=State.UNKNOWN,
        message=f"{said}; whether the old value still works is not known: {old.said}",
        next_step="when Credly can be reached again, run the same command: it first finds out and, where the old value "
        f"is dead, looks for the new one with fallback_token; {copy.journal} keeps what is known until then",
        old_value=OldValue.UNKNOWN,
        expires_at=None,
    )

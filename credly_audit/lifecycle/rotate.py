"""Rotates one token: the POST once, and then the new value from wherever it can still be had.

An old value that still answers proves nothing as long as a cache or a replica may answer for it. So nothing is called
unchanged unless Credly refused the request, or the listing that a second credential sees shows the old value in force.
"""

from dataclasses import replace
from time import sleep

from credly_audit.credly.new_token import Made
from credly_audit.credly.wire import Row
from credly_audit.errors import CannotWrite
from credly_audit.lifecycle.api import Found, Posted, Seen, Shown, Verdict, instant
from credly_audit.lifecycle.deliver import Keeper
from credly_audit.lifecycle.journal import EmergencyCopy
from credly_audit.lifecycle.outcome import OldValue, Outcome, State
from credly_audit.lifecycle.tasks import Attempt, Patience, Task

WEB_PAGE = "make a token in Credly's web page (Developers > Authorization Tokens) and put it where this one was"


class Rotator:
    """Rotates tokens one after another with the same patience."""

    def __init__(self, keeper: Keeper, patience: Patience) -> None:
        self._keeper = keeper
        self._patience = patience

    def rotate(self, attempt: Attempt) -> Outcome:
        """From the POST to the end."""
        task, before = attempt.task, attempt.before
        posted = attempt.asker.rotate(task.credential, task.description)
        listed = before.row_of(task.credential.fingerprint) if before else None
        rows = [row for row in (posted.made.row, listed) if row]
        base = replace(_base(task, rows[0] if rows else None), was_asked=True)
        said = posted.said or "Credly answered as if it were done, without the new value"
        for value in filter(attempt.is_new, posted.made.values):
            if outcome := self._keeper.deliver(attempt, value, base, doubted=value != posted.made.value):
                return outcome
            said = "the value that Credly gave does not work"
        return self._find_out(attempt, base, replace(posted, said=said), [row.id for row in rows])

    def resume(self, attempt: Attempt) -> Outcome:
        """Finish what an earlier run began: the new value is kept, or is to be found; no other is asked for."""
        task, copy = attempt.task, attempt.copy
        token_id = copy.undertaking.token_id
        base = replace(_base(task, None), token_id=token_id)
        kept = copy.value
        outcome = self._keeper.deliver(attempt, kept, base) if kept is not None else None
        if outcome is None:
            posted = Posted("an earlier rotation was cut short after its request", Made(None), refused=False)
            outcome = self._find_out(attempt, base, posted, [token_id] if token_id else [])
        return _without_gap(outcome) if outcome.fingerprint else outcome

    def _find_out(self, attempt: Attempt, base: Outcome, posted: Posted, token_ids: list[str]) -> Outcome:
        """No value came back that works: look what became of the old one, and for the new one in the listing."""
        old = attempt.asker.probe(attempt.task.credential)
        if old.verdict is Verdict.WORKS and not posted.refused:
            sleep(self._patience.settling)  # the request may still be under way, or the answer come from a cache
            old = attempt.asker.probe(attempt.task.credential)
        found = self._look_up(attempt, token_ids)
        if found.value is not None:
            if outcome := self._keeper.deliver(attempt, found.value, base):
                return outcome
            found = Found(Shown.NOTHING, "the value that the listing shows to fallback_token is refused, too")
        return _concluded(attempt, base, posted, old, found)

    def _look_up(self, attempt: Attempt, token_ids: list[str]) -> Found:
        """The token's value in the listing that the second credential sees; again, as a listing may lag behind."""
        task = attempt.task
        found = attempt.asker.find_value(task.fallback, token_ids, task.value)
        for _ in range(1, self._patience.tries):
            if found.shown not in {Shown.OLD, Shown.SILENT}:
                break
            sleep(self._patience.pause)
            found = attempt.asker.find_value(task.fallback, token_ids, task.value)
        return found


def _without_gap(outcome: Outcome) -> Outcome:
    """The gap began in a run that could not tell of it."""
    note = f"{outcome.message} (an earlier rotation was cut short; this finished it)"
    return replace(outcome, gap_seconds=None, message=note)


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


def _concluded(attempt: Attempt, base: Outcome, posted: Posted, old: Seen, found: Found) -> Outcome:
    """How it ends where no new value can be had."""
    base = replace(base, expires_at=None)
    is_proved = found.shown is Shown.OLD and old.verdict is not Verdict.REFUSED
    if is_proved or (posted.refused and not attempt.in_doubt and old.verdict is Verdict.WORKS):
        outcome = _unchanged(base, posted, old, attempt.copy)
    elif old.verdict is Verdict.REFUSED and found.shown is Shown.NOTHING:
        outcome = _lost(base, f"{posted.said}; the old value is dead, and {found.why_not}", attempt.copy)
    else:
        said = f"{posted.said}; {_in_doubt(old, found)}"
        outcome = _unknown(base, said, attempt.copy, has_fallback=attempt.task.fallback is not None)
    if attempt.unrestored is None:
        return outcome
    message = f"{outcome.message}; the store holds a value that is refused, as it did not take the old one again"
    by_hand = f"put the old value back into {attempt.task.store.name}; then {outcome.next_step}"
    return replace(outcome, message=f"{message}: {attempt.unrestored}", next_step=by_hand, must_act=True)


def _unchanged(base: Outcome, posted: Posted, old: Seen, copy: EmergencyCopy) -> Outcome:
    copy.settle()
    works = "still works" if old.verdict is Verdict.WORKS else "is still the one that the listing shows"
    later = (
        ""
        if posted.refused
        else "; should it stop working later, the request was still under way: the page of the token in Credly shows it"
    )
    return replace(
        base,
        state=State.UNCHANGED,
        message=f"not rotated, and the old value {works}: {posted.said}{later}",
        next_step="run again later",
        old_value=OldValue.ALIVE,
    )


def _lost(base: Outcome, said: str, copy: EmergencyCopy) -> Outcome:
    return replace(
        base,
        state=State.LOST,
        message=said,
        next_step=f"{WEB_PAGE}; or configure a fallback_token and run the same command again, which looks for the new "
        f"value without asking for another; remove {copy.journal} when that is done",
        old_value=OldValue.DEAD,
    )


def _unknown(base: Outcome, said: str, copy: EmergencyCopy, *, has_fallback: bool) -> Outcome:
    way = "and looks up a new value with fallback_token" if has_fallback else "if you configure a fallback_token"
    return replace(
        base,
        state=State.UNKNOWN,
        message=said,
        next_step=f"run the same command again in some minutes: it first finds out what happened, {way}. The token's "
        f"expiration date in Credly's web page shows whether it was rotated. {copy.journal} keeps what is known until "
        "then",
        old_value=OldValue.UNKNOWN,
        emergency_file=copy.file if copy.value else None,
    )


def _in_doubt(old: Seen, found: Found) -> str:
    """Why nobody can say what became of the token."""
    if old.verdict is Verdict.WORKS:
        return (
            "the old value still works, but that does not prove that the token was not rotated, as a cache or a "
            f"replica may have answered, and {found.why_not}"
        )
    if old.verdict is Verdict.SILENT:
        return f"whether the old value still works is not known: {old.said}"
    return f"the old value is refused, and {found.why_not}"

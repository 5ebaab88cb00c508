"""Rotate one token: the POST once, and then the new value from wherever it can still be read.

An old value that still answers proves nothing as long as a cache or a replica may answer for it. So nothing is called
unchanged unless Credly refused the request, or the listing that a second credential sees shows the old value in force.
"""

from dataclasses import replace
from time import sleep

from credly_audit.credly.new_token import Made
from credly_audit.credly.wire import TokenRow
from credly_audit.lifecycle.api import Access, FoundValue, Look, Reply, Shown, read_time
from credly_audit.lifecycle.deliver import deliver
from credly_audit.lifecycle.outcome import Ending, OldValue, Outcome
from credly_audit.lifecycle.tasks import Task


def rotate(task: Task) -> Outcome:
    """Rotate the token and bring its new value to the store."""
    reply = task.api.rotate(task.credential, task.description)
    rows = [row for row in (reply.made.row, task.row) if row]
    base = replace(draft(task, rows[0] if rows else None), was_asked=True)
    reason = reply.reason or "Credly answered as if it were done, without the new value"
    for value in filter(task.is_new, reply.made.values):
        if outcome := deliver(task, value, base, doubted=value != reply.made.value):
            return outcome
        reason = "the value that Credly gave does not work"
    return search(task, base, replace(reply, reason=reason), [row.id for row in rows])


def resume(task: Task) -> Outcome:
    """Finish what an earlier run began: the new value is kept, or is to be found; no other is asked for."""
    token_id, kept = task.reserved.token_id, task.reserved.value
    base = replace(draft(task, None), token_id=token_id)
    outcome = deliver(task, kept, base) if kept is not None else None
    if outcome is None:
        reply = Reply("an earlier rotation was cut short after its request", Made(None), refused=False)
        outcome = search(task, base, reply, [token_id] if token_id else [])
    if not outcome.fingerprint:
        return outcome
    return replace(outcome.end(Ending.FINISHED_EARLIER), gap_seconds=None)  # it began in a run that cannot report it


def search(task: Task, base: Outcome, reply: Reply, token_ids: list[str]) -> Outcome:
    """Find out what became of the old value, and look for the new one: no value came back that works."""
    patience = task.request.patience
    old = task.api.probe(task.credential)
    if old.access is Access.WORKS and not reply.refused:
        sleep(patience.settling)  # the request may still be under way, or the answer come from a cache
        old = task.api.probe(task.credential)
    found = patience.repeat(  # a listing may lag behind
        lambda: task.api.find_value(task.fallback, token_ids, task.value),
        until=lambda found: found.shown not in {Shown.OLD, Shown.SILENT},
    )
    if found.value is not None:
        if outcome := deliver(task, found.value, base):
            return outcome
        found = FoundValue(Shown.NOTHING, "the value that the listing shows to fallback_token is refused, too")
    return end_without_value(task, replace(base, expires_at=None), reply, old, found)


def draft(task: Task, row: TokenRow | None) -> Outcome:
    """Return the beginning of the outcome, with what a row says of the token."""
    base = task.draft_outcome()
    return base if row is None else replace(base, token_id=row.id, expires_at=read_time(row.expires_at))


def end_without_value(task: Task, base: Outcome, reply: Reply, old: Look, found: FoundValue) -> Outcome:
    """Return the outcome where no new value can be read."""
    is_proved = found.shown is Shown.OLD and old.access is not Access.REFUSED
    if is_proved or (reply.refused and not task.in_doubt and old.access is Access.WORKS):
        outcome = end_unchanged(task, base, reply, old)
    elif old.access is Access.REFUSED and found.shown is Shown.NOTHING:
        facts = {"reason": reply.reason, "search": found.why_not, "journal": task.reserved.path}
        outcome = replace(base.end(Ending.NEW_VALUE_LOST, **facts), old_value=OldValue.DEAD)
    else:
        outcome = end_in_doubt(task, base, reply, describe_doubt(old, found))
    if task.unrestored is None:
        return outcome
    return outcome.end(Ending.STORE_NOT_RESTORED, reason=task.unrestored, store=task.store.name)


def end_unchanged(task: Task, base: Outcome, reply: Reply, old: Look) -> Outcome:
    """Return the outcome of a token that was not rotated; its journal is settled."""
    task.reserved.settle()
    holds = "still works" if old.access is Access.WORKS else "is still the one that the listing shows"
    ending = Ending.NOT_ROTATED if reply.refused else Ending.NOT_ROTATED_SO_FAR
    return replace(base.end(ending, holds=holds, reason=reply.reason), old_value=OldValue.ALIVE)


def end_in_doubt(task: Task, base: Outcome, reply: Reply, doubt: str) -> Outcome:
    """Return the outcome of a token of which no answer proves what became of it."""
    journal = task.reserved
    ending = Ending.IN_DOUBT_WITHOUT_FALLBACK if task.fallback is None else Ending.IN_DOUBT
    return replace(
        base.end(ending, reason=reply.reason, doubt=doubt, journal=journal.path),
        old_value=OldValue.UNKNOWN,
        emergency_file=journal.file if journal.value else None,
    )


def describe_doubt(old: Look, found: FoundValue) -> str:
    """Describe why no answer proves what became of the token."""
    if old.access is Access.WORKS:
        return (
            "the old value still works, but that does not prove that the token was not rotated, as a cache or a "
            f"replica may have answered, and {found.why_not}"
        )
    if old.access is Access.SILENT:
        return f"whether the old value still works is not known: {old.reason}"
    return f"the old value is refused, and {found.why_not}"

"""Rotate one token: send the POST once, and take the new value from the answer or from the listing.

An old value that still works proves nothing while a cache or a replica may accept it. So a token is reported as
unchanged only if Credly refused the request, or the listing shows the old value to a second credential.
"""

from dataclasses import replace
from time import sleep

from credly_audit.credly.new_token import NewToken
from credly_audit.credly.wire import TokenRow
from credly_audit.lifecycle.deliver import deliver
from credly_audit.lifecycle.outcome import Ending, OldValue, Outcome
from credly_audit.lifecycle.tasks import Task
from credly_audit.lifecycle.token_endpoints import Access, ListedValue, Look, PostResult, ValueLookup, read_time


def rotate(task: Task) -> Outcome:
    """Rotate the token and deliver its new value to the store."""
    reply = task.api.rotate(task.credential, task.description)
    rows = [row for row in (reply.new_token.row, task.row) if row]
    base = replace(draft(task, rows[0] if rows else None), request_sent=True)
    reason = reply.reason or "Credly's answer confirms the rotation but does not contain the new value"
    for value in filter(task.is_new, reply.new_token.values):
        if outcome := deliver(task, value, base, doubted=value != reply.new_token.value):
            return outcome
        reason = "the value in Credly's answer does not work"
    return search(task, base, replace(reply, reason=reason), [row.id for row in rows])


def resume(task: Task) -> Outcome:
    """Finish the rotation of an earlier run with the new value in its copy or in the listing, without another POST."""
    token_id, kept = task.own_journal.token_id, task.own_journal.value
    base = replace(draft(task, None), token_id=token_id)
    outcome = deliver(task, kept, base) if kept is not None else None
    if outcome is None:
        reply = PostResult("an earlier rotation was interrupted after its request", NewToken(None), refused=False)
        outcome = search(task, base, reply, [token_id] if token_id else [])
    if not outcome.fingerprint:
        return outcome
    return replace(outcome.end(Ending.FINISHED_EARLIER), gap_seconds=None)  # the gap began in the earlier run


def search(task: Task, base: Outcome, reply: PostResult, token_ids: list[str]) -> Outcome:
    """Check the old value and look for the new one, because the answer contained no value that works."""
    patience = task.request.patience
    old = task.api.probe(task.credential)
    if old.access is Access.WORKS and not reply.refused:
        sleep(patience.settling)  # the request may still be in progress, or a cache may have answered
        old = task.api.probe(task.credential)
    found = patience.repeat(  # a listing may lag behind
        lambda: task.api.find_value(task.fallback, token_ids, task.value),
        until=lambda found: found.listed not in {ListedValue.OLD, ListedValue.SILENT},
    )
    if found.value is not None:
        if outcome := deliver(task, found.value, base):
            return outcome
        found = ValueLookup(
            ListedValue.NOTHING, "Credly also refuses the value that the listing shows to fallback_token"
        )
    return end_without_value(task, replace(base, expires_at=None), reply, old, found)


def draft(task: Task, row: TokenRow | None) -> Outcome:
    """Return a draft of the outcome with the facts of the token's row."""
    base = task.draft_outcome()
    return base if row is None else replace(base, token_id=row.id, expires_at=read_time(row.expires_at))


def end_without_value(task: Task, base: Outcome, reply: PostResult, old: Look, found: ValueLookup) -> Outcome:
    """Return the outcome where no new value can be read."""
    is_proved = found.listed is ListedValue.OLD and old.access is not Access.REFUSED
    if is_proved or (reply.refused and not task.in_doubt and old.access is Access.WORKS):
        outcome = end_unchanged(task, base, reply, old)
    elif old.access is Access.REFUSED and found.listed is ListedValue.NOTHING:
        facts = {"reason": reply.reason, "search": found.reason, "journal": task.own_journal.path}
        outcome = replace(base.end(Ending.NEW_VALUE_LOST, **facts), old_value=OldValue.DEAD)
    else:
        outcome = end_in_doubt(task, base, reply, describe_doubt(old, found))
    if task.restore_trouble is None:
        return outcome
    return outcome.end(Ending.STORE_NOT_RESTORED, reason=task.restore_trouble, store=task.store.name)


def end_unchanged(task: Task, base: Outcome, reply: PostResult, old: Look) -> Outcome:
    """Return the outcome of a token that was not rotated; its journal is settled."""
    task.own_journal.settle()
    holds = "still works" if old.access is Access.WORKS else "is still the one in the listing"
    ending = Ending.NOT_ROTATED if reply.refused else Ending.NOT_ROTATED_SO_FAR
    return replace(base.end(ending, holds=holds, reason=reply.reason), old_value=OldValue.ALIVE)


def end_in_doubt(task: Task, base: Outcome, reply: PostResult, doubt: str) -> Outcome:
    """Return the outcome of a token whose state no answer proves."""
    journal = task.own_journal
    ending = Ending.IN_DOUBT_WITHOUT_FALLBACK if task.fallback is None else Ending.IN_DOUBT
    return replace(
        base.end(ending, reason=reply.reason, doubt=doubt, journal=journal.path),
        old_value=OldValue.UNKNOWN,
        emergency_file=journal.file if journal.value else None,
    )


def describe_doubt(old: Look, found: ValueLookup) -> str:
    """Describe why no answer proves the state of the token."""
    if old.access is Access.WORKS:
        return (
            "the old value still works, but a cache or a replica may have answered, so the token may have been "
            f"rotated; {found.reason}"
        )
    if old.access is Access.SILENT:
        return f"it is not known whether the old value still works: {old.reason}"
    return f"Credly refuses the old value, and {found.reason}"

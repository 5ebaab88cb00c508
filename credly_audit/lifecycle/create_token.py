"""Create one token: send the POST once, and take the value from the answer or from the listing."""

from dataclasses import replace
from time import sleep

from credly_audit.credly.auth import Credential
from credly_audit.credly.new_token import NewToken
from credly_audit.credly.wire import TokenRow
from credly_audit.lifecycle.deliver import deliver
from credly_audit.lifecycle.outcome import Ending, Outcome
from credly_audit.lifecycle.tasks import Task
from credly_audit.lifecycle.token_endpoints import Access, Look, PostResult, read_time


def create(task: Task) -> Outcome:
    """Create the token and deliver its value to the store."""
    reply = task.api.create(task.credential, task.description or "")
    base = add_row(replace(task.draft_outcome(), request_sent=True), reply.new_token.row)
    reason = reply.reason or "Credly's answer confirms the new token but does not contain its value"
    for value in filter(task.is_new, reply.new_token.values):
        if outcome := deliver(task, value, base, doubted=value != reply.new_token.value):
            return outcome
        reason = "the value in Credly's answer does not work"
    return search(task, base, replace(reply, reason=reason))


def resume_create(task: Task) -> Outcome:
    """Finish what an earlier run began: its value was kept, or the token is to be found; no other is created."""
    known, before = set(task.own_journal.known_ids), task.before or Look(Access.SILENT)
    task.before = replace(
        before,
        rows={key: row for key, row in before.rows.items() if key in known},
        values={key: value for key, value in before.values.items() if key in known},
    )
    base, kept = replace(task.draft_outcome(), request_sent=True), task.own_journal.value
    if kept is not None and (outcome := deliver(task, kept, base)):
        return outcome
    reply = PostResult("an earlier run was interrupted after its request", NewToken(None), refused=False)
    return search(task, base, reply)


def search(task: Task, base: Outcome, reply: PostResult) -> Outcome:
    """Look for the token and its value with each credential, because the answer contained no value that works."""
    known = task.before.rows if task.before else {}
    if reply.new_token.row is None and not reply.refused:
        sleep(task.request.patience.settling)  # the request may still be in progress
    looks: list[Look] = []
    new: dict[str, TokenRow] = {}
    for credential in filter(None, (task.credential, task.fallback)):
        look = look_again(task, credential, reply.new_token.row)
        looks.append(look)
        new |= {row.id: row for row in look.rows.values() if row.id not in known and is_created(row, reply, task)}
        if len(new) == 1:
            [row] = new.values()
            base, value = add_row(base, row), look.values.get(row.id)
            if value and task.is_new(value) and (outcome := deliver(task, value, base)):
                return outcome
    return end_without_value(task, base, reply, looks, list(new))


def look_again(task: Task, credential: Credential, created: TokenRow | None) -> Look:
    """Read the listing; repeat that while it does not show the created token, or Credly does not answer."""

    def is_current(look: Look) -> bool:
        lags = look.access is Access.WORKS and created is not None and created.id not in look.rows
        return not lags and look.access is not Access.SILENT

    return task.request.patience.repeat(lambda: task.api.list_tokens(credential), until=is_current)


def is_created(row: TokenRow, reply: PostResult, task: Task) -> bool:
    """Return whether a row is the token that the answer names or, without an answer, has this description."""
    created = reply.new_token.row
    return row.id == created.id if created else row.description == task.description


def add_row(base: Outcome, row: TokenRow | None) -> Outcome:
    """Add the facts of the token's row to an outcome."""
    return base if row is None else replace(base, row=row, token_id=row.id, expires_at=read_time(row.expires_at))


def end_without_value(task: Task, base: Outcome, reply: PostResult, looks: list[Look], new: list[str]) -> Outcome:
    """Return the outcome where nothing was created, the value cannot be read, or Credly gives no information."""
    reason, journal = reply.reason, task.own_journal
    if all(look.access is not Access.WORKS for look in looks):
        return base.end(Ending.PERHAPS_CREATED, reason=reason, refusal=looks[0].reason, journal=journal.path)
    if len(new) > 1:
        tokens = ", ".join(new)
        return base.end(Ending.SEVERAL_CREATED, reason=reason, many=len(new), tokens=tokens, journal=journal.path)
    if new or reply.new_token.row is not None:
        return base.end(Ending.CREATED_WITHOUT_VALUE, reason=reason, token=base.token_id, journal=journal.path)
    journal.settle()
    return base.end(Ending.NOT_CREATED, reason=reason)

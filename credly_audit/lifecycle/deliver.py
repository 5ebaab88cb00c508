"""Deliver a new value: copy, store, read back, prove the new one, prove the old one dead, `--then`.

The copy comes first: from there on nothing that happens can lose the value.
"""

import logging
from contextlib import suppress
from dataclasses import replace
from time import monotonic, sleep

from credly_audit.errors import CannotWrite, UsageError
from credly_audit.lifecycle.outcome import Ending, OldValue, Outcome
from credly_audit.lifecycle.tasks import Task, name_lock
from credly_audit.lifecycle.token_endpoints import Access, ListedValue, Look, read_time
from credly_audit.secrets import Secret, read_stored
from credly_audit.secrets.shape import looks_random
from credly_audit.secrets.sources.interface import StoreFailed

log = logging.getLogger(__name__)


def deliver(task: Task, value: Secret, base: Outcome, *, doubted: bool = False) -> Outcome | None:
    """Store a value and prove that it works; None where Credly refuses it: the store is restored.

    A value that is `doubted`, or does not have the shape of one, is proved before it is stored: it may be prose. So is
    the value of a new token, since no integration is waiting for it.
    """
    base = replace(base, fingerprint=task.api.compute_fingerprint(value), stored_in=task.store.name)
    doubted = doubted or not looks_random(value.reveal())
    proof = prove(task, value) if doubted or task.request.action == "create" else None
    if proof is not None and proof.access is Access.REFUSED:
        return None
    is_kept = keep_copy(task, value)
    with suppress(UsageError):  # the new value is a credential too; no other run can know it yet
        task.hold(name_lock(value))
    if proof and proof.access is Access.SILENT and (doubted or has_stored_value(task)):
        return end_unverified(task, base, proof)
    if trouble := store(task, value) or describe_unreadable(task, value):
        return end_unstored(task, base, trouble, is_kept=is_kept or keep_copy(task, value))
    gap = None if task.request.action == "create" else monotonic() - task.began
    proof = proof or prove(task, value)
    if proof.access is Access.REFUSED:
        task.restore_trouble = restore(task)
        return None
    return finish(task, replace(base, gap_seconds=gap), proof)


def finish(task: Task, base: Outcome, proof: Look) -> Outcome:
    """Return the outcome of a stored value, after checking that the old one no longer works and running `--then`."""
    row = proof.find_row(base.fingerprint) or (proof.rows.get(base.token_id) if base.token_id else None)
    if row is not None:
        base = replace(base, token_id=row.id, row=row, expires_at=read_time(row.expires_at) or base.expires_at)
    if proof.access is Access.SILENT:
        file = task.own_journal.file
        return replace(base.end(Ending.NOT_PROVED, reason=proof.reason, file=file), emergency_file=file)
    proved = prove_old_value_dead(task, base)
    try:
        task.on_proved(proved)
    except CannotWrite as error:
        file = task.own_journal.file
        return replace(proved.end(Ending.NOT_RECORDED, reason=error), emergency_file=file)
    return run_then(task, discard_copy(task, proved))


def prove(task: Task, value: Secret) -> Look:
    """Read the listing with the new value; repeat that while it is refused, as not every server may know it yet."""
    credential = task.api.make_credential(value)
    return task.request.patience.repeat(
        lambda: task.api.list_tokens(credential), until=lambda look: look.access is Access.WORKS
    )


def keep_copy(task: Task, value: Secret) -> bool:
    """Write the emergency copy and return whether that succeeded."""
    file = task.own_journal.file
    try:
        task.own_journal.keep(value)
    except OSError as error:
        log.error("%s: the emergency copy could not be written (%s)", file, error.strerror)  # noqa: TRY400 - no value, no traceback
        return False
    return True


def store(task: Task, value: Secret) -> str | None:
    """Store the value, and return why the store did not accept it in the end; None where it did."""
    trouble = None
    for number in range(task.request.patience.tries):
        sleep(task.request.patience.pause if number else 0)
        try:
            task.store.write(value)
        except StoreFailed as error:
            trouble = str(error)
            log.warning("%s: %s", task.organization.called, trouble)
        else:
            return None
    return trouble


def describe_unreadable(task: Task, value: Secret) -> str | None:
    """Read the value back, and return why it cannot be read; None where it can."""
    patience = task.request.patience
    until = monotonic() + patience.read_back
    for place in task.readers:
        while read_stored(place.read) != value:
            if monotonic() >= until:
                waited = f"within {patience.read_back:g} seconds"
                return f"{task.store.name} accepted the new value, but {place.name} did not return it {waited}"
            sleep(min(1.0, patience.pause))
    return None


def restore(task: Task) -> str | None:
    """Store the old value again in place of a refused one, and return why that failed; None where it did not."""
    return None if task.value is None else store(task, task.value) or describe_unreadable(task, task.value)


def has_stored_value(task: Task) -> bool:
    """Return whether the store of a new token already contains a value."""
    return any(read_stored(place.read) is not None for place in task.readers)


def prove_old_value_dead(task: Task, base: Outcome) -> Outcome:
    """Return the outcome of a value that works, after checking whether the old one still does."""
    if task.request.action == "create":
        return base.end(Ending.CREATED)
    old = task.request.patience.repeat(
        lambda: task.api.probe(task.credential), until=lambda look: look.access is Access.REFUSED
    )
    if old.access is Access.REFUSED:
        return replace(base.end(Ending.ROTATED), old_value=OldValue.DEAD)
    if old.access is Access.SILENT:
        return replace(base.end(Ending.ROTATED_OLD_UNKNOWN, reason=old.reason), old_value=OldValue.UNKNOWN)
    return replace(base.end(Ending.ROTATED_OLD_ALIVE), old_value=OldValue.ALIVE)


def discard_copy(task: Task, outcome: Outcome) -> Outcome:
    """Remove the emergency copy, which is no longer needed."""
    journal = task.own_journal
    try:
        journal.discard()
    except OSError as error:
        outcome = outcome.end(Ending.COPY_STAYS, file=journal.file, reason=error.strerror)
        return replace(outcome, emergency_file=journal.file)
    return replace(outcome, emergency_file=None)


def run_then(task: Task, outcome: Outcome) -> Outcome:
    """Run `--then`, which counts towards the gap: integrations may read the new value only after it."""
    if task.then is None:
        return outcome
    try:
        task.then(outcome)
    except StoreFailed as error:
        return outcome.end(Ending.THEN_FAILED, reason=error)
    gap = None if outcome.gap_seconds is None else monotonic() - task.began
    return replace(outcome, gap_seconds=gap)


def end_unverified(task: Task, base: Outcome, proof: Look) -> Outcome:
    """Return the outcome of a value that may be the new one: it stays in the copy, and the store is unchanged."""
    ending = Ending.NEW_TOKEN_NOT_VERIFIED if base.action == "create" else Ending.NOT_VERIFIED
    file = task.own_journal.file
    return replace(base.end(ending, reason=proof.reason, file=file), emergency_file=file, stored_in=None)


def end_unstored(task: Task, base: Outcome, trouble: str, *, is_kept: bool) -> Outcome:
    """Return the outcome of a value that the store did not accept: it is in the emergency copy, or possibly lost."""
    base = replace(base, stored_in=None)
    if is_kept:
        ending = Ending.STORE_OF_NEW_TOKEN_FAILED if base.action == "create" else Ending.STORE_FAILED
        file = task.own_journal.file
        return replace(base.end(ending, reason=trouble, file=file), emergency_file=file)
    found = task.api.find_value(task.fallback, [base.token_id] if base.token_id else [], task.value)
    is_listed = found.listed is ListedValue.NEW and base.action == "rotate"
    return base.end(
        Ending.STORE_AND_COPY_FAILED_BUT_LISTED if is_listed else Ending.STORE_AND_COPY_FAILED, reason=trouble
    )

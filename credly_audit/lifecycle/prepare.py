"""Prepare the tasks before anything changes: check the stores, read the listings, and decide which tokens are due."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.instants import iso_day
from credly_audit.lifecycle.deliver import describe_unreadable
from credly_audit.lifecycle.journal import Journal, find_journals
from credly_audit.lifecycle.outcome import Ending, Outcome
from credly_audit.lifecycle.renewal import look_for_expired
from credly_audit.lifecycle.replace import find_old_token, require_another_place
from credly_audit.lifecycle.request import LIMIT
from credly_audit.lifecycle.tasks import Task
from credly_audit.lifecycle.token_endpoints import Access, ListedValue, Look, read_time
from credly_audit.secrets import read_stored
from credly_audit.secrets.redaction import RUN
from credly_audit.secrets.sources.interface import StoreFailed

log = logging.getLogger(__name__)

LONGEST_LAG = timedelta(days=1)
"""How long a cache or a replica may still accept an old value; a value that works later is valid."""


def prepare(tasks: Sequence[Task], emergency: Path) -> None:
    """Try each store and look at each token; afterwards, each task is pending, not due, or has its outcome.

    The store comes first, unless only the listing tells whether the token is due or an earlier rotation has to be
    finished.
    """
    for task in tasks:
        task.journal = find_earlier_journal(task, emergency)
    check_all(tasks, lambda task: task.store.check())
    at_once = [task for task in tasks if not (task.request.due or task.journal or task.replacement or task.renewal)]
    try_stores(at_once)
    for task in tasks:
        look_at(task, emergency)
    for task in tasks:
        if task.outcome is None and not task.resumes:
            check_due(task)
    apply_limit(tasks)
    try_stores(task for task in tasks if task.is_pending and task not in at_once and not task.resumes)


def find_earlier_journal(task: Task, emergency: Path) -> Journal | None:
    """Return the latest journal of an earlier rotation or renewal of the same value, or of the same successor."""
    journals = [
        journal
        for journal in find_journals(emergency)
        if journal.credential == task.lock
        and journal.action == task.request.action
        and (journal.action == "rotate" or is_replaced(task, journal.replaces))
    ]
    return journals[-1] if journals else None


def is_replaced(task: Task, token_id: str | None) -> bool:
    """Return whether a task that creates a token replaces that one, or may do so."""
    return token_id is not None and (task.replaces == token_id or task.renewal is not None)


def look_at(task: Task, emergency: Path) -> None:
    """Look at the token in the listing; set an outcome where it can be neither rotated nor finished."""
    if task.renewal is not None:
        look_for_expired(task, task.renewal, emergency)
        return
    look = task.before = task.api.list_tokens(task.credential)
    if task.request.action == "create":
        look_at_creator(task, look)
        return
    task.resumes = task.journal is not None and look.access is Access.REFUSED
    if look.access is Access.WORKS:
        settle_journals(task, emergency)
        resolve_earlier_rotation(task)
    elif not task.resumes:
        task.outcome = end_unusable(task, look)


def look_at_creator(task: Task, look: Look) -> None:
    """Take the listing of a credential that is to create a token; an outcome is set where it does not work."""
    if look.access is not Access.WORKS:
        task.outcome = task.end(Ending.NOT_DONE, reason=look.reason)
        return
    task.resumes = task.journal is not None
    if task.replacement is None:
        return
    find_old_token(task, task.replacement)
    if task.replacement.succession is not None and task.journal is not None:  # it was interrupted after that
        settle(task, task.journal)
        task.journal, task.resumes = None, False


def end_unusable(task: Task, look: Look) -> Outcome:
    """Return the outcome of a token whose credential does not work."""
    journal = task.journal
    if journal is not None:
        outcome = task.end(Ending.EARLIER_UNCLEAR, reason=look.reason, journal=journal.path)
        return replace(outcome, emergency_file=journal.file if journal.value else None)
    if look.access is Access.SILENT or task.credential.doubt:
        return task.end(Ending.NOT_DONE, reason=look.reason)
    return task.end(Ending.VALUE_REFUSED, reason=f"{look.reason}{describe_fallback_look(task)}")


def describe_fallback_look(task: Task) -> str:
    """Describe what the listing shows to the second credential where the token's value is refused."""
    fallback, fingerprint = task.fallback, task.credential.fingerprint
    if fallback is None or fingerprint is None:
        return ""
    look = task.api.list_tokens(fallback)
    if look.access is not Access.WORKS:
        return f"; fallback_token could not look it up: {look.reason}"
    row = look.find_row(fingerprint)
    if row is None:
        return "; the listing shows fallback_token no token with this value"
    return f"; the listing shows it to fallback_token as token {row.id}, which expires {row.expires_at}"


def settle_journals(task: Task, emergency: Path) -> None:
    """Settle the journals of runs that received the current value, which works."""
    for journal in find_journals(emergency):
        if journal.action == "rotate" and journal.value is not None and journal.value == task.value:
            settle(task, journal)


def resolve_earlier_rotation(task: Task) -> None:
    """Determine the outcome of an earlier rotation whose old value still works, possibly because of a cache.

    It has to be finished where the value in its copy works, or where the second credential sees a new one. It had no
    effect where that credential sees the old one, or where the old one still works a day later.
    """
    journal = task.journal
    if journal is None:
        return
    if journal.value is not None and task.api.probe_value(journal.value).access is Access.WORKS:
        task.resumes = True
        return
    token_id = task.row.id if task.row else journal.token_id
    found = task.api.find_value(task.fallback, [token_id] if token_id else [], task.value)
    task.resumes = found.listed is ListedValue.NEW
    if found.listed is ListedValue.OLD or (found.listed is ListedValue.NOTHING and journal.age > LONGEST_LAG):
        settle(task, journal)
        task.journal = None


def settle(task: Task, journal: Journal) -> None:
    """Remove a journal that is no longer needed, except in a dry run."""
    if not task.request.dry_run:
        journal.settle()
        log.info("%s: removed the files of an earlier rotation, whose outcome is known", task.organization.called)


def check_due(task: Task) -> None:
    """Decide whether the token is due; set `not_due`, or an outcome where that is not known."""
    due, row = task.request.due, task.row
    if due is None:
        return
    if row is None or row.expires_fault is not None or (row.expires_at and read_time(row.expires_at) is None):
        task.outcome = task.end(Ending.EXPIRY_UNKNOWN)
    elif task.expires_at is None:
        task.not_due = f"{task.organization.called}: never expires"
    elif task.expires_at - datetime.now(UTC) > due:
        task.not_due = f"{task.organization.called}: expires {iso_day(task.expires_at)}"


def apply_limit(tasks: Sequence[Task]) -> None:
    """Set the outcome of tasks for expired tokens beyond the limit; those that finish an earlier run come first."""
    pending = sorted((task for task in tasks if task.is_pending and task.renewal), key=lambda task: not task.resumes)
    for task in pending[(limit := pending[0].request.limit or LIMIT) :] if pending else []:
        task.outcome = task.end(Ending.LIMIT_REACHED, limit=limit)


def try_stores(tasks: Iterable[Task]) -> None:
    """Check that each store accepts the current value and returns it, except in a dry run."""
    check_all((task for task in tasks if not task.request.dry_run), try_store)


def try_store(task: Task) -> None:
    """Store the current value and read it back; for a new token, write a test entry beside what is stored."""
    called, action = task.organization.called, task.request.action
    try:
        if action == "create":
            require_a_value(task)
            if task.replacement is not None:
                require_another_place(task, task.replacement)
            if task.renewal is not None:
                require_current_value(task)
            task.store.try_write()
            return
        assert task.value is not None  # noqa: S101 - OAuth has nothing to rotate
        require_current_value(task)
        task.store.write(task.value)
        trouble = describe_unreadable(task, task.value)
    except StoreFailed as error:
        trouble = str(error)
    if trouble:
        raise UsageError(f"{called}: the test of the store failed: {trouble}; nothing was {action}d")


def require_current_value(task: Task) -> None:
    """Raise UsageError where the store contains another value than the configured token's."""
    for place in task.readers:
        if read_stored(place.read) not in {None, task.value}:
            raise UsageError(
                f"{task.organization.called}: {place.name} contains another value than the current one, possibly of "
                "another token: name another store, or remove its content if it is not needed"
            )


def require_a_value(task: Task) -> None:
    """Raise UsageError where a new value would overwrite something else, such as a settings file named by mistake."""
    held = None if task.store.read is None else read_stored(task.store.read)
    if held is not None and not RUN.fullmatch(held.reveal()):
        raise UsageError(
            f"{task.organization.called}: {task.store.name} contains something other than a token's value, which would "
            "be overwritten: name another store, or remove its content if it is not needed"
        )


def check_all(tasks: Iterable[Task], check: Callable[[Task], None]) -> None:
    """Check every task, and raise one ConfigurationError with all mistakes."""
    wrong = []
    for task in tasks:
        try:
            check(task)
        except UsageError as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigurationError(wrong)

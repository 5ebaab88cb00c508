"""Before anything changes: check each store, look at each token, decide whether it is due, and try its store."""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.instants import iso_day
from credly_audit.lifecycle.api import Access, Look, Shown, read_time
from credly_audit.lifecycle.deliver import describe_unreadable
from credly_audit.lifecycle.journal import Journal, find_journals
from credly_audit.lifecycle.outcome import Ending, Outcome
from credly_audit.lifecycle.replace import find_old_token, require_another_place
from credly_audit.lifecycle.tasks import Task
from credly_audit.secrets import read_stored
from credly_audit.secrets.redaction import RUN
from credly_audit.secrets.sources.interface import StoreFailed

log = logging.getLogger(__name__)

LONGEST_LAG = timedelta(days=1)
"""For so long an old value may answer from a cache or a replica; what answers later is in force."""


def prepare(tasks: Sequence[Task], emergency: Path) -> None:
    """Try each store and look at each token; afterwards, what is not ahead is not due or has its outcome.

    The store comes first, unless only a look tells whether the token is due, or whether an earlier rotation is to
    be finished.
    """
    for task in tasks:
        task.journal = find_earlier_journal(task, emergency)
    check_all(tasks, lambda task: task.store.check())
    at_once = [task for task in tasks if not (task.request.due or task.journal or task.replacement)]
    try_stores(at_once)
    for task in tasks:
        look_at(task, emergency)
    for task in tasks:
        if task.outcome is None and not task.resumes:
            check_due(task)
    try_stores(task for task in tasks if task.is_ahead and task not in at_once and not task.resumes)


def find_earlier_journal(task: Task, emergency: Path) -> Journal | None:
    """Return the latest journal that a rotation of this very value left, or the creation of the same successor."""
    replaced = None if task.replacement is None else task.replacement.old_token_id
    journals = [
        journal
        for journal in find_journals(emergency)
        if journal.credential == task.lock
        and journal.action == task.request.action
        and (journal.action == "rotate" or (replaced is not None and journal.replaces == replaced))
    ]
    return journals[-1] if journals else None


def look_at(task: Task, emergency: Path) -> None:
    """Look at the token; an outcome is set where it can be neither rotated nor finished."""
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
    if task.replacement.succession is not None and task.journal is not None:  # it was cut short after that
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
    """Describe what the second credential sees of a token whose value is refused."""
    fallback, fingerprint = task.fallback, task.credential.fingerprint
    if fallback is None or fingerprint is None:
        return ""
    look = task.api.list_tokens(fallback)
    if look.access is not Access.WORKS:
        return f"; fallback_token could not look for it: {look.reason}"
    row = look.find_row(fingerprint)
    if row is None:
        return "; the listing that fallback_token sees shows no token with this value"
    return f"; the listing that fallback_token sees shows it as token {row.id}, which expires {row.expires_at}"


def settle_journals(task: Task, emergency: Path) -> None:
    """Settle what a run left that got this very value, which works."""
    for journal in find_journals(emergency):
        if journal.action == "rotate" and journal.value is not None and journal.value == task.value:
            settle(task, journal)


def resolve_earlier_rotation(task: Task) -> None:
    """Find out what became of an earlier rotation whose old value still answers, perhaps from a cache.

    It is finished where the value that it kept works, or where the second credential sees a new one. It came to
    nothing where that credential sees the old one, or where the old one still answers a day later.
    """
    journal = task.journal
    if journal is None:
        return
    if journal.value is not None and task.api.probe_value(journal.value).access is Access.WORKS:
        task.resumes = True
        return
    token_id = task.row.id if task.row else journal.token_id
    found = task.api.find_value(task.fallback, [token_id] if token_id else [], task.value)
    task.resumes = found.shown is Shown.NEW
    if found.shown is Shown.OLD or (found.shown is Shown.NOTHING and journal.age > LONGEST_LAG):
        settle(task, journal)
        task.journal = None


def settle(task: Task, journal: Journal) -> None:
    """Remove a journal that is not needed any more; not in a dry run."""
    if not task.request.dry_run:
        journal.settle()
        log.info("%s: what an earlier rotation left is settled and was removed", task.organization.called)


def check_due(task: Task) -> None:
    """Decide whether the token is to be rotated now: it is `not_due`, or gets an outcome where that is not known."""
    due, row = task.request.due, task.row
    if due is None:
        return
    if row is None or row.expires_fault is not None or (row.expires_at and read_time(row.expires_at) is None):
        task.outcome = task.end(Ending.EXPIRY_UNKNOWN)
    elif task.expires_at is None:
        task.not_due = f"{task.organization.called}: never expires"
    elif task.expires_at - datetime.now(UTC) > due:
        task.not_due = f"{task.organization.called}: expires {iso_day(task.expires_at)}"


def try_stores(tasks: Iterable[Task]) -> None:
    """Try that each store takes the value in force and gives it back; not in a dry run."""
    check_all((task for task in tasks if not task.request.dry_run), try_store)


def try_store(task: Task) -> None:
    """Store the value in force and read it back, or, for a new token, something beside what is stored."""
    called, action = task.organization.called, task.request.action
    try:
        if action == "create":
            require_a_value(task)
            if task.replacement is not None:
                require_another_place(task, task.replacement)
            task.store.try_write()
            return
        assert task.value is not None  # noqa: S101 - OAuth has nothing to rotate
        for place in task.readers:
            if read_stored(place.read) not in {None, task.value}:
                raise UsageError(
                    f"{called}: {place.name} holds another value than the one in force, perhaps another token's: name "
                    "another place, or remove what is there if nobody needs it"
                )
        task.store.write(task.value)
        trouble = describe_unreadable(task, task.value)
    except StoreFailed as error:
        trouble = str(error)
    if trouble:
        raise UsageError(f"{called}: the store was tried and failed: {trouble}; nothing was {action}d")


def require_a_value(task: Task) -> None:
    """UsageError where a new token's value would replace something else, as a file of settings named by mistake."""
    held = None if task.store.read is None else read_stored(task.store.read)
    if held is not None and not RUN.fullmatch(held.reveal()):
        raise UsageError(
            f"{task.organization.called}: {task.store.name} holds something other than a token's value, which would be "
            "gone: name another place, or remove what is there if nobody needs it"
        )


def check_all(tasks: Iterable[Task], check: Callable[[Task], None]) -> None:
    """Check every task; all that is wrong in one ConfigurationError."""
    wrong = []
    for task in tasks:
        try:
            check(task)
        except UsageError as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigurationError(wrong)

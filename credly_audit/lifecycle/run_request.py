"""Carry out a request in the documented order: lock, look, try the stores, announce, and change the tokens in turn."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from time import monotonic
from types import FrameType

from credly_audit.config.credentials import make_fingerprints, resolve_proxy, warn_of_password
from credly_audit.config.load import load
from credly_audit.config.settings import Settings
from credly_audit.credly.client import Client, Line
from credly_audit.credly.host import Host
from credly_audit.errors import CannotWrite, UsageError, without_values
from credly_audit.files.locks import hold_locks, is_held
from credly_audit.files.paths import working_folder
from credly_audit.lifecycle.check_created import make_review
from credly_audit.lifecycle.create_token import create
from credly_audit.lifecycle.journal import (
    Journal,
    find_emergency_folder,
    find_journals,
    require_room_for_copies,
    reserve,
)
from credly_audit.lifecycle.outcome import Ending, Outcome
from credly_audit.lifecycle.outcome_report import OutcomeReport
from credly_audit.lifecycle.prepare import prepare
from credly_audit.lifecycle.renewal import PriorTokens, Renewal, renew
from credly_audit.lifecycle.replace import Replacement, replace_token
from credly_audit.lifecycle.request import Request
from credly_audit.lifecycle.rotate_token import resume, rotate
from credly_audit.lifecycle.succession_records import SuccessionRecords, succession_lock
from credly_audit.lifecycle.tasks import Task, TaskMaker, Then, find_readable_store
from credly_audit.secrets.redaction import looks_like_a_value
from credly_audit.secrets.sources.program import ProgramSource, run_to_end
from credly_audit.text import count, one_line

log = logging.getLogger(__name__)

WAITING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]

DUE = timedelta(days=35)
"""How long the consumers of a replaced token have to switch, where the command does not say."""

Agree = Callable[[Sequence[Task]], bool]
"""Asks an operator, before anything changes, to confirm the pending tasks."""


def carry_out(request: Request, environ: Mapping[str, str], agree: Agree) -> OutcomeReport:
    """Rotate or create tokens; UsageError, before any request, for what the configuration or a store lacks."""
    settings = load(request.config, environ, for_collecting=request.credential is None)
    settings, request = choose_organizations(settings, request, environ)
    review = make_review(settings, request.fail_on) if request.action == "create" else None
    settings, written = resolve_proxy(settings, environ), settings
    many = count(len(settings.organizations), "organization", "organizations")
    log.info("Requesting the tokens of %s from %s", many, Host.of(settings.api).way)
    warn_of_password(written)
    fingerprints = make_fingerprints(settings, environ)
    if request.description and looks_like_a_value(request.description):
        raise UsageError(
            "--description contains what looks like a token's value, and everyone who can list tokens reads it"
        )
    with Client(Line(settings.api, Event())) as client:
        maker = TaskMaker(request, settings, client, fingerprints, environ)
        tasks = maker.make_tasks()
        then = make_then(request.then, environ)
        emergency = find_emergency_folder(request.emergency_dir, environ, dry_run=request.dry_run)
        if not request.dry_run:
            require_room_for_copies(emergency)
        prior = PriorTokens(settings, environ, fingerprints.key_fingerprint)
        for task in tasks:
            task.then = then
            if request.for_expired:
                task.renewal = Renewal(maker.list_other_credentials(task), settings.consumers, prior)
            if request.replaces is not None:
                task.replacement = make_replacement(task, request.replaces, settings, emergency, environ)
        report = run_tasks(request, tasks, emergency, agree)
    if review is None:
        return report
    return replace(report, outcomes=tuple(review(outcome) for outcome in report.outcomes))


def make_replacement(
    task: Task, old_token_id: str, settings: Settings, emergency: Path, environ: Mapping[str, str]
) -> Replacement:
    """Return what replaces a token; UsageError where the store cannot be read back, or a program does not exist."""
    if not task.readers:
        raise UsageError(
            f"--replaces: what {task.store.name} took must be readable again, for consumers that are switched later; "
            "name a place with --read-back"
        )
    consumers = [each for each in settings.consumers if each.uses(task.organization.id, old_token_id)]
    records = SuccessionRecords.open(settings, emergency, environ)
    due = task.request.replaces_due or DUE
    replacement = Replacement(old_token_id, due, consumers, records, settings.folder, environ)
    replacement.check()
    return replacement


def choose_organizations(settings: Settings, request: Request, environ: Mapping[str, str]) -> tuple[Settings, Request]:
    """Return the settings limited to the organizations of the request, and the request with its default `due`."""
    if request.for_expired:
        return choose_with_store(settings, request, environ), request
    if request.organizations:
        return settings.only(request.organizations), request
    if request.credential is not None:
        return settings, request
    marked = [organization.id for organization in settings.organizations if organization.rotate]
    if not marked:
        raise UsageError("no organization has `rotate = true`: set it for some, or name one with --organization")
    if request.due is None:
        request = replace(request, due=settings.policy.next_audit)
    return settings.only(marked), request


def choose_with_store(settings: Settings, request: Request, environ: Mapping[str, str]) -> Settings:
    """Return the settings limited to the organizations whose token has a store; others are named in a warning."""
    settings = settings.only(request.organizations) if request.organizations else settings
    if request.tags:
        settings = settings.only_tagged(request.tags)
    if request.organizations:  # a store that is missing is a mistake then
        return settings
    stored: list[str] = []
    others: list[str] = []
    for each in settings.organizations:
        if each.store is not None or find_readable_store(each.token, settings.folder, environ) is not None:
            stored.append(each.id)
        else:
            others.append(each.called)
    if not stored:
        raise UsageError("--for-expired: no token is read from a place that can store a new one; set `store`")
    if others:
        many = count(len(others), "organization", "organizations")
        log.warning("%s left out, whose token has no store: %s", many, one_line(", ".join(others), 200))
    return settings.only(stored)


def make_then(text: str | None, environ: Mapping[str, str]) -> Then | None:
    """Return a function that runs the command of `--then`; UsageError where there is no such program."""
    if text is None:
        return None
    command = ProgramSource().store(text.partition(":")[2], working_folder(), environ)
    command.check()

    def then(outcome: Outcome) -> None:
        facts = {
            "CREDLY_AUDIT_ORGANIZATION": outcome.organization_id,
            "CREDLY_AUDIT_TOKEN_ID": outcome.token_id or "",
            "CREDLY_AUDIT_STATE": str(outcome.state),
        }
        run_to_end(command.words, command.folder, {**environ, **facts})

    return then


def run_tasks(request: Request, tasks: Sequence[Task], emergency: Path, agree: Agree) -> OutcomeReport:
    """Take the tasks through the documented steps (docs/lifecycle.md)."""
    earlier = list(find_journals(emergency))
    interrupted = Event()
    with ExitStack() as held:
        locks = [] if request.dry_run else [name for task in tasks for name in list_locks(task)]
        held.enter_context(hold_locks(locks, break_lock=request.break_lock))
        require_unchanged(tasks)
        prepare(tasks, emergency)
        ahead = [task for task in tasks if task.is_pending]
        if request.dry_run:
            for task in ahead:
                task.outcome = rehearse(task)
        elif ahead and not agree(ahead):
            for task in ahead:
                task.outcome = task.end(Ending.NOT_AGREED)
        elif ahead:
            for task in ahead:
                task.hold = lambda name: held.enter_context(hold_locks([name]))
            with delay_signals(interrupted):
                execute_tasks(ahead, emergency, interrupted)
    known = {task.journal.path for task in tasks if task.journal and task.not_due is None}
    left = [each for each in earlier if each.path not in known and each.path.exists() and not is_held(each.credential)]
    return OutcomeReport(
        tuple(task.outcome for task in tasks if task.outcome is not None),
        tuple(task.not_due for task in tasks if task.not_due is not None),
        tuple(left),
        emergency,
        interrupted.is_set(),
        request.for_expired,
    )


def list_locks(task: Task) -> list[str]:
    """Return the names of the locks that a task holds: of its credential, and of the succession that it works on."""
    if task.replacement is None:
        return [task.lock]
    return [task.lock, succession_lock(task.organization.id, task.replacement.old_token_id)]


def require_unchanged(tasks: Sequence[Task]) -> None:
    """Raise UsageError where a credential changed while the command waited for its lock."""
    for task in tasks:
        if task.reread() != task.value:
            raise UsageError(
                f"{task.organization.called}: its credential has just changed, possibly by another rotation; no "
                "request was sent; run the command again"
            )


def execute_tasks(ahead: Sequence[Task], emergency: Path, interrupted: Event) -> None:
    """Execute one task after another until one fails in a way that is likely to affect the next."""
    stopped: Outcome | None = None
    for task in ahead:
        if interrupted.is_set():
            task.outcome = task.end(Ending.INTERRUPTED)
        elif stopped is not None:
            task.outcome = task.end(Ending.NOT_BEGUN, other=stopped.organization_name, state=stopped.state)
        else:
            task.outcome = execute_task(task, emergency)
            stopped = task.outcome if task.outcome.stops_others else None


def execute_task(task: Task, emergency: Path) -> Outcome:
    """Execute a task and return its outcome, even after a defect of the tool."""
    if task.replacement is not None and task.replacement.succession is not None:
        return replace_token(task)
    task.in_doubt = task.journal is not None
    if task.journal is None:
        try:
            task.journal = reserve(emergency, make_journal(task))
        except (CannotWrite, OSError) as error:
            return task.end(Ending.NO_ROOM, reason=error)
    task.began = monotonic()
    creates = replace_token if task.replacement else renew if task.renewal else create
    step = creates if task.request.action == "create" else resume if task.resumes else rotate
    try:
        return step(task)
    except Exception as error:  # noqa: BLE001 - whatever it is, the operator must learn where the value is
        return end_defect(task, task.journal, error)


@contextmanager
def delay_signals(interrupted: Event) -> Iterator[None]:
    """Delay Ctrl-C, SIGTERM and the end of the terminal session until the token has its outcome."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def remember(_signal: int, _frame: FrameType | None) -> None:
        interrupted.set()
        log.warning("stopping as soon as this token has its outcome")

    before = {number: signal.signal(number, remember) for number in WAITING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def make_journal(task: Task) -> Journal:
    """Return the journal to write before the token is rotated or created."""
    creates = task.request.action == "create"
    return Journal(
        task.request.action,
        task.organization.id,
        task.organization.called,
        task.lock,
        task.credential.fingerprint,
        task.row.id if task.row and not creates else None,
        task.description,
        datetime.now(UTC).isoformat(timespec="seconds"),
        tuple(sorted(task.before.rows)) if task.before and creates else (),
        task.replaces,
    )


def rehearse(task: Task) -> Outcome:
    """Return the outcome that a dry run reports for a pending token."""
    rotates = task.request.action == "rotate"
    done = "finished, after an interrupted rotation" if task.resumes else f"{task.request.action}d"
    return replace(
        task.end(Ending.WOULD_BE_DONE, done=done, store=task.store.name),
        token_id=task.row.id if task.row and rotates else None,
        expires_at=task.expires_at if rotates else None,
    )


def end_defect(task: Task, journal: Journal, error: Exception) -> Outcome:
    """Return the outcome after a defect that follows the request: what is known, and where the value is."""
    is_kept, creates = journal.value is not None, task.request.action == "create"
    ending = {
        (False, False): Ending.DEFECT,
        (False, True): Ending.DEFECT_VALUE_KEPT,
        (True, False): Ending.DEFECT_OF_CREATE,
        (True, True): Ending.DEFECT_OF_CREATE_VALUE_KEPT,
    }[creates, is_kept]
    return replace(
        task.end(ending, reason=without_values(error), journal=journal.path, file=journal.file),
        emergency_file=journal.file if is_kept else None,
        request_sent=True,
    )

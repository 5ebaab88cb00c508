"""All tokens of one command: locked, looked at, their stores tried, announced, and then done one after another."""

import logging
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from types import FrameType

from credly_audit.config.settings import Api
from credly_audit.credly.client import Client, Line
from credly_audit.errors import CannotWrite, UsageError, without_values
from credly_audit.files.locks import holding, is_held
from credly_audit.lifecycle.api import Asker
from credly_audit.lifecycle.create import Creator
from credly_audit.lifecycle.deliver import Keeper
from credly_audit.lifecycle.journal import EmergencyCopy, Undertaking, left_behind, reserve
from credly_audit.lifecycle.outcome import Outcome, State
from credly_audit.lifecycle.prepare import Candidate, Plan, Preparation
from credly_audit.lifecycle.rotate import Rotator, not_reserved
from credly_audit.lifecycle.tasks import Attempt, Patience, Task, Then
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints

log = logging.getLogger(__name__)

WAITING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@dataclass(frozen=True, slots=True)
class Result:
    """All outcomes in the order asked; `not_due` says of whom nothing had to be done."""

    outcomes: tuple[Outcome, ...]
    not_due: tuple[str, ...]
    left_behind: tuple[EmergencyCopy, ...]
    interrupted: bool = False


@dataclass(slots=True)
class Campaign:
    """One command. `due` narrows to tokens that expire within it; `agreed` is asked before anything changes."""

    tasks: Sequence[Task]
    api: Api
    fingerprints: Fingerprints
    emergency: Path
    agreed: Callable[[Plan], bool]
    due: timedelta | None = None
    then: Then | None = None
    dry_run: bool = False
    break_lock: bool = False
    patience: Patience = field(default_factory=Patience)
    again: Callable[[Task], Secret | None] = lambda task: task.value
    """Reads a task's value anew, once its lock is held."""
    _interrupted: Event = field(default_factory=Event)

    def run(self) -> Result:
        """In the documented order. UsageError, nothing having been asked, for a lock or a store that cannot be used."""
        before = list(left_behind(self.emergency))
        locks = [] if self.dry_run else [task.lock for task in self.tasks]
        with ExitStack() as held, Client(Line(self.api, Event())) as client:
            held.enter_context(holding(locks, break_lock=self.break_lock))
            self._nothing_changed_meanwhile()
            keeper = Keeper(self.fingerprints, self.patience, None, lambda _: None)
            preparation = Preparation(self.emergency, keeper, self.due, self.dry_run)
            candidates = [
                Candidate(task, Asker(client, task.organization, self.fingerprints), copy=preparation.left_by(task))
                for task in self.tasks
            ]
            plan = Plan(tuple(preparation.prepared(candidates)))
            if plan.ahead and not self.dry_run:
                if self.agreed(plan):
                    with self._undisturbed():
                        self._carry_out(plan, lambda name: held.enter_context(holding([name])))
                else:
                    for candidate in plan.ahead:
                        candidate.outcome = candidate.task.outcome(State.UNCHANGED, "not agreed to: nothing was done")
            elif self.dry_run:
                for candidate in plan.ahead:
                    candidate.outcome = _rehearsed(candidate)
        told = {each.copy.journal for each in plan.candidates if each.copy}
        left = tuple(
            copy
            for copy in before
            if copy.journal not in told and copy.journal.exists() and not is_held(copy.undertaking.credential)
        )
        outcomes = tuple(each.outcome for each in plan.candidates if each.outcome is not None)
        return Result(outcomes, tuple(preparation.not_due), left, self._interrupted.is_set())

    def _nothing_changed_meanwhile(self) -> None:
        for task in self.tasks:
            if self.again(task) != task.value:
                raise UsageError(
                    f"{task.organization.called}: its credential changed just now, as by another rotation: nothing was "
                    "asked; run again"
                )

    def _carry_out(self, plan: Plan, hold: Callable[[str], None]) -> None:
        ended: Outcome | None = None
        for candidate in plan.ahead:
            task = candidate.task
            if self._interrupted.is_set():
                candidate.outcome = task.outcome(State.UNCHANGED, "not begun: interrupted", "run again")
            elif ended is not None:
                why = f"not begun, because {ended.organization_name} ended as {ended.state}"
                candidate.outcome = task.outcome(State.UNCHANGED, why, "mend that first, and run again")
            else:
                candidate.outcome = self._done(candidate, hold)
                ended = candidate.outcome if candidate.outcome.speaks_against_going_on else None

    def _done(self, candidate: Candidate, hold: Callable[[str], None]) -> Outcome:
        """A token's outcome, whatever happens: a defect of ours must not lose one either."""
        task, copy = candidate.task, candidate.copy
        in_doubt = copy is not None
        if copy is None:
            try:
                copy = reserve(self.emergency, _undertaking(candidate))
            except (CannotWrite, OSError) as error:
                return not_reserved(task, error)
        attempt = Attempt(task, candidate.asker, copy, candidate.seen, in_doubt)
        keeper = Keeper(self.fingerprints, self.patience, self.then, hold)
        try:
            if task.action == "create":
                return Creator(keeper, self.patience).create(attempt)
            rotator = Rotator(keeper, self.patience)
            return rotator.resume(attempt) if candidate.resumes else rotator.rotate(attempt)
        except Exception as error:  # noqa: BLE001 - whatever it is, the person must be told where the value is
            return _cut_short(task, copy, error)

    @contextmanager
    def _undisturbed(self) -> Iterator[None]:
        """Ctrl-C, SIGTERM and a terminal that hangs up wait until the token has its outcome."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def remember(_signal: int, _frame: FrameType | None) -> None:
            self._interrupted.set()
            log.warning("will stop as soon as this token is safe")

        before = {number: signal.signal(number, remember) for number in WAITING}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def _undertaking(candidate: Candidate) -> Undertaking:
    task, row = candidate.task, candidate.row
    return Undertaking(
        task.action,
        task.organization.id,
        task.organization.called,
        task.lock,
        task.credential.fingerprint,
        row.id if row and task.action == "rotate" else None,
        task.description,
        datetime.now(UTC).isoformat(timespec="seconds"),
        tuple(sorted(candidate.seen.rows)) if candidate.seen and task.action == "create" else (),
    )


def _rehearsed(candidate: Candidate) -> Outcome:
    """What a dry run says of a token that would be done."""
    task, row = candidate.task, candidate.row
    verb = "finished, as an earlier rotation was cut short" if candidate.resumes else f"{task.action}d"
    return replace(
        task.outcome(State.UNCHANGED, f"would be {verb}; its value would go to {task.store.name}"),
        token_id=row.id if row and task.action == "rotate" else None,
        expires_at=candidate.expires_at if task.action == "rotate" else None,
        rehearsed=True,
    )


def _cut_short(task: Task, copy: EmergencyCopy, error: Exception) -> Outcome:
    """A defect after the request: say what is known, and where the value is."""
    defect = f"unexpected error: {without_values(error)}; please report it"
    kept = copy.value is not None
    where = f"; the new value is in {copy.file}" if kept else f"; what is known is in {copy.journal}"
    return replace(
        task.outcome(
            State.EMERGENCY if kept else State.UNKNOWN,
            defect + where,
            "run the same command again: it finds out and finishes it without asking for another value"
            if task.action == "rotate"
            else "look for the new token in Credly's web page",
        ),
        emergency_file=copy.file if kept else None,
        was_asked=True,
        defect=True,
    )

"""Before anything changes: look at each token, judge whether it is due, try its store."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from credly_audit.credly.wire import Row
from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.instants import iso_day
from credly_audit.lifecycle.api import Asker, Seen, Shown, Verdict, instant
from credly_audit.lifecycle.deliver import Keeper
from credly_audit.lifecycle.journal import EmergencyCopy, left_behind
from credly_audit.lifecycle.outcome import Outcome, State
from credly_audit.lifecycle.tasks import Task
from credly_audit.secrets import read_stored
from credly_audit.secrets.redaction import RUN
from credly_audit.secrets.sources.interface import StoreFailed

log = logging.getLogger(__name__)

LONGEST_LAG = timedelta(days=1)
"""For so long an old value may answer from a cache or a replica; what answers later is in force."""


@dataclass(slots=True, eq=False)
class Candidate:
    """A task on its way: what was seen of it, and its outcome as soon as there is one."""

    task: Task
    asker: Asker
    seen: Seen | None = None
    copy: EmergencyCopy | None = None
    """What an earlier run of this credential left, as long as it is not known that its request came to nothing."""
    resumes: bool = False
    """Whether an earlier run's rotation is to be finished instead of a new one begun."""
    outcome: Outcome | None = None

    @property
    def row(self) -> Row | None:
        """The token as the listing showed it."""
        return self.seen.row_of(self.task.credential.fingerprint) if self.seen else None

    @property
    def expires_at(self) -> datetime | None:
        """When the token expires, as far as the listing says."""
        return instant(self.row.expires_at) if self.row else None


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be asked of Credly, for a person to agree to; and what already has an outcome."""

    candidates: tuple[Candidate, ...]

    @property
    def ahead(self) -> list[Candidate]:
        """Those that are to be rotated, made or finished."""
        return [candidate for candidate in self.candidates if candidate.outcome is None]


@dataclass(slots=True)
class Preparation:
    """Of all tokens of a command; `due` narrows to those that expire within it."""

    emergency: Path
    keeper: Keeper
    due: timedelta | None
    dry_run: bool
    not_due: list[str] = field(default_factory=list)

    def left_by(self, task: Task) -> EmergencyCopy | None:
        """The latest copy that a rotation of this very value left."""
        copies = [
            copy
            for copy in left_behind(self.emergency)
            if copy.undertaking.credential == task.lock and copy.undertaking.action == task.action == "rotate"
        ]
        return copies[-1] if copies else None

    def prepared(self, candidates: list[Candidate]) -> list[Candidate]:
        """Try each store and look at each token; those that are due, or have an outcome already.

        The store comes first, unless only a look tells whether the token is due, or whether an earlier rotation is to
        be finished.
        """
        _each(candidates, lambda candidate: candidate.task.store.check())
        at_once = [candidate for candidate in candidates if self.due is None and candidate.copy is None]
        self._try(at_once)
        for candidate in candidates:
            self._look_at(candidate)
        chosen = [each for each in candidates if each.outcome or self._is_due(each) or each.outcome]
        self._try([each for each in chosen if each not in at_once and each.outcome is None and not each.resumes])
        return chosen

    def _look_at(self, candidate: Candidate) -> None:
        task = candidate.task
        seen = candidate.seen = candidate.asker.listed(task.credential)
        candidate.resumes = candidate.copy is not None and seen.verdict is Verdict.REFUSED
        if seen.verdict is Verdict.WORKS:
            self._tidy(candidate)
            self._find_out(candidate)
        elif seen.verdict is Verdict.SILENT and candidate.copy is not None:
            candidate.outcome = replace(
                task.outcome(
                    State.UNKNOWN,
                    f"an earlier rotation was cut short, and nobody says what became of it: {seen.said}",
                    "run the same command again when Credly can be reached; "
                    f"{candidate.copy.journal} keeps what is known until then",
                ),
                emergency_file=candidate.copy.file if candidate.copy.value else None,
            )
        elif (
            seen.verdict is Verdict.SILENT or task.action == "create" or (not candidate.copy and task.credential.doubt)
        ):
            said = f"nothing was done: {seen.said}"
            candidate.outcome = task.outcome(State.UNCHANGED, said, "mend that, and run again")
        elif candidate.copy is None:
            said = f"{seen.said}{self._known_otherwise(candidate)}"
            candidate.outcome = task.outcome(
                State.LOST,
                f"nothing was done, because the value in force is refused: {said}",
                "check base_url (production, sandbox); if the token has expired, make one in Credly's web page "
                "(Developers > Authorization Tokens); if an earlier rotation had another --emergency-dir, name that "
                "again",
            )

    @staticmethod
    def _known_otherwise(candidate: Candidate) -> str:
        """What the second credential sees of a token whose value is refused."""
        fallback, fingerprint = candidate.task.fallback, candidate.task.credential.fingerprint
        if fallback is None or fingerprint is None:
            return ""
        seen = candidate.asker.listed(fallback)
        if seen.verdict is not Verdict.WORKS:
            return f"; fallback_token could not look for it: {seen.said}"
        row = seen.row_of(fingerprint)
        if row is None:
            return "; the listing that fallback_token sees shows no token with this value"
        return f"; the listing that fallback_token sees shows it as token {row.id}, which expires {row.expires_at}"

    def _tidy(self, candidate: Candidate) -> None:
        """The credential works: what a run left that got this very value is settled."""
        for copy in left_behind(self.emergency):
            if copy.undertaking.action == "rotate" and copy.value is not None and copy.value == candidate.task.value:
                self._settle(candidate, copy)

    def _find_out(self, candidate: Candidate) -> None:
        """The old value of an earlier rotation still answers, perhaps from a cache: what became of that rotation.

        It is finished where the value that it kept works, or where the second credential sees a new one. It came to
        nothing where that credential sees the old one, or where the old one still answers a day later.
        """
        copy, asker, task = candidate.copy, candidate.asker, candidate.task
        if copy is None:
            return
        kept, was = copy.value, copy.undertaking
        if kept is not None and asker.probe_value(kept).verdict is Verdict.WORKS:
            candidate.resumes = True
            return
        token_id = candidate.row.id if candidate.row else was.token_id
        found = asker.find_value(task.fallback, [token_id] if token_id else [], task.value)
        candidate.resumes = found.shown is Shown.NEW
        if found.shown is Shown.OLD or (found.shown is Shown.NOTHING and was.age > LONGEST_LAG):
            self._settle(candidate, copy)
            candidate.copy = None

    def _settle(self, candidate: Candidate, copy: EmergencyCopy) -> None:
        if not self.dry_run:
            copy.settle()
            called = candidate.task.organization.called
            log.info("%s: what an earlier rotation left is settled and was removed", called)

    def _is_due(self, candidate: Candidate) -> bool:
        """Whether it is to be done now; an outcome is set where that cannot be said."""
        if self.due is None or candidate.resumes:
            return True
        row, called = candidate.row, candidate.task.organization.called
        if row is None or row.expires_fault is not None or (row.expires_at and instant(row.expires_at) is None):
            candidate.outcome = candidate.task.outcome(
                State.UNCHANGED,
                "nothing was done: whether it is due is not known, as the listing does not show its expiry",
                "to rotate it all the same, name it with --organization and leave out --due",
            )
            return False
        expires_at = instant(row.expires_at)
        if expires_at is not None and expires_at - datetime.now(UTC) <= self.due:
            return True
        self.not_due.append(f"{called}: {'never expires' if expires_at is None else f'expires {iso_day(expires_at)}'}")
        return False

    def _try(self, candidates: list[Candidate]) -> None:
        """The store takes the value in force and gives it back; for a new token, it takes something beside it."""
        if not self.dry_run:
            _each(candidates, self._tried)

    def _tried(self, candidate: Candidate) -> None:
        task = candidate.task
        try:
            if task.action == "create":
                _must_be_a_value(task)
                task.store.try_write()
                return
            assert task.value is not None  # noqa: S101 - OAuth has nothing to rotate
            for place in task.readers():
                if read_stored(place.read) not in {None, task.value}:
                    raise UsageError(
                        f"{task.organization.called}: {place.name} holds another value than the one in force, perhaps "
                        "another token's: name another place, or remove what is there if nobody needs it"
                    )
            task.store.write(task.value)
            trouble = self.keeper.unreadable(task, task.value)
        except StoreFailed as error:
            trouble = str(error)
        if trouble:
            called = task.organization.called
            raise UsageError(f"{called}: the store was tried and failed: {trouble}; nothing was {task.action}d")


def _must_be_a_value(task: Task) -> None:
    """What a new token's value replaces has to be one, not a file of settings that was named by mistake."""
    held = None if task.store.read is None else read_stored(task.store.read)
    if held is not None and not RUN.fullmatch(held.reveal()):
        raise UsageError(
            f"{task.organization.called}: {task.store.name} holds something other than a token's value, which would be "
            "gone: name another place, or remove what is there if nobody needs it"
        )


def _each(candidates: Iterable[Candidate], check: Callable[[Candidate], None]) -> None:
    """Check every one; all that is wrong in one ConfigurationError."""
    wrong = []
    for candidate in candidates:
        try:
            check(candidate)
        except UsageError as error:
            wrong.append(str(error))
    if wrong:
        raise ConfigurationError(wrong)

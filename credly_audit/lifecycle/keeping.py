"""From the new value in hand to the end: copy, store, read back, prove the new one, prove the old one dead, `--then`.

The copy comes first: from there on nothing that happens can lose the value.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from time import monotonic, sleep

from credly_audit.credly.auth import TokenCredential
from credly_audit.errors import UsageError
from credly_audit.fingerprint import Fingerprints
from credly_audit.lifecycle.asking import Asker, Seen, Verdict, instant
from credly_audit.lifecycle.emergency import EmergencyCopy
from credly_audit.lifecycle.locks import lock_name
from credly_audit.lifecycle.states import OldValue, Outcome, State
from credly_audit.lifecycle.stores import StoreFailed, now_in
from credly_audit.lifecycle.tasks import Attempt, Patience, Task, Then
from credly_audit.secrets import Secret

log = logging.getLogger(__name__)

Hold = Callable[[str], None]


class Keeper:
    """Brings a new value to where it belongs, and says how that ended."""

    def __init__(self, fingerprints: Fingerprints, patience: Patience, then: Then | None, hold: Hold) -> None:
        self._fingerprints = fingerprints
        self._patience = patience
        self._then = then
        self._hold = hold

    def keep(self, attempt: Attempt, value: Secret, base: Outcome) -> Outcome:
        """The rest of the order."""
        task, asker, copy, began = attempt.task, attempt.asker, attempt.copy, attempt.began
        base = replace(base, fingerprint=self._fingerprints.of(value.reveal()), stored_in=task.store.name)
        is_safe = _copied(copy, value)
        with suppress(UsageError):  # the new value is a credential too; nobody else can know it yet
            self._hold(lock_name(value))
        if trouble := self._stored(task, value) or self.unreadable(task, value):
            return _emergency(base, copy, trouble) if is_safe or _copied(copy, value) else _gone(base, trouble)
        gap = None if task.action == "create" else monotonic() - began
        seen = self._proved(asker, value)
        row = seen.row_of(base.fingerprint) or (seen.rows.get(base.token_id) if base.token_id else None)
        base = replace(
            base,
            token_id=row.id if row else base.token_id,
            row=row or base.row,
            expires_at=(instant(row.expires_at) if row else None) or base.expires_at,
            gap_seconds=gap,
        )
        if seen.verdict is not Verdict.WORKS:
            return self._unproved(attempt, base, seen)
        outcome = _discarded(copy, self._finished(task, asker, base))
        return self._followed_up(outcome, began)

    def _stored(self, task: Task, value: Secret) -> str | None:
        """Why the store did not take it after all; None: it did."""
        trouble = None
        for number in range(self._patience.tries):
            sleep(self._patience.pause if number else 0)
            try:
                task.store.write(value)
            except StoreFailed as error:
                trouble = str(error)
                log.warning("%s: %s", task.organization.called, trouble)
            else:
                return None
        return trouble

    def unreadable(self, task: Task, value: Secret) -> str | None:
        """Why it cannot be read where it should be; None: it can."""
        until = monotonic() + self._patience.read_back
        for place in task.readers():
            while now_in(place.read) != value:
                if monotonic() >= until:
                    waited = f"within {self._patience.read_back:g} seconds"
                    return f"{task.store.name} took the new value, but {place.name} did not give it back {waited}"
                sleep(min(1.0, self._patience.pause))
        return None

    def _proved(self, asker: Asker, value: Secret) -> Seen:
        """What Credly says to the new value; a refusal is asked about again, as it may not be known everywhere yet."""
        credential = TokenCredential(value, self._fingerprints.of(value.reveal()))
        seen = asker.listed(credential)
        for _ in range(1, self._patience.tries):
            if seen.verdict is Verdict.WORKS:
                break
            sleep(self._patience.pause)
            seen = asker.listed(credential)
        return seen

    def _unproved(self, attempt: Attempt, base: Outcome, seen: Seen) -> Outcome:
        """The value is stored, and does not work as far as can be seen."""
        task, asker, copy = attempt.task, attempt.asker, attempt.copy
        base = replace(base, emergency_file=copy.file)
        stays = f"its copy stays in {copy.file}"
        if seen.verdict is Verdict.SILENT:
            return replace(
                base,
                state=State.UNKNOWN,
                message=f"the new value is stored, but nobody says whether it works: {seen.said}",
                next_step=f"find out with `credly-audit doctor`; {stays} until then",
            )
        old = Verdict.REFUSED if task.action == "create" else asker.probe(task.credential).verdict
        if old is Verdict.WORKS and task.value is not None:
            restored = self._stored(task, task.value)
            message = "the value that Credly gave does not work, and the old one still does"
            if restored is None:
                return _discarded(copy, replace(base, state=State.UNCHANGED, message=f"{message}: it is stored again"))
            return replace(
                base,
                state=State.UNCHANGED,
                message=f"{message}, but it could not be stored again: {restored}",
                next_step=f"put the old value back into {task.store.name}",
                must_act=True,
            )
        if old is Verdict.SILENT:
            return replace(
                base,
                state=State.UNKNOWN,
                message="the value that Credly gave is refused, and nobody says whether the old one still works",
                next_step=f"find out with `credly-audit doctor`; {stays} until then",
            )
        return replace(
            base,
            state=State.LOST,
            message=f"the value that Credly gave does not work: {seen.said}",
            next_step=f"make a token in Credly's web page (Developers > Authorization Tokens); {stays}",
        )

    def _finished(self, task: Task, asker: Asker, base: Outcome) -> Outcome:
        if task.action == "create":
            return replace(base, state=State.CREATED, message="the new token works and is stored")
        old = asker.probe(task.credential)
        for _ in range(1, self._patience.tries):
            if old.verdict is Verdict.REFUSED:
                break
            sleep(self._patience.pause)
            old = asker.probe(task.credential)
        done = replace(base, state=State.ROTATED, message="the new value works and is stored; the old one is dead")
        if old.verdict is Verdict.REFUSED:
            return replace(done, old_value=OldValue.DEAD)
        if old.verdict is Verdict.SILENT:
            message = f"the new value works and is stored; whether the old one is dead is not known: {old.said}"
            return replace(done, old_value=OldValue.UNKNOWN, message=message)
        return replace(
            done,
            old_value=OldValue.ALIVE,
            message="the new value works and is stored, but the old one still works too",
            next_step="treat the old value as live: look at the token in Credly's web page, or tell Credly's support",
            must_act=True,
        )

    def _followed_up(self, outcome: Outcome, began: float) -> Outcome:
        """`--then`, which belongs to the gap: whoever uses the token may read the new value only after it."""
        if self._then is None:
            return outcome
        try:
            self._then(outcome)
        except StoreFailed as error:
            return replace(
                outcome,
                message=f"{outcome.message}; --then failed: {error}",
                next_step="do by hand what --then should have done: the new value is in the store",
                must_act=True,
            )
        gap = None if outcome.gap_seconds is None else monotonic() - began
        return replace(outcome, gap_seconds=gap)


def _copied(copy: EmergencyCopy, value: Secret) -> bool:
    try:
        copy.keep(value)
    except OSError as error:
        log.error("%s: the emergency copy could not be written (%s)", copy.file, error.strerror)  # noqa: TRY400 - no value, no traceback
        return False
    return True


def _discarded(copy: EmergencyCopy, outcome: Outcome) -> Outcome:
    try:
        copy.discard()
    except OSError as error:
        return replace(
            outcome,
            emergency_file=copy.file,
            next_step=f"remove {copy.file}, a copy of the value ({error.strerror})",
            must_act=True,
        )
    return replace(outcome, emergency_file=None)


def _emergency(base: Outcome, copy: EmergencyCopy, trouble: str) -> Outcome:
    again = "" if base.action == "create" else "; once the store works, the same command finishes it, too"
    return replace(
        base,
        state=State.EMERGENCY,
        message=f"{trouble}; the new value is in {copy.file}",
        next_step=f"put the content of {copy.file} into the store, then remove the file and its .json{again}",
        emergency_file=copy.file,
        stored_in=None,
    )


def _gone(base: Outcome, trouble: str) -> Outcome:
    """Neither store nor copy could be written, and the value may be shown nowhere."""
    return replace(
        base,
        state=State.LOST,
        message=f"{trouble}, and the emergency copy could not be written either",
        next_step="make a token in Credly's web page (Developers > Authorization Tokens)",
        stored_in=None,
    )

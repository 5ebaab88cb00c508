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
from credly_audit.lifecycle.api import Asker, Seen, Shown, Verdict, instant
from credly_audit.lifecycle.journal import EmergencyCopy
from credly_audit.lifecycle.outcome import OldValue, Outcome, State
from credly_audit.lifecycle.tasks import Attempt, Patience, Task, Then, lock_name
from credly_audit.secrets import Secret, read_stored
from credly_audit.secrets.fingerprint import Fingerprints
from credly_audit.secrets.shape import looks_random
from credly_audit.secrets.sources.interface import StoreFailed

log = logging.getLogger(__name__)

Hold = Callable[[str], None]


class Keeper:
    """Brings a new value to where it belongs, and says how that ended."""

    def __init__(self, fingerprints: Fingerprints, patience: Patience, then: Then | None, hold: Hold) -> None:
        self._fingerprints = fingerprints
        self._patience = patience
        self._then = then
        self._hold = hold

    def deliver(self, attempt: Attempt, value: Secret, base: Outcome, *, doubted: bool = False) -> Outcome | None:
        """Bring the value to its store and prove it; None where Credly refuses it: the store is as it was before.

        A value that is `doubted`, or has not the shape of one, is proved before it is stored: it may be words. So is
        the value of a new token, since no integration is waiting for it.
        """
        task = attempt.task
        base = replace(base, fingerprint=self._fingerprints.of(value.reveal()), stored_in=task.store.name)
        doubted = doubted or not looks_random(value.reveal())
        proof = self._prove(attempt, value) if doubted or task.action == "create" else None
        if proof is None or proof.verdict is not Verdict.REFUSED:
            return self._deliver(attempt, value, base, proof, doubted=doubted)
        return None

    def _deliver(
        self, attempt: Attempt, value: Secret, base: Outcome, proof: Seen | None, *, doubted: bool
    ) -> Outcome | None:
        """The rest of the order, for a value that is not known to be refused."""
        task, copy = attempt.task, attempt.copy
        is_safe = _copied(copy, value)
        with suppress(UsageError):  # the new value is a credential too; nobody else can know it yet
            self._hold(lock_name(value))
        if proof and proof.verdict is Verdict.SILENT and (doubted or _is_in_use(task)):
            return _not_stored(base, copy, proof)
        if trouble := self._stored(task, value) or self.unreadable(task, value):
            return _emergency(base, copy, trouble) if is_safe or _copied(copy, value) else _gone(attempt, base, trouble)
        gap = None if task.action == "create" else monotonic() - attempt.began
        proof = proof or self._prove(attempt, value)
        if proof.verdict is Verdict.REFUSED:
            attempt.unrestored = self._restore(task)
            return None
        row = proof.row_of(base.fingerprint) or (proof.rows.get(base.token_id) if base.token_id else None)
        base = replace(
            base,
            token_id=row.id if row else base.token_id,
            row=row or base.row,
            expires_at=(instant(row.expires_at) if row else None) or base.expires_at,
            gap_seconds=gap,
        )
        if proof.verdict is Verdict.SILENT:
            return _unproved(base, copy, proof)
        outcome = _discarded(copy, self._finished(task, attempt.asker, base))
        return self._followed_up(outcome, attempt.began)

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
            while read_stored(place.read) != value:
                if monotonic() >= until:
                    waited = f"within {self._patience.read_back:g} seconds"
                    return f"{task.store.name} took the new value, but {place.name} did not give it back {waited}"
                sleep(min(1.0, self._patience.pause))
        return None

    def _restore(self, task: Task) -> str | None:
        """Why the store, which took a value that is refused, did not take the old one again; None: it did."""
        return None if task.value is None else self._stored(task, task.value) or self.unreadable(task, task.value)

    def _prove(self, attempt: Attempt, value: Secret) -> Seen:
        """What Credly says to the value; a refusal is asked about again, as it may not be known everywhere yet."""
        credential = TokenCredential(value, self._fingerprints.of(value.reveal()))
        seen = attempt.asker.listed(credential)
        for _ in range(1, self._patience.tries):
            if seen.verdict is Verdict.WORKS:
                break
            sleep(self._patience.pause)
            seen = attempt.asker.listed(credential)
        return seen

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


def _is_in_use(task: Task) -> bool:
    """Whether something is stored where the value of a new token goes."""
    return any(read_stored(place.read) is not None for place in task.readers())


def _not_stored(base: Outcome, copy: EmergencyCopy, proof: Seen) -> Outcome:
    """What may be the new value is kept, and the store still has what it had."""
    again = "run the same command again when Credly can be reached, which tries it first"
    by_hand = f"if it works, put it into the store; then remove {copy.file} and its .json"
    return replace(
        base,
        state=State.UNKNOWN,
        message=f"the value in Credly's answer could not be verified, so it was not stored: {proof.said}; it is in "
        f"{copy.file}",
        next_step=by_hand if base.action == "create" else again,
        emergency_file=copy.file,
        stored_in=None,
    )


def _unproved(base: Outcome, copy: EmergencyCopy, proof: Seen) -> Outcome:
    """The value is stored, and nobody says whether it works."""
    return replace(
        base,
        state=State.UNKNOWN,
        message=f"the new value is stored, but nobody says whether it works: {proof.said}",
        next_step=f"find out with `credly-audit doctor`; its copy stays in {copy.file} until then",
        emergency_file=copy.file,
    )


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


def _gone(attempt: Attempt, base: Outcome, trouble: str) -> Outcome:
    """Neither store nor copy could be written, and the value may be shown nowhere."""
    task = attempt.task
    message = f"{trouble}, and the emergency copy could not be written either"
    base = replace(base, state=State.LOST, message=message, stored_in=None)
    found = attempt.asker.find_value(task.fallback, [base.token_id] if base.token_id else [], task.value)
    if found.shown is Shown.NEW and task.action == "rotate":
        return replace(
            base,
            state=State.UNKNOWN,
            message=f"{message}; the listing that fallback_token sees shows the value",
            next_step="mend store and disk, and run the same command again, which looks for the value there",
        )
    return replace(base, next_step="make a token in Credly's web page (Developers > Authorization Tokens)")

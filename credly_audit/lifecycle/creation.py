"""Makes one token: the POST once, and its value from the answer or from the listing. No old value dies."""

from dataclasses import replace
from time import monotonic, sleep

from credly_audit.credly.wire import Row
from credly_audit.lifecycle.asking import Asker, Posted, Seen, Verdict, instant
from credly_audit.lifecycle.emergency import EmergencyCopy
from credly_audit.lifecycle.keeping import Keeper
from credly_audit.lifecycle.states import Outcome, State
from credly_audit.lifecycle.tasks import Attempt, Patience, Task

WEB_PAGE = "Credly's web page (Developers > Authorization Tokens)"


class Creator:
    """Makes a token and brings its value to the store."""

    def __init__(self, keeper: Keeper, patience: Patience) -> None:
        self._keeper = keeper
        self._patience = patience

    def create(self, task: Task, asker: Asker, copy: EmergencyCopy, known: frozenset[str]) -> Outcome:
        """From the POST to the end; `known` are the ids that were there before."""
        attempt = Attempt(task, asker, copy, monotonic())
        posted = asker.create(task.credential, task.description or "")
        row = posted.made.row
        base = _about(replace(task.outcome(State.UNKNOWN, ""), was_asked=True), row)
        value = posted.made.value
        if value is not None and value != task.value and asker.is_value(value):
            return self._keeper.keep(attempt, value, base)
        seen = self._look(task, asker, settle=not posted.answered)
        new = [each for each in seen.rows.values() if each.id not in known and _is_it(each, row, task)]
        if len(new) == 1:
            base = _about(base, new[0])
            value = seen.values.get(new[0].id)
            if value is not None and value != task.value:
                return self._keeper.keep(attempt, value, base)
        return _not_had(base, posted, seen, [each.id for each in new], copy)

    def _look(self, task: Task, asker: Asker, *, settle: bool) -> Seen:
        """The listing afterwards, with whichever credential can."""
        if settle:
            sleep(self._patience.settling)  # the request may still be under way
        seen = asker.listed(task.credential)
        if seen.verdict is not Verdict.WORKS and task.fallback is not None:
            return asker.listed(task.fallback)
        return seen


def _is_it(listed: Row, answered: Row | None, task: Task) -> bool:
    """The token that the answer names; without an answer, one of this description."""
    return listed.id == answered.id if answered else listed.description == task.description


def _about(base: Outcome, row: Row | None) -> Outcome:
    return base if row is None else replace(base, row=row, token_id=row.id, expires_at=instant(row.expires_at))


def _not_had(base: Outcome, posted: Posted, seen: Seen, new: list[str], copy: EmergencyCopy) -> Outcome:
    """Nothing was made, or its value cannot be had, or nobody can tell."""
    said = posted.said or "Credly answered as if it were made, without its value"
    if seen.verdict is not Verdict.WORKS:
        return replace(
            base,
            state=State.UNKNOWN,
            message=f"{said}; whether a token was made is not known: {seen.said}",
            next_step=f"look in {WEB_PAGE} for a token of this description, and delete it there; then run again, and "
            f"remove {copy.journal}",
        )
    if len(new) > 1:
        return replace(
            base,
            state=State.UNKNOWN,
            message=f"{said}; {len(new)} tokens of this description are new: {', '.join(new)}",
            next_step=f"delete what nobody uses in {WEB_PAGE}, and run again; remove {copy.journal} when that is done",
        )
    if new or posted.made.row is not None:
        return replace(
            base,
            state=State.LOST,
            message=f"{said}; the token was made, but the listing withholds its value",
            next_step=f"delete token {base.token_id} in {WEB_PAGE}, and make one there; then remove {copy.journal}",
        )
    copy.settle()
    return replace(
        base,
        state=State.UNCHANGED,
        message=f"no token was made: {said}",
        next_step="mend that, and run again",
    )

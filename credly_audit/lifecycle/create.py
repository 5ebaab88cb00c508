"""Makes one token: the POST once, and its value from the answer or from the listing. No old value dies."""

from dataclasses import replace
from time import sleep

from credly_audit.credly.auth import Credential
from credly_audit.credly.wire import Row
from credly_audit.lifecycle.api import Posted, Seen, Verdict, instant
from credly_audit.lifecycle.deliver import Keeper
from credly_audit.lifecycle.journal import EmergencyCopy
from credly_audit.lifecycle.outcome import Outcome, State
from credly_audit.lifecycle.tasks import Attempt, Patience, Task

WEB_PAGE = "Credly's web page (Developers > Authorization Tokens)"


class Creator:
    """Makes a token and brings its value to the store."""

    def __init__(self, keeper: Keeper, patience: Patience) -> None:
        self._keeper = keeper
        self._patience = patience

    def create(self, attempt: Attempt) -> Outcome:
        """From the POST to the end."""
        task = attempt.task
        posted = attempt.asker.create(task.credential, task.description or "")
        base = _about(replace(task.outcome(State.UNKNOWN, ""), was_asked=True), posted.made.row)
        said = posted.said or "Credly answered as if it were made, without its value"
        for value in filter(attempt.is_new, posted.made.values):
            if outcome := self._keeper.deliver(attempt, value, base, doubted=value != posted.made.value):
                return outcome
            said = "the value that Credly gave does not work"
        return self._find_out(attempt, base, replace(posted, said=said))

    def _find_out(self, attempt: Attempt, base: Outcome, posted: Posted) -> Outcome:
        """No value came back that works: look for the token and its value, with whichever credential can."""
        task = attempt.task
        known = attempt.before.rows if attempt.before else {}
        if posted.made.row is None and not posted.refused:
            sleep(self._patience.settling)  # the request may still be under way
        listings: list[Seen] = []
        new: dict[str, Row] = {}
        for credential in filter(None, (task.credential, task.fallback)):
            seen = self._listed(attempt, credential, posted.made.row)
            listings.append(seen)
            new |= {each.id: each for each in seen.rows.values() if each.id not in known and _is_it(each, posted, task)}
            if len(new) == 1:
                [row] = new.values()
                base, value = _about(base, row), seen.values.get(row.id)
                if value and attempt.is_new(value) and (outcome := self._keeper.deliver(attempt, value, base)):
                    return outcome
        return _not_had(base, posted, listings, list(new), attempt.copy)

    def _listed(self, attempt: Attempt, credential: Credential, made: Row | None) -> Seen:
        """The listing afterwards; again, where it does not show yet what was made, or Credly is silent."""
        seen = attempt.asker.listed(credential)
        for _ in range(1, self._patience.tries):
            lags = seen.verdict is Verdict.WORKS and made is not None and made.id not in seen.rows
            if not lags and seen.verdict is not Verdict.SILENT:
                break
            sleep(self._patience.pause)
            seen = attempt.asker.listed(credential)
        return seen


def _is_it(listed: Row, posted: Posted, task: Task) -> bool:
    """The token that the answer names; without an answer, one of this description."""
    made = posted.made.row
    return listed.id == made.id if made else listed.description == task.description


def _about(base: Outcome, row: Row | None) -> Outcome:
    return base if row is None else replace(base, row=row, token_id=row.id, expires_at=instant(row.expires_at))


def _not_had(base: Outcome, posted: Posted, listings: list[Seen], new: list[str], copy: EmergencyCopy) -> Outcome:
    """Nothing was made, or its value cannot be had, or nobody can tell."""
    said = posted.said
    if all(seen.verdict is not Verdict.WORKS for seen in listings):
        return replace(
            base,
            state=State.UNKNOWN,
            message=f"{said}; whether a token was made is not known: {listings[0].said}",
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

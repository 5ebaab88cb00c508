"""What a person, or a program, reads at the end: each token's state, by fingerprint, and what is to be done.

docs/lifecycle.schema.json describes the JSON; a change that breaks a reader raises SCHEMA_VERSION.
"""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from credly_audit import __version__
from credly_audit.errors import ExitCode
from credly_audit.lifecycle.journal import EmergencyCopy
from credly_audit.lifecycle.outcome import Outcome, State
from credly_audit.lifecycle.prepare import Candidate, Plan
from credly_audit.lifecycle.run import Result
from credly_audit.text import distance, instant, one_line, spoken_day

SCHEMA_VERSION = "1.0"

PARTS = 2_000
"""Characters of a message at most."""


def announced(plan: Plan, now: datetime) -> list[str]:
    """What will happen, for a person to agree to."""
    return [line for candidate in plan.ahead for line in _announced(candidate, now)]


def _announced(candidate: Candidate, now: datetime) -> Iterator[str]:
    task, row = candidate.task, candidate.row
    called = one_line(task.organization.called, 60)
    if task.action == "create":
        yield f"Make a token for {called}: “{one_line(task.description or '', 80)}”."
        yield f"  Its value goes to {task.store.name}. No other token changes."
        return
    which = f"fingerprint {task.credential.fingerprint}" if task.credential.fingerprint else "no fingerprint"
    if candidate.resumes:
        yield f"Finish the rotation of {called}'s token ({which}) that was cut short earlier."
        yield f"  Its new value goes to {task.store.name}. Nothing is rotated anew."
        return
    expires_at = candidate.expires_at
    expiry = f", expires {spoken_day(expires_at)} ({distance(expires_at, now)})" if expires_at else ""
    yield f"Rotate {called}'s token {row.id if row else '(its id is not shown)'} ({which}{expiry})."
    yield f"  The old value dies at once: whoever uses it stands still until the new one is in {task.store.name}."


def as_text(result: Result, now: datetime) -> list[str]:
    """A paragraph a token, what earlier runs left, and one line that sums it up."""
    lines = [line for outcome in result.outcomes for line in _told(outcome, now)]
    lines += [f"not due    {one_line(said)}" for said in result.not_due]
    lines += [_told_of(copy) for copy in result.left_behind]
    return [*lines, summed_up(result)]


def summed_up(result: Result) -> str:
    """One line: `2 rotated, 1 unchanged`."""
    if any(outcome.rehearsed for outcome in result.outcomes):
        many = sum(outcome.rehearsed for outcome in result.outcomes)
        return f"Dry run: {many} of {len(result.outcomes)} would be done; nothing was changed."
    counts = Counter(outcome.state for outcome in result.outcomes)
    parts = [f"{counts[state]} {state}" for state in State if counts[state]]
    parts += [f"{len(result.not_due)} not due"] if result.not_due else []
    return f"{', '.join(parts) or 'Nothing to do'}."


def _told(outcome: Outcome, now: datetime) -> Iterator[str]:
    state = "dry run" if outcome.rehearsed else outcome.state
    prints = " → ".join(each for each in (outcome.fingerprint_before, outcome.fingerprint) if each)
    which = ", ".join(each for each in (outcome.token_id, prints) if each)
    yield f"{state:10} {one_line(outcome.organization_name, 60)}{f' ({which})' if which else ''}"
    yield f"           {one_line(outcome.message, PARTS)}"
    facts = [f"stored in {outcome.stored_in}"] if outcome.stored_in and outcome.state in DONE else []
    facts += (
        [f"expires {spoken_day(outcome.expires_at)} ({distance(outcome.expires_at, now)})"]
        if outcome.expires_at
        else []
    )
    facts += [f"the gap was {_seconds(outcome.gap_seconds)}"] if outcome.gap_seconds is not None else []
    if facts:
        yield f"           {one_line('; '.join(facts), PARTS)}"
    for violation in outcome.violations:
        yield f"           {violation.severity}: {violation.rule_id}: {one_line(violation.message, PARTS)}"
    if outcome.next_step:
        yield f"           What to do: {one_line(outcome.next_step, PARTS)}"


def _seconds(gap: float) -> str:
    return f"{gap:.1f} seconds" if round(gap, 1) else "less than a tenth of a second"


DONE = {State.ROTATED, State.CREATED}


def _told_of(copy: EmergencyCopy) -> str:
    """What an earlier run left, of a token that this command was not about."""
    was = copy.undertaking
    whose = f"{one_line(was.organization_name, 60)} at {one_line(was.started_at, 40)}"
    remove = f"then remove {copy.journal.with_suffix('')}.*"
    if copy.value:
        return (
            f"left over  {copy.file} holds the value of a token that was {was.action}d for {whose}: see that it is "
            f"where it belongs, {remove}"
        )
    if was.action == "rotate":
        return (
            f"left over  {copy.journal}: a rotation for {whose} was cut short: rotate that token again, which first "
            f"finds out what became of it; where it is not in use any more, remove {copy.journal.with_suffix('')}.*"
        )
    return (
        f"left over  {copy.journal}: a token for {whose} may have been made, and its value is not here: look in "
        f"Credly's web page for one called “{one_line(was.description or '', 80)}” that nobody uses and delete it, "
        f"{remove}"
    )


def as_json(result: Result, exit_code: ExitCode, began: datetime, ended: datetime) -> str:
    """The same for programs."""
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": "credly-audit", "version": __version__},
            "started_at": instant(began),
            "ended_at": instant(ended),
            "exit_code": int(exit_code),
            "interrupted": result.interrupted,
            "tokens": [_as_object(outcome) for outcome in result.outcomes],
            "not_due": list(result.not_due),
            "left_behind": [
                {
                    "action": copy.undertaking.action,
                    "organization_id": copy.undertaking.organization_id,
                    "token_id": copy.undertaking.token_id,
                    "started_at": copy.undertaking.started_at,
                    "journal": str(copy.journal),
                    "emergency_file": str(copy.file) if copy.value else None,
                }
                for copy in result.left_behind
            ],
        },
        indent=2,
    )


def _as_object(outcome: Outcome) -> dict[str, Any]:
    return {
        "organization_id": outcome.organization_id,
        "organization_name": outcome.organization_name,
        "action": outcome.action,
        "state": outcome.state,
        "dry_run": outcome.rehearsed,
        "message": outcome.message,
        "next_step": outcome.next_step,
        "must_act": outcome.exit_code in {ExitCode.INCOMPLETE, ExitCode.UNEXPECTED},
        "token_id": outcome.token_id,
        "fingerprint_before": outcome.fingerprint_before,
        "fingerprint": outcome.fingerprint,
        "expires_at": instant(outcome.expires_at) if outcome.expires_at else None,
        "stored_in": outcome.stored_in,
        "emergency_file": str(outcome.emergency_file) if outcome.emergency_file else None,
        "gap_seconds": None if outcome.gap_seconds is None else round(outcome.gap_seconds, 3),
        "old_value": outcome.old_value,
        "findings": [
            {"rule_id": each.rule_id, "severity": each.severity, "message": each.message, "fails": each.fails}
            for each in outcome.violations
        ],
    }

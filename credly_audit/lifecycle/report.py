"""What a person, or a program, reads at the end: each token's state, by fingerprint, and what is to be done.

docs/lifecycle.schema.json describes the JSON; a change that breaks a reader raises SCHEMA_VERSION.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from credly_audit import __version__
from credly_audit.audit.succession import Succession
from credly_audit.errors import ExitCode
from credly_audit.lifecycle.journal import Journal
from credly_audit.lifecycle.outcome import Outcome, State, exit_code_of
from credly_audit.lifecycle.replace import Replacement
from credly_audit.lifecycle.tasks import Task
from credly_audit.text import distance, instant, one_line, spoken_day

SCHEMA_VERSION = "1.0"

PARTS = 2_000
"""Characters of a message at most."""


@dataclass(frozen=True, slots=True)
class Report:
    """All outcomes in the order of the request, which tokens are not due, and what earlier runs left."""

    outcomes: tuple[Outcome, ...]
    not_due: tuple[str, ...]
    left_behind: tuple[Journal, ...]
    emergency: Path
    """Where the report goes if no stream takes it."""
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """The most severe of all outcomes."""
        return exit_code_of(self.outcomes)


def announce(ahead: Sequence[Task], now: datetime) -> list[str]:
    """Say what will happen, for a person to agree to."""
    return [line for task in ahead for line in _announce(task, now)]


def _announce(task: Task, now: datetime) -> Iterator[str]:
    row = task.row
    called = one_line(task.organization.called, 60)
    if task.replacement is not None:
        yield from _announce_replacement(task, task.replacement)
        return
    if task.request.action == "create":
        yield f"Make a token for {called}: “{one_line(task.request.description or '', 80)}”."
        yield f"  Its value goes to {task.store.name}. No other token changes."
        return
    which = f"fingerprint {task.credential.fingerprint}" if task.credential.fingerprint else "no fingerprint"
    if task.resumes:
        yield f"Finish the rotation of {called}'s token ({which}) that was cut short earlier."
        yield f"  Its new value goes to {task.store.name}. Nothing is rotated anew."
        return
    expires_at = task.expires_at
    expiry = f", expires {spoken_day(expires_at)} ({distance(expires_at, now)})" if expires_at else ""
    yield f"Rotate {called}'s token {row.id if row else '(its id is not shown)'} ({which}{expiry})."
    yield f"  The old value dies at once: whoever uses it stands still until the new one is in {task.store.name}."


def _announce_replacement(task: Task, replacement: Replacement) -> Iterator[str]:
    called, old = one_line(task.organization.called, 60), replacement.old_token_id
    if replacement.succession is not None:
        yield f"Continue the succession of token {old} of {called}: token {replacement.succession.new_token_id} exists."
        waiting = [each.consumer for each in replacement.succession.waiting]
    else:
        yield f"Replace token {old} of {called}: create a token “{one_line(task.description or '', 80)}”."
        yield f"  Its value goes to {task.store.name}. The old token stays valid."
        waiting = [each.name for each in replacement.consumers]
    yield f"  Consumers, in this order: {one_line(', '.join(waiting), 200) or 'none is configured'}."


def format_text(report: Report, now: datetime) -> list[str]:
    """Return a paragraph a token, what earlier runs left, and one line that sums it up."""
    lines = [line for outcome in report.outcomes for line in _describe_outcome(outcome, now)]
    lines += [f"not due    {one_line(said)}" for said in report.not_due]
    lines += [_describe_journal(journal) for journal in report.left_behind]
    return [*lines, sum_up(report)]


def sum_up(report: Report) -> str:
    """Return one line: `2 rotated, 1 unchanged`."""
    if any(outcome.rehearsed for outcome in report.outcomes):
        many = sum(outcome.rehearsed for outcome in report.outcomes)
        return f"Dry run: {many} of {len(report.outcomes)} would be done; nothing was changed."
    counts = Counter(outcome.state for outcome in report.outcomes)
    parts = [f"{counts[state]} {state}" for state in State if counts[state]]
    parts += [f"{len(report.not_due)} not due"] if report.not_due else []
    return f"{', '.join(parts) or 'Nothing to do'}."


def _describe_outcome(outcome: Outcome, now: datetime) -> Iterator[str]:
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
    facts += [f"the gap was {_describe_gap(outcome.gap_seconds)}"] if outcome.gap_seconds is not None else []
    if facts:
        yield f"           {one_line('; '.join(facts), PARTS)}"
    for violation in outcome.violations:
        yield f"           {violation.severity}: {violation.rule_id}: {one_line(violation.message, PARTS)}"
    if outcome.next_step:
        yield f"           What to do: {one_line(outcome.next_step, PARTS)}"


def _describe_gap(gap: float) -> str:
    return f"{gap:.1f} seconds" if round(gap, 1) else "less than a tenth of a second"


DONE = {State.ROTATED, State.CREATED}


def _describe_journal(journal: Journal) -> str:
    """Describe what an earlier run left, of a token that this command was not about."""
    whose = f"{one_line(journal.organization_name, 60)} at {one_line(journal.started_at, 40)}"
    remove = f"then remove {journal.path.with_suffix('')}.*"
    if journal.value:
        return (
            f"left over  {journal.file} holds the value of a token that was {journal.action}d for {whose}: see that it "
            f"is where it belongs, {remove}"
        )
    if journal.action == "rotate":
        return (
            f"left over  {journal.path}: a rotation for {whose} was cut short: rotate that token again, which first "
            f"finds out what became of it; where it is not in use any more, remove {journal.path.with_suffix('')}.*"
        )
    return (
        f"left over  {journal.path}: a token for {whose} may have been made, and its value is not here: look in "
        f"Credly's web page for one called “{one_line(journal.description or '', 80)}” that nobody uses and delete it, "
        f"{remove}"
    )


def format_json(report: Report, began: datetime, ended: datetime) -> str:
    """Return the same for programs."""
    return json.dumps(
        {
            "schema_version": SCHEMA_VERSION,
            "tool": {"name": "credly-audit", "version": __version__},
            "started_at": instant(began),
            "ended_at": instant(ended),
            "exit_code": int(report.exit_code),
            "interrupted": report.interrupted,
            "tokens": [_make_object(outcome) for outcome in report.outcomes],
            "not_due": list(report.not_due),
            "left_behind": [
                {
                    "action": journal.action,
                    "organization_id": journal.organization_id,
                    "token_id": journal.token_id,
                    "started_at": journal.started_at,
                    "journal": str(journal.path),
                    "emergency_file": str(journal.file) if journal.value else None,
                }
                for journal in report.left_behind
            ],
        },
        indent=2,
    )


def describe_succession(succession: Succession) -> dict[str, Any]:
    """Return a succession as programs read it."""
    return {
        "id": succession.id,
        "state": succession.state.value,
        "organization_id": succession.organization_id,
        "organization_name": succession.organization_name,
        "old_token_id": succession.old_token_id,
        "new_token_id": succession.new_token_id,
        "description": succession.description,
        "stored_in": succession.store,
        "opened_at": instant(succession.opened_at),
        "due_at": instant(succession.due_at),
        "ended_at": instant(succession.ended_at) if succession.ended_at else None,
        "consumers": [
            {
                "name": each.consumer,
                "contact": each.contact,
                "state": each.state.value,
                "at": instant(each.at) if each.at else None,
                "reason": each.reason,
            }
            for each in succession.switches
        ],
    }


def _make_object(outcome: Outcome) -> dict[str, Any]:
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
        "succession": None if outcome.succession is None else describe_succession(outcome.succession),
        "findings": [
            {"rule_id": each.rule_id, "severity": each.severity, "message": each.message, "fails": each.fails}
            for each in outcome.violations
        ],
    }

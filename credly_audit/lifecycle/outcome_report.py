"""Report the outcome of a command as text or JSON: the state of each token, by fingerprint, and the next steps.

docs/lifecycle.schema.json describes the JSON; a change that breaks readers raises SCHEMA_VERSION.
"""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from credly_audit import __version__
from credly_audit.audit.succession_model import Succession
from credly_audit.errors import ExitCode
from credly_audit.lifecycle.journal import Journal
from credly_audit.lifecycle.outcome import Outcome, State, find_exit_code
from credly_audit.lifecycle.replace import Replacement
from credly_audit.lifecycle.tasks import Task
from credly_audit.text import NOTHING, distance, in_columns, instant, one_line, spoken_day

SCHEMA_VERSION = "1.0"

PARTS = 2_000
"""The maximum length of a message in characters."""


@dataclass(frozen=True, slots=True)
class OutcomeReport:
    """All outcomes in the order of the request, the tokens that are not due, and the journals of earlier runs."""

    outcomes: tuple[Outcome, ...]
    not_due: tuple[str, ...]
    left_behind: tuple[Journal, ...]
    emergency: Path
    """The folder in which the report is saved if no stream accepts it."""
    interrupted: bool = False
    for_expired: bool = False
    """Whether the text begins with one table of all states."""

    @property
    def exit_code(self) -> ExitCode:
        """The most severe exit code of all outcomes."""
        return find_exit_code(self.outcomes)


def announce(ahead: Sequence[Task], now: datetime) -> list[str]:
    """Return lines that describe what will happen, for an operator to confirm."""
    return [line for task in ahead for line in _announce(task, now)]


def _announce(task: Task, now: datetime) -> Iterator[str]:
    row = task.row
    called = one_line(task.organization.called, 60)
    if task.replacement is not None:
        yield from _announce_replacement(task, task.replacement)
        return
    if task.renewal is not None and task.renewal.expired is not None:
        expired = task.renewal.expired
        when = f"expired {spoken_day(expired.expires_at)}" if expired.expires_at else "expired"
        verb = "Finish creating" if task.resumes else "Create"
        described = one_line(task.description or "", 80)
        yield f"{verb} a token for {called} in place of token {expired.id} ({when}): “{described}”."
        yield f"  Its value will be stored in {task.store.name}. No other token changes."
        return
    if task.request.action == "create":
        yield f"Create a token for {called}: “{one_line(task.request.description or '', 80)}”."
        yield f"  Its value will be stored in {task.store.name}. No other token changes."
        return
    which = f"fingerprint {task.credential.fingerprint}" if task.credential.fingerprint else "no fingerprint"
    if task.resumes:
        yield f"Finish the interrupted rotation of the token of {called} ({which})."
        yield f"  Its new value will be stored in {task.store.name}. The token is not rotated again."
        return
    expires_at = task.expires_at
    expiry = f", expires {spoken_day(expires_at)} ({distance(expires_at, now)})" if expires_at else ""
    yield f"Rotate token {row.id if row else '(id not shown)'} of {called} ({which}{expiry})."
    store = task.store.name
    yield f"  The old value stops working at once: integrations are interrupted until the new one is in {store}."


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


def format_text(report: OutcomeReport, now: datetime) -> list[str]:
    """Return a paragraph for each token, one for each journal of an earlier run, and a summary line."""
    if report.for_expired:
        lines = list(_list_states(report))
    else:
        lines = [line for outcome in report.outcomes for line in _describe_outcome(outcome, now)]
        lines += [f"not due    {one_line(said)}" for said in report.not_due]
    lines += [_describe_journal(journal) for journal in report.left_behind]
    return [*lines, sum_up(report)]


def sum_up(report: OutcomeReport) -> str:
    """Return the summary line, such as `2 rotated, 1 unchanged`."""
    if any(outcome.is_dry_run for outcome in report.outcomes):
        many = sum(outcome.is_dry_run for outcome in report.outcomes)
        return f"Dry run: {many} of {len(report.outcomes)} would be done; nothing was changed."
    counts = Counter(outcome.state for outcome in report.outcomes)
    parts = [f"{counts[state]} {state}" for state in State if counts[state]]
    parts += [f"{len(report.not_due)} not due"] if report.not_due else []
    return f"{', '.join(parts) or 'Nothing to do'}."


STATE_HEADS = ("State", "Organization", "Expired token", "New token", "Stored in", "Expires")


def _list_states(report: OutcomeReport) -> Iterator[str]:
    """Yield one table of states, then what happened and is left to do, organization by organization."""
    rows = [
        (
            "dry run" if each.is_dry_run else str(each.state),
            one_line(each.organization_name, 40),
            each.replaces or NOTHING,
            each.token_id or NOTHING,
            one_line(each.stored_in or NOTHING, 60),
            spoken_day(each.expires_at) if each.expires_at and each.token_id else NOTHING,
        )
        for each in report.outcomes
    ]
    yield from in_columns(STATE_HEADS, rows) if rows else ()
    for each in report.outcomes:
        yield ""
        yield f"{one_line(each.organization_name, 60)}: {one_line(each.message, PARTS)}"
        yield from _describe_rest(each)
    yield from [""] if rows else []


def _describe_outcome(outcome: Outcome, now: datetime) -> Iterator[str]:
    state = "dry run" if outcome.is_dry_run else outcome.state
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
    facts += [f"interruption {_describe_gap(outcome.gap_seconds)}"] if outcome.gap_seconds is not None else []
    if facts:
        yield f"           {one_line('; '.join(facts), PARTS)}"
    yield from _describe_rest(outcome)


def _describe_rest(outcome: Outcome) -> Iterator[str]:
    """Yield the rules that the new token violates, and the next step."""
    for violation in outcome.violations:
        yield f"           {violation.severity}: {violation.rule_id}: {one_line(violation.message, PARTS)}"
    if outcome.next_step:
        yield f"           Next step: {one_line(outcome.next_step, PARTS)}"


def _describe_gap(gap: float) -> str:
    return f"{gap:.1f} seconds" if round(gap, 1) else "less than a tenth of a second"


DONE = {State.ROTATED, State.CREATED}


def _describe_journal(journal: Journal) -> str:
    """Describe a journal of an earlier run about a token that this command did not handle."""
    whose = f"{one_line(journal.organization_name, 60)} at {one_line(journal.started_at, 40)}"
    remove = f"then remove {journal.path.with_suffix('')}.*"
    if journal.value:
        return (
            f"left over  {journal.file} contains the value of a token that was {journal.action}d for {whose}: make "
            f"sure that it is stored where it belongs, {remove}"
        )
    if journal.action == "rotate":
        return (
            f"left over  {journal.path}: a rotation for {whose} was interrupted: rotate that token again, which first "
            f"checks what happened; if the token is no longer in use, remove {journal.path.with_suffix('')}.*"
        )
    return (
        f"left over  {journal.path}: a token for {whose} may have been created, and its value is not here: look in "
        f"Credly's web page for an unused token “{one_line(journal.description or '', 80)}” and delete it, {remove}"
    )


def format_json(report: OutcomeReport, began: datetime, ended: datetime) -> str:
    """Return the report as JSON."""
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
        "dry_run": outcome.is_dry_run,
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
        "replaces": outcome.replaces,
        "succession": None if outcome.succession is None else describe_succession(outcome.succession),
        "findings": [
            {"rule_id": each.rule_id, "severity": each.severity, "message": each.message, "fails": each.fails}
            for each in outcome.violations
        ],
    }

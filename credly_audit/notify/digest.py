"""What one message is about: everything, or, where earlier messages to its recipient are known, what is news to them.

News are findings that are new to the recipient, expirations that passed the next threshold, work that became overdue,
a verdict that became pass or incomplete, and, every so many days, reminders of overdue work and of incomplete
organizations.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
import pandas as pd

from credly_audit import __version__
from credly_audit.audit.findings import convert_to_plain
from credly_audit.audit.gate import COVERAGE_RULES
from credly_audit.audit.memory import Memory
from credly_audit.audit.model import Audit, Outcome
from credly_audit.audit.prior import find_positions, take_with_default
from credly_audit.report.briefing import (
    MOST_NAMED,
    Action,
    Unseen,
    describe_decisions,
    describe_removed,
    describe_verdict,
    list_actions,
    list_incomplete,
    write_headline,
)
from credly_audit.report.priorities import MOST_GROUPS, Priorities, Priority, count_days, describe_moment
from credly_audit.text import count, message, one_line, spoken, spoken_day

MOST_ACTIONS = 8
"""The most tokens (or organizations) that a message names in a group of work."""


class Occasion(StrEnum):
    """The reason for which a message names a finding, in words."""

    NEW = "new"
    NEARER = "expires sooner"
    OVERDUE = "now overdue"
    REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class ReminderPace:
    """When a recipient is told of a finding again."""

    thresholds: tuple[int, ...] = ()
    """Days before an expiration."""
    remind_every_days: int = 1


@dataclass(frozen=True, slots=True)
class DigestTask:
    """A group of work in a message, with what comes first in it."""

    priority: Priority
    actions: tuple[Action, ...]
    occasions: tuple[Occasion | None, ...]
    """Why the message is about each of the actions; None: it holds everything."""
    more: int
    """The number of further actions."""


@dataclass(frozen=True)
class Digest:
    """What one message is about."""

    audit: Audit
    """The audit, or the recipient's part of it, with the findings that the message is about, and no others."""
    items: pd.DataFrame
    """A row a finding of the message: the columns of `describe_state`, and occasion."""
    memory: Memory | None = None
    """None: it holds everything, as there is no history."""

    @classmethod
    def of_everything(cls, audit: Audit) -> "Digest":
        """Return the message that holds all of an audit."""
        return cls(audit, describe_state(audit, ReminderPace()).assign(occasion=None))

    @classmethod
    def of_news(cls, audit: Audit, memory: Memory, pace: ReminderPace) -> "Digest | None":
        """Return the message that holds what is news to a recipient; None where nothing is."""
        state = describe_state(audit, pace)
        occasions = find_occasions(state, memory, audit, pace)
        news = np.array([each is not None for each in occasions], dtype=bool)
        if not news.any() and not _is_other_verdict(audit.verdict.outcome, memory):
            return None
        told = np.zeros(len(audit.findings), dtype=bool)
        told[state.index.to_numpy()[news]] = True
        about = replace(audit, findings=audit.findings.where(told), violates=audit.violates[told])
        items = state.assign(occasion=pd.Series(occasions, state.index, dtype=object))
        return cls(about, items[news].reset_index(drop=True), memory)

    @property
    def is_first(self) -> bool:
        """Return whether no message was delivered to the recipient before."""
        return self.memory is not None and self.memory.last is None

    @property
    def title(self) -> str:
        """The team's own title, else the name of the tool."""
        return one_line(self.audit.presentation.title or "credly-audit", 100)

    @property
    def is_own(self) -> bool:
        """Return whether it is for a contact, about their own organizations."""
        return self.audit.part is not None and self.audit.part.kind == "contact"

    @property
    def headline(self) -> str:
        """The verdict."""
        return describe_verdict(self.audit) if self.is_own else write_headline(self.audit)

    @property
    def subject(self) -> str:
        """The subject of the message."""
        summary = "" if self.is_first else self.summary
        return message(f"{self.title}: {summary or self.headline}", 300)

    @property
    def summary(self) -> str:
        """What the news are, in numbers: `4 new findings, 2 expire within 7 days, 1 overdue`; empty: no finding."""
        occasions = self.items["occasion"].to_numpy(dtype=object)
        new, overdue, reminders = (
            int((occasions == each).sum()) for each in (Occasion.NEW, Occasion.OVERDUE, Occasion.REMINDER)
        )
        parts = [count(new, "new finding", "new findings")] if new else []
        nearer = self.items.loc[occasions == Occasion.NEARER, "threshold"].value_counts().sort_index()
        for days, many in zip(nearer.index.astype("int64").tolist(), nearer.tolist(), strict=True):
            parts.append(f"{count(many, 'expires', 'expire')} within {count(days, 'day', 'days')}")
        parts += [count(overdue, "finding is overdue", "findings are overdue")] if overdue else []
        parts += [count(reminders, "reminder", "reminders")] if reminders else []
        return ", ".join(parts)

    @property
    def introduction(self) -> list[str]:
        """Sentences on whom the message is for, and what it holds beside those before it."""
        memory, said = self.memory, []
        if self.is_own:
            names = convert_to_plain(
                self.audit.organizations["name"].fillna(self.audit.organizations["organization_id"])
            )
            named = ", ".join(message(each, 60) for each in names[:MOST_NAMED])
            more = f" and {len(names) - MOST_NAMED:,} more" if len(names) > MOST_NAMED else ""
            said.append(f"You are the contact of {named}{more}.")
        if memory is None:
            return said
        if memory.last is None:
            said.append(
                "This is the first message to this address: it holds everything that is open. Later messages hold only "
                "what is new, expirations that come closer, and reminders."
            )
        else:
            summary = self.summary or f"the verdict was {memory.outcome}"
            said.append(f"Since the message of {spoken_day(memory.last)}: {summary}.")
        if memory.interrupted is not None:
            said.append(
                f"It may repeat a message on the audit of {spoken_day(memory.interrupted)}: that run was interrupted "
                "before the delivery was recorded."
            )
        if memory.failed is not None:
            said.append(f"It holds what could not be delivered on {spoken_day(memory.failed)}, too.")
        return said

    @property
    def incomplete(self) -> list[Unseen]:
        """The incomplete organizations that the message is about."""
        hidden = list_incomplete(self.audit)
        if self.memory is None or self.memory.outcome != self.audit.verdict.outcome:
            return hidden
        frame = self.audit.findings.frame
        rows = set(frame.loc[frame["rule_id"].isin(COVERAGE_RULES), "organization_row"])
        return [each for each in hidden if each.position in rows]

    @property
    def notes(self) -> list[str]:
        """Organizations that were removed from scope, and decisions that need attention."""
        return [message(each, 500) for each in (*describe_removed(self.audit), *describe_decisions(self.audit))]

    @cached_property
    def priorities(self) -> Priorities:
        """The groups of work."""
        return Priorities(self.audit)

    @cached_property
    def tasks(self) -> tuple[DigestTask, ...]:
        """The groups of work that come first, each with the first of its tokens."""
        return tuple(self._find_tasks())

    def _find_tasks(self) -> Iterator[DigestTask]:
        occasions = dict(zip(self.items["finding_id"], self.items["occasion"], strict=True))
        ids = self.audit.findings.frame["finding_id"]
        found: dict[int, list[Action]] = {}
        for each in list_actions(self.audit, None):
            found.setdefault(each.priority, []).append(each)
        for priority in self.priorities.groups(MOST_GROUPS):
            its = found[priority.number]
            first = tuple(its[:MOST_ACTIONS])
            why = tuple(occasions[ids.iloc[each.position]] for each in first)
            yield DigestTask(priority, first, why, len(its) - len(first))

    def write_text(self) -> str:
        """Return the message as plain text: the verdict, what is incomplete, what to do and by when."""
        audit = self.audit
        lines = [self.headline]
        for sentence in self.introduction:
            lines += ["", sentence]
        if audit.presentation.guidance:
            lines += ["", *(message(line, 500) for line in audit.presentation.guidance.strip().splitlines())]
        hidden = self.incomplete
        if hidden:
            lines += ["", "Incomplete:"]
            lines += [f"- {message(each.name, 60)}: {message(each.reason)}" for each in hidden[:MOST_NAMED]]
        if len(hidden) > MOST_NAMED:
            lines.append(f"- and {len(hidden) - MOST_NAMED} more, in the report")
        if self.notes:
            lines += ["", *(f"- {each}" for each in self.notes)]
        for number_of, task in enumerate(self.tasks):
            lines += ["", "Top priorities:"] if not number_of else []
            lines += ["", *self._write_task(task)]
        if self.priorities.many > MOST_GROUPS:
            lines += ["", f"… and {describe_more_groups(self.priorities.many)}"]
        return "\n".join([*lines, "", f"As of {spoken_day(audit.as_of)}, by credly-audit {__version__}."])

    def _write_task(self, task: DigestTask) -> Iterator[str]:
        each = task.priority
        dates = each.describe_dates(self.audit.as_of)
        yield f"{each.number}. {message(each.title)}{f', {dates}' if dates else ''}."
        yield f"   {self.audit.rules[each.rule_id].remediation}"
        for action, occasion in zip(task.actions, task.occasions, strict=True):
            subject = message(action.subject, 300)
            yield f"   - {subject}: {self.describe(task, action)}{f' [{occasion}]' if occasion else ''}"
        if task.more:
            yield f"   - and {count(task.more, 'more', 'more')}"

    def describe(self, task: DigestTask, action: Action) -> str:
        """Return what is the matter with a token or organization, and by when it is to be fixed."""
        as_of = self.audit.as_of
        if task.priority.rule_id == "EXP002" and action.due_at is not None:
            return f"expires {describe_moment(action.due_at, as_of)}"
        if action.due_at is not None and action.due_at < as_of:
            due = f"Overdue since {spoken_day(action.due_at)} ({count_days(as_of - action.due_at)})."
        else:
            due = f"Due {spoken(action.due_at, as_of)}." if action.due_at is not None else ""
        return " ".join(filter(None, [message(action.why, 300), due]))


def _is_other_verdict(outcome: Outcome, memory: Memory) -> bool:
    """Return whether a verdict is news by itself: violations are told by the findings that are new."""
    return memory.outcome != outcome and (outcome != "violations" or memory.last is None)


def describe_more_groups(many: int) -> str:
    """Return how many groups of work a message leaves out."""
    return f"{count(many - MOST_GROUPS, 'more group', 'more groups')} of work, in the report."


def describe_state(audit: Audit, pace: ReminderPace) -> pd.DataFrame:
    """Return the findings that ask for work as they are now, by their place in `Findings.frame`.

    Columns: finding_id, rule_id, days_left (until its expiration, rounded up, infinite: it has none), threshold (the
    least that is passed, infinite: none), overdue.
    """
    frame = audit.findings.frame[audit.findings.actionable]
    as_of = pd.Timestamp(audit.as_of)
    ahead = ((Priorities(audit).expirations - as_of) / pd.Timedelta(days=1)).to_numpy(dtype="float64")
    days_left = np.where(np.isnan(ahead), np.inf, np.ceil(ahead))
    threshold = np.full(len(frame), np.inf)
    for days in sorted(pace.thresholds, reverse=True):
        threshold[days_left <= days] = days
    overdue = (frame["due_at"] < as_of).fillna(value=False).to_numpy(dtype=bool)
    return frame[["finding_id", "rule_id"]].assign(days_left=days_left, threshold=threshold, overdue=overdue)


def find_occasions(state: pd.DataFrame, memory: Memory, audit: Audit, pace: ReminderPace) -> list[Occasion | None]:
    """Return why each finding is news to a recipient; None where it is not.

    Reminders come together: where one is due, all are sent.
    """
    known = memory.known
    places = find_positions(state["finding_id"], known["finding_id"])
    before = take_with_default(known["days_left"].to_numpy(dtype="float64"), places, default=np.inf)
    was_overdue = take_with_default(known["overdue"].to_numpy(dtype=bool), places, default=False)
    overdue = state["overdue"].to_numpy(dtype=bool)
    lasting = (overdue & was_overdue) | (state["rule_id"].isin(COVERAGE_RULES).to_numpy(dtype=bool) & (places >= 0))
    at = known["at"].reindex(np.where(places < 0, len(known), places))
    days = (pd.Timestamp(audit.as_of).normalize() - at.dt.normalize()) // pd.Timedelta(days=1)
    is_due = lasting & (days >= pace.remind_every_days).fillna(value=False).to_numpy(dtype=bool)
    found = np.full(len(state), None, dtype=object)
    if is_due.any():
        found[lasting] = Occasion.REMINDER
    found[overdue & ~was_overdue] = Occasion.OVERDUE
    found[state["threshold"].to_numpy() < before] = Occasion.NEARER
    found[places < 0] = Occasion.NEW
    return list(found)

"""Turns what was typed in workbooks into waivers and plans, and writes them into a TOML file that people keep.

The file's comments and order stay. What stands already is left as it is, what was decided anew takes its place, so
that an import can be run twice.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from pydantic import ValidationError

from credly_audit.config.decision_models import Decision, Plan, Waiver
from credly_audit.config.decisions import find_waiver_faults
from credly_audit.config.mistakes import describe_mistakes
from credly_audit.config.settings import PolicySettings
from credly_audit.files.writing import write_file
from credly_audit.policy.decision_workbook import Typed
from credly_audit.policy.toml_file import About, DecisionFile
from credly_audit.secrets.shape import mask_shapes
from credly_audit.text import cell, fold, one_line

COLUMN = {
    "reason": "Reason",
    "approved_by": "Approved by",
    "owner": "Assigned to",
    "reference": "Reference",
    "expires": "Until",
    "until": "Until",
}
"""The column in which each key of a decision was typed."""


@dataclass(slots=True)
class Import:
    """What an import did."""

    added: list[str] = field(default_factory=list)
    """The ids of new decisions."""
    changed: list[str] = field(default_factory=list)
    unchanged: int = 0
    """How many were already there."""
    rejected: dict[str, str] = field(default_factory=dict)
    """By the place of a row, what is wrong with it."""
    refused: list[str] = field(default_factory=list)
    """A line for each rejected row: place, token and organization, every mistake."""


def import_rows(
    text: str, rows: Iterable[Typed], policy: PolicySettings, today: date, elsewhere: Sequence[Decision] = ()
) -> tuple[str, Import]:
    """The file's text with the decisions of the rows in it, and what was done; the same text where nothing is new.

    ValueError where the file's own decisions are not written as tables.
    `elsewhere` are the decisions that stand in other files of the configuration, which are not written.
    """
    kept = DecisionFile.of(text)
    done = Import()
    by_subject: dict[tuple[str, str, str], list[Typed]] = defaultdict(list)
    rows = list(rows)
    refused = {row.place: "; ".join(row.faults) for row in rows if row.faults}
    for row in rows:
        if not row.faults:
            by_subject[row.subject].append(row)
    others: About[Decision] = About()
    for each in elsewhere:
        others.add(each, each)
    carry_out = _Carrying(kept, others, policy, today, done)
    for same in by_subject.values():
        differing = next((row for row in same if row.said != same[0].said), None)
        if differing is not None:
            refused |= {
                row.place: f"contradicts {(differing if row.said == same[0].said else same[0]).place}; make them equal"
                for row in same
            }
            continue
        try:
            carry_out(same[0])
        except ValueError as error:
            refused |= dict.fromkeys((row.place for row in same), str(error))
    done.rejected = refused
    named = {row.place: f" ({one_line(row.called, 140)})" if row.called else "" for row in rows}
    done.refused = [f"{place}{said}: {refused[place]}" for place, said in named.items() if place in refused]
    return kept.changed, done


@dataclass(frozen=True, slots=True)
class _Carrying:
    """Writes one decision, unless it stands; ValueError, in a sentence, where it may not be written."""

    kept: DecisionFile
    elsewhere: About[Decision]
    policy: PolicySettings
    today: date
    done: Import

    def __call__(self, row: Typed) -> None:
        here = self.kept.about(row)
        others = self.elsewhere.about(row)
        held = [*(standing.decision for standing in here), *others]
        if any(row.says(each) and each.approved_on <= self.today for each in held):
            self.done.unchanged += 1
            return
        decision = _make_decision(row, self.policy, self.today)
        for each in others:
            if row.is_on_the_same_as(each):
                raise ValueError(f"{each.id}, in another file of the configuration, differs; change it there")
        for each in held:
            if not row.is_on_the_same_as(each) and _is_outweighed(each, decision, self.today):
                raise ValueError(
                    f"{each.id}, on {each.rule} of {'the token' if each.token else 'the whole organization'}, also "
                    "covers it and differs; change that decision"
                )
        same = [standing for standing in here if row.is_on_the_same_as(standing.decision)]
        if not same:
            self.kept.add(decision)
            self.done.added.append(decision.id)
            return
        best = max(same, key=lambda each: (type(each.decision) is row.kind, each.decision.last_day))
        self.kept.replace(best, decision)
        self.done.changed.append(best.decision.id)


def _is_outweighed(wider: Decision, decision: Decision, today: date) -> bool:
    """Whether the narrower decision would change nothing, or leave in doubt which of the two is meant."""
    if isinstance(wider, Waiver):
        return wider.approved_on <= today <= wider.expires
    return isinstance(decision, Plan)


def _make_decision(row: Typed, policy: PolicySettings, today: date) -> Decision:
    """ValueError, in a sentence, for a row that is incomplete or that the policy does not allow."""
    if not (row.rule and row.organization):
        raise ValueError("belongs to no finding; fill in the row of a finding")
    mistakes = list(_find_mistakes(row, today))
    if row.kind is None or mistakes:
        raise ValueError("; ".join(mistakes))
    try:
        decision = row.kind.model_validate(_list_keys(row, row.kind, today))
    except ValidationError as error:
        raise ValueError(
            "; ".join(_name_columns(sentence) for _, sentence in describe_mistakes(error, Decision))
        ) from None
    if isinstance(decision, Waiver):
        faults = find_waiver_faults(decision, {fold(approver) for approver in policy.approvers}, policy)
        if faults:
            raise ValueError("; ".join(map(_name_columns, faults)))
    return decision


def _find_mistakes(row: Typed, today: date) -> Iterator[str]:
    """Yield everything that is wrong with what was typed, before the decision itself is made."""
    if row.kind is None:
        said = f"{mask_shapes(row.decision)[:40]!r} is not a decision" if row.decision else "Decision is empty"
        yield f"{said}; choose accept, fix or false positive"
    who = ("Assigned to", row.assignee) if row.kind is Plan else ("Approved by", row.approved_by)
    needed = dict([("Reason", row.reason), who, ("Until", row.until)])
    blank = [name for name, said in needed.items() if not said]
    if blank:
        yield f"{' and '.join(blank)} {'is' if len(blank) == 1 else 'are'} empty; fill in what is missing"
    if row.kind is Plan and row.assigned_to and row.approved_by and fold(row.assigned_to) != fold(row.approved_by):
        yield "Assigned to and Approved by name different people; for fix, fill in Assigned to only"
    if row.kind is Waiver and row.assigned_to:
        yield "Assigned to is for fix; empty it, or choose fix"
    if isinstance(row.until, date) and row.until < today:
        yield f"Until: {row.until} is past; choose a day in the future"


def _list_keys(row: Typed, kind: type[Decision], today: date) -> dict[str, Any]:
    who, until = ("owner", "until") if kind is Plan else ("approved_by", "expires")
    said = {
        "rule": row.rule,
        "organization": row.organization,
        "token": row.token or None,
        "reason": row.full_reason,
        "approved_on": today,
        who: row.assignee if kind is Plan else row.approved_by,
        until: row.until,
        "reference": row.reference or None,
        "source": row.source,
    }
    return said | {"created_before": row.created_before} if kind is Waiver else said


def _name_columns(sentence: str) -> str:
    key, colon, rest = sentence.partition(": ")
    return f"{COLUMN.get(key, key)}{colon}{rest}" if key else rest


REJECTED = ("Mistake", "Place", "Token", "Organization", "Decision", "Reason", "Approved by", "Assigned to", "Until")
"""The columns of a workbook of rejected rows that people read; the others tell `waivers import` what they are about."""


def write_rejected(path: Path, rows: Sequence[Typed], rejected: Mapping[str, str]) -> None:
    """Write the rejected rows into a workbook that can be corrected and imported; CannotWrite where that fails."""
    book = Workbook()
    sheet: Any = book.active
    sheet.title = "Findings"
    sheet.append([*REJECTED, "Reference", "rule_id", "organization_id", "token_id", "fingerprint"])
    for row in rows:
        if row.place not in rejected:
            continue
        until = row.until if isinstance(row.until, date) else cell(mask_shapes(str(row.until)))
        texts = (rejected[row.place], row.place, row.called, "", row.decision, row.reason, row.approved_by)
        about = (row.reference, row.rule, row.organization, row.token, row.fingerprint)
        sheet.append([*map(cell, texts), cell(row.assigned_to), until, *map(cell, about)])
    sheet.freeze_panes = "B2"
    with write_file(path) as file:
        book.save(file)

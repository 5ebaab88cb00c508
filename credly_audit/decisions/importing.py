"""Turns what was typed in workbooks into waivers and plans, and writes them into a TOML file that people keep.

The file's comments and order stay. A decision is known by rule, organization and token: what stands there already is
left as it is, what was decided anew takes its place, so that an import can be run twice.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import tomlkit
from pydantic import ValidationError
from tomlkit.items import AoT, Table

from credly_audit.config.decisions import waiver_faults
from credly_audit.config.mistakes import sentences
from credly_audit.config.settings import PolicySettings
from credly_audit.decisions.declared import FALSE_POSITIVE, Decision, Plan, Waiver
from credly_audit.decisions.workbook import Typed

DECISIONS = {"accept": "waivers", "false positive": "waivers", "fix": "plans"}
"""What may be typed, and the list that it goes into."""

COLUMN = {
    "reason": "Reason",
    "approved_by": "Approved by",
    "owner": "Approved by",
    "expires": "Until",
    "until": "Until",
}
"""The column in which each key of a decision was typed."""

Subject = tuple[str, str, str | None]


@dataclass(slots=True)
class Import:
    """What an import did: counts, and a sentence for each row that it refused."""

    added: int = 0
    changed: int = 0
    unchanged: int = 0
    refused: list[str] = field(default_factory=list)


def import_rows(text: str, rows: Iterable[Typed], policy: PolicySettings, today: date) -> tuple[str, Import]:
    """The file's text with the decisions of the rows in it, and what was done; the same text where nothing is new."""
    document = tomlkit.parse(text)
    done = Import()
    decided: dict[Subject, tuple[Decision, str]] = {}
    for row in rows:
        try:
            decision = _decision(row, policy, today)
        except ValueError as error:
            done.refused.append(f"{row.place}: {error}")
            continue
        before = decided.setdefault(decision.subject, (decision, row.place))
        if _said(before[0]) != _said(decision):
            done.refused.append(f"{row.place}: decides otherwise on what {before[1]} decides; make them agree")
    for decision, _ in decided.values():
        _write(document, decision, done)
    return tomlkit.dumps(document), done


def _decision(row: Typed, policy: PolicySettings, today: date) -> Decision:
    """ValueError, in a sentence, for a row that is incomplete or that the policy does not allow."""
    if row.decision not in DECISIONS:
        said = f"{row.decision[:40]!r} is no decision" if row.decision else "Decision is empty"
        raise ValueError(f"{said}; choose accept, fix or false positive")
    blank = [
        name
        for name, said in {"Reason": row.reason, "Approved by": row.approved_by, "Until": row.until}.items()
        if not said
    ]
    if blank:
        raise ValueError(f"{' and '.join(blank)} {'is' if len(blank) == 1 else 'are'} empty; fill in what is missing")
    keys = {
        "rule": row.rule,
        "organization": row.organization,
        "token": row.token or None,
        "reason": row.reason if row.decision != "false positive" else FALSE_POSITIVE + row.reason,
        "approved_on": today,
    }
    try:
        if DECISIONS[row.decision] == "plans":
            return Plan.model_validate(keys | {"owner": row.approved_by, "until": row.until})
        waiver = Waiver.model_validate(keys | {"approved_by": row.approved_by, "expires": row.until})
    except ValidationError as error:
        raise ValueError("; ".join(_in_columns(sentence) for _, sentence in sentences(error, Decision))) from None
    faults = waiver_faults(waiver, {approver.casefold() for approver in policy.approvers}, policy)
    if faults:
        raise ValueError("; ".join(map(_in_columns, faults)))
    return waiver


def _in_columns(sentence: str) -> str:
    key, colon, rest = sentence.partition(": ")
    return f"{COLUMN.get(key, key)}{colon}{rest}" if key else rest


def _write(document: tomlkit.TOMLDocument, decision: Decision, done: Import) -> None:
    """Put the decision in place of what stands on the same subject, or at the end of its list."""
    ours = "waivers" if isinstance(decision, Waiver) else "plans"
    places = [
        (name, position)
        for name in ("waivers", "plans")
        for position, table in enumerate(document.get(name, []))
        if _subject(table) == decision.subject
    ]
    standing = [document[name][position] for name, position in places if name == ours]
    if any(_said_in(table) == _said(decision) for table in standing):
        done.unchanged += 1
        return
    for name, position in reversed(places):
        if name != ours:
            del document[name][position]
            if not document[name]:
                del document[name]
    if standing:
        standing[-1].update(_written(decision))
        done.changed += 1
        return
    _list(document, ours).append(tomlkit.item(_written(decision)))
    done.changed += bool(places)
    done.added += not places


def _list(document: tomlkit.TOMLDocument, name: str) -> AoT:
    if name not in document:
        document.append(name, tomlkit.aot())
    found = document[name]
    if not isinstance(found, AoT):
        raise ValueError(  # noqa: TRY004 - a mistake in a file, not in a call
            f"{name} is written as a list in one line; write it as [[{name}]] tables"
        )
    return found


def _written(decision: Decision) -> dict[str, Any]:
    return {name: value for name, value in decision.model_dump(exclude={"id"}).items() if value is not None}


def _said(decision: Decision) -> dict[str, Any]:
    """What a decision says, the day on which it was said left out."""
    return {name: value for name, value in _written(decision).items() if name != "approved_on"}


def _said_in(table: Table | Mapping[str, Any]) -> dict[str, Any]:
    kind = Waiver if "expires" in table else Plan
    return _said(kind.model_validate(tomlkit.item(table).unwrap()))


def _subject(table: Mapping[str, Any]) -> Subject:
    token = table.get("token")
    return (
        str(table.get("rule")).upper(),
        str(table.get("organization")).lower(),
        None if token is None else str(token).lower(),
    )

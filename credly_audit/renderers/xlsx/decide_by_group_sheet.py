"""The sheet Decide by group: one decision for all findings of a rule in an organization, or under a tag."""

from dataclasses import dataclass

import pandas as pd

from credly_audit.audit.findings import convert_to_plain
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.decisions_sheet import TYPED, validations
from credly_audit.renderers.xlsx.sheet_list import Column, Piece, SheetList
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.workbook_report import GROUPS, WorkbookReport
from credly_audit.severity import Severity
from credly_audit.text import instant

COLUMNS = (
    Column("Severity", "word", narrowest=12),
    Column("Rule", "text", 30, narrowest=24),
    Column("Group", "text", 34, narrowest=24),
    Column("Open findings", "number", narrowest=11),
    Column("Tokens", "number", narrowest=9),
    Column("Organizations", "number", narrowest=12),
    *(
        Column(
            name,
            "typed date" if name == "Until" else "typed",
            36 if name == "Reason" else 28,
            narrowest=30 if name == "Reason" else 14,
        )
        for name in TYPED
    ),
    Column("Remediation", "text", 50),
    Column("rule_id", "code", 12, printed=False),
    Column("organization_id", "code", 40, printed=False),
    Column("organization_ids", "code", 40, printed=False),
    Column("created_before", "code", 24, printed=False),
)

MOST_IDS = 800
"""How many ids a cell holds; a tag of more organizations is left to the rows of the organizations."""


@dataclass(frozen=True, slots=True)
class Group:
    """Open findings of one rule: of an organization, or of all with a tag."""

    rule_id: str
    name: str
    weight: int
    findings: int
    tokens: int
    organizations: tuple[str, ...]


def groups(report: WorkbookReport) -> SheetList:
    """Return a row for each rule and organization, and for each rule and tag, with open findings above info."""
    found = find_groups(report)
    rules, before = report.audit.rules, instant(report.audit.as_of)

    def piece(start: int, stop: int) -> Piece:
        part = found[start:stop]
        return {
            "Severity": [SEVERITY_WORDS[list(Severity)[each.weight]] for each in part],
            "Rule": [f"{each.rule_id} {rules[each.rule_id].name.replace('-', ' ')}" for each in part],
            "Group": [each.name for each in part],
            "Open findings": [each.findings for each in part],
            "Tokens": [each.tokens for each in part],
            "Organizations": [len(each.organizations) for each in part],
            "Remediation": [rules[each.rule_id].remediation for each in part],
            "rule_id": [each.rule_id for each in part],
            "organization_id": [each.organizations[0] if len(each.organizations) == 1 else None for each in part],
            "organization_ids": [" ".join(each.organizations) for each in part],
            "created_before": [before] * len(part),
        }

    return SheetList(
        title=GROUPS,
        table="Groups",
        columns=COLUMNS,
        many=len(found),
        piece=piece,
        nothing="No open finding requires a decision.",
        frozen=3,
        emphasis=tuple(emphasis.severities("Severity")),
        validations=lambda: validations(report),
    )


def find_groups(report: WorkbookReport) -> list[Group]:
    """Return the groups: the most severe first, then the largest."""
    audit = report.audit
    frame = audit.findings.frame[audit.findings.actionable]
    frame = frame[~frame["rule_id"].isin(["WVR001"])]
    names, ids = convert_to_plain(audit.organizations["name"]), convert_to_plain(audit.organizations["organization_id"])
    tags = convert_to_plain(audit.organizations["tags"])
    every = pd.DataFrame(
        {
            "rule": frame["rule_id"].astype("string").to_numpy(dtype=object),
            "row": frame["organization_row"].to_numpy(),
            "weight": frame["severity"].cat.codes.to_numpy(),
            "token": frame["token_row"].where(frame["token_row"] >= 0).to_numpy(),
        }
    )
    found = [
        Group(each.rule, names[each.row] or ids[each.row], each.weight, each.findings, each.tokens, (ids[each.row],))
        for each in _add_up(every, "row").itertuples(index=False)
    ]
    tagged = pd.DataFrame(
        [(row, tag) for row, said in enumerate(tags) for tag in (said or "").split(",") if tag], columns=["row", "tag"]
    )
    with_tags = every.merge(tagged, on="row")
    members = with_tags.groupby(["rule", "tag"])["row"].unique() if len(with_tags) else {}
    for each in _add_up(with_tags, "tag").itertuples(index=False):
        rows = sorted(members[each.rule, each.tag])
        if 1 < len(rows) <= MOST_IDS:
            theirs = tuple(ids[row] for row in rows)
            found.append(Group(each.rule, f"tag {each.tag}", each.weight, each.findings, each.tokens, theirs))
    return sorted(found, key=lambda each: (-each.weight, -each.findings, each.rule_id, each.name))


def _add_up(findings: pd.DataFrame, by: str) -> pd.DataFrame:
    """Return for each rule and value of `by` the highest severity, how many findings, and on how many tokens."""
    if findings.empty:
        return pd.DataFrame(columns=["rule", by, "weight", "findings", "tokens"])
    groups = findings.groupby(["rule", by])
    return groups.agg(weight=("weight", "max"), findings=("rule", "size"), tokens=("token", "nunique")).reset_index()

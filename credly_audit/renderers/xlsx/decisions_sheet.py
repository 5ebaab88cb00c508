"""The sheet Decisions: accepted risks, remediation plans, and what may be typed."""

from datetime import date
from typing import Any

from openpyxl.worksheet.datavalidation import DataValidation

from credly_audit.audit.findings import convert_to_plain
from credly_audit.config.decision_models import FALSE_POSITIVE, Decision, Plan, Waiver
from credly_audit.instants import iso_day
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.cell_xml import DAY_ZERO, FIRST_DAY
from credly_audit.renderers.xlsx.sheet_list import Column, Piece, SheetList
from credly_audit.renderers.xlsx.workbook_report import DECISIONS, WorkbookReport, described
from credly_audit.report.labels import STATES

CHOICES = ("accept", "fix", "false positive")

MOST_LISTED = 250
"""Letters that the choices of a drop-down may have together."""

COLUMNS = (
    Column("State", "word", narrowest=14),
    Column("Decision", "word", narrowest=15),
    Column("Rule", "word", narrowest=12),
    Column("Organization", "text", 28),
    Column("Token", "text", 40, narrowest=24),
    Column("Reason", "text", 60, narrowest=30),
    Column("Approved by / Assigned to", "text", 28, narrowest=16),
    Column("Reference", "text", 24, narrowest=14),
    Column("Decided on", "date", narrowest=13),
    Column("Until", "date", narrowest=12),
    Column("Findings", "number", narrowest=11),
    Column("decision_id", "code", 30, printed=False),
    Column("organization_id", "code", 40, printed=False),
    Column("token", "code", 40, printed=False),
)


def decisions(report: WorkbookReport) -> SheetList:
    """Every waiver and plan, those first that ask for attention."""
    made = report.audit.decisions
    judged = [(each.waiver, each.state, each.findings) for each in made.waivers]
    rows: list[tuple[Decision, str, int]] = [*judged, *((each.plan, each.state, each.findings) for each in made.plans)]
    rows.sort(key=lambda row: list(STATES).index(row[1]))
    organizations = report.audit.organizations
    names = dict(zip(organizations["organization_id"], organizations["name"], strict=True))
    tokens = _descriptions(report, {decision.token for decision, _, _ in rows})

    def piece(start: int, stop: int) -> Piece:
        part = [decision for decision, _, _ in rows[start:stop]]
        typed = [as_typed(decision) for decision in part]
        return {
            "State": [STATES[state] for _, state, _ in rows[start:stop]],
            **{title: [row[title] for row in typed] for title in typed[0]},
            "Approved by / Assigned to": [decision.by for decision in part],
            "Rule": [decision.rule for decision in part],
            "Organization": [names.get(decision.organization) for decision in part],
            "Token": [
                tokens.get(decision.token) if decision.token else "(all of the organization)" for decision in part
            ],
            "Decided on": [day_number(decision.approved_on) for decision in part],
            "Findings": [findings for _, _, findings in rows[start:stop]],
            "decision_id": [decision.id for decision in part],
            "organization_id": [decision.organization for decision in part],
            "token": [decision.token for decision in part],
        }

    return SheetList(
        title=DECISIONS,
        table="Decisions",
        columns=COLUMNS,
        many=len(rows),
        piece=piece,
        nothing="No risk is accepted, and no remediation is planned.",
        emphasis=(emphasis.bold("State", "Until", of="State", starts="✕"),),
    )


def _descriptions(report: WorkbookReport, wanted: set[str | None]) -> dict[str | None, str]:
    """What the tokens are called whose ids or fingerprints these are."""
    tokens = report.audit.tokens
    called: dict[str | None, str] = {}
    for name in ("fingerprint", "token_id"):
        hit = tokens[tokens[name].isin([each for each in wanted if each]).to_numpy()]
        called |= dict(
            zip(convert_to_plain(hit[name]), map(described, convert_to_plain(hit["description"])), strict=True)
        )
    return called


def as_typed(decision: Decision | None) -> dict[str, Any]:
    """A decision as a person types it into the yellow columns of Findings; empty where there is none."""
    if isinstance(decision, Plan):
        until = day_number(decision.until)
        return dict(zip(TYPED, ("fix", decision.reason, None, decision.owner, until, decision.reference), strict=True))
    if isinstance(decision, Waiver):
        choice = "false positive" if decision.reason.startswith(FALSE_POSITIVE) else "accept"
        reason = decision.reason.removeprefix(FALSE_POSITIVE)
        by, until = decision.approved_by, day_number(decision.expires)
        return dict(zip(TYPED, (choice, reason, by, None, until, decision.reference), strict=True))
    return dict.fromkeys(TYPED)


TYPED = ("Decision", "Reason", "Approved by", "Assigned to", "Until", "Reference")
"""The yellow columns."""


def day_number(day: date) -> int | str:
    """Return Excel's number of a day; the day as a text where Excel cannot show it."""
    return (day - DAY_ZERO.date()).days if day >= FIRST_DAY.date() else iso_day(day)


def validations(report: WorkbookReport) -> dict[str, DataValidation]:
    """What may be typed in the yellow columns, and what a person is told there; blank is always right."""
    as_of, settings = report.audit.as_of, report.audit.policy.settings
    made = {
        "Decision": DataValidation(
            type="list",
            formula1=f'"{",".join(CHOICES)}"',
            error="Choose accept, fix or false positive, or leave it blank.",
            prompt="accept: the risk is accepted until a date (fill in Approved by). fix: it is remediated by a date "
            "(fill in Assigned to). false positive: there is no risk. Then fill in Reason and Until.",
        ),
        "Reason": DataValidation(
            type="textLength",
            operator="lessThanOrEqual",
            formula1="500",
            error="At most 500 characters.",
            prompt="A sentence that an auditor will understand in a year.",
        ),
        "Approved by": _names(settings.approvers),
        "Assigned to": _short_text("Who remediates it; for fix only."),
        "Reference": _short_text("The ticket or record of the decision, such as RISK-17; may stay empty."),
        "Until": DataValidation(
            type="date",
            operator="greaterThanOrEqual",
            formula1=str(day_number(max(as_of.date(), FIRST_DAY.date()))),
            error=f"A date, {iso_day(as_of)} or later.",
            prompt=f"The last day on which it holds, at most {settings.max_waiver_days} days ahead; for fix, the day "
            "by which it is remediated.",
        ),
    }
    for title, validation in made.items():
        validation.promptTitle = validation.errorTitle = title
        validation.allowBlank = validation.showInputMessage = validation.showErrorMessage = True
    return made


def _names(approvers: tuple[str, ...]) -> DataValidation:
    """Return the approvers to choose from; another name is warned of, as the import refuses it."""
    listed = ",".join(approvers)
    prompt = "Who accepts the risk; for accept and false positive."
    if not approvers or len(listed) > MOST_LISTED or any(letter in name for name in approvers for letter in ',"'):
        return _short_text(prompt)
    return DataValidation(
        type="list",
        formula1=f'"{listed}"',
        errorStyle="information",
        error="Not one of the approvers that the policy names.",
        prompt=prompt,
    )


def _short_text(prompt: str) -> DataValidation:
    return DataValidation(
        type="textLength",
        operator="lessThanOrEqual",
        formula1="200",
        error="At most 200 characters.",
        prompt=prompt,
    )

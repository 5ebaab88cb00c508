"""The sheet Findings: one flat row a finding with everything in it, and beside it what the team decides."""

import pandas as pd

from credly_audit.audit.findings import convert_to_plain
from credly_audit.config.decision_models import Decision
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.decisions_sheet import as_typed, validations
from credly_audit.renderers.xlsx.fields import make_cells, make_columns
from credly_audit.renderers.xlsx.sheet_list import Column, Link, Piece, SheetList
from credly_audit.renderers.xlsx.workbook_report import FINDINGS, TOKENS, WorkbookReport
from credly_audit.report.columns import FINDING, FindingRows
from credly_audit.text import count

ALL = make_columns(FINDING)
PRINTED = [column for column in ALL if column.printed]

COLUMNS = (
    *PRINTED[:2],
    Column("Open token", "go", narrowest=6),
    *PRINTED[2:],
    Column("Decision", "typed", narrowest=15),
    Column("Reason", "typed", 36, narrowest=30),
    Column("Approved by", "typed", 28, narrowest=18),
    Column("Assigned to", "typed", 28, narrowest=18),
    Column("Until", "typed date", narrowest=12),
    Column("Reference", "typed", 20, narrowest=14),
    *(column for column in ALL if not column.printed),
)
"""The columns for decisions follow the finding and precede the columns that are not printed."""


def findings(report: WorkbookReport) -> SheetList:
    """All findings, worst first, waived ones too."""
    tokens = count(len(report.audit.tokens), "token", "tokens")

    def targets(start: int, stop: int) -> list[str | None]:
        part = report.audit.findings.frame.iloc[start:stop]
        rows = zip(part["token_row"].tolist(), part["organization_row"].tolist(), strict=True)
        return [
            report.place(TOKENS, token) if token >= 0 else report.place_organizations([organization])
            for token, organization in rows
        ]

    return SheetList(
        title=FINDINGS,
        table="Findings",
        columns=COLUMNS,
        many=len(report.audit.findings),
        piece=lambda start, stop: _piece(report, FindingRows(report.standing, slice(start, stop))),
        nothing=f"No finding: the rules flag none of {tokens} that were seen.",
        frozen=2,
        link=Link("Open token", targets),
        emphasis=(
            *emphasis.severities("Severity"),
            emphasis.struck_out("Severity", "Due", of="Accepted", word="yes"),
            emphasis.faint("Token", "Due", of="Status", word="unseen"),
        ),
        validations=lambda: validations(report),
    )


def _piece(report: WorkbookReport, part: FindingRows) -> Piece:
    typed = [as_typed(decision) for decision in _decided(report, part.frame)]
    return {
        **make_cells(FINDING, part),
        **{name: [row[name] for row in typed] for name in typed[0]},
        "Open token": ["→"] * len(typed),
    }


def _decided(report: WorkbookReport, frame: pd.DataFrame) -> list[Decision | None]:
    """What was decided on each of some findings before."""
    made = report.audit.decisions
    waivers = {each.waiver.id: each.waiver for each in made.waivers}
    plans = {each.plan.id: each.plan for each in made.plans}
    ids = zip(convert_to_plain(frame["waiver_id"]), convert_to_plain(frame["plan_id"]), strict=True)
    return [waivers.get(waiver_id) or plans.get(plan_id) for waiver_id, plan_id in ids]

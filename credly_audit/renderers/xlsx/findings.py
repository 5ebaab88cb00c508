"""The sheet Findings: one flat row a finding with everything in it, and beside it what the team decides."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd

from credly_audit.audit.findings import plain
from credly_audit.config.decision_models import Decision
from credly_audit.instants import iso_day
from credly_audit.renderers.xlsx import emphasis
from credly_audit.renderers.xlsx.cell_xml import serial
from credly_audit.renderers.xlsx.decisions import as_typed, validations
from credly_audit.renderers.xlsx.report import FINDINGS, ORGANIZATIONS, TOKENS, Report, described
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.renderers.xlsx.table import Column, Link, Listing, Piece
from credly_audit.report.labels import ITSELF
from credly_audit.rules.declare import FAMILIES
from credly_audit.severity import Severity
from credly_audit.text import NOTHING, count, yes_no

COLUMNS = (
    Column("Severity", "word", narrowest=12),
    Column("Token", "text", 40),
    Column("Open token", "go", narrowest=6),
    Column("Organization", "text", 26),
    Column("Finding", "text", 50),
    Column("Remediation", "text", 44),
    Column("Due", "date", narrowest=12),
    Column("Owner", "text", 28),
    Column("Decision", "typed", narrowest=15),
    Column("Reason", "typed", 36, narrowest=30),
    Column("Approved by", "typed", 28, narrowest=18),
    Column("Until", "typed date", narrowest=12),
    Column("Expires", "date", narrowest=12, printed=False),
    Column("Status", "word", printed=False),
    Column("First seen", "date", narrowest=12, printed=False),
    Column("Accepted", "tick", printed=False),
    Column("Risk acceptance", "word", 30, printed=False),
    Column("Rule", "word", printed=False),
    Column("Family", "word", 24, printed=False),
    Column("Evidence", "word", 60, printed=False),
    Column("Mapped controls", "word", 60, printed=False),
    Column("fingerprint", "code", 20, printed=False),
    Column("finding_id", "code", 20, printed=False),
    Column("rule_id", "code", 12, printed=False),
    Column("organization_id", "code", 40, printed=False),
    Column("token_id", "code", 40, printed=False),
)


def findings(report: Report) -> Listing:
    """All findings, worst first, waived ones too."""
    tokens = count(len(report.audit.tokens), "token", "tokens")

    def targets(start: int, stop: int) -> list[str | None]:
        part = report.audit.findings.frame.iloc[start:stop]
        rows = zip(part["token_row"].tolist(), part["organization_row"].tolist(), strict=True)
        return [
            report.place(TOKENS, token) if token >= 0 else report.place(ORGANIZATIONS, organization)
            for token, organization in rows
        ]

    return Listing(
        title=FINDINGS,
        table="Findings",
        columns=COLUMNS,
        many=len(report.audit.findings),
        piece=lambda start, stop: _piece(report, start, stop),
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


def _piece(report: Report, start: int, stop: int) -> Piece:
    audit = report.audit
    frame = audit.findings.frame.iloc[start:stop]
    expires = audit.tokens["expires_at"].reindex(frame["token_row"].where(frame["token_row"] >= 0))
    rows = [_texts(record) for record in replace(audit.findings, frame=frame).records()]
    typed = [as_typed(decision) for decision in _decided(report, frame)]
    return {
        **{name: [row[name] for row in rows] for name in rows[0]},
        **{name: [row[name] for row in typed] for name in typed[0]},
        "Due": serial(frame["due_at"]),
        "Expires": serial(expires),
        "First seen": serial(frame["first_seen_at"]),
    }


def _decided(report: Report, frame: pd.DataFrame) -> list[Decision | None]:
    """What was decided on each of some findings before."""
    made = report.audit.decisions
    waivers = {each.waiver.id: each.waiver for each in made.waivers}
    plans = {each.plan.id: each.plan for each in made.plans}
    ids = zip(plain(frame["waiver_id"]), plain(frame["plan_id"]), strict=True)
    return [waivers.get(waiver_id) or plans.get(plan_id) for waiver_id, plan_id in ids]


def _texts(record: dict[str, Any]) -> dict[str, str | None]:
    is_token = record["token_id"] is not None
    return {
        "Severity": SEVERITY_WORDS[Severity(record["severity"])],
        "Token": described(record["description"]) if is_token else ITSELF,
        "Open token": "→",
        "Organization": record["organization_name"],
        "Finding": record["message"],
        "Remediation": record["remediation"],
        "Owner": record["owner"] or NOTHING,
        "Status": record["status"],
        "Accepted": yes_no(record["waived"]),
        "Risk acceptance": record["waiver_id"],
        "Rule": record["rule_name"].replace("-", " "),
        "Family": FAMILIES.get(record["family"], record["family"]),
        "Evidence": "; ".join(
            f"{name}: {_said(value)}" for name, value in record["evidence"].items() if value is not None
        ),
        "Mapped controls": "; ".join(record["controls"]),
        "fingerprint": record["fingerprint"],
        "finding_id": record["finding_id"],
        "rule_id": record["rule_id"],
        "organization_id": record["organization_id"],
        "token_id": record["token_id"],
    }


def _said(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{iso_day(value)} {value:%H:%M} UTC"
    return yes_no(value) if isinstance(value, bool) else str(value)

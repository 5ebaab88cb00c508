"""OCSF: Compliance Findings (class 2003) for a SIEM or a security lake, a JSON array with an event a line.

The first event tells how the audit itself ended, so that a clean audit, an incomplete one and none at all differ there.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

from credly_audit import __version__
from credly_audit.audit.model import Audit
from credly_audit.instants import iso_day
from credly_audit.renderers.base import Renderer, identity
from credly_audit.renderers.json import encode
from credly_audit.report.briefing import list_incomplete, write_headline
from credly_audit.rules.declare import Rule
from credly_audit.severity import Severity
from credly_audit.text import harmless, one_line, subject

VERSION = "1.5.0"

SEVERITIES = {
    Severity.INFO: (1, "Informational"),
    Severity.LOW: (2, "Low"),
    Severity.MEDIUM: (3, "Medium"),
    Severity.HIGH: (4, "High"),
    Severity.CRITICAL: (5, "Critical"),
}

CREATED, UPDATED = (1, "Create"), (2, "Update")
NEW, SUPPRESSED = (1, "New"), (3, "Suppressed")
PASSED, WARNED, FAILED = (1, "Pass"), (2, "Warning"), (3, "Fail")

VERDICTS = {
    "pass": (PASSED, Severity.INFO),
    "violations": (FAILED, Severity.HIGH),
    "incomplete": (WARNED, Severity.HIGH),
}


def render(audit: Audit, out: BinaryIO) -> None:
    """The array."""
    lead = b"[\n"
    for event in events(audit):
        out.write(lead + encode(event))
        lead = b",\n"
    out.write(b"\n]\n")


def events(audit: Audit) -> Iterator[dict[str, Any]]:
    """The audit's own event, then a finding each, worst first."""
    yield whole(audit)
    standards = {rule_id: list(rule.controls) for rule_id, rule in audit.rules.items()}
    for finding in audit.findings.records():
        yield found(audit, finding, audit.rules[finding["rule_id"]], standards[finding["rule_id"]])


def whole(audit: Audit) -> dict[str, Any]:
    """How the audit ended, and which organizations it did not fully see."""
    status, severity = VERDICTS[audit.verdict.outcome]
    hidden = [{"uid": each.organization_id, "name": each.name, "why": each.reason} for each in list_incomplete(audit)]
    return event(audit, CREATED, NEW, severity) | {
        "message": write_headline(audit),
        "compliance": {
            "control": "credly-audit",
            "desc": "Every organization is complete and its authorization tokens keep to the policy.",
            "status_id": status[0],
            "status": status[1],
            "status_detail": write_headline(audit),
        },
        "finding_info": {
            "uid": identity(audit),
            "title": write_headline(audit),
            "created_time": milliseconds(audit.as_of),
        },
        "unmapped": {
            "part": None if audit.part is None else audit.part.name,
            "outcome": audit.verdict.outcome,
            "exit_code": int(audit.verdict.exit_code),
            "violations": audit.verdict.violations,
            "not_fully_seen": hidden,
            "accepted_by_waivers": list(audit.verdict.accepted),
            "not_configured": audit.unaudited,
            "broken_rules": dict(audit.broken),
        },
    }


def found(audit: Audit, finding: dict[str, Any], rule: Rule, standards: list[str]) -> dict[str, Any]:
    """One finding."""
    first_seen = finding["first_seen_at"]
    compliance: dict[str, Any] = {
        "control": f"{rule.id} {rule.name}",
        "desc": rule.summary,
        "status_id": FAILED[0],
        "status": FAILED[1],
        "status_detail": harmless(finding["message"]),
    }
    if standards:
        compliance |= {"standards": standards, "requirements": finding["controls"]}
    return event(
        audit,
        UPDATED if finding["status"] in {"persisting", "unseen"} else CREATED,
        SUPPRESSED if finding["waived"] else NEW,
        finding["severity"],
    ) | {
        "message": harmless(f"{subject(finding)}: {finding['message']}"),
        "compliance": compliance,
        "finding_info": {
            "uid": finding["finding_id"],
            "title": harmless(f"{rule.summary} {subject(finding)}"),
            "desc": rule.rationale,
            "types": [finding["family"]],
            "created_time": milliseconds(first_seen or audit.as_of),
            "analytic": {"uid": rule.id, "name": rule.name, "type_id": 1, "type": "Rule"},
        }
        | ({} if first_seen is None else {"first_seen_time": milliseconds(first_seen)}),
        "remediation": {"desc": rule.remediation},
        "resources": [resource(finding)],
        "unmapped": {
            "evidence": finding["evidence"],
            "fingerprint": finding["fingerprint"],
            "due_at": finding["due_at"],
            "status": finding["status"],
            "waiver_id": finding["waiver_id"],
        },
    }


def resource(finding: dict[str, Any]) -> dict[str, Any]:
    """The token, or the organization, that a finding is on."""
    name = harmless(finding["organization_name"] or finding["organization_id"])
    of = {"group": {"uid": finding["organization_id"], "name": name}}
    if finding["owner"]:
        of["owner"] = {"name": one_line(finding["owner"])}
    if finding["token_id"] is None:
        return {"uid": finding["organization_id"], "name": name, "type": "Credly organization"} | of
    return {"uid": finding["token_id"], "name": subject(finding), "type": "Credly authorization token"} | of


def event(audit: Audit, activity: tuple[int, str], status: tuple[int, str], severity: Severity) -> dict[str, Any]:
    """What all events share."""
    weight, word = SEVERITIES[severity]
    return {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2003,
        "class_name": "Compliance Finding",
        "type_uid": 200_300 + activity[0],
        "type_name": f"Compliance Finding: {activity[1]}",
        "activity_id": activity[0],
        "activity_name": activity[1],
        "severity_id": weight,
        "severity": word,
        "status_id": status[0],
        "status": status[1],
        "time": milliseconds(audit.as_of),
        "metadata": {
            "version": VERSION,
            "product": {"name": "credly-audit", "vendor_name": "credly-audit", "version": __version__},
            "logged_time": milliseconds(audit.generated_at),
            "uid": f"{identity(audit)}/{iso_day(audit.as_of)}T{audit.as_of:%H:%M:%SZ}",
            "original_time": encode(audit.snapshot.header.collected_at).decode().strip('"'),
        },
    }


def milliseconds(when: datetime) -> int:
    """An instant as OCSF's timestamp_t."""
    return int(when.timestamp() * 1_000)


RENDERER = Renderer(".ocsf.json", render)

"""DefectDojo: a file for its 'Generic Findings Import', an object a finding.

Its importer refuses keys that it does not know. A re-import closes what is no longer in the file: an incomplete audit
says so in a finding of its own, for what it did not see is not remediated.
"""

from collections.abc import Iterator
from typing import Any, BinaryIO

from credly_audit import __version__
from credly_audit.audit.model import Audit
from credly_audit.instants import iso_day
from credly_audit.renderers.base import Renderer, identity
from credly_audit.renderers.json import encode, write_list
from credly_audit.report.briefing import list_incomplete, write_headline
from credly_audit.text import instant, markdown, one_line, spoken, subject

MOST_TITLE = 500
"""A title holds 511 characters there, a service 200."""

MOST_UNSEEN = 100


def render(audit: Audit, out: BinaryIO) -> None:
    """One object with the list of findings."""
    head = {
        "name": identity(audit),
        "type": "credly-audit",
        "version": __version__,
        "description": write_headline(audit),
    }
    out.write(b"{")
    out.writelines(encode(name) + b":" + encode(value) + b",\n" for name, value in head.items())
    write_list(out, "findings", findings(audit))
    out.write(b"}\n")


def findings(audit: Audit) -> Iterator[dict[str, Any]]:
    """What keeps the audit from being whole, then the findings, worst first."""
    if audit.verdict.not_seen or audit.broken:
        yield incomplete(audit)
    for finding in audit.findings.records():
        yield told(audit, finding)


def told(audit: Audit, finding: dict[str, Any]) -> dict[str, Any]:
    """A finding in the words of DefectDojo."""
    rule = audit.rules[finding["rule_id"]]
    date = finding["first_seen_at"] or audit.as_of
    said: dict[str, Any] = {
        "title": one_line(f"{rule.summary} {subject(finding)}", MOST_TITLE),
        "severity": finding["severity"].capitalize(),
        "date": iso_day(date),
        "description": "\n\n".join(description(audit, finding)),
        "mitigation": rule.remediation,
        "impact": rule.rationale,
        "references": "\n".join(f"Mapped controls {control}" for control in finding["controls"]),
        "service": one_line(finding["organization_name"] or finding["organization_id"], 200),
        "unique_id_from_tool": finding["finding_id"],
        "vuln_id_from_tool": rule.id,
        "active": not finding["waived"],
        "risk_accepted": finding["waived"],
        "verified": finding["status"] != "unseen",
        "static_finding": False,
        "dynamic_finding": True,
        "tags": [rule.id, rule.family, rule.name],
    }
    if finding["due_at"] is not None:
        said["planned_remediation_date"] = iso_day(finding["due_at"])
    return said


def description(audit: Audit, finding: dict[str, Any]) -> Iterator[str]:
    """The facts, as Markdown."""
    yield markdown(finding["message"])
    yield f"**Organization:** {markdown(finding['organization_name'] or '')} (`{finding['organization_id']}`)"
    if finding["token_id"] is not None:
        yield f"**Token:** {markdown(finding['description'] or '')} (`{finding['token_id']}`)"
    if finding["fingerprint"]:
        yield f"**Fingerprint:** `{finding['fingerprint']}`"
    if finding["owner"]:
        yield f"**Owner:** {markdown(finding['owner'])}"
    if finding["due_at"] is not None:
        yield f"**Due:** {spoken(finding['due_at'], audit.as_of)}"
    for name, value in finding["evidence"].items():
        yield f"**{markdown(name.replace('_', ' '))}:** {markdown(encode(value).decode().strip(chr(34)))}"
    if finding["status"] == "unseen":
        yield "**Last known:** its organization could not be collected in this audit"
    if finding["waived"]:
        yield f"**Waiver:** {markdown(finding['waiver_id'] or '')}"


def incomplete(audit: Audit) -> dict[str, Any]:
    """That a part was not seen or not judged, and which."""
    hidden = list_incomplete(audit)
    lines = [f"- {markdown(each.name, 100)} ({each.status}): {markdown(each.reason)}" for each in hidden[:MOST_UNSEEN]]
    if len(hidden) > MOST_UNSEEN:
        lines.append(f"- … and {len(hidden) - MOST_UNSEEN} more; the other reports name them all.")
    lines += [f"- Rule {markdown(rule)} is broken: {markdown(said)}" for rule, said in audit.broken.items()]
    return {
        "title": "The audit is incomplete",
        "severity": "High",
        "date": iso_day(audit.as_of),
        "description": "\n\n".join(
            [markdown(write_headline(audit)), f"As of {instant(audit.as_of)}.", "\n".join(lines)]
        ),
        "mitigation": "Fix what each reason names and run the audit again.",
        "impact": "Of what was not seen nothing is known: findings that are missing here are not remediated.",
        "unique_id_from_tool": f"{identity(audit)}-incomplete",
        "active": audit.verdict.outcome == "incomplete",
        "risk_accepted": audit.verdict.outcome != "incomplete",
        "verified": True,
        "static_finding": False,
        "dynamic_finding": True,
        "tags": ["coverage"],
    }


RENDERER = Renderer(".defectdojo.json", render)

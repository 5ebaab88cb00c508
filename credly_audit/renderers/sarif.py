"""SARIF 2.1.0: findings for code scanning, each at the line of the configuration that names its organization.

What is not in a file of the repository has no line there; the configuration's is where a reader can act. GitHub takes
25,000 results of a run and reads a result's weight from its rule.
"""

from collections.abc import Iterator
from itertools import islice
from pathlib import PurePath
from typing import Any, BinaryIO
from urllib.parse import quote

from credly_audit import __version__
from credly_audit.audit.findings import Findings
from credly_audit.audit.model import Audit, Places
from credly_audit.config.decision_models import Waiver
from credly_audit.instants import iso_day
from credly_audit.renderers.base import Renderer, identity
from credly_audit.renderers.json import encode, write_list
from credly_audit.report.briefing import list_incomplete, write_headline
from credly_audit.rules.declare import FAMILIES, Rule
from credly_audit.severity import Severity
from credly_audit.text import count, instant, number, one_line, sarif, spoken_day, subject

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

MOST_RESULTS = 25_000
"""The most results of one run that GitHub accepts ('SARIF support for code scanning', limits)."""

LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}

SECURITY_SEVERITY = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "3.0",
    Severity.INFO: "0.1",
}
"""A number in the range that GitHub shows as the same word (over 9 critical, from 7 high, from 4 medium)."""

BASELINE = {"new": "new", "reopened": "new", "persisting": "unchanged", "unseen": "unchanged"}

NOT_SEEN, NOT_AUDITED = "organization-not-fully-seen", "organization-not-configured"
NOT_JUDGED, CUT = "rule-broken", "results-cut"


def render(audit: Audit, out: BinaryIO) -> None:
    """One log of one run."""
    places = _located(audit)
    run = {
        "tool": {"driver": driver(audit)},
        "invocations": [invocation(audit)],
        "automationDetails": {"id": f"{identity(audit)}/{iso_day(audit.as_of)}"},
        "columnKind": "unicodeCodePoints",
        "properties": {"verdict": audit.verdict.outcome, "headline": write_headline(audit)},
    }
    out.write(b'{"$schema":' + encode(SCHEMA) + b',"version":"2.1.0","runs":[{\n')
    out.writelines(encode(name) + b":" + encode(value) + b",\n" for name, value in run.items())
    write_list(out, "results", results(audit, places))
    out.write(b"}]}\n")


def driver(audit: Audit) -> dict[str, Any]:
    """The tool and its rules, in the order of the catalogue."""
    return {
        "name": "credly-audit",
        "version": __version__,
        "semanticVersion": __version__,
        "shortDescription": {"text": "Audits the authorization tokens of Credly organizations."},
        "rules": [descriptor(rule, audit.policy.severity(rule) or rule.severity) for rule in audit.rules.values()],
    }


def descriptor(rule: Rule, severity: Severity) -> dict[str, Any]:
    """A rule as its declaration tells it."""
    controls = [f"{name} {control}" for name, ids in rule.controls.items() for control in ids]
    sections = {"Why it matters": rule.rationale, "Remediation": rule.remediation}
    if controls:
        sections["Mapped controls"] = f"{', '.join(controls)}."
    return {
        "id": rule.id,
        "name": "".join(word.capitalize() for word in rule.name.split("-")),
        "shortDescription": {"text": sarif(rule.summary)},
        "fullDescription": {"text": sarif(f"{rule.summary} {rule.rationale}")},
        "help": {
            "text": sarif("\n\n".join(f"{title}: {text}" for title, text in sections.items())),
            "markdown": sarif("\n\n".join(f"**{title}**\n\n{text}" for title, text in sections.items())),
        },
        "defaultConfiguration": {"level": LEVELS[severity]},
        "properties": {
            "tags": ["security", FAMILIES.get(rule.family, rule.family)],
            "precision": "very-high",
            "problem.severity": "recommendation" if LEVELS[severity] == "note" else LEVELS[severity],
            "security-severity": SECURITY_SEVERITY[severity],
            "controls": controls,
        },
    }


def invocation(audit: Audit) -> dict[str, Any]:
    """How the audit went; it is no success where a part was not seen or not judged."""
    notifications = list(_notifications(audit))
    return {
        "executionSuccessful": audit.verdict.outcome != "incomplete",
        "exitCode": int(audit.verdict.exit_code),
        "endTimeUtc": instant(audit.generated_at),
        "toolExecutionNotifications": notifications,
    }


def _notifications(audit: Audit) -> Iterator[dict[str, Any]]:
    for each in list_incomplete(audit):
        text = f"{one_line(each.name, 60)} is incomplete ({each.status}): {one_line(each.reason)}"
        accepted = each.organization_id in audit.verdict.accepted
        yield _notification(NOT_SEEN, "warning" if accepted else "error", text)
    for organization_id in audit.unaudited:
        yield _notification(NOT_AUDITED, "warning", f"The register names {organization_id}, which is not configured.")
    for rule, said in audit.broken.items():
        yield _notification(NOT_JUDGED, "error", f"Rule {rule} is broken: {one_line(said)}")
    shown = len(_shown(audit))
    if shown > MOST_RESULTS:
        text = f"Of {count(shown, 'finding', 'findings')} the {number(MOST_RESULTS)} worst are here."
        yield _notification(CUT, "warning", f"{text} The other formats hold all.")


def _notification(name: str, level: str, text: str) -> dict[str, Any]:
    return {"descriptor": {"id": name}, "level": level, "message": {"text": sarif(text)}}


def results(audit: Audit, places: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The findings, worst first; `places` has the location of each organization."""
    rules = {rule_id: index for index, rule_id in enumerate(audit.rules)}
    waivers = {each.waiver.id: each.waiver for each in audit.decisions.waivers}
    for finding in islice(_shown(audit).records(), MOST_RESULTS):
        result = {
            "ruleId": finding["rule_id"],
            "ruleIndex": rules[finding["rule_id"]],
            "level": LEVELS[finding["severity"]],
            "kind": "fail",
            "message": {"text": sarif(f"{subject(finding)}: {finding['message']}")},
            "locations": [places[finding["organization_id"]]],
            "partialFingerprints": {
                "credlyAuditFinding/v1": finding["finding_id"],
                "primaryLocationLineHash": f"{finding['finding_id']}:1",
            },
            "suppressions": [_suppression(waivers.get(finding["waiver_id"]))] if finding["waived"] else [],
            "properties": {
                "security-severity": SECURITY_SEVERITY[finding["severity"]],
                **{name: finding[name] for name in KEPT},
            },
        }
        if finding["status"] is not None:
            result["baselineState"] = BASELINE[finding["status"]]
        yield result


def _shown(audit: Audit) -> Findings:
    """Return the findings to report: all, or those that no waiver covers where the others are to be left out."""
    if not audit.presentation.sarif_without_waived:
        return audit.findings
    return audit.findings.where(~audit.findings.frame["waived"].to_numpy(dtype=bool))


KEPT = (
    "severity",
    "organization_id",
    "organization_name",
    "token_id",
    "fingerprint",
    "owner",
    "remediation",
    "due_at",
    "status",
    "first_seen_at",
    "evidence",
)
"""Columns of a finding that a result keeps among its properties."""


def _suppression(waiver: Waiver | None) -> dict[str, str]:
    suppression = {"kind": "external", "status": "accepted"}
    if waiver is not None:
        text = f"{one_line(waiver.reason)} Waiver {one_line(waiver.id)}, approved by {one_line(waiver.approved_by)}"
        suppression["justification"] = sarif(f"{text} until {spoken_day(waiver.expires)}.")
    return suppression


def _located(audit: Audit) -> dict[str, dict[str, Any]]:
    return {each: location(audit.places, each) for each in audit.organizations["organization_id"]}


def location(places: Places, organization_id: str) -> dict[str, Any]:
    """Where an organization stands."""
    path, line = places.of(organization_id)
    return {"physicalLocation": {"artifactLocation": {"uri": uri(path)}, "region": {"startLine": line}}}


def uri(path: str) -> str:
    """A path as a URI: relative as it stands, else of the scheme file."""
    pure = PurePath(path)
    return pure.as_uri() if pure.is_absolute() else quote(pure.as_posix())


RENDERER = Renderer(".sarif", render)

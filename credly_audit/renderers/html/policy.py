"""By what was judged, when, and from what: for the last part of the page."""

from typing import Any

from credly_audit import __version__
from credly_audit.audit.model import Audit
from credly_audit.renderers.html.labels import SEVERITIES
from credly_audit.severity import Severity
from credly_audit.text import NOTHING, count, spoken_day


def about(audit: Audit) -> dict[str, Any]:
    """Pairs of a label and what stands beside it."""
    header = audit.snapshot.header
    key = header.fingerprint_key
    instants = {"As of": audit.as_of, "Collected": header.collected_at, "Made": audit.generated_at}
    settings = audit.policy.settings.model_dump(mode="json") | {"fail_on": list(audit.gate.fail_on)}
    del settings["rules"]
    return {
        "report": [
            *((name, f"{spoken_day(when)}, {when:%H:%M:%S} UTC") for name, when in instants.items()),
            ("Credly’s API", header.base_url),
            ("Organizations asked", count(len(header.organizations_asked), "organization", "organizations")),
            ("Fingerprints", f"under the key with the fingerprint {key}" if key else "plain SHA-256"),
            ("Made by", f"credly-audit {__version__} from a snapshot of version {header.tool_version}"),
        ],
        "severities": [(SEVERITIES[severity], _due(audit, severity)) for severity in reversed(Severity)],
        "policy": [(name.replace("_", " "), said(value)) for name, value in settings.items()],
    }


def _due(audit: Audit, severity: Severity) -> str:
    within = audit.policy.due_within(severity)
    due = f"Due within {count(within.days, 'day', 'days')}" if within else "Asks for nothing"
    named = [Severity(selector) for selector in audit.gate.fail_on if selector in set(Severity)]
    fails = any(severity.weight >= least.weight for least in named)
    return f"{due}; the audit fails on it." if fails else f"{due}."


def said(value: object) -> str:
    """A setting for people: no brackets, no word of a programming language."""
    if value is None or value in ([], {}):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{str(name).replace('_', ' ')}: {said(each)}" for name, each in value.items())
    if isinstance(value, list):
        separator = ", " if all(isinstance(each, str) for each in value) else "\n"
        return separator.join(map(said, value))
    return str(value)

"""The rules that judged, and the controls that they support evidence for."""

from typing import Any

from credly_audit.audit.model import Audit
from credly_audit.renderers.html.page_labels import SEVERITIES
from credly_audit.report.counts import count_audit
from credly_audit.report.labels import describe_setting
from credly_audit.report.results import Results
from credly_audit.rules.controls import FRAMEWORK_NAMES, name_control
from credly_audit.rules.declare import Rule, family_name


def rules(audit: Audit, results: Results) -> list[dict[str, Any]]:
    """The catalogue, disabled rules included."""
    live = count_audit(audit)["by_rule"]
    frame = audit.findings.frame
    waived = frame.loc[frame["waived"].to_numpy(dtype=bool), "rule_id"].value_counts()
    rows = []
    for rule in audit.rules.values():
        severity = audit.policy.severity(rule) or rule.severity
        rows.append(
            {
                "id": rule.id,
                "name": rule.name.replace("-", " "),
                "family": family_name(rule.family),
                "tone": severity.value,
                "severity": SEVERITIES[severity],
                "by": "the policy" if audit.policy.severity(rule) else rule.tiers,
                "open": live.get(rule.id),
                "waived": int(waived.get(rule.id, 0)) if rule.id in live else None,
                "in_force": _in_force(audit, rule),
                "result": results.rules[rule.id].as_dict() if rule.id in results.rules else None,
                "found": f"#findings?rule={rule.id}&standing=open",
                "summary": rule.summary,
                "why": rule.rationale,
                "todo": rule.remediation,
                "settings": [
                    (name.replace("_", " "), describe_setting(value))
                    for name, value in audit.policy.effective_options(rule).model_dump(mode="json").items()
                ],
                "controls": "; ".join(audit.findings.controls(rule.id)),
            }
        )
    return rows


def _in_force(audit: Audit, rule: Rule) -> str:
    if rule.id in audit.broken:
        return "✕ broken"
    return "✓ yes" if audit.policy.enabled(rule) else "– disabled"


def controls(results: Results) -> list[dict[str, Any]]:
    """Return each control that an enabled rule is mapped to, framework after framework."""
    return [
        {
            "framework": FRAMEWORK_NAMES.get(each.framework, each.framework),
            "control": name_control(each.framework, each.control),
            "rules": list(each.rules),
            "open": each.findings,
            **each.result.as_dict(),
        }
        for each in results.controls
    ]

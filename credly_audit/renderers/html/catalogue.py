"""The rules that judged, and the controls that they support evidence for."""

from typing import Any

from credly_audit.audit.model import Audit
from credly_audit.renderers.html.labels import SEVERITIES
from credly_audit.renderers.html.policy import said
from credly_audit.report.counts import tally
from credly_audit.rules.controls import FRAMEWORKS
from credly_audit.rules.declare import Rule, family_name


def rules(audit: Audit) -> list[dict[str, Any]]:
    """The catalogue, disabled rules included."""
    live = tally(audit)["by_rule"]
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
                "found": f"#findings?rule={rule.id}",
                "summary": rule.summary,
                "why": rule.rationale,
                "todo": rule.remediation,
                "settings": [
                    (name.replace("_", " "), said(value))
                    for name, value in audit.policy.options(rule).model_dump(mode="json").items()
                ],
                "controls": "; ".join(audit.findings.controls(rule.id)),
            }
        )
    return rows


def _in_force(audit: Audit, rule: Rule) -> str:
    if rule.id in audit.broken:
        return "✕ broken"
    return "✓ yes" if audit.policy.enabled(rule) else "– disabled"


def controls(audit: Audit) -> list[dict[str, Any]]:
    """Each control that some rule in force supports evidence for, framework after framework."""
    live = tally(audit)["by_rule"]
    supported: dict[tuple[str, str], list[str]] = {}
    for rule_id in live:
        for framework, ids in audit.rules[rule_id].controls.items():
            for control in ids:
                supported.setdefault((framework, control), []).append(rule_id)
    return [
        {
            "framework": framework,
            "control": control,
            "rules": rule_ids,
            "open": sum(live[rule_id] for rule_id in rule_ids),
        }
        for name in FRAMEWORKS
        for (framework, control), rule_ids in sorted(supported.items())
        if framework == name
    ]

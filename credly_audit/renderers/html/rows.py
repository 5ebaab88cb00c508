"""What the page's lists say of each finding, token and organization: for people, as the templates show it.

The script says the same of the rows that are data (columns.py); report.js has the same names.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import pandas as pd

from credly_audit.audit.findings import plain
from credly_audit.audit.model import Audit
from credly_audit.policy.apply import JudgedPlan, JudgedWaiver
from credly_audit.renderers.html.labels import (
    SEVERITIES,
    described,
    permission_words,
)
from credly_audit.report.counts import Standing
from credly_audit.report.labels import COVERAGE, ITSELF
from credly_audit.severity import Severity
from credly_audit.text import NOTHING, number, spoken, spoken_day

BAR = 96
"""How long the longest of the small bars is."""

UNREGISTERED = "does not name it"

OWNER = ("owner_id", "owner_name", "owner_type")

Row = dict[str, Any]


@dataclass(frozen=True)
class Lists:
    """The lists of one audit; each gives at most the first `most` rows."""

    audit: Audit
    standing: Standing

    def findings(self, most: int) -> Iterator[Row]:
        """The worst first, as they are in the audit."""
        findings = self.audit.findings
        frame = findings.frame.iloc[:most]
        decided = zip(plain(frame["waiver_id"]), plain(frame["plan_id"]), strict=True)
        for finding, (waiver, plan) in zip(replace(findings, frame=frame).records(), decided, strict=True):
            rule = self.audit.rules[finding["rule_id"]]
            severity = Severity(finding["severity"])
            is_token = finding["token_id"] is not None
            yield {
                "tone": severity.value,
                "severity": SEVERITIES[severity],
                "waived": "waived" if finding["waived"] else "",
                "subject": described(finding["description"]) if is_token else ITSELF,
                "organization": finding["organization_name"],
                "place": f"#organization-{finding['organization_id']}",
                "digits": (finding["fingerprint"] or "")[:8],
                "message": finding["message"],
                "todo": finding["remediation"],
                "why": rule.rationale,
                "due": self.spoken(finding["due_at"]),
                "owner": finding["owner"] or NOTHING,
                "status": finding["status"] or "",
                "decision": self.decisions.get(waiver) or self.decisions.get(plan) or "",
                "first": self.spoken(finding["first_seen_at"]) if finding["first_seen_at"] else "",
                "rule": rule.name.replace("-", " "),
                "rule_id": rule.id,
                "rule_place": f"#rule-{rule.id}",
                "controls": "; ".join(finding["controls"]),
                "token_id": finding["token_id"] or "",
                "finding_id": finding["finding_id"],
            }

    def tokens(self, most: int) -> Iterator[Row]:
        """In the order of the organizations."""
        tokens = self.audit.tokens.iloc[:most]
        organizations = self.audit.organizations.take(tokens["organization_id"].cat.codes)
        columns = {name: plain(tokens[name]) for name in tokens}
        columns |= {"organization": plain(organizations["name"]), "contact": plain(organizations["contact"])}
        for position, values in enumerate(zip(*columns.values(), strict=True)):
            token = dict(zip(columns, values, strict=True))
            gravest = int(self.standing.gravest_of_tokens[position])
            yield {
                "subject": described(token["description"]),
                "organization": token["organization"],
                "place": f"#organization-{token['organization_id']}",
                "permissions": permission_words(*(token[f"{name}_enabled"] for name in ("read", "write", "delete"))),
                "expires": self.spoken(token["expires_at"]),
                "expired": "expired" if token["expires_at"] and token["expires_at"] <= self.audit.as_of else "",
                "rotated": self.spoken(token["last_rotated_at"]),
                "rotation": token["rotation_evidence"] or "",
                "created": self.spoken(token["created_at"]),
                "findings": number(int(self.standing.of_tokens[position])),
                "found": f"#findings?q={token['token_id']}",
                "tone": list(Severity)[gravest].value if gravest >= 0 else "none",
                "gravest": SEVERITIES[list(Severity)[gravest]] if gravest >= 0 else "",
                "contact": token["contact"] or NOTHING,
                "faults": token["date_faults"] or "",
                "secrets": number(token["secrets_in_description"]) if token["secrets_in_description"] else "",
                **_owner(token),
                "asks": "yes" if token["is_audit_credential"] else "",
                "register": self._registered(token["register_row"]),
                "fingerprint": token["fingerprint"] or NOTHING,
                "token_id": token["token_id"],
            }

    def organizations(self, most: int) -> Iterator[Row]:
        """Yield the organizations, the worst first."""
        order = self.standing.worst_first[:most]
        frame = self.audit.organizations.take(order)
        columns = {name: plain(frame[name]) for name in frame}
        columns["next"] = plain(self.standing.next_expiry.take(order))
        for position, values in zip(order.tolist(), zip(*columns.values(), strict=True), strict=True):
            facts = dict(zip(columns, values, strict=True))
            counts = self.standing.of_organizations[position].tolist()
            yield {
                "name": facts["name"],
                "id": facts["organization_id"],
                "place": f"#organization-{facts['organization_id']}",
                "found": f"#findings?organization={facts['organization_id']}",
                "listed": f"#tokens?organization={facts['organization_id']}",
                "status": facts["status"],
                "coverage": COVERAGE[facts["status"]],
                "reason": "" if facts["status"] == "complete" else facts["reason"] or "",
                "tokens": number(facts["tokens"] or 0),
                "claimed": NOTHING if facts["total_count"] is None else number(facts["total_count"]),
                "privileged": number(int(self.standing.privileged[position])),
                "findings": number(sum(counts)),
                "counts": ", ".join(
                    f"{number(counts[severity.weight])} {severity}"
                    for severity in reversed(Severity)
                    if counts[severity.weight]
                ),
                "bars": self._bars(counts),
                "next": self.spoken(facts["next"]),
                "contact": facts["contact"] or NOTHING,
                "tags": (facts["tags"] or "").replace(",", ", "),
                "asked_with": facts["credential_kind"] or NOTHING,
                "credential": (facts["credential_fingerprint"] or "")[:8] or NOTHING,
                "credential_expires": self.spoken(facts["credential_expires_at"]),
            }

    def spoken(self, instant: datetime | None) -> str:
        """`29 November 2026 (in 6 days)`."""
        return spoken(instant, self.audit.as_of)

    @cached_property
    def most_findings(self) -> int:
        """Count open findings the organization has that has most."""
        return int(self.standing.of_organizations.sum(axis=1).max(initial=0))

    def _bars(self, counts: list[int]) -> list[Row]:
        """A small bar of an organization's open findings, the gravest first."""
        bars, start = [], 0.0
        for severity in reversed(Severity):
            width = round(counts[severity.weight] * BAR / (self.most_findings or 1), 1)
            bars.append({"tone": severity.value, "x": f"{start:.4g}", "width": f"{width:.4g}"})
            start += width
        return bars

    @cached_property
    def register(self) -> list[str]:
        """What each entry of the register says, in a line."""
        register = self.audit.policy.register
        said = register.documented if register else pd.DataFrame()
        names = [name.replace("_", " ") for name in said]
        lines = zip(*(plain(said[name]) for name in said), strict=True)
        return ["; ".join(f"{name}: {one}" for name, one in zip(names, line, strict=True) if one) for line in lines]

    def _registered(self, row: int) -> str:
        if self.audit.policy.register is None:
            return ""
        return self.register[row] if row >= 0 else UNREGISTERED

    @cached_property
    def decisions(self) -> dict[str, str]:
        """What was decided on a finding, by the id of the waiver or plan."""
        made = self.audit.decisions
        return {each.waiver.id: waived(each) for each in made.waivers} | {
            each.plan.id: planned(each) for each in made.plans
        }


def _owner(token: Row) -> Row:
    """Whose the token is, spelled out where that is another than the organization asked."""
    owner = tuple(token[name] for name in OWNER)
    if owner == own(token["organization_id"], token["organization"]):
        return {"owner": ITSELF, "owner_type": "", "owner_id": ""}
    return {"owner": owner[1] or NOTHING, "owner_type": owner[2] or "", "owner_id": owner[0] or ""}


def own(organization_id: str, name: str) -> tuple[str, str, str]:
    """What Credly says of the owner of a token that is the organization's own, by OWNER."""
    return organization_id, name, "Organization"


def waived(judged: JudgedWaiver) -> str:
    """A waiver in a line."""
    waiver = judged.waiver
    return f"Waived until {spoken_day(waiver.expires)} by {waiver.approved_by}: {waiver.reason}"


def planned(judged: JudgedPlan) -> str:
    """A plan in a line; overdue is said."""
    plan = judged.plan
    late = "Overdue: was to be mended" if judged.state == "overdue" else "To be mended"
    return f"{late} by {spoken_day(plan.until)}, {plan.owner}: {plan.reason}"


def seconds(instants: pd.Series) -> list[int | None]:
    """Instants as whole seconds since 1970, for the script; null is None."""
    values = instants.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype("int64")
    return [None if lacks else value for value, lacks in zip(values.tolist(), instants.isna().tolist(), strict=True)]

"""What the page's lists say of each finding, token and organization: for people, as the templates show it.

The script says the same of the rows that are data (data_blocks.py); report.js has the same names.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

import pandas as pd

from credly_audit.audit.findings import convert_to_plain
from credly_audit.audit.model import Audit
from credly_audit.policy.apply import JudgedPlan, JudgedWaiver
from credly_audit.renderers.html.page_labels import (
    SEVERITIES,
    described,
    permission_words,
)
from credly_audit.report.columns import (
    APPLICATION,
    FINDING,
    ORGANIZATION,
    TOKEN,
    ApplicationRows,
    Field,
    FieldKind,
    FindingRows,
    OrganizationRows,
    SubjectRows,
    TokenRows,
    list_values,
)
from credly_audit.report.counts import SubjectCounts
from credly_audit.report.labels import COVERAGE, ITSELF
from credly_audit.severity import Severity
from credly_audit.text import NOTHING, number, spoken, spoken_day, yes_no

BAR = 96
"""How long the longest of the small bars is."""

UNREGISTERED = "does not name it"

OWNER = ("owner_id", "owner_name", "owner_type")

Row = dict[str, Any]


TEXTS: dict[FieldKind, Callable[[Any, datetime], str]] = {
    FieldKind.TEXT: lambda value, _: value or "",
    FieldKind.WORD: lambda value, _: value or NOTHING,
    FieldKind.CODE: lambda value, _: value or NOTHING,
    FieldKind.OWNER: lambda value, _: value or NOTHING,
    FieldKind.TAGS: lambda value, _: (value or "").replace(",", ", "),
    FieldKind.DESCRIPTION: lambda value, _: described(value),
    FieldKind.INSTANT: spoken,
    FieldKind.NUMBER: lambda value, _: NOTHING if value is None else number(value),
    FieldKind.COUNT: lambda value, _: number(value),
    FieldKind.FEW: lambda value, _: number(value) if value else "",
    FieldKind.FLAG: lambda value, _: yes_no(value),
    FieldKind.MARK: lambda value, _: "yes" if value else "",
    FieldKind.SEVERITY: lambda weight, _: "" if weight < 0 else SEVERITIES[list(Severity)[weight]],
    FieldKind.COVERAGE: lambda status, _: COVERAGE[status],
}
"""How a list shows the kinds of values; report.js has the same, for the rows that are data."""


@dataclass(frozen=True)
class Lists:
    """The lists of one audit; each gives at most the first `most` rows."""

    audit: Audit
    standing: SubjectCounts

    def findings(self, most: int) -> Iterator[Row]:
        """The worst first, as they are in the audit."""
        part = FindingRows(self.standing, slice(most))
        records = replace(self.audit.findings, frame=part.frame).records()
        decided = zip(convert_to_plain(part.frame["waiver_id"]), convert_to_plain(part.frame["plan_id"]), strict=True)
        for shown, finding, (waiver, plan) in zip(self._show(FINDING, part), records, decided, strict=True):
            rule = self.audit.rules[finding["rule_id"]]
            is_token = finding["token_id"] is not None
            yield shown | {
                "tone": finding["severity"],
                "waived": "waived" if finding["waived"] else "",
                "subject": described(finding["description"]) if is_token else ITSELF,
                "organization": finding["organization_name"],
                "place": f"#organization-{finding['organization_id']}",
                "digits": (finding["fingerprint"] or "")[:8],
                "todo": finding["remediation"],
                "why": rule.rationale,
                "owner": finding["owner"] or NOTHING,
                "status": finding["status"] or "",
                "decision": self.decisions.get(waiver) or self.decisions.get(plan) or "",
                "first": shown["first"] if finding["first_seen_at"] else "",
                "rule": rule.name.replace("-", " "),
                "rule_id": rule.id,
                "rule_place": f"#rule-{rule.id}",
                "controls": "; ".join(finding["controls"]),
                "token_id": finding["token_id"] or "",
            }

    def tokens(self, most: int) -> Iterator[Row]:
        """In the order of the organizations."""
        part = TokenRows(self.standing, slice(most))
        columns = {name: convert_to_plain(part.frame[name]) for name in part.frame}
        columns |= {
            "organization": convert_to_plain(part.organizations["name"]),
            "contact": convert_to_plain(part.organizations["contact"]),
        }
        highest = self.standing.highest_of_tokens[:most].tolist()
        for shown, weight, values in zip(
            self._show(TOKEN, part), highest, zip(*columns.values(), strict=True), strict=True
        ):
            token = dict(zip(columns, values, strict=True))
            yield shown | {
                "organization": token["organization"],
                "place": f"#organization-{token['organization_id']}",
                "permissions": permission_words(*(token[f"{name}_enabled"] for name in ("read", "write", "delete"))),
                "expired": "expired" if token["expires_at"] and token["expires_at"] <= self.audit.as_of else "",
                "rotated": spoken(token["last_rotated_at"], self.audit.as_of),
                "rotation": token["rotation_evidence"] or "",
                "found": f"#findings?q={token['token_id']}",
                "tone": list(Severity)[weight].value if weight >= 0 else "none",
                "contact": token["contact"] or NOTHING,
                **_owner(token),
                "register": self._registered(token["register_row"]),
            }

    def organizations(self, most: int) -> Iterator[Row]:
        """Yield the organizations, the worst first."""
        part = OrganizationRows(self.standing, self.standing.worst_first[:most])
        counts = self.standing.of_organizations[part.rows].tolist()
        for shown, status, theirs in zip(self._show(ORGANIZATION, part), part.frame["status"], counts, strict=True):
            yield shown | {
                "place": f"#organization-{shown['id']}",
                "found": f"#findings?organization={shown['id']}",
                "listed": f"#tokens?organization={shown['id']}",
                "status": status,
                "reason": "" if status == "complete" else shown["reason"],
                "counts": ", ".join(
                    f"{number(theirs[severity.weight])} {severity}"
                    for severity in reversed(Severity)
                    if theirs[severity.weight]
                ),
                "bars": self._bars(theirs),
            }

    def applications(self) -> Iterator[Row]:
        """Yield the OAuth applications, in the order of the organizations."""
        part = ApplicationRows(self.standing, slice(None))
        frame = part.frame
        for shown, name, organization_id in zip(
            self._show(APPLICATION, part),
            convert_to_plain(frame["name"]),
            convert_to_plain(frame["organization_id"]),
            strict=True,
        ):
            yield shown | {"name": name or shown["id"], "place": f"#organization-{organization_id}"}

    def _show(self, fields: Iterable[Field], part: SubjectRows) -> Iterator[Row]:
        """Yield, row by row, the texts of the fields that the page shows."""
        as_of = self.audit.as_of
        columns = {
            field.name: [TEXTS[field.kind](value, as_of) for value in list_values(field.take(part))]
            for field in fields
            if field.page
        }
        return (dict(zip(columns, texts, strict=True)) for texts in zip(*columns.values(), strict=True))

    @cached_property
    def most_findings(self) -> int:
        """Return the open findings of the organization that has most."""
        return int(self.standing.of_organizations.sum(axis=1).max(initial=0))

    def _bars(self, counts: list[int]) -> list[Row]:
        """A small bar of an organization's open findings, the highest first."""
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
        lines = zip(*(convert_to_plain(said[name]) for name in said), strict=True)
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
    late = "Overdue: was to be remediated" if judged.state == "overdue" else "To be remediated"
    return f"{late} by {spoken_day(plan.until)}, {plan.owner}: {plan.reason}"


def seconds(instants: pd.Series) -> list[int | None]:
    """Instants as whole seconds since 1970, for the script; null is None."""
    values = instants.dt.tz_localize(None).to_numpy().astype("datetime64[s]").astype("int64")
    return [None if lacks else value for value, lacks in zip(values.tolist(), instants.isna().tolist(), strict=True)]

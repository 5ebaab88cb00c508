"""The waivers and plans, those first that ask for attention."""

from datetime import date
from typing import Any

import pandas as pd

from credly_audit.audit.findings import convert_to_plain
from credly_audit.audit.model import Audit
from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.renderers.html.page_labels import described
from credly_audit.renderers.html.plain_list import PlainList
from credly_audit.report.labels import STATES
from credly_audit.text import distance, number, spoken_day


def decisions(audit: Audit) -> list[dict[str, Any]]:
    """Every waiver and plan."""
    made = audit.decisions
    rows: list[tuple[Waiver | Plan, str, int]] = [
        *((each.waiver, each.state, each.findings) for each in made.waivers),
        *((each.plan, each.state, each.findings) for each in made.plans),
    ]
    rows.sort(key=lambda row: list(STATES).index(row[1]))
    organizations = audit.organizations
    names = dict(zip(organizations["organization_id"].str.lower(), organizations["name"], strict=True))
    tokens = _called(audit, {decision.token for decision, _, _ in rows if decision.token})
    return [
        {
            "state": STATES[state],
            "tone": state,
            "kind": "plan" if isinstance(decision, Plan) else "waiver",
            "rule": decision.rule,
            "organization": names.get(decision.organization, decision.organization),
            "token": tokens.get(decision.token, decision.token) if decision.token else "all of the organization",
            "reason": decision.reason,
            "by": decision.owner if isinstance(decision, Plan) else decision.approved_by,
            "on": spoken_day(decision.approved_on),
            "until": f"{spoken_day(last_day(decision))} ({distance(decision.ends_at, audit.as_of)})",
            "until_day": last_day(decision).isoformat(),
            "findings": number(findings),
            "findings_many": findings,
            "id": decision.id,
        }
        for decision, state, findings in rows
    ]


def decision_list(rows: list[dict[str, Any]]) -> PlainList:
    """Return the decisions as a list of the page."""
    sorts = {"state": "order", "rule": "rule", "organization": "organization", "reason": "reason", "by": "by"}
    sorts |= {"until": "until_day", "findings": "findings_many"}
    frame = pd.DataFrame(rows, columns=list(rows[0]) if rows else None)
    return PlainList("decisions", frame.assign(order=range(len(rows))), sorts, ("state", "kind", "organization"))


def last_day(decision: Waiver | Plan) -> date:
    """The last day on which it holds."""
    return decision.until if isinstance(decision, Plan) else decision.expires


def _called(audit: Audit, wanted: set[str]) -> dict[str, str]:
    """What the tokens are called whose ids or fingerprints these are."""
    called: dict[str, str] = {}
    for name in ("fingerprint", "token_id"):
        hit = audit.tokens[audit.tokens[name].str.lower().isin(wanted).to_numpy()]
        called |= dict(
            zip(
                convert_to_plain(hit[name].str.lower()),
                map(described, convert_to_plain(hit["description"])),
                strict=True,
            )
        )
    return called

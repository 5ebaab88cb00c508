"""What the tests of the formats share: audits worth rendering, and texts that would break a careless renderer."""

import io
from dataclasses import replace
from datetime import date, timedelta
from functools import cache
from typing import Any

import pandas as pd
from hypothesis import settings
from hypothesis import strategies as st

from credly_audit.audit.changes import CHANGES, DELTAS
from credly_audit.audit.comparison import REMOVED, RESOLVED, Comparison
from credly_audit.audit.consumers import TokenConsumer
from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.model import NOWHERE, Audit, Gate, Places
from credly_audit.audit.prior import REMEDIATED, TREND, make_typed_frame
from credly_audit.config.decision_models import Waiver
from credly_audit.config.settings import PolicySettings
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.policy.policy import Policy
from credly_audit.renderers.base import renderer
from credly_audit.rules import catalogue
from credly_audit.rules.declare import Flags
from credly_audit.snapshot import Snapshot
from tests.build import ACME, AS_OF, BETA, organization, snapshot, token

DAY = timedelta(days=1)
FULL = {"write_enabled": True, "delete_enabled": True}

FOR_MACHINES = ("csv", "sarif", "junit", "markdown", "github", "ocsf", "defectdojo", "prometheus", "ics", "json")

WAIVER = Waiver(
    rule="PRM001",
    organization=ACME,
    reason="The migration needs it.",
    approved_by="ciso@acme.example",
    approved_on=date(2026, 11, 1),
    expires=date(2027, 1, 31),
)


def rendered(name: str, audit: Audit) -> bytes:
    """The report in a format."""
    out = io.BytesIO()
    renderer(name).render(audit, out)
    return out.getvalue()


def files(name: str, audit: Audit) -> dict[str, bytes]:
    """All files of a format by suffix."""
    chosen = renderer(name)
    made = {chosen.suffix: rendered(name, audit)}
    for suffix, render in chosen.beside.items():
        out = io.BytesIO()
        render(audit, out)
        made[suffix] = out.getvalue()
    return made


def judged(
    collected: Snapshot, *, waivers: tuple[Waiver, ...] = (), gate: Gate | None = None, places: Places = NOWHERE
) -> Audit:
    """The audit of a snapshot under the default policy and these waivers."""
    audit = evaluate(collected, Policy(PolicySettings(), waivers), gate or Gate(), catalogue(), as_of=AS_OF)
    return replace(audit, generated_at=AS_OF + timedelta(hours=9), places=places)


@cache
def of_all_kinds(**options: Any) -> Audit:
    """Two organizations, one not seen; findings of every severity but info, one of them waived."""
    rows = [
        token(1, **FULL, description="Migration of the learning platform"),
        token(2, description="test"),
        token(3, expires_at=AS_OF + 3 * DAY),
        token(4, expires_at=AS_OF + 50 * DAY),
        token(5, secrets_in_description=1),
        token(6, expires_at=AS_OF - 3 * DAY),
    ]
    hidden = organization(BETA, status="failed", reason="HTTP 503, five times.")
    places = Places({ACME: ("conf/credly audit.toml", 12)}, "reports/monthly.snapshot")
    return judged(snapshot(rows, [organization(), hidden]), waivers=(WAIVER,), places=places, **options)


def with_a_past(audit: Audit | None = None) -> Audit:
    """The audit (of all kinds) held against earlier ones: one finding reopened, one unseen, two resolved."""
    audit = audit or of_all_kinds()
    statuses = ["reopened", "new", *["persisting"] * (len(audit.findings) - 3), "unseen"]
    kinds = audit.findings.frame["status"].dtype
    seen = pd.Series([AS_OF - number * DAY for number in range(len(statuses))], dtype=INSTANT)
    frame = audit.findings.frame.assign(status=pd.Categorical(statuses, dtype=kinds), first_seen_at=seen)
    findings = replace(audit.findings, frame=frame)
    violates = audit.violates & ~findings.unseen
    verdict = replace(audit.verdict, violations=int(violates.sum()))
    return replace(audit, findings=findings, violates=violates, verdict=verdict, compared=comparison())


def removed() -> pd.DataFrame:
    """An organization, with a name that would break a careless renderer, that left with two open findings."""
    return make_typed_frame(
        {
            "organization_id": ["00000000-0000-4000-8000-00000000aaaa"],
            "organization_name": ["=Gone <b>[x](y)\x1b"],
            "last_audited_at": [AS_OF - 31 * DAY],
            "open_findings": [2],
            "highest_severity": ["high"],
        },
        REMOVED,
    )


def comparison(audits: int = 3) -> Comparison:
    """What earlier audits leave: two findings resolved since the last, four remediated so far, a row an audit."""
    before = AS_OF - 31 * DAY
    resolved = pd.DataFrame(
        {
            "finding_id": ["aaaa0000bbbb1111", "cccc2222dddd3333"],
            "rule_id": ["EXP001", "GON001"],
            "severity": ["high", "low"],
            "organization_id": [ACME, ACME],
            "organization_name": ["Acme", "Acme"],
            "token_id": ["00000000-0000-4000-8000-000000000077", None],
            "description": ["=HYPERLINK(1) of the old connector", None],
            "fingerprint": ["0" * 16, None],
            "first_seen_at": [AS_OF - 93 * DAY, before],
            "resolved_at": [AS_OF, AS_OF],
            "days_open": [93, 31],
        }
    ).astype(RESOLVED)
    remediated = make_typed_frame(
        {
            "weight": [3, 3, 1],
            "opened_at": [AS_OF - 93 * DAY, AS_OF - 62 * DAY, before],
            "resolved_at": [AS_OF, before, AS_OF],
            "findings": [1, 2, 1],
        },
        REMEDIATED,
    )
    rows = [
        {"as_of": AS_OF - back * 31 * DAY, "outcome": "violations", "organizations": 2, "fully_seen": 1, "tokens": 6}
        | {"critical": 1, "high": back + 1, "medium": 1, "low": 1, "info": 0}
        | {"new": 1, "persisting": 3, "reopened": 1, "resolved": 2, "unseen": 1, "waived": 1}
        for back in reversed(range(audits))
    ]
    trend = pd.DataFrame(rows, columns=list(TREND)).astype(TREND)
    return Comparison(before, resolved, remediated, trend, removed(), {}, *changes_of(resolved))


def changes_of(resolved: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The changes since the last audit, and those of each organization, where findings were only resolved."""
    rows = resolved.assign(change="resolved", detail="no longer applies")
    changes = rows.reindex(columns=list(CHANGES)).astype(CHANGES)
    many = rows.groupby(["organization_id", "organization_name"], as_index=False).size()
    counts = dict.fromkeys(DELTAS, 0) | {"resolved": many["size"], "open_before": many["size"]}
    return changes, many.assign(**{name: counts[name] for name in list(DELTAS)[2:]})[list(DELTAS)].astype(DELTAS)


@cache
def clean() -> Audit:
    """All seen, nothing found."""
    return judged(snapshot([token(1), token(2)]))


@cache
def empty() -> Audit:
    """An organization without a token."""
    return judged(snapshot([], [organization()]))


@cache
def with_a_broken_rule() -> Audit:
    """A clean audit, but a rule that raised."""

    def raises(*_: Any) -> Flags:
        raise KeyError("nobody")

    rules = catalogue() | {"PRM001": replace(catalogue()["PRM001"], judge=raises)}
    return evaluate(
        snapshot([token(1)]),
        Policy(PolicySettings()),
        Gate(),
        rules,
        as_of=AS_OF,
        skip_broken_rules=True,
    )


@cache
def many(tokens: int) -> Audit:
    """An audit with two findings on each token."""
    rows = [token(number, **FULL, description=f"test {number}") for number in range(tokens)]
    return judged(snapshot(rows))


PIECES = (
    *("=cmd|'/c calc'!A0", "+1", "-1", "@SUM(A1)", "\t=1", ";=1", ';"=1', "\uff1d1", "\r\n=1"),
    *("<script>alert(1)</script>", "<!--", "-->", "]]>", "&lt;", "&amp;", '"', "'"),
    *("`", "```", "~~", "*", "**", "__", "|", "\\|", "[a](javascript:alert(1))", "![x](http://e.example/p)"),
    *("http://e.example/x", "www.e.example", "@octocat", "#1", "\\", "$x$", "{0}", "{{", "}"),
    *("%0A::error::", "::set-output", "##[error]", "\x00", "\x07", "\x1b[31m", "\x85", "\ufffe"),
    *("\u202e", "\u2066", "\u2028", "\u200b", "\ufeff", "é", "日本語", "🎫"),
    *("BEGIN:VEVENT", "END:VCALENDAR", ",;:\\n", "# HELP", " ", "\n", "a", "Acme"),
)

hostile = st.lists(st.sampled_from(PIECES), min_size=1, max_size=12).map("".join)
"""Texts made of what means something somewhere."""

tried = settings(deadline=None, max_examples=30)
"""How often, for each format."""


def hostile_audit(text: str) -> Audit:
    """An audit in which everything that comes from outside says `text`."""
    audit = _to_be_told()
    tokens = audit.tokens.assign(description=text, organization_name=text, owner_name=text, consumers_row=0)
    organizations = audit.organizations.assign(name=text, contact=text, reason=text)
    frame = audit.findings.frame.assign(message=text)
    found = replace(audit.findings, frame=frame, tokens=tokens, organizations=organizations)
    collected = replace(audit.snapshot, organizations=organizations)
    consumers = ((TokenConsumer(text, text),),)
    return replace(audit, snapshot=collected, tokens=tokens, findings=found, consumers=consumers)


@cache
def _to_be_told() -> Audit:
    rows = [token(1, **FULL), token(2, BETA, expires_at=AS_OF + 3 * DAY), token(3, expires_at=AS_OF + 3 * DAY)]
    return judged(snapshot(rows, [organization(), organization(BETA, status="failed")]), waivers=(WAIVER,))

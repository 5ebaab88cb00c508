"""Tries a team's templates on made-up audits that have everything, before the real one is made.

A template that fails on nothing here fails on no value that a page can show: every rule, severity, status, kind of
coverage, decision and chart is there, every text that can be missing is missing somewhere, every list is longer than
the page shows of it, and there is an audit without any of that.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any, get_args
from uuid import UUID

import numpy as np
import pandas as pd

from credly_audit.audit.changes import CHANGES, DELTAS, FINDING_CHANGES, TOKEN_CHANGES
from credly_audit.audit.comparison import REMOVED, RESOLVED, Comparison
from credly_audit.audit.consumers import TokenConsumer
from credly_audit.audit.evaluate import evaluate
from credly_audit.audit.findings import SEVERITY, Findings
from credly_audit.audit.memory import Recipient, Undelivered
from credly_audit.audit.model import Audit, Gate, Outcome
from credly_audit.audit.prior import ABOUT, REMEDIATED, TREND
from credly_audit.audit.split import split_audit
from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.presentation import Presentation
from credly_audit.config.settings import PolicySettings
from credly_audit.errors import UsageError
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.policy.apply import Decisions, JudgedPlan, JudgedWaiver, PlanState, WaiverState
from credly_audit.policy.policy import Policy
from credly_audit.policy.register_file import Register
from credly_audit.renderers.html.page import facts
from credly_audit.renderers.html.templates import OURS, templates
from credly_audit.rules import built_in, catalogue
from credly_audit.rules.facts import ENTRIES
from credly_audit.severity import Severity
from credly_audit.snapshot import (
    APPLICATIONS,
    ORGANIZATIONS,
    STATUSES,
    TOKENS,
    Header,
    Snapshot,
    conform,
)

SUFFIXES = frozenset(Path(name).suffix for name in OURS)

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
API = "https://api.credly.com/v1"

TEXTS = ("Sync of badges", None, "", "<b>&\u202e\"' =1+1 🎓" + "ä" * 500, "one\ntwo")
DAYS = (None, -400, -1, 0, 1, 20, 400)
MANY = (0, 1, None, 2, 1_234_567)

EVIDENCE = {"rotation_evidence": "string"}
ROTATIONS = ("seen", "inferred", "created", None)

NAME = "Ada <ada@x.example>"

STATUSES_OF_FINDINGS = ("new", "persisting", "reopened", "unseen", None)
"""None: without a history."""

FEW, MANY_ROWS = 3, 108


def tried(presentation: Presentation) -> None:
    """UsageError, with file and line, for a template that cannot be read or filled in."""
    folder = presentation.templates
    if folder is not None:
        _must_be_templates(folder)
    for made_up in made_up_pages(presentation):
        for _ in templates(folder).page(made_up):
            pass


def _must_be_templates(folder: Path) -> None:
    if not any((folder / name).is_file() for name in OURS):
        raise UsageError(f"[report] templates: no file in {folder} takes the place of one of {', '.join(OURS)}")
    for path in sorted(folder.rglob("*")):
        if path.suffix in SUFFIXES and path.is_file():
            try:
                path.read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
                raise UsageError(f"[report] templates: {path} cannot be read ({why})") from None


def made_up_pages(presentation: Presentation) -> Iterator[dict[str, Any]]:
    """What the templates are filled with: everything, a part of that, a first audit without a history, and nothing."""
    outcomes: tuple[Outcome, ...] = ("incomplete", "violations", "pass", "pass")
    for number, (audit, outcome) in enumerate(zip(made_up_audits(), outcomes, strict=True)):
        verdict = replace(audit.verdict, outcome=outcome)
        made_up = facts(replace(audit, verdict=verdict, presentation=presentation))
        if number == 0:  # as if each list were longer than the page shows of it
            made_up |= {"most_rows": FEW, "most_other_rows": FEW, "changes": made_up["changes"] | {"more": FEW}}
        yield made_up


@cache
def made_up_audits() -> tuple[Audit, ...]:
    """The audits of those pages."""
    everything = full()
    return everything, next(split_audit(everything, "organization")).audit, first(), bare()


def bare() -> Audit:
    """An audit of no organization."""
    return _judged(Snapshot(_header(), conform({}, TOKENS), conform({}, ORGANIZATIONS)), Policy(PolicySettings()))


def first() -> Audit:
    """An audit without a history, a decision, a register or OAuth applications, as the rules see it; some disabled."""
    header = replace(_header(), oauth_applications_asked=False)
    policy = Policy(PolicySettings(disable=("DOC", "EXP002")))
    return _judged(Snapshot(header, _tokens(FEW), _organizations(FEW)), policy)


def full() -> Audit:
    """An audit with everything."""
    snapshot = Snapshot(_header(), _tokens(MANY_ROWS), _organizations(MANY_ROWS // 2), _applications())
    settings = PolicySettings.model_validate(
        {"approvers": [NAME], "purposes": [{"pattern": ".+", "allow": ["read"]}], "disable": ["INV001"]}
    )
    audit = _judged(snapshot, Policy(settings, register=_register(snapshot)))
    tokens = audit.tokens.assign(
        rotation_evidence=_cycled(MANY_ROWS, EVIDENCE, rotation_evidence=ROTATIONS),
        consumers_row=np.arange(len(audit.tokens)) % 2 - 1,
    )
    findings = replace(_findings(audit), tokens=tokens)
    return replace(
        audit,
        tokens=tokens,
        findings=findings,
        violates=np.arange(len(findings)) % 3 == 0,
        verdict=replace(audit.verdict, violations=len(findings) // 3),
        broken={"XXX001": "ValueError at own.py:1", "DOC001": "it returned nothing"},
        consumers=((TokenConsumer("CRM <b>", "crm@x.example"), TokenConsumer("Website")),),
        decisions=_decisions(),
        compared=_comparison(),
        limitations=("A value that Credly lists was redacted from the register, row 2.",),
        undelivered=(Undelivered(Recipient("0123456789abcdef", NAME, "E-Mail"), WHEN, NAME),),
    )


def _judged(snapshot: Snapshot, policy: Policy) -> Audit:
    """As the built-in rules judge it: rules of other packages are called once only, on what is real."""
    rules = catalogue()
    ours = {rule.id: rule for rule in built_in()}
    audit = evaluate(snapshot, policy, Gate(), ours, as_of=WHEN, skip_broken_rules=True)
    return replace(audit, findings=replace(audit.findings, rules=rules))


def _header() -> Header:
    return Header(WHEN, "0", API, "0123456789abcdef", tuple(_ids(FEW)), oauth_applications_asked=True)


def _ids(many: int, kind: int = 0) -> list[str]:
    return [str(UUID(int=(kind << 64) + number + 1)) for number in range(many)]


def _cycled(many: int, dtypes: Mapping[str, Any], **columns: Sequence[Any]) -> pd.DataFrame:
    """A frame in which each column goes through its values again and again; those of coprime counts meet each other."""
    return conform(
        {name: [values[row % len(values)] for row in range(many)] for name, values in columns.items()}, dtypes
    )


def _instants(days: Sequence[int | None] = DAYS) -> list[datetime | None]:
    return [None if each is None else WHEN + timedelta(days=each) for each in days]


def _organizations(many: int) -> pd.DataFrame:
    return _cycled(
        many,
        ORGANIZATIONS,
        organization_id=_ids(many),
        name=["One", "<b>Two & Ω</b>" + "x" * 300],
        status=STATUSES,
        reason=["All was read.", None, "401: <refused>"],
        tokens=MANY,
        total_count=[None, *MANY],
        credential_kind=["token", "oauth", None],
        credential_fingerprint=[None, "0123456789abcdef"],
        credential_expires_at=_instants(),
        contact=["a@x.example", None, "Team <b>"],
        tags=["prod,edu", None, "x"],
    )


def _tokens(many: int) -> pd.DataFrame:
    """Every combination of permissions, and every text and date that may be missing; a value in two organizations."""
    flags = list(zip(*product((True, False, None), repeat=3), strict=True))
    return _cycled(
        many,
        TOKENS,
        organization_id=_ids(FEW),
        organization_name=["One"],
        token_id=_ids(many, 1),
        fingerprint=[*(f"{number:016x}" for number in range(many // 2)), None],
        description=TEXTS,
        secrets_in_description=[0, 2, None],
        read_enabled=flags[0],
        write_enabled=flags[1],
        delete_enabled=flags[2],
        created_at=_instants(),
        expires_at=_instants((0, 3, None, -3, 40, 170, 300, 900)),
        date_faults=[None, "expires_at: tomorrow"],
        owner_id=[*_ids(FEW), None],
        owner_name=["One", None],
        owner_type=["Organization", None, "User"],
        is_audit_credential=[True, False, False],
    )


def _applications() -> pd.DataFrame:
    return _cycled(
        60,
        APPLICATIONS,
        organization_id=_ids(FEW),
        application_id=_ids(60, 2),
        name=["Application", None],
        description=TEXTS,
        secrets_in_description=[0, 1, None],
        created_at=_instants(),
        updated_at=_instants((None, -3)),
        creator_available=[True, False, None],
    )


def _register(snapshot: Snapshot) -> Register:
    """It names every other token, and more organizations that nobody audits than a page lists."""
    tokens = snapshot.tokens.iloc[::2]
    many = len(tokens)
    entries = _cycled(
        many,
        ENTRIES,
        row=range(2, many + 2),
        organization_id=[*tokens["organization_id"].iloc[: many // 2], *_ids(many, 3)],
        token_id=[*tokens["token_id"].iloc[: many // 2], *_ids(many, 4)],
        owner=[NAME, None],
        purpose=TEXTS,
        read_approved=[True, False],
        write_approved=[True, False, False],
        delete_approved=[True, False, False, False, False],
        reviewed_until=_instants(),
    )
    return Register(Path("register.csv"), entries, _cycled(many, {"team": "string"}, team=TEXTS))


def _findings(audit: Audit) -> Findings:
    """Findings of every rule, with any two of its severities, statuses and decisions together somewhere.

    Those of status `unseen`, at the end, are known from an earlier audit only.
    """
    rules, severities = list(audit.rules), list(Severity)
    many = len(rules) * len(severities)
    rows = np.arange(many)
    rounds = rows // len(rules)
    severity = (rows + rounds) % len(severities)
    status = rounds % len(STATUSES_OF_FINDINGS)
    unseen = status == STATUSES_OF_FINDINGS.index("unseen")
    tokens = np.where(rows % 4 == 0, -1, rows % len(audit.tokens))
    organizations = audit.tokens["organization_id"].cat.codes.to_numpy()[tokens]
    decided = [*(each.waiver.id for each in _decisions().waivers), None]
    planned = [*(each.plan.id for each in _decisions().plans), None]
    frame = pd.DataFrame(
        {
            "finding_id": pd.array([f"{number:016x}" for number in rows], dtype="string"),
            "rule_id": pd.Categorical.from_codes(rows % len(rules), categories=rules),
            "severity": pd.Categorical.from_codes(severity, dtype=SEVERITY),
            "organization_row": organizations.astype("int32"),
            "token_row": np.where(unseen, -1, tokens).astype("int32"),
            "evidence_row": np.where(unseen, -1, 0).astype("int32"),
            "message": pd.array([TEXTS[row % len(TEXTS)] or "It is made up." for row in rows], dtype="string"),
            "due_at": _cycled(many, {"due_at": INSTANT}, due_at=_instants())["due_at"],
            "owner": pd.Categorical([("a@x.example", None, NAME)[row % 3] for row in rows]),
            "status": pd.Categorical([STATUSES_OF_FINDINGS[each] for each in status]),
            "first_seen_at": _cycled(many, {"at": INSTANT}, at=_instants((None, -400, 0)))["at"],
            "waived": rows % 5 == 0,
            "waiver_id": pd.Categorical([decided[row % len(decided)] if row % 5 == 0 else None for row in rows]),
            "plan_id": pd.Categorical([planned[row % len(planned)] if row % 5 else None for row in rows]),
            "newly": rows % 2 == 0,
            "unseen_row": np.where(unseen, np.cumsum(unseen) - 1, -1),
        }
    ).sort_values("unseen_row", kind="stable", ignore_index=True)
    elsewhere = _about(int(unseen.sum()))
    empty = pd.DataFrame(index=[0])
    evidence = {each: audit.findings.evidence.get(each, empty).reindex([0]) for each in audit.rules}
    return replace(audit.findings, frame=frame, evidence=evidence, elsewhere=elsewhere)


def _about(many: int) -> pd.DataFrame:
    return _cycled(
        many,
        ABOUT,
        finding_id=[f"{number:016x}" for number in range(many)],
        rule_id=list(catalogue()),
        organization_id=_ids(FEW),
        token_id=[*_ids(FEW, 1), None],
        description=TEXTS,
        fingerprint=[None, "0123456789abcdef"],
        weight=[severity.weight for severity in Severity],
        due_at=_instants((None, -3, 3)),
        first_seen_at=_instants((-9,)),
        opened_at=_instants((-9,)),
        seen_at=_instants((-5,)),
    )


def _decisions() -> Decisions:
    """A waiver and a plan in every state, on a token, an organization and what is not there."""
    about = {"rule": "EXP", "organization": _ids(1)[0], "reason": "A trial", "approved_on": WHEN.date()}
    on: list[dict[str, Any]] = [{"token": None}, {"token": _ids(1, 1)[0]}, {"organization": _ids(1, 9)[0]}]
    waived, planned = {"approved_by": NAME, "expires": WHEN.date()}, {"owner": NAME, "until": WHEN.date()}
    waivers = tuple(
        JudgedWaiver(Waiver.model_validate(about | where | waived | {"id": f"W-{number}"}), state, number)
        for number, (state, where) in enumerate(product(get_args(WaiverState), on))
    )
    plans = tuple(
        JudgedPlan(Plan.model_validate(about | where | planned | {"id": f"P-{number}"}), state, number)
        for number, (state, where) in enumerate(product(get_args(PlanState), on))
    )
    return Decisions(waivers, plans, {_ids(2)[1]: "W-0"})


def _comparison() -> Comparison:
    rows = MANY_ROWS
    resolved = _cycled(
        rows,
        RESOLVED,
        finding_id=[f"{number:016x}" for number in range(rows)],
        rule_id=[*catalogue(), "GONE01"],
        severity=list(Severity),
        organization_id=_ids(FEW),
        organization_name=["One", "<b>"],
        token_id=[None, *_ids(FEW, 1)],
        description=TEXTS,
        fingerprint=[None, "0123456789abcdef"],
        first_seen_at=_instants((None, -400, -1)),
        resolved_at=[WHEN],
        days_open=[0, 1, 400],
    )
    remediated = _cycled(
        len(Severity),
        REMEDIATED,
        weight=[severity.weight for severity in Severity],
        opened_at=_instants((-31, -1)),
        resolved_at=[WHEN],
        findings=[1, 2, 1_234],
    )
    many = 13
    counts = {name: [0, 1, 12, 1_234_567] for name, dtype in TREND.items() if dtype == "int64"}
    trend = _cycled(many, TREND, as_of=_instants(range(-many + 1, 1)), outcome=get_args(Outcome), **counts)
    removed = _cycled(
        len(Severity),
        REMOVED,
        organization_id=_ids(len(Severity), 5),
        organization_name=["Six", "<b>"],
        last_audited_at=_instants((-30,)),
        open_findings=[1, 2],
        highest_severity=list(Severity),
    )
    changes = _cycled(
        rows,
        CHANGES,
        change=[*TOKEN_CHANGES, *FINDING_CHANGES],
        detail=[None, "rotated", "write, delete"],
        rule_id=[None, *catalogue(), "GONE01"],
        severity=[None, *Severity],
        organization_id=_ids(FEW),
        organization_name=["One", "<b>"],
        token_id=[None, *_ids(FEW, 1)],
        description=TEXTS,
        fingerprint=[None, "0123456789abcdef"],
        finding_id=[None, *(f"{number:016x}" for number in range(rows))],
    )
    counts = {name: [0, 1, 1_234_567] for name, dtype in DELTAS.items() if dtype == "int64"}
    deltas = _cycled(FEW, DELTAS, organization_id=_ids(FEW), organization_name=["One", "<b>"], **counts)
    return Comparison(WHEN - timedelta(days=31), resolved, remediated, trend, removed, {}, changes, deltas)

"""Judges a snapshot by a policy: the findings, and a verdict that never calls clean what was not seen."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime

import numpy as np
import pandas as pd

from credly_audit.audit import finding_status, rotation
from credly_audit.audit.comparison import compared, line
from credly_audit.audit.findings import Findings
from credly_audit.audit.gate import counted, decided
from credly_audit.audit.model import NOWHERE, Audit, Gate, Places
from credly_audit.audit.prior import Baseline, Past
from credly_audit.audit.rotation import with_rotation
from credly_audit.audit.run_rules import Flagging
from credly_audit.audit.unseen import with_unseen
from credly_audit.instant_columns import keep_within
from credly_audit.patterns.search import Deadline
from credly_audit.policy.apply import Decisions, applied
from credly_audit.policy.policy import Policy
from credly_audit.rules import unloadable
from credly_audit.rules.declare import Rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.lending import seal
from credly_audit.severity import Severity
from credly_audit.snapshot import Snapshot


def judge(
    snapshot: Snapshot,
    policy: Policy,
    gate: Gate,
    rules: Mapping[str, Rule],
    *,
    as_of: datetime,
    generated_at: datetime,
    skip_broken_rules: bool = False,
    places: Places = NOWHERE,
    past: Past | None = None,
    baseline: Baseline | None = None,
) -> Audit:
    """Every enabled rule over the whole snapshot; BrokenRule where one raises, unless it may be skipped.

    `past` are the audits before as_of, where there is a history; a baseline serves `Gate.new_only`, and tells what is
    new where there is no history.
    """
    organizations = snapshot.organizations
    before = None if past is None else rotation.before(past, snapshot.tokens, snapshot.header.fingerprint_key)
    tokens = with_rotation(snapshot.tokens, pd.Timestamp(as_of), before)
    tokens["organization_id"] = tokens["organization_id"].cat.set_categories(organizations["organization_id"])
    deadline = Deadline()
    allowances = policy.allowances(tokens, organizations, as_of, deadline)
    tokens["register_row"] = allowances.pop("register_row")
    facts = seal(
        Facts(
            pd.concat([tokens, allowances], axis=1),
            organizations,
            pd.Timestamp(as_of),
            pd.Timestamp(snapshot.header.collected_at),
            policy.settings.audit_every_days,
            register=None if policy.register is None else policy.register.placed(tokens, organizations),
            applications=placed(snapshot.applications, organizations),
            before=before,
            fully_seen_before=None if past is None else rotation.fully_seen_before(past, organizations),
            deadline=deadline,
        )
    )
    flagging = Flagging(policy.variants(organizations), skip_broken_rules, broken=dict(unloadable()))
    flagging.run((rule for rule in rules.values() if rule.family != "WVR"), facts)
    silent = said_nothing(snapshot, rules, flagging.broken)
    decisions, frame = with_decisions(flagging, facts, policy, rules, silent)
    standing = finding_status.Standing.of(frame["finding_id"], past, baseline)
    frame = standing.told(frame.assign(owner=owners(frame, facts)), facts.as_of)
    sight = finding_status.Sight.of(policy, tokens, organizations, rules, silent)
    resolved, elsewhere = standing.absent(sight, rules)
    frame = with_unseen(frame, elsewhere, tokens, organizations, policy=policy, as_of=facts.as_of)
    frame = in_order(frame, policy, as_of)
    findings = Findings(frame, flagging.evidence, tokens, organizations, rules, elsewhere)
    violates = counted(frame, gate.fail_on)
    if gate.new_only:
        violates &= frame["newly"].to_numpy()
    accepted = tuple(decisions.accepted)
    verdict = decided(organizations, int(violates.sum()), gate, accepted, broken=bool(flagging.broken))
    now = line(
        frame,
        organizations,
        resolved=len(resolved),
        tokens=len(tokens),
        outcome=verdict.outcome,
        as_of=facts.as_of,
    )
    return Audit(
        snapshot,
        policy,
        gate,
        as_of,
        generated_at,
        tokens,
        findings,
        violates,
        verdict,
        flagging.broken,
        places,
        decisions,
        compared(
            past,
            resolved,
            organizations,
            now,
            removed=finding_status.removed_from_scope(past, policy, organizations, sight),
            as_of=facts.as_of,
        ),
    )


def placed(applications: pd.DataFrame, organizations: pd.DataFrame) -> pd.DataFrame:
    """The OAuth applications, each with the position of its organization as `organization_row`."""
    rows = pd.Index(organizations["organization_id"]).get_indexer(applications["organization_id"])
    return applications.assign(organization_row=rows.astype("int64"))


def said_nothing(snapshot: Snapshot, rules: Mapping[str, Rule], broken: Collection[str]) -> frozenset[str]:
    """The rules from whose silence nothing follows: those that raised, and those on what was not asked for."""
    unasked = () if snapshot.header.oauth_applications_asked else (each for each in rules if each.startswith("OAU"))
    return frozenset({*broken, *unasked})


def with_decisions(
    flagging: Flagging, facts: Facts, policy: Policy, rules: Mapping[str, Rule], silent: Collection[str]
) -> tuple[Decisions, pd.DataFrame]:
    """The decisions as they stand, and all findings with them: those on waivers past their date, too."""
    known = {*rules, *(rule_id[:3] for rule_id in rules)}
    absent = {each.rule for each in (*policy.waivers, *policy.plans)} - known
    outcome = applied(
        flagging.together(),
        facts.tokens,
        facts.organizations,
        policy.waivers,
        policy.plans,
        as_of=facts.as_of,
        next_audit=policy.next_audit,
        broken={*silent, *absent},
    )
    lapsing = Flagging(flagging.variants, flagging.skip_broken_rules)
    lapsing.run((rule for rule in rules.values() if rule.family == "WVR"), seal(replace(facts, lapses=outcome.lapses)))
    flagging.evidence |= lapsing.evidence
    flagging.broken |= lapsing.broken
    if not any(map(len, lapsing.parts.values())):
        return outcome.decisions, outcome.findings
    lapses = lapsing.together()
    rule_ids = [*outcome.findings["rule_id"].cat.categories, *lapsing.parts]
    frames = [
        frame.assign(rule_id=frame["rule_id"].cat.set_categories(rule_ids)) for frame in (outcome.findings, lapses)
    ]
    frame = pd.concat(frames, ignore_index=True)
    return outcome.decisions, frame.assign(
        waived=frame["waived"].fillna(value=False).astype(bool),
        waiver_id=frame["waiver_id"].astype(outcome.findings["waiver_id"].dtype),
        plan_id=frame["plan_id"].astype(outcome.findings["plan_id"].dtype),
    )


def owners(frame: pd.DataFrame, facts: Facts) -> pd.Categorical:
    """For each finding whom to ask: whom the rule says, else the token's owner in the register, else the contact."""
    registered = facts.register_entries["owner"]
    contacts = facts.organizations["contact"]
    names = pd.concat([frame["owner"].dropna(), registered, contacts]).dropna().unique()
    said, theirs, asked = (
        pd.Categorical(each, categories=names).codes for each in (frame["owner"], registered, contacts)
    )
    rows = np.append(facts.tokens["register_row"].to_numpy(), -1)[frame["token_row"]]
    codes = np.append(theirs, -1)[rows]
    codes = np.where(codes < 0, asked[frame["organization_row"]], codes)
    return pd.Categorical.from_codes(np.where(said < 0, codes, said), categories=names)


def in_order(frame: pd.DataFrame, policy: Policy, as_of: datetime) -> pd.DataFrame:
    """The findings with their due dates: worst first, then by due date, organization, token and rule; unseen ones last.

    A finding is due so long after it was first seen, without a history after as_of.
    """
    weights = frame["severity"].cat.codes.to_numpy()
    dues = [policy.due_within(severity) for severity in Severity]
    days = pd.Series([pd.NaT if within is None else within for within in dues], dtype="timedelta64[us]")
    due = keep_within(frame["first_seen_at"].fillna(as_of) + days.take(weights).set_axis(frame.index))
    frame["due_at"] = frame["due_at"].fillna(due)
    due_order = frame["due_at"].dt.tz_localize(None).to_numpy()
    rows = (frame["token_row"].to_numpy(), frame["organization_row"].to_numpy())
    codes = frame["rule_id"].cat.codes.to_numpy()
    unseen = frame["unseen_row"].to_numpy() >= 0
    return frame.take(np.lexsort((codes, *rows, due_order, -weights, unseen))).reset_index(drop=True)

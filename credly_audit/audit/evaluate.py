"""Evaluate a snapshot by a policy: run the rules, apply decisions, compare with earlier audits, reach a verdict.

Each stage is one function with a result of its own. None of them counts as compliant what was not collected.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from credly_audit.audit.comparison import compare
from credly_audit.audit.consumers import ConsumerSet, find_consumers, name_consumers
from credly_audit.audit.finding_status import add_status
from credly_audit.audit.findings import Findings
from credly_audit.audit.gate import enforce_policy
from credly_audit.audit.model import Audit, Gate
from credly_audit.audit.prior import NO_PRIOR, Prior, find_positions_of_ids, make_empty_frame
from credly_audit.audit.rotation import add_rotation, recall_completeness, recall_tokens
from credly_audit.audit.run_rules import Flagging
from credly_audit.audit.succession_model import place_successions
from credly_audit.audit.unseen import Scope, add_unassessed, find_absent, find_silent_rules
from credly_audit.instants.instant_columns import INSTANT, keep_within
from credly_audit.patterns.search import Deadline
from credly_audit.policy.apply import Decisions, apply_decisions
from credly_audit.policy.policy import Policy
from credly_audit.rules import unloadable
from credly_audit.rules.declare import Rule
from credly_audit.rules.facts import SUCCESSIONS, Facts
from credly_audit.rules.lending import seal
from credly_audit.severity import Severity
from credly_audit.snapshot import Snapshot


def evaluate(
    snapshot: Snapshot,
    policy: Policy,
    gate: Gate,
    rules: Mapping[str, Rule],
    *,
    as_of: datetime,
    prior: Prior = NO_PRIOR,
    skip_broken_rules: bool = False,
) -> Audit:
    """Return the audit of a snapshot; BrokenRule where a rule raises, unless such rules may be skipped."""
    recalled = recall_past(snapshot, prior)
    known = gather_facts(snapshot, policy, recalled, as_of)
    flagged = run_rules(rules, policy, known.facts, skip_broken_rules=skip_broken_rules)
    decided = decide(flagged, known.facts, policy, snapshot, prior)
    tracked = add_status(decided.findings, prior, known.facts)
    scope = Scope.of(policy, known.tokens, snapshot.organizations, rules, decided.silent)
    absent = find_absent(tracked, prior, scope, rules)
    frame = order_findings(add_unassessed(tracked.findings, absent.unassessed, known.facts, policy), policy, as_of)
    enforced = enforce_policy(frame, snapshot.organizations, gate, decided.decisions, broken=bool(flagged.broken))
    return Audit(
        snapshot,
        policy,
        gate,
        as_of,
        as_of,
        known.tokens,
        Findings(frame, flagged.evidence, known.tokens, snapshot.organizations, rules, absent.unassessed),
        enforced.violates,
        enforced.verdict,
        flagged.broken,
        consumers=known.consumers,
        decisions=decided.decisions,
        compared=compare(
            prior.past,
            frame,
            known.facts,
            policy,
            resolved=absent.resolved,
            outcome=enforced.verdict.outcome,
            full_scope=scope.full_scope,
        ),
    )


@dataclass(frozen=True, slots=True)
class Recalled:
    """What earlier audits knew of the tokens and organizations of a snapshot; None: there is no history."""

    tokens: pd.DataFrame | None
    complete_at: pd.Series | None
    successions: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Known:
    """What rules may read, and the tokens as reports show them."""

    facts: Facts
    tokens: pd.DataFrame
    consumers: tuple[ConsumerSet, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """The findings of all rules with what was decided on them, and the decisions as this audit finds them."""

    findings: pd.DataFrame
    decisions: Decisions
    silent: Collection[str]
    """Rules from whose silence nothing follows."""


def recall_past(snapshot: Snapshot, prior: Prior) -> Recalled:
    """Look up what earlier audits knew of a snapshot's tokens and organizations."""
    if prior.past is None:
        return Recalled(None, None, make_empty_frame(SUCCESSIONS))
    return Recalled(
        recall_tokens(prior.past, snapshot.tokens, snapshot.header.fingerprint_key),
        recall_completeness(prior.past, snapshot.organizations),
        prior.past.successions,
    )


def gather_facts(snapshot: Snapshot, policy: Policy, recalled: Recalled, as_of: datetime) -> Known:
    """Gather all that rules may read, sealed against changes."""
    organizations = snapshot.organizations
    tokens = add_rotation(snapshot.tokens, pd.Timestamp(as_of), recalled.tokens)
    tokens["organization_id"] = tokens["organization_id"].cat.set_categories(organizations["organization_id"])
    deadline = Deadline()
    allowances = policy.allowances(tokens, organizations, as_of, deadline)
    tokens["register_row"] = allowances.pop("register_row")
    successions = place_successions(recalled.successions, tokens, pd.Timestamp(as_of))
    consumers = find_consumers(policy, tokens, organizations, successions)
    tokens["consumers_row"] = consumers.rows
    application_rows = pd.Index(organizations["organization_id"]).get_indexer(snapshot.applications["organization_id"])
    facts = Facts(
        pd.concat([tokens, allowances], axis=1),
        organizations,
        pd.Timestamp(as_of),
        pd.Timestamp(snapshot.header.collected_at),
        policy.settings.audit_every_days,
        register=None if policy.register is None else policy.register.placed(tokens, organizations),
        applications=snapshot.applications.assign(organization_row=application_rows.astype("int64")),
        before=recalled.tokens,
        fully_seen_before=recalled.complete_at,
        successions=successions,
        consumers=tuple(map(name_consumers, consumers.sets)),
        deadline=deadline,
    )
    return Known(seal(facts), tokens, consumers.sets)


def run_rules(rules: Mapping[str, Rule], policy: Policy, facts: Facts, *, skip_broken_rules: bool) -> Flagging:
    """Run every enabled rule but those on decisions, which follow from what the others find."""
    flagged = Flagging(policy.variants(facts.organizations), rules, skip_broken_rules, broken=dict(unloadable()))
    flagged.run((rule for rule in rules.values() if rule.family != "WVR"), facts)
    return flagged


def decide(flagged: Flagging, facts: Facts, policy: Policy, snapshot: Snapshot, prior: Prior) -> Decided:
    """Apply the decisions to the findings, and add those of the rules on waivers that expired.

    `flagged` takes in the evidence of these rules, and what they raise.
    """
    rules = flagged.rules
    silent = find_silent_rules(snapshot, rules, flagged.broken)
    unknown = {each.rule for each in (*policy.waivers, *policy.plans)}.difference(
        rules, (rule.family for rule in rules.values())
    )
    found = add_owners(flagged.together(), facts)
    outcome = apply_decisions(
        found,
        facts.tokens.assign(escalated_at=find_escalations(found, prior, facts)),
        facts.organizations,
        policy.waivers,
        policy.plans,
        as_of=facts.as_of,
        next_audit=policy.next_audit,
        broken={*silent, *unknown},
        four_eyes=policy.settings.four_eyes,
    )
    lapsing = Flagging(flagged.variants, rules, flagged.skip_broken_rules)
    lapsing.run((rule for rule in rules.values() if rule.family == "WVR"), seal(replace(facts, lapses=outcome.lapses)))
    flagged.evidence |= lapsing.evidence
    flagged.broken |= lapsing.broken
    findings = add_undecided(outcome.findings, lapsing.together())
    return Decided(add_owners(findings, facts), outcome.decisions, silent)


def find_escalations(found: pd.DataFrame, prior: Prior, facts: Facts) -> pd.Series:
    """Return since when each token has more permissions than before, as far as CHG001 found that (null: it did not)."""
    since = pd.Series(pd.NaT, facts.tokens.index, dtype=INSTANT)
    gained = found[(found["rule_id"] == "CHG001").to_numpy(dtype=bool)]
    if gained.empty or prior.past is None:
        return since
    known = prior.past.findings
    places = find_positions_of_ids(gained["finding_id"], known["finding_id"])
    first = known["first_seen_at"].reindex(np.where(places < 0, len(known), places)).fillna(facts.as_of)
    since.iloc[gained["token_row"].to_numpy()] = first.to_numpy()
    return since


def add_undecided(findings: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Return the findings and, after them, more that no decision is on."""
    if more.empty:
        return findings
    rule_ids = [*findings["rule_id"].cat.categories, *more["rule_id"].cat.categories]
    frames = [frame.assign(rule_id=frame["rule_id"].cat.set_categories(rule_ids)) for frame in (findings, more)]
    both = pd.concat(frames, ignore_index=True)
    return both.assign(
        waived=both["waived"].fillna(value=False).astype(bool),
        waiver_id=both["waiver_id"].astype(findings["waiver_id"].dtype),
        plan_id=both["plan_id"].astype(findings["plan_id"].dtype),
    )


def add_owners(frame: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Return the findings with `owner`: the one that the rule names, else the register's, else the contact."""
    registered = facts.register_entries["owner"]
    contacts = facts.organizations["contact"]
    names = pd.concat([frame["owner"].dropna(), registered, contacts]).dropna().unique()
    said, theirs, asked = (
        pd.Categorical(each, categories=names).codes for each in (frame["owner"], registered, contacts)
    )
    rows = np.append(facts.tokens["register_row"].to_numpy(), -1)[frame["token_row"]]
    codes = np.append(theirs, -1)[rows]
    codes = np.where(codes < 0, asked[frame["organization_row"]], codes)
    return frame.assign(owner=pd.Categorical.from_codes(np.where(said < 0, codes, said), categories=names))


def order_findings(frame: pd.DataFrame, policy: Policy, as_of: datetime) -> pd.DataFrame:
    """Return the findings with due dates, worst first, then by due date, organization, token, rule; unseen ones last.

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

"""Judges a snapshot by a policy: the findings, and a verdict that never calls clean what was not seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd

from credly_audit.errors import BrokenRule, ExitCode
from credly_audit.findings import NO_FINDINGS, Findings, compact
from credly_audit.policy import Policy
from credly_audit.rules.declare import Rule
from credly_audit.rules.facts import Facts
from credly_audit.severity import Severity
from credly_audit.snapshot import INSTANT, TOKENS, Snapshot

LIFETIME = timedelta(days=180)
"""How long Credly lets a value live, from its making or its rotation ([DOC] authorization tokens)."""

AUDITED_TOKENS = TOKENS | {"last_rotated_at": INSTANT, "rotation_evidence": "string"}

COVERAGE_RULES = frozenset({"COV001", "COV002", "COV003", "COV004"})
"""What they flag has a gate of its own and never counts for `--fail-on`."""

Outcome = Literal["pass", "violations", "incomplete"]


@dataclass(frozen=True, slots=True)
class Gate:
    """What makes an audit fail: severities, rule ids, families or `never`; and whether a part may be unseen."""

    fail_on: tuple[str, ...] = (Severity.HIGH,)
    allow_partial: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the audit ends; `violations` is how many findings the gate counts, `not_seen` the organizations' ids."""

    outcome: Outcome
    exit_code: ExitCode
    violations: int
    not_seen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Places:
    """Where a report that points at files points: an organization's file and line, else line 1 of the snapshot.

    Paths are relative to the working directory, as the tool was given them.
    """

    organizations: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    snapshot: str = "credly-audit.snapshot"

    def of(self, organization_id: str) -> tuple[str, int]:
        """The file and the line, from 1 on."""
        return self.organizations.get(organization_id, (self.snapshot, 1))


NOWHERE = Places()
"""Where no file is known."""


@dataclass(frozen=True, slots=True)
class Audit:
    """A snapshot and what a policy says of it, at one instant.

    `tokens` has the columns AUDITED_TOKENS; `broken` names the rules that raised and were skipped, with what they said.
    """

    snapshot: Snapshot
    policy: Policy
    gate: Gate
    as_of: datetime
    generated_at: datetime
    tokens: pd.DataFrame
    findings: Findings
    violates: np.ndarray
    """Which findings the gate counts (bool, a value a finding)."""
    verdict: Verdict
    broken: Mapping[str, str]
    places: Places = NOWHERE

    @property
    def organizations(self) -> pd.DataFrame:
        """The snapshot's organizations, in the order in which they were asked."""
        return self.snapshot.organizations

    @property
    def rules(self) -> Mapping[str, Rule]:
        """The catalogue that judged, disabled rules included."""
        return self.findings.rules


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
) -> Audit:
    """Every enabled rule over the whole snapshot; BrokenRule where one raises, unless it may be skipped."""
    organizations = snapshot.organizations
    tokens = with_rotation(snapshot.tokens, pd.Timestamp(as_of))
    tokens["organization_id"] = tokens["organization_id"].cat.set_categories(organizations["organization_id"])
    facts = Facts(
        pd.concat([tokens, policy.approvals(tokens)], axis=1),
        organizations,
        pd.Timestamp(as_of),
        pd.Timestamp(snapshot.header.collected_at),
        policy.settings.audit_every_days,
    )
    broken: dict[str, str] = {}
    parts: dict[str, pd.DataFrame] = {}
    evidence: dict[str, pd.DataFrame] = {}
    for rule in filter(policy.enabled, rules.values()):
        try:
            flags = rule.judge(facts, policy.options(rule))
            parts[rule.id] = compact(rule, flags, policy.severity(rule), tokens, organizations)
        except Exception as error:  # a rule is anybody's code: whatever it raises, what it would find is not known
            if not skip_broken_rules:
                raise BrokenRule(broken_rule(rule, error)) from error
            broken[rule.id] = f"{type(error).__name__}: {error}"
        else:
            evidence[rule.id] = flags.evidence
    frame = in_order(parts, policy, as_of)
    findings = Findings(frame, evidence, tokens, organizations, rules)
    violates = counted(frame, gate.fail_on)
    verdict = decided(organizations, int(violates.sum()), gate, broken=bool(broken))
    return Audit(snapshot, policy, gate, as_of, generated_at, tokens, findings, violates, verdict, broken, places)


def broken_rule(rule: Rule, error: Exception) -> str:
    """One line that names the rule, what it raised and the way round it."""
    return (
        f"rule {rule.id} ({rule.name}) is broken: {type(error).__name__}: {error}; nothing can be said of what it "
        "would have found. --skip-broken-rules goes on without it, and the audit is then incomplete"
    )


def with_rotation(tokens: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """The tokens with `last_rotated_at` and `rotation_evidence`.

    Rotation keeps id and created_at and sets expires_at 180 days ahead, so an expiry that fits no creation tells when.
    """
    created, rotated = tokens["created_at"], tokens["expires_at"] - LIFETIME
    inferred = ((rotated > created + timedelta(days=1)) & (rotated <= as_of)).to_numpy()
    evidence = pd.Series(np.where(inferred, "inferred", "created"), tokens.index, dtype="string")
    return tokens.assign(
        last_rotated_at=rotated.where(inferred, created).astype(INSTANT),
        rotation_evidence=evidence.where(inferred | created.notna()),
    )


def in_order(parts: Mapping[str, pd.DataFrame], policy: Policy, as_of: datetime) -> pd.DataFrame:
    """The findings of all rules in one frame: worst first, then by due date, organization, token and rule."""
    rule_ids = pd.CategoricalDtype(list(parts))
    codes = np.repeat(np.arange(len(parts)), [len(part) for part in parts.values()])
    frame = pd.concat([NO_FINDINGS, *parts.values()], ignore_index=True)
    frame["rule_id"] = pd.Categorical.from_codes(codes, dtype=rule_ids)
    weights = frame["severity"].cat.codes.to_numpy()
    dues = [policy.due_within(severity) for severity in Severity]
    due = pd.Series([pd.NaT if within is None else as_of + within for within in dues], dtype=INSTANT)
    frame["due_at"] = frame["due_at"].fillna(due.take(weights).set_axis(frame.index))
    frame["status"] = pd.Categorical([None] * len(frame), categories=["new", "persisting", "reopened", "unseen"])
    frame["first_seen_at"] = pd.Series(pd.NaT, frame.index, dtype=INSTANT)
    frame["waived"] = False
    frame["waiver_id"] = pd.Categorical([None] * len(frame), categories=[])
    due_order = frame["due_at"].dt.tz_localize(None).to_numpy()
    rows = (frame["token_row"].to_numpy(), frame["organization_row"].to_numpy())
    return frame.take(np.lexsort((codes, *rows, due_order, -weights))).reset_index(drop=True)


def counted(frame: pd.DataFrame, fail_on: Sequence[str]) -> np.ndarray:
    """Which findings (rows of `Findings.frame`) make the gate fail."""
    rule_ids = frame["rule_id"].astype(object).to_numpy(dtype=str)
    hit = np.zeros(len(frame), dtype=bool)
    for selector in fail_on:
        if selector in set(Severity):
            hit |= frame["severity"].cat.codes.to_numpy() >= Severity(selector).weight
        elif selector != "never":
            hit |= np.char.startswith(rule_ids, selector)
    return hit & ~np.isin(rule_ids, list(COVERAGE_RULES)) & ~frame["waived"].to_numpy(dtype=bool)


def decided(organizations: pd.DataFrame, violations: int, gate: Gate, *, broken: bool) -> Verdict:
    """The verdict; where several exit codes hold, an incomplete audit outweighs violations."""
    not_seen = tuple(organizations.loc[organizations["status"] != "complete", "organization_id"])
    outcome: Outcome = "incomplete" if not_seen or broken else "violations" if violations else "pass"
    if broken or (not_seen and not gate.allow_partial):
        code = ExitCode.INCOMPLETE
    else:
        code = ExitCode.VIOLATIONS if violations else ExitCode.OK
    return Verdict(outcome, code, violations, not_seen)

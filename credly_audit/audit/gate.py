"""Enforce policy: which findings make an audit fail, and its verdict."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credly_audit.audit.model import Gate, Outcome, Verdict
from credly_audit.config.settings import is_disabled
from credly_audit.errors import ExitCode, UsageError
from credly_audit.policy.apply import COVERAGE, Decisions
from credly_audit.rules import may_be_unloadable
from credly_audit.severity import Severity

COVERAGE_RULES = frozenset(COVERAGE.values())
"""What they flag has a gate of its own and never counts for `--fail-on`."""


@dataclass(frozen=True, slots=True)
class Enforced:
    """Which findings the gate counts (bool, a value a finding), and how the audit ends."""

    violates: np.ndarray
    verdict: Verdict


def enforce_policy(
    frame: pd.DataFrame, organizations: pd.DataFrame, gate: Gate, decisions: Decisions, *, broken: bool
) -> Enforced:
    """Find the violations among the findings (rows of `Findings.frame`), and reach a verdict."""
    violates = find_violations(frame, gate.fail_on)
    if gate.new_only:
        violates &= frame["newly"].to_numpy()
    return Enforced(violates, reach_verdict(organizations, int(violates.sum()), gate, decisions, broken=broken))


def find_violations(frame: pd.DataFrame, fail_on: Sequence[str]) -> np.ndarray:
    """Mark the findings that make the gate fail."""
    rule_ids = frame["rule_id"].astype(object).to_numpy(dtype=str)
    hit = np.zeros(len(frame), dtype=bool)
    for selector in fail_on:
        if selector in set(Severity):
            hit |= frame["severity"].cat.codes.to_numpy() >= Severity(selector).weight
        elif selector != "never":
            hit |= np.char.startswith(rule_ids, selector)
    here = frame["unseen_row"].to_numpy() < 0
    return hit & here & ~np.isin(rule_ids, list(COVERAGE_RULES)) & ~frame["waived"].to_numpy(dtype=bool)


def reach_verdict(
    organizations: pd.DataFrame, violations: int, gate: Gate, decisions: Decisions, *, broken: bool
) -> Verdict:
    """Return the verdict; where several exit codes hold, an incomplete audit outweighs violations."""
    not_seen = tuple(organizations.loc[organizations["status"] != "complete", "organization_id"])
    waived = tuple(each for each in not_seen if each.lower() in decisions.accepted)
    open_ones = len(not_seen) > len(waived)
    outcome: Outcome = "incomplete" if open_ones or broken else "violations" if violations else "pass"
    if broken or (open_ones and not gate.allow_partial):
        code = ExitCode.INCOMPLETE
    else:
        code = ExitCode.VIOLATIONS if violations else ExitCode.OK
    return Verdict(outcome, code, violations, not_seen, waived)


def check_gate(selectors: Sequence[str], rule_ids: Sequence[str], disabled: Sequence[str]) -> tuple[str, ...]:
    """Return the selectors of `--fail-on`; UsageError for one that is unknown, naming the closest, or disabled."""
    known = {*Severity, *rule_ids, *(rule_id[:3] for rule_id in rule_ids), "never"}
    for selector in selectors:
        if selector not in known and not may_be_unloadable(selector):
            near = difflib.get_close_matches(selector, known, 1, 0.5)
            hint = f"; did you mean {near[0]}?" if near else "; name a severity, a rule, a family or never"
            raise UsageError(f"--fail-on {selector}: no severity, rule or family of that name{hint}")
        if is_disabled(selector, disabled):
            raise UsageError(f"--fail-on {selector}: turned off by [policy] disable; name another, or enable it")
    return tuple(selectors)

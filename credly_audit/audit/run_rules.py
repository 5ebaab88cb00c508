"""Runs the rules, each once for every different set of options that the policy's overrides give it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from credly_audit.audit.findings import NO_FINDINGS, compact
from credly_audit.errors import BrokenRule
from credly_audit.policy.policy import Variant
from credly_audit.rules import built_in
from credly_audit.rules.declare import Flags, Options, Rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.guard import Failure, contain
from credly_audit.rules.lending import Loan
from credly_audit.rules.output import check_flags


@dataclass(slots=True)
class Flagging:
    """What the rules have flagged so far; `parts` and `evidence` by rule, `broken`: what a skipped rule raised."""

    variants: list[Variant]
    skip_broken_rules: bool
    parts: dict[str, pd.DataFrame] = field(default_factory=dict)
    evidence: dict[str, pd.DataFrame] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def run(self, rules: Iterable[Rule], facts: Facts) -> None:
        """Every rule that some organization has enabled; BrokenRule where one raises, unless it may be skipped."""
        for rule in rules:
            groups = self._groups(rule)
            if not groups:
                continue
            try:
                with contain():
                    self._run(rule, groups, facts)
            except Failure as failure:  # what the rule would have found is not known
                if not self.skip_broken_rules:
                    raise BrokenRule(broken_rule(rule, failure)) from failure
                self.broken[rule.id] = str(failure)

    def _groups(self, rule: Rule) -> list[tuple[Options, list[Variant]]]:
        """The variants in which the rule is enabled, together where its options are the same."""
        groups: list[tuple[Options, list[Variant]]] = []
        for variant in self.variants:
            if variant.policy.enabled(rule):
                options = variant.policy.options(rule)
                same = next((members for known, members in groups if known == options), None)
                if same is None:
                    groups.append((options, [variant]))
                else:
                    same.append(variant)
        return groups

    def _run(self, rule: Rule, groups: list[tuple[Options, list[Variant]]], facts: Facts) -> None:
        parts: list[pd.DataFrame] = []
        seen: list[pd.DataFrame] = []
        for options, variants in groups:
            flags = flags_of(rule, facts, options)
            whole = len(self.variants) == 1
            severity = variants[0].policy.severity(rule) if whole else None
            part = compact(rule, flags, severity, facts.tokens, facts.organizations)
            part["evidence_row"] += sum(len(evidence) for evidence in seen)
            parts.append(part if whole else _kept(rule, part, variants))
            seen.append(flags.evidence)
        self.parts[rule.id] = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
        self.evidence[rule.id] = pd.concat(seen, ignore_index=True) if len(seen) > 1 else seen[0]

    def together(self) -> pd.DataFrame:
        """All that was flagged in one frame, rule after rule, with `rule_id` (category)."""
        codes = np.repeat(np.arange(len(self.parts)), [len(part) for part in self.parts.values()])
        frame = pd.concat([NO_FINDINGS, *self.parts.values()], ignore_index=True)
        frame["rule_id"] = pd.Categorical.from_codes(codes, categories=list(self.parts))
        return frame


def _kept(rule: Rule, part: pd.DataFrame, variants: list[Variant]) -> pd.DataFrame:
    """The findings on the variants' organizations, with the severity that each variant gives the rule."""
    places = part["organization_row"].to_numpy()
    for variant in variants:
        severity = variant.policy.severity(rule)
        if severity is not None:
            part.loc[variant.members[places], "severity"] = severity
    return part[np.logical_or.reduce([variant.members[places] for variant in variants])]


def flags_of(rule: Rule, facts: Facts, options: Options) -> Flags:
    """Return what a rule flags, checked; BrokenRule where it changed the facts, or returned what no report can hold.

    The facts are sealed. A rule of another package gets a loan of them, so that not even their wrapping is shared.
    """
    if any(rule is each for each in built_in()):
        return check_flags(rule, rule.judge(facts, options), facts)
    loan = Loan.of(facts)
    flags = rule.judge(loan.facts, options)
    change = loan.change()
    if change is not None:
        raise BrokenRule(f"changed {change}; facts are shared and read-only: change a copy()")
    return check_flags(rule, flags, facts)


def broken_rule(rule: Rule, failure: Failure) -> str:
    """One line that names the rule, what it raised and the way round it."""
    return (
        f"rule {rule.id} ({rule.name}) is broken: {failure}; nothing can be said of what it "
        "would have found. --skip-broken-rules goes on without it, and the audit is then incomplete"
    )

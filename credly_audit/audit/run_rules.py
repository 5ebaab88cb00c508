"""Runs the rules, each once for every different set of options that the policy's overrides give it."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from credly_audit.audit.findings import NO_FINDINGS, SEVERITY, pack_flags
from credly_audit.errors import BrokenRule
from credly_audit.patterns.search import TooSlow
from credly_audit.policy.policy import Variants
from credly_audit.rules import is_built_in
from credly_audit.rules.declare import Flags, OptionColumns, Options, Rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.guard import Failure, contain
from credly_audit.rules.lending import Loan
from credly_audit.rules.output import check_flags


@dataclass(slots=True)
class Flagging:
    """What the rules have flagged so far; `parts` and `evidence` by rule, `broken`: what a skipped rule raised."""

    variants: Variants
    rules: Mapping[str, Rule]
    """The catalogue."""
    skip_broken_rules: bool
    parts: dict[str, pd.DataFrame] = field(default_factory=dict)
    evidence: dict[str, pd.DataFrame] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def run(self, rules: Iterable[Rule], facts: Facts) -> None:
        """Run every rule that some organization enables; BrokenRule where one raises, unless it may be skipped."""
        for rule in rules:
            try:
                with contain():
                    self._run(rule, facts)
            except Failure as failure:  # what the rule would have found is not known
                if not self.skip_broken_rules and isinstance(failure.__cause__, TooSlow):
                    raise failure.__cause__ from None
                if not self.skip_broken_rules:
                    raise BrokenRule(describe_broken_rule(rule, failure)) from failure
                self.broken[rule.id] = str(failure)

    def _run(self, rule: Rule, facts: Facts) -> None:
        parts: list[pd.DataFrame] = []
        seen: list[pd.DataFrame] = []
        for options, theirs in self._group_organizations(rule, facts):
            flags = run_rule(rule, facts, options)
            part = pack_flags(rule, flags, facts.tokens, facts.organizations)
            part["evidence_row"] += sum(len(evidence) for evidence in seen)
            parts.append(part[theirs[part["organization_row"]]])
            seen.append(flags.evidence)
        if parts:
            found = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
            self.parts[rule.id] = self._weigh(rule, found)
            self.evidence[rule.id] = pd.concat(seen, ignore_index=True) if len(seen) > 1 else seen[0]

    def _group_organizations(self, rule: Rule, facts: Facts) -> Iterator[tuple[Any, np.ndarray]]:
        """Yield the options to run the rule with, and the organizations (bool) for which its findings then count."""
        different, numbers = self._find_options(rule)
        if rule.by_row and different:
            of_row = numbers if rule.subject == "organization" else numbers[facts.organization_rows]
            yield OptionColumns(tuple(different), of_row), numbers >= 0
        else:
            yield from ((options, numbers == number) for number, options in enumerate(different))

    def _find_options(self, rule: Rule) -> tuple[list[Options], np.ndarray]:
        """Return the different options of the rule, and which one each organization has (-1: the rule is off there)."""
        different: list[Options] = []
        alike: dict[str, list[int]] = defaultdict(list)
        numbers: dict[int, tuple[int, Options]] = {}
        of_policy = np.full(len(self.variants.policies), -1)
        for place, policy in enumerate(self.variants.policies):
            if policy.enabled(rule):
                options = policy.options(rule)
                if id(options) not in numbers:
                    same = alike[options.model_dump_json()]
                    number = next((each for each in same if different[each] == options), len(different))
                    if number == len(different):
                        same.append(number)
                        different.append(options)
                    numbers[id(options)] = number, options
                of_policy[place] = numbers[id(options)][0]
        return different, of_policy[self.variants.numbers]

    def _weigh(self, rule: Rule, found: pd.DataFrame) -> pd.DataFrame:
        """Return the findings with the severity that the policy of their organization gives the rule."""
        given = [policy.severity(rule) for policy in self.variants.policies]
        if any(given):
            codes = np.array([-1 if each is None else each.weight for each in given])
            theirs = codes[self.variants.numbers[found["organization_row"]]]
            own = found["severity"].cat.codes.to_numpy()
            found["severity"] = pd.Categorical.from_codes(np.where(theirs < 0, own, theirs), dtype=SEVERITY)
        return found

    def together(self) -> pd.DataFrame:
        """Return all that was flagged in one frame, rule after rule, with `rule_id` (category)."""
        codes = np.repeat(np.arange(len(self.parts)), [len(part) for part in self.parts.values()])
        frame = pd.concat([NO_FINDINGS, *self.parts.values()], ignore_index=True)
        frame["rule_id"] = pd.Categorical.from_codes(codes, categories=list(self.parts))
        return frame


def run_rule(rule: Rule, facts: Facts, options: Any) -> Flags:
    """Return what a rule flags; BrokenRule where it changed the facts, or returned what no report can hold.

    The rules of this package are not watched here; its tests hold them to the same.
    """
    if is_built_in(rule):
        return rule.judge(facts, options)
    loan = Loan.of(facts)
    flags = rule.judge(loan.facts, options)
    change = loan.change()
    if change is not None:
        raise BrokenRule(f"changed {change}; facts are shared and read-only: change a copy()")
    return check_flags(rule, flags, facts)


def describe_broken_rule(rule: Rule, failure: Failure) -> str:
    """Return one line that names the rule, what it raised and a workaround."""
    return (
        f"rule {rule.id} ({rule.name}) is broken: {failure}; nothing can be said of what it "
        "would have found. --skip-broken-rules goes on without it, and the audit is then incomplete"
    )

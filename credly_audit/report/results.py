"""What each rule and each control came to: assessed, passed, failed, accepted, not assessed."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from credly_audit.audit.model import Audit
from credly_audit.audit.prior import find_positions
from credly_audit.audit.unseen import Scope, find_silent_rules
from credly_audit.rules.controls import CONTROL_TITLES, FRAMEWORKS
from credly_audit.rules.declare import Rule


@dataclass(frozen=True, slots=True)
class Result:
    """How many subjects (tokens, organizations, OAuth applications); assessed = passed + failed + accepted."""

    assessed: int
    passed: int
    failed: int
    accepted: int
    """Those whose findings are all accepted by waivers."""
    not_assessed: int
    """Those that the rule would have assessed, had it been able to: not collected, or the rule is broken."""

    def as_dict(self) -> dict[str, int]:
        """Return the counts by their names."""
        return {
            "assessed": self.assessed,
            "passed": self.passed,
            "failed": self.failed,
            "accepted": self.accepted,
            "not_assessed": self.not_assessed,
        }


@dataclass(frozen=True, slots=True)
class ControlResult:
    """A control of a framework, the enabled rules that are mapped to it, and what they came to together."""

    framework: str
    control: str
    rules: tuple[str, ...]
    findings: int
    """Open findings of these rules."""
    result: Result

    def as_dict(self) -> dict[str, Any]:
        """Return it as programs read it."""
        names = {"framework": self.framework, "control": self.control, "title": CONTROL_TITLES.get(self.control)}
        return names | {"rules": list(self.rules), "findings": self.findings} | self.result.as_dict()


@dataclass(frozen=True, slots=True)
class Subjects:
    """Masks over all subjects: the tokens, then the organizations, then the OAuth applications."""

    assessed: np.ndarray
    failed: np.ndarray
    accepted: np.ndarray
    not_assessed: np.ndarray
    lost: int
    """Subjects of findings that were carried over, and are not among the others."""

    def count(self) -> Result:
        """Return how many they are."""
        failed, accepted = self.assessed & self.failed, self.assessed & self.accepted & ~self.failed
        many, bad, good = int(self.assessed.sum()), int(failed.sum()), int(accepted.sum())
        return Result(many, many - bad - good, bad, good, int((self.not_assessed & ~self.assessed).sum()) + self.lost)


@dataclass(frozen=True)
class Results:
    """The results of an audit, each computed when it is first used."""

    audit: Audit

    @cached_property
    def rules(self) -> dict[str, Result]:
        """The result of every enabled rule, by id."""
        return {rule_id: subjects.count() for rule_id, subjects in self._subjects.items()}

    @cached_property
    def controls(self) -> list[ControlResult]:
        """The controls that enabled rules are mapped to, framework after framework."""
        mapped: dict[tuple[str, str], list[str]] = {}
        for rule_id in self._subjects:
            for framework, ids in self.audit.rules[rule_id].controls.items():
                for control in ids:
                    mapped.setdefault((framework, control), []).append(rule_id)
        known = [*FRAMEWORKS, *dict.fromkeys(key[0] for key in mapped if key[0] not in FRAMEWORKS)]
        open_findings = self.audit.findings.frame["rule_id"][self.audit.findings.open].value_counts()
        return [
            ControlResult(
                *key,
                tuple(mapped[key]),
                sum(int(open_findings.get(rule_id, 0)) for rule_id in mapped[key]),
                self._combine(mapped[key]).count(),
            )
            for framework in known
            for key in sorted(mapped)
            if key[0] == framework
        ]

    def _combine(self, rule_ids: list[str]) -> Subjects:
        parts = [self._subjects[rule_id] for rule_id in rule_ids]
        return Subjects(
            np.logical_or.reduce([part.assessed for part in parts]),
            np.logical_or.reduce([part.failed for part in parts]),
            np.logical_or.reduce([part.accepted for part in parts]),
            np.logical_or.reduce([part.not_assessed for part in parts]),
            sum(part.lost for part in parts),
        )

    @cached_property
    def _subjects(self) -> dict[str, Subjects]:
        audit = self.audit
        rules = {rule.id: rule for rule in audit.rules.values() if self._is_enabled(rule)}
        silent = find_silent_rules(audit.snapshot, audit.rules, audit.broken)
        scope = Scope.of(audit.policy, audit.tokens, audit.organizations, audit.rules, silent)
        silent_in = [set(each.split(",")) for each in scope.organizations["not_judged"]]
        policies = audit.policy.variants(audit.organizations)
        found = self._findings()
        subjects = {}
        for rule in rules.values():
            enabled = np.array([each.enabled(rule) for each in policies.policies])[policies.numbers]
            speaks = np.array([rule.id not in each for each in silent_in], dtype=bool)
            subjects[rule.id] = self._of_rule(rule, enabled, enabled & speaks, found[found["rule"] == rule.id])
        return subjects

    def _is_enabled(self, rule: Rule) -> bool:
        variants = self.audit.policy.variants(self.audit.organizations)
        return any(each.enabled(rule) for each in variants.policies)

    def _findings(self) -> pd.DataFrame:
        """Return rule, subject (-1: of none of this audit), open, waived and unseen of every finding."""
        audit, frame = self.audit, self.audit.findings.frame
        rules = frame["rule_id"].astype("string").to_numpy(dtype=object)
        of_organization = len(audit.tokens) + frame["organization_row"].to_numpy()
        is_token = np.array([audit.rules[each].subject == "token" for each in rules], dtype=bool)
        subject = np.where(is_token, frame["token_row"].to_numpy(), of_organization)
        applications = audit.snapshot.applications
        known = (applications["organization_id"], applications["application_id"])
        first = len(audit.tokens) + len(audit.organizations)
        for rule_id, evidence in audit.findings.evidence.items():
            hit = (rules == rule_id) & (frame["evidence_row"].to_numpy() >= 0)
            if rule_id.startswith("OAU") and "application_id" in evidence and hit.any():
                names = evidence["application_id"].take(frame["evidence_row"].to_numpy()[hit]).astype("string")
                theirs = audit.organizations["organization_id"].take(frame["organization_row"].to_numpy()[hit])
                places = find_positions((theirs.reset_index(drop=True), names.reset_index(drop=True)), known)
                subject[hit] = np.where(places >= 0, first + places, -1)
        return pd.DataFrame(
            {
                "rule": rules,
                "subject": subject,
                "open": audit.findings.open,
                "waived": frame["waived"].to_numpy(dtype=bool) & ~audit.findings.unseen,
                "unseen": audit.findings.unseen,
            }
        )

    def _of_rule(self, rule: Rule, enabled: np.ndarray, speaks: np.ndarray, found: pd.DataFrame) -> Subjects:
        """Return the subjects of a rule; `enabled` and `speaks` are masks over the organizations."""
        tokens, organizations = self.audit.tokens, self.audit.organizations
        applications = self.audit.snapshot.applications
        many = len(tokens) + len(organizations) + len(applications)
        first_organization, first_application = len(tokens), len(tokens) + len(organizations)
        theirs, able = np.zeros(many, dtype=bool), np.zeros(many, dtype=bool)
        if rule.id.startswith("OAU"):
            places = find_positions(applications["organization_id"], organizations["organization_id"])
            theirs[first_application:], able[first_application:] = enabled[places], speaks[places]
        elif rule.subject == "token":
            rows = tokens["organization_id"].cat.codes.to_numpy()
            theirs[:first_organization], able[:first_organization] = enabled[rows], speaks[rows]
        else:
            complete = organizations["status"].eq("complete").to_numpy(dtype=bool)
            can = speaks & (complete | (rule.needs == "nothing"))
            theirs[first_organization:first_application], able[first_organization:first_application] = enabled, can
        failed = mark(found.loc[found["open"], "subject"], many)
        accepted = mark(found.loc[found["waived"], "subject"], many)
        assessed = able | failed | accepted
        lost = found[found["unseen"]]
        carried = mark(lost["subject"], many)
        assessed &= ~(carried & ~failed & ~accepted)
        return Subjects(assessed, failed, accepted, (theirs & ~assessed) | carried, int((lost["subject"] < 0).sum()))


def mark(subjects: pd.Series, many: int) -> np.ndarray:
    """Return a mask of these subjects; -1 is none."""
    mask = np.zeros(many, dtype=bool)
    rows = subjects.to_numpy()
    mask[rows[rows >= 0]] = True
    return mask

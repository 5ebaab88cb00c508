"""What a team decided: which rules are on for which organizations, how much they weigh, what is approved or waived."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.settings import Consumer, Override, PolicySettings, Purpose, Settings
from credly_audit.patterns.search import Deadline, Search
from credly_audit.policy.register_file import Register
from credly_audit.policy.scope import find_overrides
from credly_audit.rules.declare import Options, Rule
from credly_audit.rules.facts import PERMISSIONS, rows_by_group
from credly_audit.severity import Severity


@dataclass(frozen=True, slots=True)
class Policy:
    """The `[policy]` of a configuration, asked rule by rule, and the decisions and the register beside it."""

    settings: PolicySettings
    waivers: tuple[Waiver, ...] = ()
    plans: tuple[Plan, ...] = ()
    register: Register | None = None
    configured: frozenset[str] = frozenset()
    """The ids of the organizations that the configuration names, audited this time or not."""
    consumers: tuple[Consumer, ...] = ()
    """The programs and teams that use tokens, as the configuration names them."""
    file: Path | None = None
    """The configuration, for messages."""

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """What a configuration says, its register read; ConfigurationError with every bad row of that."""
        path = settings.policy.register_file
        register = None if path is None else Register.read(path)
        return cls(
            settings.policy,
            settings.waivers,
            settings.plans,
            register,
            settings.configured,
            settings.consumers,
            settings.file,
        )

    def enabled(self, rule: Rule) -> bool:
        """Whether neither the rule nor its family is disabled."""
        return rule.id not in self.settings.disable and rule.family not in self.settings.disable

    def severity(self, rule: Rule) -> Severity | None:
        """The severity that the policy gives the rule, for all its tiers; None: its own."""
        return self.settings.severity.get(rule.id)

    def options(self, rule: Rule) -> Options:
        """The rule's options as configured, else its defaults."""
        return getattr(self.settings.rules, rule.id, None) or rule.options()

    def effective_options(self, rule: Rule) -> Options:
        """Return the rule's options with the defaults that follow from the policy filled in."""
        return self.options(rule).fill_in(self.settings.audit_every_days)

    def due_within(self, severity: Severity) -> timedelta | None:
        """How long after it was first seen a finding of this severity is due."""
        days = self.settings.due_days.get(severity)
        return None if days is None else timedelta(days=days)

    @property
    def next_audit(self) -> timedelta:
        """How long until the next audit has surely been: `audit_every_days` and four days of slack."""
        return self.settings.next_audit

    def variants(self, organizations: pd.DataFrame) -> "Variants":
        """Return the policy as it is for each group of organizations with the same overrides."""
        found = find_overrides(self.settings.overrides, organizations)
        numbers = {chosen: number for number, chosen in enumerate(dict.fromkeys(found))}
        policies = tuple(self._overridden(chosen) for chosen in numbers) or (self,)
        return Variants(policies, np.array([numbers[chosen] for chosen in found], dtype="int64"))

    def _overridden(self, chosen: tuple[int, ...]) -> "Policy":
        settings = self.settings
        for position in chosen:
            settings = apply_override(settings, settings.overrides[position])
        return replace(self, settings=settings)

    def allowances(
        self, tokens: pd.DataFrame, organizations: pd.DataFrame, as_of: datetime, deadline: Deadline
    ) -> pd.DataFrame:
        """`approved`, `exceeds_purpose` (bool) and `register_row` (int64, -1: none), indexed as `tokens`.

        Approved is a token whose permissions a purpose, or its register entry within its review date, allows in full.
        A flag that the API withholds counts against an approval, but not as an excess. TooSlow where a pattern of a
        purpose takes too long.
        """
        flags = {name: tokens[f"{name}_enabled"] for name in PERMISSIONS}
        may_have = {name: flag.fillna(value=True).to_numpy(dtype=bool) for name, flag in flags.items()}
        has = {name: flag.fillna(value=False).to_numpy(dtype=bool) for name, flag in flags.items()}
        approved = np.zeros(len(tokens), dtype=bool)
        exceeds = np.zeros(len(tokens), dtype=bool)
        described = Search(tokens["description"], deadline)
        for place, purposes, theirs in self._purposes_of(tokens, organizations):
            patterns = [
                described.find(each.pattern, theirs, f"{place}[{number}].pattern")
                for number, each in enumerate(purposes, 1)
            ]
            approved[theirs], exceeds[theirs] = match_purposes(
                purposes,
                patterns,
                {name: mask[theirs] for name, mask in may_have.items()},
                {name: mask[theirs] for name, mask in has.items()},
            )
        rows = pd.Series(-1, index=tokens.index) if self.register is None else self.register.rows_of(tokens)
        if self.register is not None:
            documented = rows.to_numpy() >= 0
            allowed = self.register.approved_now(as_of).reindex(rows).fillna(value=False)
            beyond = [may_have[name] & ~allowed[name].to_numpy(dtype=bool) for name in PERMISSIONS]
            approved |= documented & ~np.logical_or.reduce(beyond)
        return pd.DataFrame(
            {"approved": approved, "exceeds_purpose": exceeds, "register_row": rows}, index=tokens.index
        )

    def _purposes_of(
        self, tokens: pd.DataFrame, organizations: pd.DataFrame
    ) -> Iterator[tuple[str, tuple[Purpose, ...], np.ndarray]]:
        """The purposes that hold somewhere: where they stand, which they are, and for which tokens (positions)."""
        variants = self.variants(organizations)
        numbers: dict[tuple[Purpose, ...], int] = {}
        of_variant = [numbers.setdefault(each.settings.purposes, len(numbers)) for each in variants.policies]
        of_organization = np.array(of_variant)[variants.numbers]
        groups = rows_by_group(of_organization[tokens["organization_id"].cat.codes.to_numpy()], len(numbers))
        file = "" if self.file is None else f"{self.file}: "
        places = {each.purposes: f"overrides[{n}]." for n, each in enumerate(self.settings.overrides, 1)}
        places[self.settings.purposes] = ""
        for purposes, rows in zip(numbers, groups, strict=True):
            yield f"{file}policy.{places[purposes]}purposes", purposes, rows


@dataclass(frozen=True, slots=True)
class Variants:
    """The policy as it is for each organization: `policies`, and for each organization the number of its own."""

    policies: tuple[Policy, ...]
    numbers: np.ndarray


def match_purposes(
    purposes: Sequence[Purpose],
    matches: Sequence[np.ndarray],
    may_have: dict[str, np.ndarray],
    has: dict[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Which tokens a purpose approves, and which do more than every purpose that matches them."""
    many = len(may_have[PERMISSIONS[0]])
    approved, within, matched = (np.zeros(many, dtype=bool) for _ in range(3))
    for purpose, theirs in zip(purposes, matches, strict=True):
        denied = [name for name in PERMISSIONS if name not in purpose.allow]
        approved |= theirs & ~_match_any(may_have, denied, many)
        within |= theirs & ~_match_any(has, denied, many)
        matched |= theirs
    return approved, matched & ~within


def apply_override(settings: PolicySettings, override: Override) -> PolicySettings:
    """The settings under an override: what it says wins, option by option; what it disables adds up."""
    before: Any = settings.rules
    said: Any = override.rules
    options = {rule_id: getattr(said, rule_id) for rule_id in said.model_fields_set}
    rules = {
        rule_id: getattr(before, rule_id).model_copy(
            update={name: getattr(options_of_rule, name) for name in options_of_rule.model_fields_set}
        )
        for rule_id, options_of_rule in options.items()
    }
    return settings.model_copy(
        update={
            "disable": tuple(dict.fromkeys([*settings.disable, *override.disable])),
            "severity": settings.severity | override.severity,
            "rules": before.model_copy(update=rules),
            "purposes": settings.purposes if override.purposes is None else override.purposes,
        }
    )


def _match_any(flags: dict[str, np.ndarray], names: list[str], length: int) -> np.ndarray:
    return np.logical_or.reduce([flags[name] for name in names]) if names else np.zeros(length, dtype=bool)

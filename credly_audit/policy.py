"""What a team decided about the rules: which are on, how much they weigh, their options, what is approved."""

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from credly_audit.config.settings import PolicySettings
from credly_audit.rules.declare import Options, Rule
from credly_audit.rules.facts import PERMISSIONS, searched
from credly_audit.severity import Severity


@dataclass(frozen=True, slots=True)
class Policy:
    """The `[policy]` of a configuration, asked rule by rule."""

    settings: PolicySettings

    def enabled(self, rule: Rule) -> bool:
        """Whether neither the rule nor its family is disabled."""
        return rule.id not in self.settings.disable and rule.family not in self.settings.disable

    def severity(self, rule: Rule) -> Severity | None:
        """The severity that the policy gives the rule, for all its tiers; None: its own."""
        return self.settings.severity.get(rule.id)

    def options(self, rule: Rule) -> Options:
        """The rule's options as configured, else its defaults."""
        return getattr(self.settings.rules, rule.id, None) or rule.options()

    def due_within(self, severity: Severity) -> timedelta | None:
        """How long after it was first seen a finding of this severity is due."""
        days = self.settings.due_days.get(severity)
        return None if days is None else timedelta(days=days)

    def approvals(self, tokens: pd.DataFrame) -> pd.DataFrame:
        """`approved` and `exceeds_purpose` (bool), indexed as `tokens`.

        A flag that the API withholds counts against an approval, but not as an excess.
        """
        approved = np.zeros(len(tokens), dtype=bool)
        exceeds = np.zeros(len(tokens), dtype=bool)
        flags = {name: tokens[f"{name}_enabled"] for name in PERMISSIONS}
        may_have = {name: flag.fillna(value=True).to_numpy(dtype=bool) for name, flag in flags.items()}
        has = {name: flag.fillna(value=False).to_numpy(dtype=bool) for name, flag in flags.items()}
        within = np.zeros(len(tokens), dtype=bool)
        for purpose in self.settings.purposes:
            matches = searched(tokens["description"], purpose.pattern)
            denied = [name for name in PERMISSIONS if name not in purpose.allow]
            approved |= matches & ~_any(may_have, denied, len(tokens))
            within |= matches & ~_any(has, denied, len(tokens))
            exceeds |= matches
        return pd.DataFrame({"approved": approved, "exceeds_purpose": exceeds & ~within}, index=tokens.index)


def _any(flags: dict[str, np.ndarray], names: list[str], length: int) -> np.ndarray:
    return np.logical_or.reduce([flags[name] for name in names]) if names else np.zeros(length, dtype=bool)

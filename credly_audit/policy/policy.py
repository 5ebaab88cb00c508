"""What a team decided: which rules are on for which organizations, how much they weigh, what is approved or waived."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import pandas as pd

from credly_audit.config.decision_models import Plan, Waiver
from credly_audit.config.settings import Override, PolicySettings, Settings
from credly_audit.policy.register import Register
from credly_audit.rules.declare import Options, Rule
from credly_audit.rules.facts import PERMISSIONS, searched
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

    @classmethod
    def of(cls, settings: Settings) -> "Policy":
        """What a configuration says, its register read; ConfigurationError with every bad row of that."""
        path = settings.policy.register_file
        register = None if path is None else Register.read(path)
        return cls(settings.policy, settings.waivers, settings.plans, register, settings.configured)

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

    @property
    def next_audit(self) -> timedelta:
        """How long until the next audit has surely been: `audit_every_days` and four days of slack."""
        return self.settings.next_audit

    def variants(self, organizations: pd.DataFrame) -> list["Variant"]:
        """The policy as it is for each group of organizations with the same overrides; one where there are none."""
        overrides = self.settings.overrides
        if not overrides:
            return [Variant(self, np.ones(len(organizations), dtype=bool))]
        apply = np.column_stack([applies(override, organizations) for override in overrides])
        different, groups = np.unique(apply, axis=0, return_inverse=True)
        return [
            Variant(self._overridden(chosen), groups.reshape(-1) == number) for number, chosen in enumerate(different)
        ]

    def _overridden(self, chosen: np.ndarray) -> "Policy":
        settings = self.settings
        for override, applied in zip(settings.overrides, chosen, strict=True):
            settings = overridden(settings, override) if applied else settings
        return replace(self, settings=settings)

    def allowances(self, tokens: pd.DataFrame, organizations: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
        """`approved`, `exceeds_purpose` (bool) and `register_row` (int64, -1: none), indexed as `tokens`.

        Approved is a token whose permissions a purpose, or its register entry within its review date, allows in full.
        A flag that the API withholds counts against an approval, but not as an excess.
        """
        flags = {name: tokens[f"{name}_enabled"] for name in PERMISSIONS}
        may_have = {name: flag.fillna(value=True).to_numpy(dtype=bool) for name, flag in flags.items()}
        has = {name: flag.fillna(value=False).to_numpy(dtype=bool) for name, flag in flags.items()}
        approved = np.zeros(len(tokens), dtype=bool)
        exceeds = np.zeros(len(tokens), dtype=bool)
        places = tokens["organization_id"].cat.codes.to_numpy()
        for variant in self.variants(organizations):
            theirs = np.flatnonzero(variant.members[places])
            fits, more = variant.policy.by_purpose(
                tokens["description"].take(theirs),
                {name: mask[theirs] for name, mask in may_have.items()},
                {name: mask[theirs] for name, mask in has.items()},
            )
            approved[theirs], exceeds[theirs] = fits, more
        rows = pd.Series(-1, index=tokens.index) if self.register is None else self.register.rows_of(tokens)
        if self.register is not None:
            documented = rows.to_numpy() >= 0
            allowed = self.register.approved_now(as_of).reindex(rows).fillna(value=False)
            beyond = [may_have[name] & ~allowed[name].to_numpy(dtype=bool) for name in PERMISSIONS]
            approved |= documented & ~np.logical_or.reduce(beyond)
        return pd.DataFrame(
            {"approved": approved, "exceeds_purpose": exceeds, "register_row": rows}, index=tokens.index
        )

    def by_purpose(
        self, descriptions: pd.Series, may_have: dict[str, np.ndarray], has: dict[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which tokens a purpose approves, and which do more than every purpose that matches them."""
        many = len(descriptions)
        approved, within, matched = (np.zeros(many, dtype=bool) for _ in range(3))
        for purpose in self.settings.purposes:
            matches = searched(descriptions, purpose.pattern)
            denied = [name for name in PERMISSIONS if name not in purpose.allow]
            approved |= matches & ~_any(may_have, denied, many)
            within |= matches & ~_any(has, denied, many)
            matched |= matches
        return approved, matched & ~within


@dataclass(frozen=True, slots=True)
class Variant:
    """The policy as it is for some organizations: `members` (bool, a value an organization)."""

    policy: Policy
    members: np.ndarray


def applies(override: Override, organizations: pd.DataFrame) -> np.ndarray:
    """The organizations that an override is for: those that fit each of its keys, by one of the key's entries.

    Ids are compared as they are, tags and contacts as globs (`*@acme.example`) without regard to case.
    """
    mask = np.ones(len(organizations), dtype=bool)
    if override.ids:
        mask &= organizations["organization_id"].str.lower().isin(override.ids).to_numpy(dtype=bool)
    if override.tags:
        tags = organizations["tags"].fillna("").str.split(",")
        mask &= np.array([any(_fits(tag.strip(), override.tags) for tag in each) for each in tags], dtype=bool)
    if override.contact:
        contacts = organizations["contact"].fillna("")
        mask &= np.array([_fits(contact, override.contact) for contact in contacts], dtype=bool)
    return mask


def _fits(text: str, globs: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text.casefold(), glob.casefold()) for glob in globs)


def overridden(settings: PolicySettings, override: Override) -> PolicySettings:
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


def _any(flags: dict[str, np.ndarray], names: list[str], length: int) -> np.ndarray:
    return np.logical_or.reduce([flags[name] for name in names]) if names else np.zeros(length, dtype=bool)

"""Every setting that holds for an organization, and where it comes from: the default, the file, or which override."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from pydantic import BaseModel

from credly_audit.config.settings import Organization, Override, PolicySettings, Settings
from credly_audit.config.source import Source
from credly_audit.config.types import mask_address
from credly_audit.policy.policy import Policy, apply_override
from credly_audit.policy.scope import find_overrides
from credly_audit.rules import catalogue
from credly_audit.rules.declare import Rule
from credly_audit.secrets import is_reference, mask_reference
from credly_audit.secrets.shape import mask_shapes

DEFAULT = "default"

ROW = ("id", "name", "contact", "tags", "token")
"""What a row of organizations_file can say."""

BESIDE = {"rules", "severity", "disable", "overrides", "purposes"}
"""Keys of [policy] that are told rule by rule, or on their own."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting that holds: its key as in the file, its value fit for JSON, where it comes from, and the line there."""

    key: str
    value: Any
    origin: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """What holds for one organization, or, where there is none, for those that no override is for."""

    settings: Settings
    source: Source
    organization: Organization | None
    environ: Mapping[str, str]

    @property
    def overrides(self) -> list[tuple[int, Override]]:
        """The overrides that are for the organization, with their positions."""
        if self.organization is None:
            return []
        row = pd.DataFrame(
            {
                "organization_id": pd.Series([self.organization.id], dtype="string"),
                "tags": pd.Series([",".join(self.organization.tags)], dtype="string"),
                "contact": pd.Series([self.organization.contact], dtype="string"),
            }
        )
        overrides = self.settings.policy.overrides
        return [(position, overrides[position]) for position in find_overrides(overrides, row)[0]]

    @property
    def policy(self) -> Policy:
        """The policy that holds."""
        settings = self.settings.policy
        for _, override in self.overrides:
            settings = apply_override(settings, override)
        return Policy(settings)

    def all(self) -> list[Setting]:
        """Every setting, in the order of the file's documentation."""
        policy = self.policy
        return [
            *self._of_organization(),
            *self._of_table("api", self.settings.api),
            *self._of_policy(policy.settings),
            *(setting for rule in catalogue().values() for setting in self._of_rule(rule, policy)),
            *(setting for name in self._tables for setting in self._of_table(name, getattr(self.settings, name))),
        ]

    def _of_organization(self) -> Iterator[Setting]:
        each = self.organization
        if each is None:
            return
        place = self._place_of(each)
        for name, value in each.model_dump(mode="json").items():
            shown = _format_value(value)
            if place is not None and self._at((*place, name)) is not None:
                yield Setting(f"organization.{name}", shown, "[[organizations]]", self.source.line((*place, name)))
            elif value is not None and place is None and name in ROW and not (name == "token" and each.from_defaults):
                yield Setting(f"organization.{name}", shown, str(each.file), each.line)
            elif value is not None:
                yield self._found(f"organization.{name}", shown, ("defaults", name), "[defaults]")

    def _place_of(self, organization: Organization) -> tuple[str | int, ...] | None:
        """Where it stands in the file; None where it stands in organizations_file."""
        if organization.file != self.source.path:
            return None
        entries = range(len(self.source.raw["organizations"]))
        places = (("organizations", position) for position in entries)
        return next(place for place in places if self.source.line(place) == organization.line)

    @property
    def _tables(self) -> list[str]:
        """The tables that say the same of every organization."""
        others = [name for name in Settings.model_fields if name not in {"api", "policy", "defaults"}]
        return [name for name in others if isinstance(getattr(self.settings, name), BaseModel)]

    def _of_table(self, table: str, said: BaseModel) -> Iterator[Setting]:
        for name, value in said.model_dump(mode="json").items():
            if (table, name) == ("api", "base_url") and "CREDLY_API_URL" in self.environ:
                yield Setting("api.base_url", value, "CREDLY_API_URL in the environment")
            else:
                yield self._found(f"{table}.{name}", _format_value(value), (table, name), f"[{table}]")

    def _of_policy(self, settings: PolicySettings) -> Iterator[Setting]:
        dumped = settings.model_dump(mode="json", exclude={name for name in BESIDE if name != "purposes"})
        for name, value in dumped.items():
            if name != "purposes":
                yield self._found(f"policy.{name}", _format_value(value), ("policy", name), "[policy]")
        yield self._last("policy.purposes", _format_value(dumped["purposes"]), ("purposes",))

    def _of_rule(self, rule: Rule, policy: Policy) -> Iterator[Setting]:
        yield self._enabled(rule, policy)
        severity = policy.severity(rule)
        own = rule.tiers or rule.severity
        yield self._last(f"{rule.id}.severity", severity or own, ("severity", rule.id))
        for name, value in policy.effective_options(rule).model_dump(mode="json").items():
            yield self._last(f"{rule.id}.{name}", _format_value(value), ("rules", rule.id, name))

    def _enabled(self, rule: Rule, policy: Policy) -> Setting:
        """The first that turns a rule off is why it is off: what is disabled adds up."""
        for origin, place in self._places():
            listed = self._at((*place, "disable"))
            names = [name for name in listed or () if name in {rule.id, rule.family}]
            if names:
                position = listed.index(names[0])
                return Setting(f"{rule.id}.enabled", False, origin, self.source.line((*place, "disable", position)))
        return Setting(f"{rule.id}.enabled", policy.enabled(rule), DEFAULT)

    def _last(self, key: str, value: Any, path: tuple[str, ...]) -> Setting:
        """The last that says something of a key wins."""
        said = [(origin, (*place, *path)) for origin, place in self._places() if self._at((*place, *path)) is not None]
        if not said:
            return Setting(key, value, DEFAULT)
        return Setting(key, value, said[-1][0], self.source.line(said[-1][1]))

    def _places(self) -> Iterable[tuple[str, tuple[str | int, ...]]]:
        yield "[policy]", ("policy",)
        for position, _ in self.overrides:
            yield f"[[policy.overrides]] {position + 1}", ("policy", "overrides", position)

    def _found(self, key: str, value: Any, path: tuple[str, ...], origin: str) -> Setting:
        if self._at(path) is None:
            return Setting(key, value, DEFAULT)
        return Setting(key, value, origin, self.source.line(path))

    def _at(self, path: tuple[str | int, ...]) -> Any:
        node: Any = self.source.raw
        for part in path:
            try:
                node = node[part]
            except (KeyError, IndexError):
                return None
        return node


def _format_value(value: Any) -> Any:
    """A value as it may be shown: of a command the program alone, nothing that has the shape of a secret."""
    if isinstance(value, list):
        return [_format_value(each) for each in value]
    if isinstance(value, dict):
        return {name: _format_value(each) for name, each in value.items()}
    if isinstance(value, str) and is_reference(value):
        masked = mask_reference(value)
        return f"{masked} …" if len(masked.split()) < len(value.split()) else masked
    if isinstance(value, str) and "://" in value:
        return mask_address(value)
    return mask_shapes(value) if isinstance(value, str) else value

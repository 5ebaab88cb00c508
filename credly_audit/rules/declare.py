"""What a rule is: one declaration, from which every list and page is made, beside one function that judges.

@rule("EXP001", "token-expired", Severity.HIGH, summary=…, rationale=…, remediation=…, controls=EXPIRED)
def token_expired(facts: Facts, options: NoOptions) -> Flags:
    hit = facts.tokens.loc[facts.expired, ["expires_at"]]
    return flag(hit, sentence("Expired on {day}.", day=day(hit["expires_at"])))
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Self, get_args

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from credly_audit.rules.facts import AUDIT_EVERY_DAYS, Facts, rows_by_group
from credly_audit.severity import Severity

FAMILIES = MappingProxyType(
    {
        "EXP": "Expiry",
        "PRM": "Permissions",
        "DOC": "Documentation",
        "INV": "Inventory",
        "COV": "Coverage",
        "CHG": "Change",
        "LIF": "Lifecycle",
        "OAU": "OAuth applications",
        "WVR": "Waivers",
    }
)

Subject = Literal["token", "organization"]

Needs = Literal["nothing", "token", "organization", "everything"]
"""What has to be seen before a rule's silence says that a fault is gone: the token, its whole organization, or all."""


CHOICES = {"severity": tuple(Severity), "subject": get_args(Subject), "needs": get_args(Needs)}
"""The fields of a declaration that have to be one of few texts."""


TEXTS = ("name", "summary", "rationale", "remediation")
"""The fields that have to say something."""


TASK_WORDS = ("tokens", "organizations", "applications", "entries", "waivers", "is", "expires")
"""What braces in a rule's task stand for: counts with nouns (`12 tokens`), and verbs that agree with the tokens."""


def family_name(family: str) -> str:
    """What a family is about, by its three letters; another package's has those for a name."""
    return FAMILIES.get(family, family)


class Options(BaseModel):
    """The options of a rule: a field each, with its default and a description; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def fill_in(self, audit_every_days: int) -> Self:  # noqa: ARG002 - for options that follow from it
        """Return the options with the defaults that follow from how often the audit runs."""
        return self


class NoOptions(Options):
    """A rule that takes none."""


@dataclass(frozen=True, slots=True)
class OptionColumns:
    """The options that a rule has for each row of its subject's frame; an option's name is a column of its values."""

    different: tuple[Options, ...]
    numbers: np.ndarray
    """For each row the position of its options in `different`; -1: the rule is off there, and nobody looks."""

    def __getattr__(self, name: str) -> pd.Series:
        """The values of one option, row by row."""
        return pd.Series(np.array([getattr(each, name) for each in self.different])[self.numbers])

    def each(self) -> Iterator[tuple[Any, np.ndarray]]:
        """The different options, each with the rows that have them: for those that are no numbers."""
        return zip(self.different, rows_by_group(self.numbers, len(self.different)), strict=True)


@dataclass(frozen=True, slots=True)
class Flags:
    """What a rule found, a row a finding.

    `rows` are positions in the frame of the rule's subject; `message`, `severity` (None: the rule's own), `due_at`
    (None: calculated from the severity), `discriminator` (tells apart two findings of one rule on one subject), `owner`
    (None or null: the token's in the register, else the organization's contact) and, where an organization's rule
    points at its tokens, `token_rows` (-1: at none) are as long as it, and so is `evidence`, a typed frame of what the
    rule saw.
    """

    rows: pd.Index
    message: pd.Series
    severity: Any = None
    due_at: pd.Series | None = None
    discriminator: pd.Series | None = None
    evidence: pd.DataFrame = field(default_factory=pd.DataFrame)
    owner: pd.Series | None = None
    token_rows: pd.Series | None = None


def flag(
    hit: pd.DataFrame,
    message: pd.Series,
    *,
    severity: Any = None,
    due_at: pd.Series | None = None,
    discriminator: pd.Series | None = None,
    **evidence: Any,
) -> Flags:
    """Findings on the rows of `hit`, a selection of `facts.tokens` or `facts.organizations` with its index."""
    return Flags(hit.index, message, severity, due_at, discriminator, pd.DataFrame(evidence, index=hit.index))


Judge = Callable[[Facts, Any], Flags]


@dataclass(frozen=True, slots=True)
class Rule:
    """A declaration and the function that judges by it."""

    id: str
    name: str
    severity: Severity
    summary: str
    rationale: str
    remediation: str
    controls: Mapping[str, tuple[str, ...]]
    subject: Subject
    options: type[Options]
    tiers: str
    judge: Judge
    needs: Needs
    task: str = ""
    """What to do about many findings; words in braces stand for the counts of TASK_WORDS. Empty: the rule's name."""
    by_row: bool = False
    """Whether `judge` takes OptionColumns: all is then judged at once, however many overrides set other options."""

    def __post_init__(self) -> None:
        """Raise ValueError where a field is not what its type says; take `"high"` for Severity.HIGH."""
        check_declaration(self)
        object.__setattr__(self, "severity", Severity(self.severity))
        object.__setattr__(self, "controls", MappingProxyType(dict(self.controls)))

    @property
    def family(self) -> str:
        """The three letters that its id begins with."""
        return self.id[:3]

    def described_options(self) -> list[tuple[str, str, str]]:
        """Name, default as JSON and description of each option."""
        defaults = self.options().fill_in(AUDIT_EVERY_DAYS).model_dump(mode="json")
        fields = self.options.model_fields
        return [(name, json.dumps(default), fields[name].description or "") for name, default in defaults.items()]


def rule(
    rule_id: str,
    name: str,
    severity: Severity,
    *,
    summary: str,
    rationale: str,
    remediation: str,
    controls: Mapping[str, tuple[str, ...]],
    task: str = "",
    subject: Subject = "token",
    options: type[Options] = NoOptions,
    tiers: str = "",
    needs: Needs | None = None,
    by_row: bool = False,
) -> Callable[[Judge], Rule]:
    """Declare a rule; `tiers` says in words when its severity is another than the default; `needs` is its subject.

    `task` is what to do about a group of its findings: "Describe {tokens} of {organizations} without a description".

    The function becomes the `Rule`; ValueError where the declaration is not what its types say.
    """

    def declare(judge: Judge) -> Rule:
        texts = (summary, rationale, remediation)
        needed = needs or subject
        return Rule(rule_id, name, severity, *texts, controls, subject, options, tiers, judge, needed, task, by_row)

    return declare


def check_declaration(rule: Rule) -> None:
    """Raise ValueError, in a sentence that names the rule and the field, for a declaration that cannot be used."""
    if not isinstance(rule.id, str) or not re.fullmatch(r"[A-Z]{3}[0-9]{3}", rule.id):
        raise ValueError(f"{rule.id!r:.40}: a rule's id is three capital letters and three digits")
    for name in (*TEXTS, "tiers", "task"):
        text = getattr(rule, name)
        if not is_text(text) or (name in TEXTS and not text.strip()):
            raise ValueError(f"{rule.id}: {name} must be a text{' that is not empty' if name in TEXTS else ''}")
    for name, choices in CHOICES.items():
        if getattr(rule, name) not in choices:
            raise ValueError(f"{rule.id}: {name} must be one of {', '.join(choices)}, not {getattr(rule, name)!r:.40}")
    _check_task(rule)
    _check_controls(rule)
    _check_options(rule)


def is_text(value: Any) -> bool:
    """Whether a value is a text that can be written to a file."""
    return isinstance(value, str) and value.encode(errors="ignore").decode() == value


def _check_task(rule: Rule) -> None:
    try:
        rule.task.format(**dict.fromkeys(TASK_WORDS, ""))
    except (LookupError, ValueError, AttributeError) as error:
        words = ", ".join(f"{{{word}}}" for word in TASK_WORDS)
        raise ValueError(f"{rule.id}: task may hold {words} and no other braces") from error


def _check_controls(rule: Rule) -> None:
    controls = rule.controls
    if not isinstance(controls, Mapping) or not all(
        is_text(framework) and isinstance(ids, tuple) and all(map(is_text, ids)) for framework, ids in controls.items()
    ):
        raise ValueError(f'{rule.id}: controls must be such as {{"ISO 27001:2022": ("A.5.9",)}}')


def _check_options(rule: Rule) -> None:
    try:
        if not issubclass(rule.options, Options):
            raise TypeError("they must be a subclass of Options")
        rule.described_options()
    except Exception as error:
        raise ValueError(f"{rule.id}: options cannot be used without being set, or described: {error}") from error

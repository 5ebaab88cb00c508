"""What a rule is: one declaration, from which every list and page is made, beside one function that judges.

@rule("EXP001", "token-expired", Severity.HIGH, summary=…, rationale=…, remediation=…, controls=EXPIRED)
def token_expired(facts: Facts, options: NoOptions) -> Flags:
    hit = facts.tokens.loc[facts.expired, ["expires_at"]]
    return flag(hit, sentence("Expired on {day}.", day=day(hit["expires_at"])))
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from credly_audit.rules.facts import Facts
from credly_audit.severity import Severity

FAMILIES = {
    "EXP": "Expiry",
    "PRM": "Permissions",
    "DOC": "Documentation",
    "INV": "Inventory",
    "COV": "Coverage",
    "CHG": "Change",
    "OAU": "OAuth applications",
    "WVR": "Waivers",
}

Subject = Literal["token", "organization"]

Needs = Literal["nothing", "token", "organization", "everything"]
"""What has to be seen before a rule's silence says that a fault is gone: the token, its whole organization, or all."""


def family_name(family: str) -> str:
    """What a family is about, by its three letters; another package's has those for a name."""
    return FAMILIES.get(family, family)


class Options(BaseModel):
    """The options of a rule: a field each, with its default and a description; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NoOptions(Options):
    """A rule that takes none."""


@dataclass(frozen=True, slots=True)
class Flags:
    """What a rule found, a row a finding.

    `rows` are positions in the frame of the rule's subject; `message`, `severity` (None: the rule's own), `due_at`
    (None: reckoned from the severity), `discriminator` (tells apart two findings of one rule on one subject), `owner`
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

    @property
    def family(self) -> str:
        """The three letters that its id begins with."""
        return self.id[:3]

    def described_options(self) -> list[tuple[str, str, str]]:
        """Name, default as JSON and description of each option."""
        defaults = self.options().model_dump(mode="json")
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
    subject: Subject = "token",
    options: type[Options] = NoOptions,
    tiers: str = "",
    needs: Needs | None = None,
) -> Callable[[Judge], Rule]:
    """Declare a rule; `tiers` says in words when its severity is another than the default; `needs` (its subject).

    The function becomes the `Rule`; ValueError where the id is not three capitals and three digits or a text is empty.
    """
    if not re.fullmatch(r"[A-Z]{3}\d{3}", rule_id):
        raise ValueError(f"{rule_id}: a rule's id is three capital letters and three digits")
    if not all((name, summary, rationale, remediation)):
        raise ValueError(f"{rule_id}: name, summary, rationale and remediation must say something")

    def declared(judge: Judge) -> Rule:
        texts = (summary, rationale, remediation)
        return Rule(rule_id, name, severity, *texts, controls, subject, options, tiers, judge, needs or subject)

    return declared

"""The columns of each subject of a report, one `Field` each: the workbook, the page and its script draw from them.

The tables of JSON and CSV are the snapshot's own columns (credly_audit/snapshot.py): a field that is added there needs
a `Field` here to be seen by people.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from credly_audit.audit.consumers import describe_consumers
from credly_audit.audit.findings import convert_to_plain
from credly_audit.report.counts import SubjectCounts
from credly_audit.report.labels import ITSELF
from credly_audit.rules.declare import FAMILIES
from credly_audit.severity import Severity
from credly_audit.text import describe_value, has_words, yes_no

Values: TypeAlias = pd.Series | np.ndarray | Sequence[Any]


class FieldKind(StrEnum):
    """What the values of a column are; each medium shows a kind in one way."""

    TEXT = "text"
    WORD = "word"
    """A short text that is not wrapped."""
    CODE = "code"
    """An id, for copying."""
    DESCRIPTION = "description"
    """A token's or application's own description."""
    OWNER = "owner"
    INSTANT = "instant"
    NUMBER = "number"
    FEW = "few"
    """A number that is usually 0, and shown only where it is not."""
    COUNT = "count"
    """A number that leads to what it counts."""
    SECONDS = "seconds"
    FLAG = "flag"
    """Yes, no or unknown."""
    MARK = "mark"
    """Yes, or nothing."""
    TICK = "tick"
    """The words yes and no."""
    SEVERITY = "severity"
    """A severity's weight; -1: none."""
    COVERAGE = "coverage"
    TAGS = "tags"
    """Words that commas separate."""


@dataclass(frozen=True)
class SubjectRows:
    """Some rows of a subject, from which its fields are taken: a slice, or positions."""

    counts: SubjectCounts
    rows: slice | np.ndarray

    @property
    def frame(self) -> pd.DataFrame:
        """The rows in the subject's own frame."""
        raise NotImplementedError


class TokenRows(SubjectRows):
    """Some tokens."""

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The tokens."""
        return self.counts.audit.tokens.iloc[self.rows]

    @cached_property
    def organizations(self) -> pd.DataFrame:
        """The organization of each."""
        return self.counts.audit.organizations.take(self.frame["organization_id"].cat.codes)


class OrganizationRows(SubjectRows):
    """Some organizations."""

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The organizations."""
        return self.counts.audit.organizations.iloc[self.rows]


class ApplicationRows(SubjectRows):
    """Some OAuth applications."""

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The applications."""
        return self.counts.audit.snapshot.applications.iloc[self.rows]

    @cached_property
    def organizations(self) -> pd.DataFrame:
        """The organization of each."""
        known = self.counts.audit.organizations.set_index("organization_id", drop=False)
        return known.loc[self.frame["organization_id"]]


class FindingRows(SubjectRows):
    """Some findings."""

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The findings, compact."""
        return self.counts.audit.findings.frame.iloc[self.rows]

    @cached_property
    def spelled(self) -> pd.DataFrame:
        """The findings with the texts of their rules, tokens and organizations."""
        return self.counts.audit.findings.spell_out(self.frame)

    @property
    def subjects(self) -> list[str | None]:
        """The description of each one's token, and what stands for it where the finding is on an organization."""
        tokens = zip(
            convert_to_plain(self.spelled["token_id"]), convert_to_plain(self.spelled["description"]), strict=True
        )
        return [ITSELF if token_id is None else description for token_id, description in tokens]

    @property
    def expires(self) -> pd.Series:
        """When each one's token expires."""
        rows = self.frame["token_row"]
        return self.counts.audit.tokens["expires_at"].reindex(rows.where(rows >= 0))

    @property
    def controls(self) -> list[str]:
        """The controls that the rule of each is mapped to."""
        return ["; ".join(self.counts.audit.findings.controls(rule_id)) for rule_id in self.spelled["rule_id"]]

    @property
    def evidence(self) -> list[str]:
        """The evidence of each in a line."""
        return [
            "; ".join(f"{name}: {describe_value(value)}" for name, value in each.items() if value is not None)
            for each in self.counts.audit.findings.list_evidence(self.frame)
        ]


@dataclass(frozen=True, slots=True)
class Field:
    """A column: how it is named, taken from the rows of its subject, and shown.

    `heading` is that of the workbook (empty: no column there), `widest` and `narrowest` its width in characters (0: by
    its kind), and `printed` whether it is on paper, which ids never are. On the page the field is in a `row` of its
    list and in its script's data under its name, also in the row's details under its heading (`more`), or absent.
    """

    name: str
    kind: FieldKind
    take: Callable[[Any], Values]
    heading: str = ""
    widest: int = 60
    narrowest: int = 0
    printed: bool = True
    page: Literal["row", "more", ""] = ""


def list_values(values: Values) -> Sequence[Any]:
    """Return values as plain ones."""
    if isinstance(values, pd.Series):
        return convert_to_plain(values)
    return values.tolist() if isinstance(values, np.ndarray) else values


def take_column(column: str) -> Callable[[SubjectRows], pd.Series]:
    """Return what takes a column of the subject's own frame."""
    return lambda part: part.frame[column]


def take_organization_column(column: str) -> Callable[[TokenRows | ApplicationRows], pd.Series]:
    """Return what takes a column of the subject's organization."""
    return lambda part: part.organizations[column]


def take_finding_column(column: str) -> Callable[[FindingRows], pd.Series]:
    """Return what takes a column of the findings as they are spelled out."""
    return lambda part: part.spelled[column]


def take_count(count: Callable[[SubjectCounts], np.ndarray]) -> Callable[[SubjectRows], np.ndarray]:
    """Return what takes a count a row."""
    return lambda part: count(part.counts)[part.rows]


def find_reason(part: SubjectRows) -> pd.Series:
    """Return why each organization is incomplete; nothing where it is complete."""
    return part.frame["reason"].where((part.frame["status"] != "complete").to_numpy(dtype=bool))


def describe_token_consumers(part: SubjectRows) -> pd.Series:
    """Return who uses each token, with their contacts; null where no one is known."""
    audit = part.counts.audit
    texts = pd.array([*map(describe_consumers, audit.consumers), None], dtype="string")
    return pd.Series(texts.take(part.frame["consumers_row"].to_numpy()), index=part.frame.index)


def find_days_left(part: SubjectRows) -> list[int | None]:
    """Return the whole days until each token expires."""
    apart = (part.frame["expires_at"] - pd.Timestamp(part.counts.audit.as_of)).dt.total_seconds() / 86_400
    return [None if np.isnan(days) else int(days) for days in apart.tolist()]


def count_days_overdue(part: FindingRows) -> list[int | None]:
    """Return for how many whole days each overdue finding has been."""
    late = (pd.Timestamp(part.counts.audit.as_of) - part.frame["due_at"]).dt.days.tolist()
    return [
        int(days) if overdue else None
        for days, overdue in zip(late, part.counts.figures.overdue[part.rows].tolist(), strict=True)
    ]


def name_applications(part: SubjectRows) -> list[str]:
    """Return the name of each application."""
    return [name if name and has_words(name) else "(no name)" for name in convert_to_plain(part.frame["name"])]


def count_severity(severity: Severity) -> Field:
    """Return the column of an organization's open findings of a severity."""

    def take(part: SubjectRows) -> np.ndarray:
        return part.counts.of_organizations[part.rows, severity.weight]

    return Field(severity.value, FieldKind.NUMBER, take, severity.capitalize(), page="row")


def pick(fields: Iterable[Field], *names: str) -> tuple[Field, ...]:
    """Return the fields of these names, in this order."""
    named = {field.name: field for field in fields}
    return tuple(named[name] for name in names)


TOKEN = (
    Field("subject", FieldKind.DESCRIPTION, take_column("description"), "Token", 44, 24, page="row"),
    Field("organization", FieldKind.TEXT, take_organization_column("name"), "Organization", 28),
    Field("read", FieldKind.FLAG, take_column("read_enabled"), "Read", page="row"),
    Field("write", FieldKind.FLAG, take_column("write_enabled"), "Write", page="row"),
    Field("delete", FieldKind.FLAG, take_column("delete_enabled"), "Delete", page="row"),
    Field("expires", FieldKind.INSTANT, take_column("expires_at"), "Expires", page="row"),
    Field("days_left", FieldKind.NUMBER, find_days_left, "Days left"),
    Field("findings", FieldKind.COUNT, take_count(lambda counts: counts.of_tokens), "Open findings", page="row"),
    Field(
        "highest",
        FieldKind.SEVERITY,
        take_count(lambda counts: counts.highest_of_tokens),
        "Highest severity",
        page="row",
    ),
    Field(
        "clean",
        FieldKind.MARK,
        take_count(lambda counts: counts.figures.without_findings),
        "Without findings",
        printed=False,
    ),
    Field("created", FieldKind.INSTANT, take_column("created_at"), "Created", page="more"),
    Field("rotated", FieldKind.INSTANT, take_column("last_rotated_at"), "Last rotated"),
    Field("rotation", FieldKind.WORD, take_column("rotation_evidence"), "Rotation evidence", narrowest=13),
    Field("consumers", FieldKind.TEXT, describe_token_consumers, "Consumers", 30, page="more"),
    Field("contact", FieldKind.OWNER, take_organization_column("contact"), "Owner", 30),
    Field("asks", FieldKind.MARK, take_column("is_audit_credential"), "Audit credential", page="more"),
    Field("faults", FieldKind.TEXT, take_column("date_faults"), "Date anomalies", 30, printed=False, page="more"),
    Field(
        "secrets", FieldKind.FEW, take_column("secrets_in_description"), "Secrets redacted", printed=False, page="more"
    ),
    Field("owner_name", FieldKind.TEXT, take_column("owner_name"), "Owning organization", 28, printed=False),
    Field("fingerprint", FieldKind.CODE, take_column("fingerprint"), "fingerprint", 20, page="row"),
    Field("organization_id", FieldKind.CODE, take_column("organization_id"), "organization_id", 40),
    Field("token_id", FieldKind.CODE, take_column("token_id"), "token_id", 40, page="row"),
    Field("owner_id", FieldKind.CODE, take_column("owner_id"), "owner_id", 40),
)

FINDING = (
    Field("severity", FieldKind.SEVERITY, lambda part: part.frame["severity"].cat.codes, "Severity", page="row"),
    Field("subject", FieldKind.DESCRIPTION, lambda part: part.subjects, "Token", 40),
    Field("organization", FieldKind.TEXT, take_finding_column("organization_name"), "Organization", 26),
    Field("message", FieldKind.TEXT, take_column("message"), "Finding", 50, page="row"),
    Field("todo", FieldKind.TEXT, take_finding_column("remediation"), "Remediation", 44),
    Field("due", FieldKind.INSTANT, take_column("due_at"), "Due", page="row"),
    Field("owner", FieldKind.OWNER, take_finding_column("owner"), "Owner", 28),
    Field("expires", FieldKind.INSTANT, lambda part: part.expires, "Expires", printed=False),
    Field("status", FieldKind.WORD, take_finding_column("status"), "Status", printed=False),
    Field("first", FieldKind.INSTANT, take_column("first_seen_at"), "First seen", printed=False, page="row"),
    Field(
        "violates",
        FieldKind.MARK,
        take_count(lambda counts: counts.audit.violates),
        "Policy violation",
        printed=False,
        page="row",
    ),
    Field("overdue", FieldKind.NUMBER, count_days_overdue, "Overdue (days)", printed=False),
    Field("waived", FieldKind.TICK, lambda part: part.frame["waived"].map(yes_no), "Accepted", printed=False),
    Field("waiver_id", FieldKind.WORD, take_finding_column("waiver_id"), "Risk acceptance", 30, printed=False),
    Field("rule", FieldKind.WORD, lambda part: part.spelled["rule_name"].str.replace("-", " "), "Rule", printed=False),
    Field("family", FieldKind.WORD, lambda part: part.spelled["family"].replace(FAMILIES), "Family", 24, printed=False),
    Field("evidence", FieldKind.WORD, lambda part: part.evidence, "Evidence", printed=False),
    Field("controls", FieldKind.WORD, lambda part: part.controls, "Mapped controls", printed=False),
    Field("fingerprint", FieldKind.CODE, take_finding_column("fingerprint"), "fingerprint", 20),
    Field("finding_id", FieldKind.CODE, take_column("finding_id"), "finding_id", 20, page="row"),
    Field("rule_id", FieldKind.CODE, take_finding_column("rule_id"), "rule_id", 12),
    Field("organization_id", FieldKind.CODE, take_finding_column("organization_id"), "organization_id", 40),
    Field("token_id", FieldKind.CODE, take_finding_column("token_id"), "token_id", 40),
)

ORGANIZATION = (
    Field("name", FieldKind.TEXT, take_column("name"), "Organization", 34, 20, page="row"),
    Field("coverage", FieldKind.COVERAGE, take_column("status"), "Coverage", narrowest=14, page="row"),
    Field("reason", FieldKind.TEXT, find_reason, "Reason and remediation", 50, page="row"),
    Field("tokens", FieldKind.NUMBER, take_column("tokens"), "Tokens collected", page="row"),
    Field(
        "claimed", FieldKind.NUMBER, take_column("total_count"), "Tokens reported by Credly", narrowest=10, page="row"
    ),
    Field(
        "privileged",
        FieldKind.NUMBER,
        take_count(lambda counts: counts.privileged),
        "Can write or delete",
        narrowest=11,
        page="row",
    ),
    Field(
        "findings",
        FieldKind.COUNT,
        take_count(lambda counts: counts.of_organizations.sum(axis=1)),
        "Open findings",
        page="row",
    ),
    *map(count_severity, reversed(Severity)),
    Field(
        "next", FieldKind.INSTANT, lambda part: part.counts.next_expiry.iloc[part.rows], "Next expiration", page="row"
    ),
    Field("contact", FieldKind.OWNER, take_column("contact"), "Owner", 30, page="row"),
    Field("tags", FieldKind.TAGS, take_column("tags"), "Tags", 24, printed=False, page="row"),
    Field(
        "asked_with",
        FieldKind.WORD,
        take_column("credential_kind"),
        "Audit credential",
        narrowest=11,
        printed=False,
        page="row",
    ),
    Field(
        "credential_expires",
        FieldKind.INSTANT,
        take_column("credential_expires_at"),
        "Credential expires",
        printed=False,
        page="row",
    ),
    Field("pages", FieldKind.NUMBER, take_column("pages"), "Pages", printed=False),
    Field("requests", FieldKind.NUMBER, take_column("requests"), "Requests", printed=False),
    Field("retries", FieldKind.NUMBER, take_column("retries"), "Retries", printed=False),
    Field("seconds", FieldKind.SECONDS, take_column("seconds"), "Seconds", printed=False),
    Field(
        "credential_fingerprint", FieldKind.CODE, take_column("credential_fingerprint"), "credential_fingerprint", 20
    ),
    Field("credential", FieldKind.CODE, lambda part: part.frame["credential_fingerprint"].str[:8], page="row"),
    Field("id", FieldKind.CODE, take_column("organization_id"), "organization_id", 40, page="row"),
)

APPLICATION = (
    Field("name", FieldKind.TEXT, name_applications, "Application", 34, 20),
    Field("description", FieldKind.DESCRIPTION, take_column("description"), "Description", 44, 24, page="row"),
    Field("organization", FieldKind.TEXT, take_organization_column("name"), "Organization", 28, page="row"),
    Field("creator", FieldKind.FLAG, take_column("creator_available"), "Creator active", narrowest=12, page="row"),
    Field("updated", FieldKind.INSTANT, take_column("updated_at"), "Updated", page="row"),
    Field("created", FieldKind.INSTANT, take_column("created_at"), "Created", page="row"),
    Field("findings", FieldKind.COUNT, take_count(lambda counts: counts.of_applications), "Open findings"),
    Field("highest", FieldKind.SEVERITY, take_count(lambda counts: counts.gravest_of_applications), "Highest severity"),
    Field("contact", FieldKind.OWNER, take_organization_column("contact"), "Owner", 30),
    Field("secrets", FieldKind.FEW, take_column("secrets_in_description"), "Secrets redacted", printed=False),
    Field("id", FieldKind.CODE, take_column("application_id"), "application_id", 20, page="row"),
    Field("organization_id", FieldKind.CODE, take_column("organization_id"), "organization_id", 40),
)

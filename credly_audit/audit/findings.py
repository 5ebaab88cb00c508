"""What the rules found: compact in memory, spelled out a piece at a time for the renderers.

Measured: 2.2 million findings with every column spelled out take three times the seconds and the memory.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from credly_audit.audit.prior import ABOUT, make_empty_frame
from credly_audit.errors import BrokenRule
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.rules.declare import Flags, Rule
from credly_audit.severity import Severity

SEVERITY = pd.CategoricalDtype(list(Severity), ordered=True)

COLUMNS = (
    "finding_id",
    "rule_id",
    "rule_name",
    "family",
    "severity",
    "organization_id",
    "organization_name",
    "token_id",
    "fingerprint",
    "description",
    "owner",
    "message",
    "remediation",
    "due_at",
    "evidence",
    "controls",
    "status",
    "first_seen_at",
    "waived",
    "waiver_id",
)
"""What a reader of a report gets of each finding, in this order."""

PIECE = 20_000


NO_FINDINGS = pd.DataFrame(
    {
        "finding_id": pd.Series(dtype="string"),
        "severity": pd.Series(dtype=SEVERITY),
        "organization_row": pd.Series(dtype="int32"),
        "token_row": pd.Series(dtype="int32"),
        "evidence_row": pd.Series(dtype="int32"),
        "message": pd.Series(dtype="string"),
        "due_at": pd.Series(dtype=INSTANT),
        "owner": pd.Series(dtype="string"),
    }
)
"""What `pack_flags` gives, without a row."""


def compute_finding_ids(
    rule_id: str, organizations: Sequence[str], tokens: Sequence[str], more: Sequence[str]
) -> list[str]:
    """Return stable ids: the first 16 hex digits of the SHA-256 of the four texts joined by U+001F."""
    sha256 = hashlib.sha256
    return [
        sha256("\x1f".join((rule_id, *subject)).encode()).hexdigest()[:16]
        for subject in zip(organizations, tokens, more, strict=True)
    ]


def pack_flags(rule: Rule, flags: Flags, tokens: pd.DataFrame, organizations: pd.DataFrame) -> pd.DataFrame:
    """Return the flags of one rule as unsorted rows of `Findings.frame`, in the severity that the rule gives them.

    BrokenRule where two of them would have one id.
    """
    rows = flags.rows.to_numpy()
    many = len(rows)
    if not many:
        return NO_FINDINGS.copy()
    if rule.subject == "token":
        token_row = rows.astype("int32")
        organization_row = tokens["organization_id"].cat.codes.to_numpy()[rows].astype("int32")
        token_ids = tokens["token_id"].take(rows).tolist()
    else:
        token_row = np.full(many, -1, dtype="int32")
        if flags.token_rows is not None:
            token_row = flags.token_rows.to_numpy(dtype="int32")
        organization_row = rows.astype("int32")
        token_ids = tokens["token_id"].reindex(token_row).fillna("").tolist()
    names = organizations["organization_id"].to_numpy(dtype=object)[organization_row]
    more = [""] * many if flags.discriminator is None else flags.discriminator.tolist()
    weights = [rule.severity] * many if flags.severity is None else flags.severity
    ids = compute_finding_ids(rule.id, names, token_ids, more)
    if not flags.rows.is_unique and len(set(ids)) < many:
        raise BrokenRule(f"flags one {rule.subject} twice; tell the findings apart by a discriminator")
    return pd.DataFrame(
        {
            "finding_id": pd.array(ids, dtype="string"),
            "severity": pd.Categorical(weights, dtype=SEVERITY),
            "organization_row": organization_row,
            "token_row": token_row,
            "evidence_row": np.arange(many, dtype="int32"),
            "message": flags.message.array,
            "due_at": (pd.Series(pd.NaT, flags.rows, dtype=INSTANT) if flags.due_at is None else flags.due_at).array,
            "owner": pd.array([None] * many if flags.owner is None else flags.owner, dtype="string"),
        }
    )


@dataclass(frozen=True, slots=True)
class Findings:
    """The findings of an audit, worst first.

    `frame`, a row a finding: finding_id, rule_id (category), severity (ordered category), organization_row and
    token_row (positions in the two frames; -1: a finding on the organization itself), evidence_row (position in
    `evidence[rule_id]`, a typed frame), message, due_at, owner (category), status (category), first_seen_at, waived
    (bool), waiver_id (category), plan_id (category: its remediation plan), newly (bool: it counts for `Gate.new_only`),
    unseen_row (position in `elsewhere`, -1: it is here). `elsewhere` are findings that nobody saw this time, as an
    earlier audit left them: columns `past.ABOUT`; in `frame` they come last, their evidence_row is -1.
    """

    frame: pd.DataFrame
    evidence: Mapping[str, pd.DataFrame]
    tokens: pd.DataFrame
    organizations: pd.DataFrame
    rules: Mapping[str, Rule]
    elsewhere: pd.DataFrame = field(default_factory=lambda: make_empty_frame(ABOUT))

    def __len__(self) -> int:
        """Return the number of findings, waived ones included."""
        return len(self.frame)

    @property
    def unseen(self) -> np.ndarray:
        """Mark the findings that were not assessed: only an earlier audit saw them (bool)."""
        return self.frame["status"].eq("unseen").fillna(value=False).to_numpy(dtype=bool)

    @property
    def open(self) -> np.ndarray:
        """Mark the findings that count: those neither waived nor unseen (bool)."""
        return ~self.frame["waived"].to_numpy(dtype=bool) & ~self.unseen

    @property
    def actionable(self) -> np.ndarray:
        """Mark the open findings that ask for an action: all above `info` (bool)."""
        return self.open & (self.frame["severity"].cat.codes > Severity.INFO.weight).to_numpy()

    def where(self, mask: Any) -> "Findings":
        """Return the findings of a boolean mask over `frame`, in the same order."""
        frame = self.frame[mask].reset_index(drop=True)
        return replace(self, frame=frame)

    def pieces(self) -> Iterator[pd.DataFrame]:
        """Yield all findings with every column of COLUMNS but `evidence`, a bounded frame at a time."""
        for start in range(0, len(self.frame), PIECE):
            yield self.spell_out(self.frame.iloc[start : start + PIECE])

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield each finding as a dictionary of COLUMNS; null is None, instants are pandas Timestamps (UTC)."""
        for start in range(0, len(self.frame), PIECE):
            piece = self.frame.iloc[start : start + PIECE]
            spelled = self.spell_out(piece)
            columns = {name: convert_to_plain(spelled[name]) for name in spelled}
            columns["evidence"] = self.list_evidence(piece)
            columns["controls"] = [self.controls(rule_id) for rule_id in columns["rule_id"]]
            for values in zip(*(columns[name] for name in COLUMNS), strict=True):
                yield dict(zip(COLUMNS, values, strict=True))

    def controls(self, rule_id: str) -> list[str]:
        """Return `framework control` for each control that the rule supports evidence for."""
        return [f"{name} {control}" for name, ids in self.rules[rule_id].controls.items() for control in ids]

    def spell_out(self, piece: pd.DataFrame) -> pd.DataFrame:
        """Return some rows of `frame` with every column of COLUMNS but `evidence` and `controls`."""
        organizations = self.organizations.take(piece["organization_row"]).reset_index(drop=True)
        tokens = self.tokens.reindex(piece["token_row"].where(piece["token_row"] >= 0)).reset_index(drop=True)
        piece = piece.reset_index(drop=True)
        elsewhere = self.elsewhere.reindex(piece["unseen_row"].where(piece["unseen_row"] >= 0)).reset_index(drop=True)
        rules = piece["rule_id"].astype(object)
        return pd.DataFrame(
            {
                "finding_id": piece["finding_id"],
                "rule_id": piece["rule_id"],
                "rule_name": rules.map(lambda rule: self.rules[rule].name).array,
                "family": rules.str[:3].array,
                "severity": piece["severity"],
                "organization_id": organizations["organization_id"],
                "organization_name": organizations["name"],
                "token_id": tokens["token_id"].fillna(elsewhere["token_id"]),
                "fingerprint": tokens["fingerprint"].fillna(elsewhere["fingerprint"]),
                "description": tokens["description"].fillna(elsewhere["description"]),
                "owner": piece["owner"],
                "message": piece["message"],
                "remediation": rules.map(lambda rule: self.rules[rule].remediation).array,
                "due_at": piece["due_at"],
                "status": piece["status"],
                "first_seen_at": piece["first_seen_at"],
                "waived": piece["waived"],
                "waiver_id": piece["waiver_id"],
            }
        )

    def list_evidence(self, piece: pd.DataFrame) -> list[dict[str, Any]]:
        """Return the evidence of some rows of `frame`, by the names of its columns."""
        evidence: list[dict[str, Any]] = [{}] * len(piece)
        rule_ids = piece["rule_id"].astype(object).to_numpy()
        here = piece["evidence_row"].to_numpy() >= 0
        for rule_id in dict.fromkeys(rule_ids[here]):
            positions = np.flatnonzero(here & (rule_ids == rule_id))
            seen = self.evidence[rule_id].take(piece["evidence_row"].to_numpy()[positions])
            columns = [convert_to_plain(seen[name]) for name in seen]
            for position, values in zip(positions, zip(*columns, strict=True), strict=columns != []):
                evidence[position] = dict(zip(seen.columns, values, strict=True))
        return evidence


def convert_to_plain(column: pd.Series) -> list[Any]:
    """Return a column as plain Python values; null is None."""
    values = column.astype(object)
    return list(values.where(values.notna(), None))

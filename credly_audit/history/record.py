"""What one audit saw, as the history keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd

from credly_audit.audit.changes import pack_permissions
from credly_audit.audit.comparison import count_for_trend
from credly_audit.audit.figures import Figures
from credly_audit.audit.model import Audit
from credly_audit.audit.unseen import Scope, find_silent_rules
from credly_audit.history.schema import NULL_INSTANT, convert_to_microseconds
from credly_audit.instants.instant_columns import keep_within
from credly_audit.rules.facts import BITS


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What one audit saw, as the history keeps it. Instants are microseconds, NULL_INSTANT where null.

    `organizations`: organization_id, name, status, not_judged. `tokens`: organization_id, token_id, description,
    fingerprint, permissions, denied, expires_at, rotated_at. `findings`: finding_id, rule_id, organization_id,
    token_id, weight, waived, due_at, first_seen_at; those that are there alone.
    """

    audit: Mapping[str, Any]
    organizations: pd.DataFrame
    tokens: pd.DataFrame
    findings: pd.DataFrame
    figures: Mapping[str, int]
    """The key figures, by name."""

    @property
    def as_of(self) -> int:
        """The instant of the audit."""
        return convert_to_microseconds(self.audit["as_of"])


def describe_audit(audit: Audit) -> AuditRecord:
    """Describe what an audit saw."""
    header = audit.snapshot.header
    scope = Scope.of(
        audit.policy,
        audit.tokens,
        audit.organizations,
        audit.rules,
        find_silent_rules(audit.snapshot, audit.rules, audit.broken),
    )
    resolved = 0 if audit.compared is None else len(audit.compared.resolved)
    line = count_for_trend(
        audit.findings.frame,
        audit.organizations,
        resolved=resolved,
        tokens=len(audit.tokens),
        outcome=audit.verdict.outcome,
        as_of=pd.Timestamp(audit.as_of),
    )
    return AuditRecord(
        line
        | {
            "as_of": audit.as_of,
            "collected_at": header.collected_at,
            "recorded_at": datetime.now(UTC),
            "tool_version": header.tool_version[:40],
            "fingerprint_key": header.fingerprint_key,
            "exit_code": int(audit.verdict.exit_code),
            "violations": audit.verdict.violations,
            "whole": scope.whole,
            "full_scope": scope.full_scope,
            "inherited": False,
        },
        scope.organizations.assign(name=audit.organizations["name"].fillna(audit.organizations["organization_id"])),
        _describe_tokens(audit),
        _describe_findings(audit),
        Figures(audit).counts,
    )


def _describe_tokens(audit: Audit) -> pd.DataFrame:
    frame = audit.tokens
    flags = {name: frame[f"{name}_enabled"] for name in BITS}
    off = {name: flag.eq(other=False).fillna(value=False).to_numpy(dtype=bool) for name, flag in flags.items()}
    seen = frame["rotation_evidence"].eq("seen").fillna(value=False).to_numpy(dtype=bool)
    return pd.DataFrame(
        {
            "organization_id": frame["organization_id"].astype("string"),
            "token_id": frame["token_id"],
            "description": frame["description"],
            "fingerprint": frame["fingerprint"],
            "permissions": pack_permissions(frame),
            "denied": sum(off[name] * bit for name, bit in BITS.items()),
            "expires_at": _find_numbers(frame["expires_at"]),
            "rotated_at": np.where(seen, _find_numbers(frame["last_rotated_at"]), NULL_INSTANT),
        }
    ).drop_duplicates(["organization_id", "token_id"], ignore_index=True)


def _describe_findings(audit: Audit) -> pd.DataFrame:
    frame = audit.findings.frame[~audit.findings.unseen].reset_index(drop=True)
    rows = frame["token_row"].to_numpy()
    token_ids = audit.tokens["token_id"].reindex(np.where(rows < 0, len(audit.tokens), rows))
    within = [audit.policy.due_within(severity) for severity in frame["severity"].cat.categories]
    days = pd.Series([pd.NaT if each is None else each for each in within], dtype="timedelta64[us]")
    first = frame["first_seen_at"].fillna(audit.as_of)
    usual = keep_within(first + days.take(frame["severity"].cat.codes).set_axis(frame.index))
    return pd.DataFrame(
        {
            "finding_id": frame["finding_id"],
            "rule_id": frame["rule_id"].astype("string"),
            "organization_id": audit.organizations["organization_id"].take(frame["organization_row"]).array,
            "token_id": token_ids.array,
            "weight": frame["severity"].cat.codes.astype("int64"),
            "waived": frame["waived"].astype(bool),
            "due_at": _find_numbers(frame["due_at"].mask(frame["due_at"] == usual)),
            "first_seen_at": _find_numbers(first),
        }
    ).drop_duplicates("finding_id", ignore_index=True)


def _find_numbers(instants: pd.Series) -> np.ndarray:
    numbers: np.ndarray = instants.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype("int64")
    return numbers

"""What changed since the last audit: tokens and findings, one row a change, and the counts of each organization."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from credly_audit.audit.findings import SEVERITY
from credly_audit.audit.prior import Past, find_positions, find_positions_of_ids, make_empty_frame, take_with_default
from credly_audit.rules.facts import BITS, Facts

TOKEN_CHANGES = ("created", "removed", "rotated", "permissions increased", "permissions reduced")
FINDING_CHANGES = ("new", "reopened", "resolved", "accepted", "no longer accepted")

CHANGES = {
    "change": "string",
    "detail": "string",
    "rule_id": "string",
    "severity": SEVERITY,
    "organization_id": "string",
    "organization_name": "string",
    "token_id": "string",
    "description": "string",
    "fingerprint": "string",
    "finding_id": "string",
}
"""A change of a token (one of TOKEN_CHANGES; `rule_id`, `severity` and `finding_id` are null) or of a finding.

`detail`: the permissions that were gained or lost, or the reason for which a finding was resolved.
"""

DELTAS = {
    "organization_id": "string",
    "organization_name": "string",
    **dict.fromkeys((*TOKEN_CHANGES, *FINDING_CHANGES), "int64"),
    "open_before": "int64",
    "open_now": "int64",
}
"""The changes of one organization by kind, and its findings that are not resolved or accepted, then and now."""

UNKNOWN_BITS = 8
"""What the bit of a permission is multiplied by where it is not known."""

PERMISSIONS = np.array([", ".join(name for name, bit in BITS.items() if bit & bits) for bits in range(8)], dtype=object)
"""Permissions in words, by the sum of their bits."""

REGISTER_RULES = ("INV005",)
PERMISSION_RULES = ("PRM", "CHG001", "CHG003", "INV007")
VALUE_RULES = ("EXP", "INV002", "CHG002")
"""Rules, or the families of rules, on what a register entry, an approval or a rotation changes."""


def pack_permissions(tokens: pd.DataFrame) -> np.ndarray:
    """Return what each token may do as a sum of BITS; of what is not known, times UNKNOWN_BITS."""
    flags = {bit: tokens[f"{name}_enabled"] for name, bit in BITS.items()}
    on = sum(flag.fillna(value=False).to_numpy(dtype=bool) * bit for bit, flag in flags.items())
    unknown = sum(flag.isna().to_numpy(dtype=bool) * bit for bit, flag in flags.items())
    packed: np.ndarray = np.asarray(on + unknown * UNKNOWN_BITS, dtype="int64")
    return packed


def find_gained_bits(before: np.ndarray, now: np.ndarray) -> np.ndarray:
    """Return the permissions that are on now and were known to be off, as sums of bits (packed as the history does)."""
    bits: np.ndarray = now & ~(before | before // UNKNOWN_BITS) & 7
    return bits


def find_changes(past: Past, facts: Facts, findings: pd.DataFrame, resolved: pd.DataFrame) -> pd.DataFrame:
    """Return the changes (CHANGES) since the last audit; tokens first, then findings, worst first.

    `findings` are those of the audit, `resolved` has the columns `comparison.RESOLVED`.
    """
    tokens = _TokenChanges(past, facts)
    rows = [*tokens.rows(), *_select_findings(past, facts, findings), _select_resolved(tokens, resolved)]
    rows = [each for each in rows if len(each)]
    if not rows:
        return make_empty_frame(CHANGES)
    frame = pd.concat([each.reindex(columns=list(CHANGES)).astype(CHANGES) for each in rows], ignore_index=True)
    order = pd.Categorical(frame["change"], [*TOKEN_CHANGES, *FINDING_CHANGES]).codes
    weights = -frame["severity"].cat.codes.to_numpy()
    names = frame["organization_name"].fillna("").to_numpy(dtype=object).astype(str)
    return frame.take(np.lexsort((names, weights, order))).reset_index(drop=True)


class _TokenChanges:
    """Tokens that were created, removed, rotated, or whose permissions changed."""

    def __init__(self, past: Past, facts: Facts) -> None:
        """Hold the tokens of an audit against what the last one that listed each of them knew."""
        assert facts.before is not None  # noqa: S101 - there is a history
        assert facts.fully_seen_before is not None  # noqa: S101 - as said
        self.past, self.facts, before = past, facts, facts.before
        there = before["known"].to_numpy() & ~before["gone"].to_numpy()
        permissions = pack_permissions(facts.tokens)
        watched = facts.fully_seen_before.notna().to_numpy(dtype=bool)[facts.organization_rows]
        self.created = ~there & watched
        self.rotated = there & _find_rotated(facts)
        self.gained = np.where(there, find_gained_bits(before["permissions"].to_numpy(), permissions), 0)
        self.lost = np.where(there, find_gained_bits(permissions, before["permissions"].to_numpy()), 0)

    def rows(self) -> list[pd.DataFrame]:
        """Return a frame for each kind of change."""
        return [
            self._compare_listed("created", self.created),
            self._find_removed(),
            self._compare_listed("rotated", self.rotated),
            self._compare_listed("permissions increased", self.gained > 0, self.gained),
            self._compare_listed("permissions reduced", self.lost > 0, self.lost),
        ]

    def _compare_listed(self, change: str, mask: np.ndarray, bits: np.ndarray | None = None) -> pd.DataFrame:
        rows = np.flatnonzero(mask)
        detail = [None] * len(rows) if bits is None else PERMISSIONS[bits[rows]].tolist()
        return describe_tokens(self.facts, rows).assign(change=change, detail=detail)

    def _find_removed(self) -> pd.DataFrame:
        known, tokens, organizations = self.past.tokens, self.facts.tokens, self.facts.organizations
        places = find_positions(known["organization_id"], organizations["organization_id"])
        complete = take_with_default(self.facts.fully_seen.to_numpy(), places, default=False)
        listed = find_positions(
            (known["organization_id"], known["token_id"]), (tokens["organization_id"], tokens["token_id"])
        )
        gone = known[complete & (listed < 0) & ~known["gone"].to_numpy()]
        described = self.past.describe(gone["token_id"])
        found = find_positions(
            (gone["organization_id"], gone["token_id"]), (described["organization_id"], described["token_id"])
        )
        return gone[["organization_id", "token_id", "fingerprint"]].assign(
            change="removed",
            description=described["description"].reindex(found).array,
            organization_name=organizations["name"].take(places[gone.index]).array,
        )


def _find_rotated(facts: Facts) -> np.ndarray:
    """Mark tokens whose value changed, or, where values cannot be compared, whose expiry tells of a later rotation."""
    tokens, before = facts.tokens, facts.before
    assert before is not None  # noqa: S101 - there is a history
    now, then = tokens["fingerprint"], before["fingerprint"]
    changed = (now != then).fillna(value=False).to_numpy(dtype=bool)
    inferred = tokens["rotation_evidence"].eq("inferred").fillna(value=False).to_numpy(dtype=bool)
    later = (tokens["last_rotated_at"] > before["seen_at"]).to_numpy(dtype=bool)
    incomparable = (now.isna() | then.isna()).to_numpy(dtype=bool)
    rotated: np.ndarray = changed | (incomparable & inferred & later)
    return rotated


def describe_tokens(facts: Facts, rows: np.ndarray) -> pd.DataFrame:
    """Return what a change says of the tokens at these positions."""
    tokens, organizations = facts.tokens, facts.organizations.take(facts.organization_rows[rows])
    columns = {name: tokens[name].take(rows).array for name in ("token_id", "description", "fingerprint")}
    owners = {
        "organization_id": organizations["organization_id"].array,
        "organization_name": organizations["name"].array,
    }
    return pd.DataFrame(columns | owners)


def _select_findings(past: Past, facts: Facts, findings: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the findings that are new or reopened, and those whose acceptance began or ended."""
    known = past.findings
    places = find_positions_of_ids(findings["finding_id"], known["finding_id"])
    statuses = findings["status"].astype(object).to_numpy()
    waived, unseen = findings["waived"].to_numpy(dtype=bool), statuses == "unseen"
    waived_before = take_with_default(known["waived"].to_numpy(), places, default=False) & (statuses == "persisting")
    masks = {
        "new": (statuses == "new") & ~waived,
        "reopened": (statuses == "reopened") & ~waived,
        "accepted": waived & ~waived_before & ~unseen,
        "no longer accepted": waived_before & ~waived,
    }
    return [_describe_findings(facts, findings[mask]).assign(change=change) for change, mask in masks.items()]


def _describe_findings(facts: Facts, rows: pd.DataFrame) -> pd.DataFrame:
    tokens = facts.tokens.reindex(rows["token_row"].where(rows["token_row"] >= 0))
    organizations = facts.organizations.take(rows["organization_row"])
    return pd.DataFrame(
        {
            "rule_id": rows["rule_id"].astype("string").array,
            "severity": rows["severity"].array,
            "organization_id": organizations["organization_id"].array,
            "organization_name": organizations["name"].array,
            **{name: tokens[name].array for name in ("token_id", "description", "fingerprint")},
            "finding_id": rows["finding_id"].array,
        }
    )


def _select_resolved(tokens: _TokenChanges, resolved: pd.DataFrame) -> pd.DataFrame:
    rows = resolved.reindex(columns=[name for name in CHANGES if name in resolved])
    return rows.assign(change="resolved", detail=_find_reasons(tokens, resolved))


def _find_reasons(changed: _TokenChanges, resolved: pd.DataFrame) -> np.ndarray:
    """Return why each finding was resolved: what happened to its token that the rule depends on."""
    facts = changed.facts
    rows = find_positions(
        (resolved["organization_id"], resolved["token_id"].fillna("")),
        (facts.tokens["organization_id"], facts.tokens["token_id"]),
    )

    def happened(mask: np.ndarray) -> np.ndarray:
        return take_with_default(mask, rows, default=False)

    def concerns(rules: tuple[str, ...]) -> np.ndarray:
        mask: np.ndarray = resolved["rule_id"].str.startswith(rules).to_numpy(dtype=bool)
        return mask

    of_token = resolved["token_id"].notna().to_numpy(dtype=bool)
    approved = facts.tokens["approved"].to_numpy(dtype=bool)
    reasons = {
        "removed": of_token & (rows < 0),
        "rotated": concerns(VALUE_RULES) & happened(changed.rotated),
        "permissions reduced": concerns(PERMISSION_RULES) & happened(changed.lost > 0),
        "approved": (concerns(PERMISSION_RULES) & happened(approved))
        | (concerns(REGISTER_RULES) & happened(facts.registered)),
        "expired": of_token & happened(facts.expired),
    }
    said: np.ndarray = np.select(list(reasons.values()), list(reasons), default="no longer applies").astype(object)
    return said


def count_by_organization(
    changes: pd.DataFrame,
    findings: pd.DataFrame,
    organizations: pd.DataFrame,
    open_in: Callable[[pd.Series], pd.DataFrame],
) -> pd.DataFrame:
    """Return the counts (DELTAS) of the organizations in which something changed, most changes first."""
    ids = organizations["organization_id"]
    many = pd.crosstab(changes["organization_id"].to_numpy(), changes["change"].to_numpy())
    known = open_in(ids).set_index("organization_id")["open_findings"]
    live = findings["organization_row"].to_numpy()[~findings["waived"].to_numpy(dtype=bool)]
    counted = {name: many[name].reindex(ids).fillna(0).array if name in many else 0 for name in DELTAS}
    frame = pd.DataFrame(
        counted
        | {
            "organization_id": ids.array,
            "organization_name": organizations["name"].array,
            "open_before": known.reindex(ids).fillna(0).array,
            "open_now": np.bincount(live, minlength=len(ids)),
        }
    ).astype(DELTAS)
    total = frame[[*TOKEN_CHANGES, *FINDING_CHANGES]].sum(axis=1).to_numpy()
    moved = (total > 0) | (frame["open_before"] != frame["open_now"]).to_numpy()
    return frame.take(np.argsort(-total, kind="stable"))[moved[np.argsort(-total, kind="stable")]].reset_index(
        drop=True
    )

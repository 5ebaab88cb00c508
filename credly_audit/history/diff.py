"""What changed between two recorded audits."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import sqlalchemy as sa

from credly_audit.audit.changes import PERMISSIONS, find_gained_bits
from credly_audit.audit.findings import SEVERITY
from credly_audit.history import column_io as bulk
from credly_audit.history.queries import Moment, Sightings, load_known_findings, load_known_tokens
from credly_audit.history.schema import NULL_INSTANT, organizations, tokens

TOKEN = ("organization_id", "organization_name", "token_id", "description", "fingerprint")
FINDING = ("finding_id", "rule_id", "severity", "organization_id", "organization_name", "token_id", "description")


@dataclass(frozen=True, slots=True)
class Difference:
    """Tokens made, gone, rotated and escalated (columns TOKEN), findings new, remediated and reopened."""

    made: pd.DataFrame
    gone: pd.DataFrame
    rotated: pd.DataFrame
    escalated: pd.DataFrame
    new: pd.DataFrame
    remediated: pd.DataFrame
    reopened: pd.DataFrame


def compute_difference(connection: sa.Connection, series: int, earlier: int, later: int) -> Difference:
    """Compare two audits of a series by their numbers; of what is incomplete, only what was collected."""
    then, now = Moment.at(connection, series, earlier), Moment.at(connection, series, later)
    seen_then, seen_now = Sightings.upto(connection, then), Sightings.upto(connection, now)
    names = _load_names(connection, now)
    tokens_then = load_known_tokens(connection, then, seen_then)
    tokens_now = load_known_tokens(connection, now, seen_now, described=True)
    before, after = _align(tokens_then, tokens_now, "token")
    there, there_now = before["known"] & ~before["gone"], ~after["gone"]
    fully_seen = seen_then.fully_seen_at != NULL_INSTANT
    places = after["organization"].to_numpy()
    known_place = places < len(fully_seen)
    watched = np.where(known_place, np.append(fully_seen, [False])[np.where(known_place, places, -1)], False)
    same_key = before["fingerprint_key"].fillna("") == after["fingerprint_key"].fillna("")
    other = (before["fingerprint"] != after["fingerprint"]) & before["fingerprint"].notna()
    could = np.nan_to_num(before["permissions"].to_numpy(dtype="float64"), nan=7).astype("int64")
    gained = find_gained_bits(could, after["permissions"].to_numpy())
    listed = after.assign(gained=PERMISSIONS[gained])
    findings_then = load_known_findings(connection, then, seen_then)
    findings_now = load_known_findings(connection, now, seen_now, whole=True)
    was, is_now = _align(findings_then, findings_now, "finding")
    first = is_now["first_seen_at"].to_numpy() > then.as_of
    token_names = _load_token_names(connection, now)
    return Difference(
        **{
            name: _describe_changes(listed[mask.to_numpy(dtype=bool)], names)
            for name, mask in {
                "made": there_now & ~there & watched,
                "gone": there & ~there_now,
                "rotated": there & there_now & same_key & other,
            }.items()
        },
        escalated=_describe_changes(listed[(there & there_now & (gained > 0)).to_numpy(dtype=bool)], names, "gained"),
        **{
            name: _compare_findings(is_now[mask.to_numpy(dtype=bool)], names, token_names)
            for name, mask in {
                "new": ~is_now["gone"] & first,
                "remediated": was["known"] & ~was["gone"] & is_now["gone"],
                "reopened": ~is_now["gone"] & ~first & was["gone"],
            }.items()
        },
    )


def _align(then: pd.DataFrame, now: pd.DataFrame, subject: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return both as rows of the later one, the earlier with `known`."""
    places = pd.Index(then[subject]).get_indexer(now[subject])
    before = then.reindex(np.where(places < 0, len(then), places)).reset_index(drop=True)
    return before.assign(known=places >= 0, gone=(before["gone"] == True).to_numpy(dtype=bool)), now  # noqa: E712 - null is not true


def _load_names(connection: sa.Connection, now: Moment) -> pd.DataFrame:
    columns = (organizations.c.id, organizations.c.organization_id, organizations.c.name)
    known = bulk.read(connection, sa.select(*columns).where(*now.of(organizations)))
    return pd.DataFrame(
        {"organization_id": known["organization_id"], "organization_name": known["name"]}, index=known["id"]
    ).astype("string")


def _load_token_names(connection: sa.Connection, now: Moment) -> pd.DataFrame:
    columns = (tokens.c.id, tokens.c.token_id, tokens.c.description)
    known = bulk.read(connection, sa.select(*columns).where(*now.of(tokens)))
    frame = pd.DataFrame({name: known[name] for name in ("token_id", "description")}, index=known["id"])
    return frame.astype("string")


def _describe_changes(rows: pd.DataFrame, names: pd.DataFrame, *more: str) -> pd.DataFrame:
    theirs = names.reindex(rows["organization"]).reset_index(drop=True)
    frame = pd.concat([theirs, rows.reset_index(drop=True)], axis=1)
    return frame.sort_values(["organization_name", "token_id"], ignore_index=True)[[*TOKEN, *more]]


def _compare_findings(rows: pd.DataFrame, names: pd.DataFrame, of_tokens: pd.DataFrame) -> pd.DataFrame:
    frame = pd.concat(
        [
            rows.reset_index(drop=True),
            names.reindex(rows["organization"]).reset_index(drop=True),
            of_tokens.reindex(rows["token"]).reset_index(drop=True),
        ],
        axis=1,
    ).assign(severity=pd.Categorical.from_codes(rows["weight"].to_numpy(), dtype=SEVERITY))
    order = ["severity", "organization_name", "rule_id", "finding_id"]
    return frame.sort_values(order, ascending=[False, True, True, True], ignore_index=True)[list(FINDING)]

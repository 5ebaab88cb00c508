"""When each token was last rotated, and what shows it."""

from datetime import timedelta

import numpy as np
import pandas as pd

from credly_audit.audit.prior import (
    Past,
    find_positions,
    take_with_default,
)
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.rules.facts import BEFORE

LIFETIME = timedelta(days=180)
"""How long Credly lets a value live, from its making or its rotation ([DOC] authorization tokens)."""


def add_rotation(tokens: pd.DataFrame, as_of: pd.Timestamp, before: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return the tokens with `last_rotated_at` and `rotation_evidence`; `before` is what earlier audits knew of them.

    Rotation keeps id and created_at and sets expires_at 180 days ahead, so an expiry that fits no creation tells when.
    """
    created, rotated = tokens["created_at"], tokens["expires_at"] - LIFETIME
    inferred = ((rotated > created + timedelta(days=1)) & (rotated <= as_of)).to_numpy()
    evidence = pd.Series(np.where(inferred, "inferred", "created"), tokens.index, dtype="string")
    last, evidence = rotated.where(inferred, created).astype(INSTANT), evidence.where(inferred | created.notna())
    if before is not None:
        seen = find_rotations(tokens, before, rotated, as_of)
        last, evidence = seen.fillna(last), evidence.mask(seen.notna(), "seen")
    return tokens.assign(last_rotated_at=last, rotation_evidence=evidence)


def recall_tokens(past: Past, tokens: pd.DataFrame, fingerprint_key: str | None) -> pd.DataFrame:
    """Return what earlier audits knew of each token (columns BEFORE, indexed as `tokens`)."""
    known = past.tokens
    places = find_positions(
        (tokens["organization_id"], tokens["token_id"]), (known["organization_id"], known["token_id"])
    )
    key = known["fingerprint_key"]
    comparable = (key.isna() if fingerprint_key is None else key.eq(fingerprint_key).fillna(value=False)).to_numpy(bool)
    columns = {
        "known": places >= 0,
        "gone": take_with_default(known["gone"].to_numpy(), places, default=False),
        "fingerprint": known["fingerprint"].where(comparable).array.take(places, allow_fill=True),
        "permissions": take_with_default(known["permissions"].to_numpy(), places, default=0),
        "denied": take_with_default(known["denied"].to_numpy(), places, default=0),
        **{name: known[name].array.take(places, allow_fill=True) for name in ("expires_at", "rotated_at", "seen_at")},
    }
    return pd.DataFrame({name: columns[name] for name in BEFORE}, index=tokens.index)


def recall_completeness(past: Past, organizations: pd.DataFrame) -> pd.Series:
    """Return when each organization was last complete (null: never), indexed as `organizations`."""
    known = past.organizations
    places = find_positions(organizations["organization_id"], known["organization_id"])
    seen = known["fully_seen_at"].reindex(np.where(places < 0, len(known), places))
    return seen.set_axis(organizations.index).astype(INSTANT)


def find_rotations(tokens: pd.DataFrame, before: pd.DataFrame, inferred: pd.Series, as_of: pd.Timestamp) -> pd.Series:
    """Return when each token's value was seen to change (null: never): by the audit that first saw this fingerprint.

    The date inferred from its expiry is the better one where it lies between that audit and the one before it.
    """
    now, then = tokens["fingerprint"], before["fingerprint"]
    same = (now == then).fillna(value=False).to_numpy(dtype=bool)
    changed = (now != then).fillna(value=False).to_numpy(dtype=bool)
    between = ((inferred >= before["seen_at"]) & (inferred <= as_of)).to_numpy(dtype=bool)
    fresh = inferred.where(between, as_of).where(changed)
    return before["rotated_at"].where(same).fillna(fresh).astype(INSTANT)

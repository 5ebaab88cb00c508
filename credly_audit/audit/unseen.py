"""Findings of earlier audits that this one could not assess, carried over."""

import numpy as np
import pandas as pd

from credly_audit.audit.finding_status import STATUSES
from credly_audit.audit.findings import SEVERITY
from credly_audit.audit.prior import (
    positions,
)
from credly_audit.policy.apply import applied
from credly_audit.policy.policy import Policy
from credly_audit.rules.wording import day, distance, sentence


def with_unseen(
    frame: pd.DataFrame,
    unseen: pd.DataFrame,
    tokens: pd.DataFrame,
    organizations: pd.DataFrame,
    *,
    policy: Policy,
    as_of: pd.Timestamp,
) -> pd.DataFrame:
    """The findings and, after them, those that nobody saw; `unseen_row` is their position in `unseen`, else -1.

    Waivers and plans apply to them as to any; one whose token is listed all the same points at it.
    """
    frame = frame.assign(unseen_row=np.full(len(frame), -1, dtype="int32"))
    if unseen.empty:
        return frame
    many = len(unseen)
    places = positions(unseen["organization_id"], organizations["organization_id"])
    rows = pd.DataFrame(
        {
            "finding_id": unseen["finding_id"],
            "rule_id": pd.Categorical(unseen["rule_id"].astype(object), categories=unseen["rule_id"].unique()),
            "severity": pd.Categorical.from_codes(unseen["weight"].to_numpy(), dtype=SEVERITY),
            "organization_row": places.astype("int32"),
            "token_row": np.where(unseen["token_id"].notna(), np.arange(many), -1).astype("int32"),
            "evidence_row": np.full(many, -1, dtype="int32"),
            "message": sentence(
                "Last seen on {day} ({ago}); this time what it depends on was not fully seen.",
                day=day(unseen["seen_at"]),
                ago=distance(unseen["seen_at"], as_of),
            ),
            "due_at": unseen["due_at"],
            "owner": organizations["contact"].take(places).array,
            "status": pd.Categorical(["unseen"] * many, categories=STATUSES),
            "first_seen_at": unseen["first_seen_at"],
            "newly": np.zeros(many, dtype=bool),
            "unseen_row": np.arange(many, dtype="int32"),
        }
    )
    theirs = unseen.assign(
        organization_id=pd.Categorical.from_codes(places, categories=organizations["organization_id"].tolist())
    )
    decided = applied(
        rows, theirs, organizations, policy.waivers, policy.plans, as_of=as_of, next_audit=policy.next_audit
    ).findings
    decided["token_row"] = positions(
        (unseen["organization_id"], unseen["token_id"].fillna("")), (tokens["organization_id"], tokens["token_id"])
    ).astype("int32")
    return _appended(frame, decided)


def _appended(frame: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Two frames of findings as one, whose categories hold both's."""
    both = pd.concat([frame.astype({"rule_id": object, "owner": object}), more.astype({"rule_id": object})])
    rule_ids = [*frame["rule_id"].cat.categories, *more["rule_id"].cat.categories]
    both["rule_id"] = pd.Categorical(both["rule_id"], categories=list(dict.fromkeys(rule_ids)))
    both["owner"] = pd.Categorical(both["owner"], categories=frame["owner"].cat.categories)
    return both.reset_index(drop=True)

"""The status of findings: new, persisting or reopened by what earlier audits knew."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from credly_audit.audit.former_ids import recognize
from credly_audit.audit.prior import Prior, find_positions_of_ids, make_empty_past, take_with_default
from credly_audit.rules.facts import Facts

STATUSES = ("new", "persisting", "reopened", "unseen")


@dataclass(frozen=True, slots=True)
class Tracked:
    """Findings with their status, and where each is in what the history knew."""

    findings: pd.DataFrame
    places: np.ndarray
    """For each finding its position in `past.findings`, -1: it is new."""


def add_status(frame: pd.DataFrame, prior: Prior, facts: Facts) -> Tracked:
    """Return the findings with `status`, `first_seen_at` and `newly`; null where nothing was known before."""
    known = (prior.past or make_empty_past()).findings
    places = find_positions_of_ids(frame["finding_id"], known["finding_id"])
    status = np.full(len(frame), -1, dtype="int8")
    first = np.full(len(frame), np.datetime64("NaT", "us"))
    as_of = facts.as_of
    ids = frame["finding_id"] if prior.baseline is None else recognize(frame, prior.baseline, facts)
    now = as_of.tz_localize(None).to_datetime64().astype("datetime64[us]")
    if prior.past is not None:
        resolved = take_with_default(known["resolved"].to_numpy(), places, default=False)
        status = np.where(places < 0, 0, np.where(resolved, 2, 1)).astype("int8")
        first = take_with_default(known["first_seen_at"].dt.tz_localize(None).to_numpy(), places, default=now)
    elif prior.baseline is not None:
        known_ids = ids.isin(list(prior.baseline.findings)).to_numpy(dtype=bool)
        then = min(pd.Timestamp(prior.baseline.as_of), as_of).tz_localize(None).to_datetime64()
        status, first = known_ids.astype("int8"), np.where(known_ids, then.astype("datetime64[us]"), now)
    findings = frame.assign(
        status=pd.Categorical.from_codes(status, categories=STATUSES),
        first_seen_at=pd.Series(first, frame.index).dt.tz_localize("UTC"),
        newly=_find_newly(frame, ids, prior, places),
    )
    return Tracked(findings, places)


def _find_newly(frame: pd.DataFrame, ids: pd.Series, prior: Prior, places: np.ndarray) -> np.ndarray:
    """Mark what is new or reopened, more severe than before or no longer waived; by the baseline where there is one."""
    weights = frame["severity"].cat.codes.to_numpy()
    if prior.baseline is not None:
        known_weights = {each: level.weight for each, level in prior.baseline.findings.items()}
        return weights > ids.map(known_weights).fillna(-1).to_numpy(dtype="int64")
    if prior.past is None:
        return np.ones(len(frame), dtype=bool)
    known = prior.past.findings
    more_severe = weights > take_with_default(known["weight"].to_numpy(), places, default=-1)
    waived = take_with_default(known["waived"].to_numpy(), places, default=False)
    resolved = take_with_default(known["resolved"].to_numpy(), places, default=True)
    return more_severe | (waived & ~frame["waived"].to_numpy(dtype=bool)) | resolved

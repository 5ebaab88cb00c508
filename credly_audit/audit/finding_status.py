"""Holds an audit against the ones before it: what is new, what came back, what was mended, what nobody saw."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credly_audit.audit.comparison import REMOVED
from credly_audit.audit.findings import SEVERITY
from credly_audit.audit.prior import (
    ABOUT,
    Baseline,
    Past,
    no_past,
    nothing,
    positions,
    positions_of_ids,
    with_default,
)
from credly_audit.policy.policy import Policy
from credly_audit.rules.declare import Rule

STATUSES = ("new", "persisting", "reopened", "unseen")

NO_REGISTER = frozenset({"INV005", "INV006", "INV007"})
"""Rules that say nothing where there is no register, whatever is there."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where findings stand in what was known before: in a history, else in a baseline, else in nothing."""

    past: Past | None
    baseline: Baseline | None
    places: np.ndarray
    """For each finding its position in `past.findings`, -1: it is new."""

    @classmethod
    def of(cls, finding_ids: pd.Series, past: Past | None, baseline: Baseline | None) -> "Standing":
        """That of the findings with these ids."""
        known = no_past() if past is None else past
        return cls(past, baseline, positions_of_ids(finding_ids, known.findings["finding_id"]))

    def told(self, frame: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
        """The findings with `status` and `first_seen_at`; null where nothing was known before."""
        status = np.full(len(frame), -1, dtype="int8")
        first = np.full(len(frame), np.datetime64("NaT", "us"))
        now = as_of.tz_localize(None).to_datetime64().astype("datetime64[us]")
        if self.past is not None:
            known = self.past.findings
            resolved = with_default(known["resolved"].to_numpy(), self.places, default=False)
            status = np.where(self.places < 0, 0, np.where(resolved, 2, 1)).astype("int8")
            first = with_default(known["first_seen_at"].dt.tz_localize(None).to_numpy(), self.places, default=now)
        elif self.baseline is not None:
            ids = frame["finding_id"].isin(list(self.baseline.findings)).to_numpy(dtype=bool)
            then = min(pd.Timestamp(self.baseline.as_of), as_of).tz_localize(None).to_datetime64()
            status, first = ids.astype("int8"), np.where(ids, then.astype("datetime64[us]"), now)
        return frame.assign(
            status=pd.Categorical.from_codes(status, categories=STATUSES),
            first_seen_at=pd.Series(first, frame.index).dt.tz_localize("UTC"),
            newly=self._newly(frame),
        )

    def _newly(self, frame: pd.DataFrame) -> np.ndarray:
        """Findings new or reopened, graver than before or no longer waived; by the baseline where there is one."""
        weights = frame["severity"].cat.codes.to_numpy()
        if self.baseline is not None:
            known_weights = {each: level.weight for each, level in self.baseline.findings.items()}
            return weights > frame["finding_id"].map(known_weights).fillna(-1).to_numpy(dtype="int64")
        if self.past is None:
            return np.ones(len(frame), dtype=bool)
        known = self.past.findings
        graver = weights > with_default(known["weight"].to_numpy(), self.places, default=-1)
        waived = with_default(known["waived"].to_numpy(), self.places, default=False)
        resolved = with_default(known["resolved"].to_numpy(), self.places, default=True)
        return graver | (waived & ~frame["waived"].to_numpy(dtype=bool)) | resolved

    def absent(self, sight: "Sight", rules: Mapping[str, Rule]) -> tuple[pd.DataFrame, pd.DataFrame]:
        """What was mended and what nobody saw (columns ABOUT) of what the last audits had."""
        if self.past is None:
            return nothing(ABOUT), nothing(ABOUT)
        wanted = ~self.past.findings["resolved"].to_numpy()
        wanted[self.places[self.places >= 0]] = False
        if not wanted.any():
            return nothing(ABOUT), nothing(ABOUT)
        known = self.past.about(self.past.findings["finding_id"][wanted])
        mended, unseen = sight.mended(known, rules)
        return known[mended].reset_index(drop=True), known[unseen].reset_index(drop=True)


@dataclass(frozen=True, slots=True)
class Sight:
    """What an audit saw, as far as it decides what silence means."""

    organizations: pd.DataFrame
    """organization_id, status and not_judged (str: ids of rules that said nothing of it, joined by commas)."""
    listed: tuple[pd.Series, pd.Series]
    """Organization and token ids of the tokens that were listed."""
    whole: bool
    """All that is configured was asked and fully seen."""
    full_scope: bool
    """There is a configuration, and all that it names was asked."""

    @classmethod
    def of(
        cls,
        policy: Policy,
        tokens: pd.DataFrame,
        organizations: pd.DataFrame,
        rules: Mapping[str, Rule],
        silent: Collection[str],
    ) -> "Sight":
        """What the audit of these frames by this policy saw; `silent` are rules that could not say anything."""
        seen = organizations[["organization_id", "status"]].assign(
            not_judged=_not_judged(policy, organizations, rules, silent)
        )
        asked = policy.configured <= set(organizations["organization_id"].str.lower())
        whole = asked and bool(organizations["status"].eq("complete").all())
        listed = (tokens["organization_id"], tokens["token_id"])
        return cls(seen, listed, whole, full_scope=asked and bool(policy.configured))

    def mended(self, absent: pd.DataFrame, rules: Mapping[str, Rule]) -> tuple[np.ndarray, np.ndarray]:
        """Of findings (rule_id, organization_id, token_id) that are not there: which are mended, which unseen.

        Neither is one that this audit could not judge: another organization's, or of a rule that said nothing.
        """
        places = positions(absent["organization_id"], self.organizations["organization_id"])
        complete = with_default(self.organizations["status"].eq("complete").to_numpy(dtype=bool), places, default=False)
        silent = [set(each.split(",")) for each in self.organizations["not_judged"]]
        rule_ids = absent["rule_id"].tolist()
        judged = np.array(
            [
                place >= 0 and rule_id in rules and rule_id not in silent[place]
                for place, rule_id in zip(places.tolist(), rule_ids, strict=True)
            ],
            dtype=bool,
        )
        of_token = absent["token_id"].notna().to_numpy(dtype=bool)
        like = self.listed[1].isin(absent["token_id"]).to_numpy(dtype=bool)
        listed_ids = tuple(ids[like] for ids in self.listed)
        listed = of_token & (positions((absent["organization_id"], absent["token_id"].fillna("")), listed_ids) >= 0)
        needs = np.array([rules[each].needs if each in rules else "" for each in rule_ids], dtype="U12")
        proved = (
            (of_token & complete & ~listed)
            | (needs == "nothing")
            | ((needs == "token") & (complete | listed))
            | ((needs == "organization") & complete)
            | ((needs == "everything") & complete & self.whole)
        )
        return judged & proved, judged & ~proved


def _not_judged(
    policy: Policy, organizations: pd.DataFrame, rules: Mapping[str, Rule], silent: Collection[str]
) -> pd.Series:
    variants = policy.variants(organizations)
    silent = {*silent, *(NO_REGISTER if policy.register is None else ())}
    not_judged = [
        ",".join(rule.id for rule in rules.values() if rule.id in silent or not each.enabled(rule))
        for each in variants.policies
    ]
    return pd.Series(np.array(not_judged, dtype=object)[variants.numbers], organizations.index, dtype="string")


def removed_from_scope(past: Past | None, policy: Policy, organizations: pd.DataFrame, sight: Sight) -> pd.DataFrame:
    """REMOVED: organizations of the audits before that are no longer configured and have open findings.

    Only an audit that asks all that is configured tells: where it is recorded, the next one tells it no more.
    """
    if past is None or not sight.full_scope:
        return nothing(REMOVED)
    known = past.organizations
    ids = known["organization_id"].str.lower()
    here = policy.configured | set(organizations["organization_id"].str.lower())
    gone = known["in_scope"].to_numpy() & ~ids.isin(list(here)).to_numpy(dtype=bool)
    if not gone.any():
        return nothing(REMOVED)
    known_open = past.open_in(known["organization_id"][gone])
    severities = pd.Categorical.from_codes(known_open["weight"].to_numpy(), dtype=SEVERITY)
    removed = known_open.assign(highest_severity=severities)
    order = ["highest_severity", "organization_name", "organization_id"]
    return removed.sort_values(order, ascending=[False, True, True], ignore_index=True)[list(REMOVED)]

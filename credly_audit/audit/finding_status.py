"""Holds an audit against the ones before it: what is new, what came back, what was mended, what nobody saw."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credly_audit.audit.comparison import REMOVED, RESOLVED, Comparison
from credly_audit.audit.findings import SEVERITY
from credly_audit.audit.prior import (
    ABOUT,
    MENDED,
    TREND,
    Baseline,
    Past,
    frame_of,
    no_past,
    nothing,
    positions,
    positions_of_ids,
    with_default,
)
from credly_audit.instant_columns import INSTANT
from credly_audit.policy.apply import applied
from credly_audit.policy.policy import Policy
from credly_audit.rules.declare import Rule
from credly_audit.rules.facts import BEFORE
from credly_audit.rules.wording import day, distance, sentence
from credly_audit.severity import Severity

STATUSES = ("new", "persisting", "reopened", "unseen")

NO_REGISTER = frozenset({"INV005", "INV006", "INV007"})
"""Rules that say nothing where there is no register, whatever is there."""


def before(past: Past, tokens: pd.DataFrame, fingerprint_key: str | None) -> pd.DataFrame:
    """What earlier audits knew of each token (columns BEFORE, indexed as `tokens`)."""
    known = past.tokens
    places = positions((tokens["organization_id"], tokens["token_id"]), (known["organization_id"], known["token_id"]))
    key = known["fingerprint_key"]
    comparable = (key.isna() if fingerprint_key is None else key.eq(fingerprint_key).fillna(value=False)).to_numpy(bool)
    columns = {
        "known": places >= 0,
        "gone": with_default(known["gone"].to_numpy(), places, default=False),
        "fingerprint": known["fingerprint"].where(comparable).array.take(places, allow_fill=True),
        "denied": with_default(known["denied"].to_numpy(), places, default=0),
        **{name: known[name].array.take(places, allow_fill=True) for name in ("expires_at", "rotated_at", "seen_at")},
    }
    return pd.DataFrame({name: columns[name] for name in BEFORE}, index=tokens.index)


def fully_seen_before(past: Past, organizations: pd.DataFrame) -> pd.Series:
    """When each organization was last fully seen (null: never), indexed as `organizations`."""
    known = past.organizations
    places = positions(organizations["organization_id"], known["organization_id"])
    seen = known["fully_seen_at"].reindex(np.where(places < 0, len(known), places))
    return seen.set_axis(organizations.index).astype(INSTANT)


def rotated_at(tokens: pd.DataFrame, before: pd.DataFrame, inferred: pd.Series, as_of: pd.Timestamp) -> pd.Series:
    """When each token's value was seen to change (null: never): by the audit that first saw this fingerprint.

    The date inferred from its expiry is the better one where it lies between that audit and the one before it.
    """
    now, then = tokens["fingerprint"], before["fingerprint"]
    same = (now == then).fillna(value=False).to_numpy(dtype=bool)
    changed = (now != then).fillna(value=False).to_numpy(dtype=bool)
    between = ((inferred >= before["seen_at"]) & (inferred <= as_of)).to_numpy(dtype=bool)
    fresh = inferred.where(between, as_of).where(changed)
    return before["rotated_at"].where(same).fillna(fresh).astype(INSTANT)


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
    not_judged = np.full(len(organizations), "", dtype=object)
    for variant in policy.variants(organizations):
        not_judged[variant.members] = ",".join(
            rule.id
            for rule in rules.values()
            if rule.id in silent
            or not variant.policy.enabled(rule)
            or (rule.id in NO_REGISTER and policy.register is None)
        )
    return pd.Series(not_judged, index=organizations.index, dtype="string")


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


def line(
    frame: pd.DataFrame,
    organizations: pd.DataFrame,
    *,
    resolved: int,
    tokens: int,
    outcome: str,
    as_of: pd.Timestamp,
) -> dict[str, object]:
    """An audit as a line of the trend (TREND)."""
    statuses = frame["status"].astype(object).to_numpy()
    unseen = statuses == "unseen"
    waived = frame["waived"].to_numpy(dtype=bool) & ~unseen
    live = ~waived & ~unseen
    weights = np.bincount(frame["severity"].cat.codes.to_numpy()[live], minlength=len(Severity))
    return {
        "as_of": as_of,
        "outcome": outcome,
        "organizations": len(organizations),
        "fully_seen": int(organizations["status"].eq("complete").sum()),
        "tokens": tokens,
        **{severity.value: int(weights[severity.weight]) for severity in Severity},
        **{status: int((live & (statuses == status)).sum()) for status in ("new", "persisting", "reopened")},
        "resolved": resolved,
        "unseen": int(unseen.sum()),
        "waived": int(waived.sum()),
    }


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


def compared(
    past: Past | None,
    resolved: pd.DataFrame,
    organizations: pd.DataFrame,
    now: Mapping[str, object],
    *,
    removed: pd.DataFrame,
    as_of: pd.Timestamp,
) -> Comparison | None:
    """This audit (`now`: its line of the trend) beside the earlier ones; None where there is none."""
    if past is None or past.audits.empty:
        return None
    names = organizations.set_index("organization_id")["name"].reindex(resolved["organization_id"])
    frame = resolved.assign(
        severity=pd.Categorical.from_codes(resolved["weight"].to_numpy(), dtype=SEVERITY),
        organization_name=names.array,
        resolved_at=pd.Series(as_of, resolved.index, dtype=INSTANT),
        days_open=(as_of - resolved["opened_at"]).dt.days.astype("int64"),
    )
    order = ["severity", "first_seen_at", "organization_id", "token_id", "finding_id"]
    frame = frame.sort_values(order, ascending=[False, True, True, True, True], kind="stable", ignore_index=True)
    fresh = resolved.groupby(["weight", "opened_at"], as_index=False).size().rename(columns={"size": "findings"})
    fresh["resolved_at"] = pd.Series(as_of, fresh.index, dtype=INSTANT)
    last = frame_of({name: [value] for name, value in now.items()}, TREND)
    return Comparison(
        past.audits["as_of"].iloc[-1].to_pydatetime(),
        frame[list(RESOLVED)].astype(RESOLVED),
        pd.concat([past.mended, fresh[list(MENDED)].astype(MENDED)], ignore_index=True),
        pd.concat([past.audits, last], ignore_index=True),
        removed,
    )

"""Findings of earlier audits that this one does not have: resolved, or not assessed and carried over."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credly_audit.audit.finding_status import STATUSES, Tracked
from credly_audit.audit.findings import SEVERITY
from credly_audit.audit.prior import ABOUT, Prior, find_positions, make_empty_frame, take_with_default
from credly_audit.policy.apply import apply_decisions
from credly_audit.policy.policy import Policy
from credly_audit.rules.declare import Rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.wording import day, distance, sentence
from credly_audit.snapshot import Snapshot

NO_REGISTER = frozenset({"INV005", "INV006", "INV007"})
"""Rules that say nothing where there is no register, whatever is there."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What an audit could assess, which decides what the absence of a finding means."""

    organizations: pd.DataFrame
    """organization_id, status and not_judged (str: ids of rules that said nothing of it, joined by commas)."""
    listed: tuple[pd.Series, pd.Series]
    """Organization and token ids of the tokens that were listed."""
    whole: bool
    """All that is configured was asked and complete."""
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
    ) -> "Scope":
        """Return the scope of an audit of these frames by this policy; `silent` rules assess nothing."""
        seen = organizations[["organization_id", "status"]].assign(
            not_judged=_find_not_judged(policy, organizations, rules, silent)
        )
        asked = policy.configured <= set(organizations["organization_id"].str.lower())
        whole = asked and bool(organizations["status"].eq("complete").all())
        listed = (tokens["organization_id"], tokens["token_id"])
        return cls(seen, listed, whole, full_scope=asked and bool(policy.configured))

    def classify_absent(self, absent: pd.DataFrame, rules: Mapping[str, Rule]) -> tuple[np.ndarray, np.ndarray]:
        """Return masks of absent findings (rule_id, organization_id, token_id): the resolved, and the unassessed ones.

        A finding of an organization or of a rule that this audit did not evaluate is neither.
        """
        places = find_positions(absent["organization_id"], self.organizations["organization_id"])
        complete = take_with_default(
            self.organizations["status"].eq("complete").to_numpy(dtype=bool), places, default=False
        )
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
        listed = of_token & (
            find_positions((absent["organization_id"], absent["token_id"].fillna("")), listed_ids) >= 0
        )
        needs = np.array([rules[each].needs if each in rules else "" for each in rule_ids], dtype="U12")
        proved = (
            (of_token & complete & ~listed)
            | (needs == "nothing")
            | ((needs == "token") & (complete | listed))
            | ((needs == "organization") & complete)
            | ((needs == "everything") & complete & self.whole)
        )
        return judged & proved, judged & ~proved


def _find_not_judged(
    policy: Policy, organizations: pd.DataFrame, rules: Mapping[str, Rule], silent: Collection[str]
) -> pd.Series:
    variants = policy.variants(organizations)
    silent = {*silent, *(NO_REGISTER if policy.register is None else ())}
    not_judged = [
        ",".join(rule.id for rule in rules.values() if rule.id in silent or not each.enabled(rule))
        for each in variants.policies
    ]
    return pd.Series(np.array(not_judged, dtype=object)[variants.numbers], organizations.index, dtype="string")


@dataclass(frozen=True, slots=True)
class Absent:
    """What the last audits had and this one has not (columns ABOUT)."""

    resolved: pd.DataFrame
    unassessed: pd.DataFrame


def find_silent_rules(snapshot: Snapshot, rules: Mapping[str, Rule], broken: Collection[str]) -> frozenset[str]:
    """Return the rules from whose silence nothing follows: those that raised, and those on what was not collected."""
    unasked = () if snapshot.header.oauth_applications_asked else (each for each in rules if each.startswith("OAU"))
    return frozenset({*broken, *unasked})


def find_absent(tracked: Tracked, prior: Prior, scope: Scope, rules: Mapping[str, Rule]) -> Absent:
    """Find what was open at the last audits and is not here: which of it is resolved, which could not be assessed."""
    if prior.past is None:
        return Absent(make_empty_frame(ABOUT), make_empty_frame(ABOUT))
    wanted = ~prior.past.findings["resolved"].to_numpy()
    wanted[tracked.places[tracked.places >= 0]] = False
    if not wanted.any():
        return Absent(make_empty_frame(ABOUT), make_empty_frame(ABOUT))
    known = prior.past.about(prior.past.findings["finding_id"][wanted])
    resolved, unassessed = scope.classify_absent(known, rules)
    return Absent(known[resolved].reset_index(drop=True), known[unassessed].reset_index(drop=True))


def add_unassessed(frame: pd.DataFrame, unseen: pd.DataFrame, facts: Facts, policy: Policy) -> pd.DataFrame:
    """Return the findings and, after them, the unassessed ones; `unseen_row` is their position in `unseen`, else -1.

    Risk acceptances and remediation plans apply to them as to any; one whose token is listed all the same points at it.
    """
    tokens, organizations, as_of = facts.tokens, facts.organizations, facts.as_of
    frame = frame.assign(unseen_row=np.full(len(frame), -1, dtype="int32"))
    if unseen.empty:
        return frame
    many = len(unseen)
    places = find_positions(unseen["organization_id"], organizations["organization_id"])
    rows = pd.DataFrame(
        {
            "finding_id": unseen["finding_id"],
            "rule_id": pd.Categorical(unseen["rule_id"].astype(object), categories=unseen["rule_id"].unique()),
            "severity": pd.Categorical.from_codes(unseen["weight"].to_numpy(), dtype=SEVERITY),
            "organization_row": places.astype("int32"),
            "token_row": np.where(unseen["token_id"].notna(), np.arange(many), -1).astype("int32"),
            "evidence_row": np.full(many, -1, dtype="int32"),
            "message": sentence(
                "Last seen on {day} ({ago}); this time what it depends on is incomplete.",
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
    decided = apply_decisions(
        rows,
        theirs,
        organizations,
        policy.waivers,
        policy.plans,
        as_of=as_of,
        next_audit=policy.next_audit,
        four_eyes=policy.settings.four_eyes,
    ).findings
    decided["token_row"] = find_positions(
        (unseen["organization_id"], unseen["token_id"].fillna("")), (tokens["organization_id"], tokens["token_id"])
    ).astype("int32")
    return _append(frame, decided)


def _append(frame: pd.DataFrame, more: pd.DataFrame) -> pd.DataFrame:
    """Join two frames of findings, with the categories of both."""
    both = pd.concat([frame.astype({"rule_id": object, "owner": object}), more.astype({"rule_id": object})])
    rule_ids = [*frame["rule_id"].cat.categories, *more["rule_id"].cat.categories]
    both["rule_id"] = pd.Categorical(both["rule_id"], categories=list(dict.fromkeys(rule_ids)))
    both["owner"] = pd.Categorical(both["owner"], categories=frame["owner"].cat.categories)
    return both.reset_index(drop=True)

"""CHG: permissions or validity that a token gained since an earlier audit; reports nothing without a history."""

import numpy as np
import pandas as pd

from credly_audit.rules.controls import NO_CONTROLS, OVERDUE, PERMISSIVE
from credly_audit.rules.declare import Flags, Options, flag, rule
from credly_audit.rules.facts import BITS, PERMISSIONS, Facts
from credly_audit.rules.permissions import permissions_in_words
from credly_audit.rules.wording import day, distance, plural, sentence, whole_days
from credly_audit.severity import Severity

GAINED = pd.array(
    [", ".join(name for name in PERMISSIONS if sum_of_bits & BITS[name]) for sum_of_bits in range(8)], dtype="string"
)
"""Permissions in words, by the sum of their bits."""


@rule(
    "CHG001",
    "permission-escalated",
    Severity.HIGH,
    summary="The token's permissions have increased since an earlier audit.",
    rationale="A token whose permissions increase after a review bypasses that review; the change may not have been "
    "made by its owner.",
    remediation="Find out who increased the permissions and why; remove them, or have them approved.",
    task="Review {tokens} of {organizations} whose permissions increased",
    controls=PERMISSIVE,
)
def permission_escalated(facts: Facts, _: Options) -> Flags:
    if facts.before is None:
        return nothing_changed(facts)
    denied = facts.before["denied"].to_numpy()
    gained = np.add.reduce([np.where(facts.has(name), denied & BITS[name], 0) for name in PERMISSIONS])
    hit = facts.tokens.loc[(gained > 0) & facts.unapproved, []]
    words = pd.Series(GAINED.take(gained[hit.index]), index=hit.index)
    return flag(
        hit,
        sentence("Permissions added since an earlier audit: {gained}.", gained=words),
        gained=words,
        permissions=permissions_in_words(facts, hit.index),
    )


@rule(
    "CHG002",
    "expiry-extended",
    Severity.MEDIUM,
    summary="The token expires later than at the last audit, although its value is unchanged.",
    rationale="Credly sets a new expiration date when it creates a new value. An old value that stays valid for longer "
    "keeps the exposure that its rotation was to end.",
    remediation="Rotate the token, and ask Credly's support why its expiration date changed.",
    task="Rotate {tokens} of {organizations} whose expiration date was extended",
    controls=OVERDUE,
)
def expiry_extended(facts: Facts, _: Options) -> Flags:
    if facts.before is None:
        return nothing_changed(facts)
    tokens, before = facts.tokens, facts.before
    same = (tokens["fingerprint"] == before["fingerprint"]).fillna(value=False).to_numpy(dtype=bool)
    later = (tokens["expires_at"] > before["expires_at"]).to_numpy(dtype=bool)
    hit = tokens.loc[same & later & facts.unexpired, ["expires_at"]]
    earlier = before["expires_at"].take(hit.index)
    return flag(
        hit,
        sentence(
            "Expires on {day}; the same value previously expired on {before}, {more} earlier.",
            day=day(hit["expires_at"]),
            before=day(earlier),
            more=plural((hit["expires_at"] - earlier).dt.days, "day", "days"),
        ),
        expires_at=hit["expires_at"],
        expires_at_before=earlier,
        days_left=whole_days(hit["expires_at"], facts.as_of),
    )


@rule(
    "CHG003",
    "new-privileged-token",
    Severity.INFO,
    summary="The token is new since its organization was last complete, and has write or delete permission.",
    rationale="A privileged token was created since the last audit and needs a review.",
    remediation="Check that its owner is known and that its permissions match its purpose.",
    task="Check {tokens} of {organizations} created with write or delete permission",
    controls=NO_CONTROLS,
)
def new_privileged_token(facts: Facts, _: Options) -> Flags:
    if facts.before is None or facts.fully_seen_before is None:
        return nothing_changed(facts)
    since = facts.fully_seen_before.take(facts.organization_rows).set_axis(facts.tokens.index)
    there = facts.before["known"].to_numpy() & ~facts.before["gone"].to_numpy()
    hit = facts.tokens.loc[since.notna().to_numpy() & ~there & facts.privileged & facts.unexpired, ["created_at"]]
    since = since.take(hit.index)
    return flag(
        hit,
        sentence(
            "Created since {day} ({ago}), when its organization was last complete; permissions: {permissions}.",
            day=day(since),
            ago=distance(since, facts.as_of),
            permissions=permissions_in_words(facts, hit.index),
        ),
        created_at=hit["created_at"],
        not_there_at=since,
        permissions=permissions_in_words(facts, hit.index),
    )


def nothing_changed(facts: Facts) -> Flags:
    """No finding, since nothing is known of earlier audits."""
    hit = facts.tokens.iloc[:0][[]]
    return flag(hit, pd.Series(dtype="string", index=hit.index))

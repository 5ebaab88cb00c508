"""CHG: what a token may do, or how long it lives, that it could not at an earlier audit; silent without a history."""

import numpy as np
import pandas as pd

from credly_audit.rules.controls import NO_CONTROLS, OVERDUE, PERMISSIVE
from credly_audit.rules.declare import Flags, Options, flag, rule
from credly_audit.rules.facts import BITS, PERMISSIONS, Facts
from credly_audit.rules.permissions import permissions_in_words
from credly_audit.rules.wording import day, distance, sentence, whole_days
from credly_audit.severity import Severity

GAINED = pd.array(
    [", ".join(name for name in PERMISSIONS if sum_of_bits & BITS[name]) for sum_of_bits in range(8)], dtype="string"
)
"""Permissions in words, by the sum of their bits."""


@rule(
    "CHG001",
    "permission-escalated",
    Severity.HIGH,
    summary="The token has a permission that it did not have at an earlier audit.",
    rationale="A token that gains rights after it was looked at escapes every review that it once passed; whoever "
    "widened it may not be whoever answers for it.",
    remediation="Find out who widened it and why; take the permission away again, or have it approved.",
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
        sentence("Has gained a permission since an earlier audit: {gained}.", gained=words),
        gained=words,
        permissions=permissions_in_words(facts, hit.index),
    )


@rule(
    "CHG002",
    "expiry-extended",
    Severity.MEDIUM,
    summary="The token expires later than at the last audit, though its value is the same.",
    rationale="Credly sets a new expiry when it makes a new value. An old value that lives on keeps open what its "
    "rotation was to close.",
    remediation="Rotate the token, and ask Credly's support how its expiry came to change.",
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
            "Expires on {day}; the same value was to expire on {before}, {more} days earlier.",
            day=day(hit["expires_at"]),
            before=day(earlier),
            more=(hit["expires_at"] - earlier).dt.days,
        ),
        expires_at=hit["expires_at"],
        expires_at_before=earlier,
        days_left=whole_days(hit["expires_at"], facts.as_of),
    )


@rule(
    "CHG003",
    "new-privileged-token",
    Severity.INFO,
    summary="The token was not there when its organization was last complete, and can write or delete.",
    rationale="Somebody made a strong token since the last audit: whoever reviews should have heard of it.",
    remediation="Make sure that its owner is known and that its permissions are what its purpose needs.",
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
            "Was not there on {day} ({ago}), when its organization was last complete; can {permissions}.",
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

"""EXP: tokens that have expired, expire soon, or are valid for longer than intended.

EXP001, EXP002, EXP004 and EXP005 flag one value of a token: `expires_at` tells their findings apart, so that a rotated
token is a new occurrence.
"""

from datetime import timedelta
from typing import Self

import numpy as np
import pandas as pd
from pydantic import Field

from credly_audit.instants.instant_columns import iso_seconds
from credly_audit.rules.controls import EXPIRED, EXPIRING, OVERDUE
from credly_audit.rules.declare import Flags, OptionColumns, Options, flag, rule
from credly_audit.rules.facts import Facts, durations
from credly_audit.rules.quantities import Days
from credly_audit.rules.wording import clock, day, distance, plural, sentence, whole_days
from credly_audit.severity import Severity


@rule(
    "EXP001",
    "token-expired",
    Severity.HIGH,
    tiers="high for audit_every_days + 4 days after expiration, then medium",
    summary="The token has expired and is still listed.",
    rationale="Credly disables a token when it expires, without notification: integrations that still use it have "
    "stopped working, and expired entries make the list of active tokens harder to review.",
    remediation="Identify the integrations that used the token, give them a new one, and delete the expired entry in "
    "Credly.",
    task="Replace {tokens} of {organizations} that expired and {is} still listed",
    controls=EXPIRED,
)
def token_expired(facts: Facts, _: Options) -> Flags:
    hit = facts.tokens.loc[facts.expired, ["expires_at"]]
    fresh = facts.as_of - hit["expires_at"] <= facts.next_audit
    return flag(
        hit,
        sentence(
            "Expired on {day} ({ago}) and is still listed: {stopped}.",
            day=day(hit["expires_at"]),
            ago=distance(hit["expires_at"], facts.as_of),
            stopped=name_stops(
                facts, hit, "{names} stopped working at {at}", "integrations that used it no longer work"
            ),
        ),
        severity=np.where(fresh, Severity.HIGH, Severity.MEDIUM),
        discriminator=iso_seconds(hit["expires_at"]),
        expires_at=hit["expires_at"],
        days_since_expiry=-whole_days(hit["expires_at"], facts.as_of),
    )


def name_stops(facts: Facts, hit: pd.DataFrame, template: str, unknown: str) -> pd.Series:
    """Return for each token which of its known consumers stop working when; `unknown` where none is known."""
    names = facts.name_consumers(hit.index)
    known = names.notna().to_numpy(dtype=bool)
    stops = pd.Series(unknown, index=hit.index, dtype="string")
    if known.any():
        stops[known] = sentence(template, names=names[known], at=clock(hit.loc[known, "expires_at"]))
    return stops


CRITICAL_DAYS, MEDIUM_DAYS = 7, 60


class ExpiringOptions(Options):
    """Options of EXP002."""

    windows: dict[Severity, Days] | None = Field(
        default=None,
        description="Days before its expiration within which a token gets a severity; the most severe of its windows "
        "counts. Default: critical 7, high audit_every_days + 4 (unless that is 7 or less), medium 60.",
    )

    def fill_in(self, audit_every_days: int) -> Self:
        """Return the options with their windows."""
        if self.windows is not None:
            return self
        windows = {Severity.CRITICAL: CRITICAL_DAYS, Severity.HIGH: audit_every_days + 4, Severity.MEDIUM: MEDIUM_DAYS}
        if windows[Severity.HIGH] <= CRITICAL_DAYS:
            del windows[Severity.HIGH]
        return self.model_copy(update={"windows": windows})


@rule(
    "EXP002",
    "token-expiring",
    Severity.HIGH,
    tiers="by window: critical within 7 days, high before the next audit (audit_every_days + 4 days), medium within 60 "
    "days",
    summary="The token expires soon.",
    rationale="Credly disables a token 180 days after it was created or rotated, without a warning; integrations that "
    "use it will stop working at that instant.",
    remediation="Rotate the token and deploy the new value to the integrations that use it before it expires.",
    task="Rotate {tokens} of {organizations} before the expiration date",
    controls=EXPIRING,
    options=ExpiringOptions,
    by_row=True,
)
def token_expiring(facts: Facts, options: OptionColumns) -> Flags:
    ahead = (facts.tokens["expires_at"] - facts.as_of).to_numpy()
    weights, limits = np.full(len(ahead), -1), np.zeros(len(ahead), dtype="int64")
    for chosen, rows in options.each():
        windows = chosen.fill_in(facts.audit_every_days).windows or {}
        for severity, days in sorted(windows.items(), key=lambda window: window[0].weight):  # the most severe is last
            within = rows[ahead[rows] <= durations(pd.Series([days]))]
            weights[within], limits[within] = severity.weight, days
    hit = facts.tokens.loc[facts.unexpired & (weights >= 0), ["expires_at"]]
    return flag(
        hit,
        sentence(
            "Expires on {day} ({ahead}); {stop}.",
            day=day(hit["expires_at"]),
            ahead=distance(hit["expires_at"], facts.as_of),
            stop=name_stops(
                facts, hit, "{names} will stop working at {at}", "integrations that use it will stop working"
            ),
        ),
        severity=np.array(list(Severity))[weights[hit.index]],
        due_at=hit["expires_at"],
        discriminator=iso_seconds(hit["expires_at"]),
        expires_at=hit["expires_at"],
        days_left=whole_days(hit["expires_at"], facts.as_of),
        window_days=limits[hit.index],
    )


@rule(
    "EXP003",
    "token-never-expires",
    Severity.HIGH,
    summary="The token has no expiration date.",
    rationale="A value without an expiration date stays usable indefinitely for anyone who obtains it.",
    remediation="Replace it with a new token, which expires after 180 days, and delete this one in Credly.",
    task="Replace {tokens} of {organizations} without an expiration date",
    controls=OVERDUE,
)
def token_never_expires(facts: Facts, _: Options) -> Flags:
    tokens = facts.tokens
    unknown = tokens["date_faults"].str.contains("expires_at", regex=False).fillna(value=False).astype(bool)
    hit = tokens.loc[tokens["expires_at"].isna() & ~unknown, ["created_at"]]
    message = "No expiration date."
    return flag(hit, pd.Series(message, index=hit.index, dtype="string"), created_at=hit["created_at"])


class BeyondPolicyOptions(Options):
    """Options of EXP004."""

    max_lifetime_days: Days = Field(default=180, description="The maximum number of days until a token expires.")


@rule(
    "EXP004",
    "expiry-beyond-policy",
    Severity.HIGH,
    summary="The token expires later than the policy allows.",
    rationale="A long-lived value can be misused for longer; tokens created before Credly limited them may stay valid "
    "for years.",
    remediation="Rotate the token: its new value expires after 180 days.",
    task="Rotate {tokens} of {organizations} with an expiration date later than the policy allows",
    controls=OVERDUE,
    options=BeyondPolicyOptions,
    by_row=True,
)
def expiry_beyond_policy(facts: Facts, options: OptionColumns) -> Flags:
    ahead = facts.tokens["expires_at"] - facts.as_of
    hit = facts.tokens.loc[ahead > durations(options.max_lifetime_days + 1), ["expires_at"]]
    most = options.max_lifetime_days[hit.index]
    return flag(
        hit,
        sentence(
            "Expires on {day} ({ahead}); the policy allows {most}.",
            day=day(hit["expires_at"]),
            ahead=distance(hit["expires_at"], facts.as_of),
            most=plural(most, "day", "days"),
        ),
        discriminator=iso_seconds(hit["expires_at"]),
        expires_at=hit["expires_at"],
        days_left=whole_days(hit["expires_at"], facts.as_of),
        max_lifetime_days=most,
    )


class RotationOptions(Options):
    """Options of EXP005."""

    max_rotation_age_days: Days = Field(
        default=180, description="The maximum number of days between rotations; 90 for stricter teams."
    )


@rule(
    "EXP005",
    "rotation-overdue",
    Severity.MEDIUM,
    summary="The token has not been rotated within the period that the policy allows.",
    rationale="The longer a value is in use, the more copies of it exist.",
    remediation="Rotate the token and deploy the new value to the integrations that use it.",
    task="Rotate {tokens} of {organizations} past the rotation period",
    controls=OVERDUE,
    options=RotationOptions,
    by_row=True,
)
def rotation_overdue(facts: Facts, options: OptionColumns) -> Flags:
    overdue = facts.as_of - facts.tokens["last_rotated_at"] > durations(options.max_rotation_age_days)
    hit = facts.tokens.loc[overdue & facts.unexpired, ["last_rotated_at", "rotation_evidence", "expires_at"]]
    most = options.max_rotation_age_days[hit.index]
    return flag(
        hit,
        sentence(
            "Last rotated on {day} ({ago}); the policy allows {most}.",
            day=day(hit["last_rotated_at"]),
            ago=distance(hit["last_rotated_at"], facts.as_of),
            most=plural(most, "day", "days"),
        ),
        discriminator=iso_seconds(hit["expires_at"]),
        last_rotated_at=hit["last_rotated_at"],
        rotation_evidence=hit["rotation_evidence"],
        max_rotation_age_days=most,
    )


@rule(
    "EXP006",
    "invalid-dates",
    Severity.MEDIUM,
    summary="The token's dates are missing, unreadable or contradictory.",
    rationale="Without reliable dates it is not known when the token expires, so it cannot be monitored.",
    remediation="Check the token in Credly, and rotate or replace it so that its dates are valid.",
    task="Check the dates of {tokens} of {organizations}",
    controls=OVERDUE,
)
def invalid_dates(facts: Facts, _: Options) -> Flags:
    tokens = facts.tokens
    ahead = (tokens["created_at"] > facts.collected_at + timedelta(days=1)).to_numpy()
    backwards = (tokens["expires_at"] <= tokens["created_at"]).to_numpy()
    faulty = tokens["date_faults"].notna().to_numpy()
    rows = ahead | backwards | faulty
    hit = tokens.loc[rows, ["created_at", "expires_at", "date_faults"]]
    faults = (
        hit["date_faults"]
        .fillna("")
        .str.cat(
            pd.DataFrame(
                {
                    "ahead": np.where(ahead[rows], "; created_at is in the future", ""),
                    "backwards": np.where(backwards[rows], "; expires_at is not after created_at", ""),
                },
                index=hit.index,
            )
        )
    )
    faults = faults.str.removeprefix("; ")
    return flag(
        hit,
        sentence("Dates are not reliable: {faults}.", faults=faults),
        created_at=hit["created_at"],
        expires_at=hit["expires_at"],
        faults=faults,
    )

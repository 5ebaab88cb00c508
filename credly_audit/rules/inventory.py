"""INV: the tokens of an organization as a set."""

import numpy as np
import pandas as pd
from pydantic import Field

from credly_audit.rules.controls import EXPIRING, MISPLACED, NO_CONTROLS, SHARED
from credly_audit.rules.declare import Flags, OptionColumns, Options, flag, rule
from credly_audit.rules.facts import Facts, durations
from credly_audit.rules.quantities import Count, Days
from credly_audit.rules.wording import day, distance, plural, sentence, shorten
from credly_audit.severity import Severity


class TooManyOptions(Options):
    """Options of INV001."""

    max_tokens: Count = Field(default=10, description="The maximum number of unexpired tokens of an organization.")


@rule(
    "INV001",
    "too-many-tokens",
    Severity.LOW,
    summary="The organization has more tokens than the policy allows.",
    rationale="Each token is an entry point that must be monitored.",
    remediation="Review the organization's tokens and delete those that are not needed.",
    task="Delete tokens that are not needed in {organizations} with more tokens than the policy allows",
    controls=NO_CONTROLS,
    subject="organization",
    options=TooManyOptions,
    by_row=True,
)
def too_many_tokens(facts: Facts, options: OptionColumns) -> Flags:
    counts = facts.per_organization(facts.unexpired & ~facts.superseded)
    hit = facts.organizations.loc[counts > options.max_tokens, []]
    counts, most = counts[hit.index], options.max_tokens[hit.index]
    return flag(
        hit,
        sentence(
            "Has {tokens}; the policy allows {most}.",
            tokens=plural(counts, "unexpired token", "unexpired tokens"),
            most=most,
        ),
        tokens=counts,
        max_tokens=most,
    )


@rule(
    "INV002",
    "shared-value",
    Severity.HIGH,
    summary="One value is listed under several tokens or in several organizations.",
    rationale="A value that is listed in several places gives access to all of them, and rotating it for "
    "one breaks the others.",
    remediation="Give each place its own token, then rotate the shared value.",
    task="Give {tokens} of {organizations} that share a secret value separate values",
    controls=SHARED,
    needs="everything",
)
def shared_value(facts: Facts, _: Options) -> Flags:
    known = facts.tokens.loc[facts.tokens["fingerprint"].notna(), ["fingerprint", "organization_id"]]
    hit = known[known["fingerprint"].duplicated(keep=False).to_numpy()]
    everywhere = hit.groupby("fingerprint")["organization_id"].transform("size").astype("int64") - 1
    here = hit.groupby(["fingerprint", "organization_id"], observed=True)["fingerprint"].transform("size") - 1
    elsewhere = everywhere - here
    return flag(
        hit,
        sentence(
            "The same secret value is used by {own}{and_}{others}.",
            own=plural(here, "other token of this organization", "other tokens of this organization").where(
                here > 0, ""
            ),
            and_=pd.Series(np.where((here > 0) & (elsewhere > 0), " and ", ""), index=hit.index, dtype="string"),
            others=plural(elsewhere, "token of another organization", "tokens of other organizations").where(
                elsewhere > 0, ""
            ),
        ),
        others_here=here,
        others_elsewhere=elsewhere,
    )


class NoSuccessorOptions(Options):
    """Options of INV003."""

    no_successor_days: Days = Field(
        default=14, description="The number of days within which at least one token must not expire."
    )


@rule(
    "INV003",
    "no-successor",
    Severity.MEDIUM,
    summary="Every token of the organization expires soon.",
    rationale="All API access of the organization, including this audit, ends with the last token.",
    remediation="Create a token, or rotate one, before the last of them expires.",
    task="Create a successor in {organizations} where every token expires soon",
    controls=EXPIRING,
    subject="organization",
    options=NoSuccessorOptions,
    by_row=True,
)
def no_successor(facts: Facts, options: OptionColumns) -> Flags:
    expires = facts.tokens["expires_at"]
    soon = durations(options.no_successor_days)[facts.organization_rows]
    alive = facts.per_organization(facts.unexpired)
    lasting = facts.per_organization(facts.unexpired & ~(expires - facts.as_of <= soon).to_numpy())
    hit = facts.organizations.loc[facts.fully_seen & (alive > 0) & (lasting == 0), []]
    last = expires[facts.unexpired].groupby(facts.organization_rows[facts.unexpired]).max()
    last = pd.Series(last, dtype=expires.dtype).reindex(hit.index)
    return flag(
        hit,
        sentence(
            "Every token of the organization expires within {days}, the last on {day} ({ahead}).",
            days=plural(options.no_successor_days[hit.index], "day", "days"),
            day=day(last),
            ahead=distance(last, facts.as_of),
        ),
        tokens=alive[hit.index],
        last_expires_at=last,
    )


@rule(
    "INV004",
    "owner-mismatch",
    Severity.HIGH,
    summary="The token belongs to another organization than the one it is listed for.",
    rationale="A foreign token in this list means that one organization has permissions on the badges of another.",
    remediation="Ask Credly's support why this token is listed here; check the organization's id in the configuration.",
    task="Clarify why {tokens} of other organizations {is} listed in {organizations}",
    controls=MISPLACED,
)
def owner_mismatch(facts: Facts, _: Options) -> Flags:
    tokens = facts.tokens
    asked = tokens["organization_id"].astype("string")
    foreign = (tokens["owner_id"].str.lower() != asked.str.lower()).fillna(value=False).to_numpy(dtype=bool)
    hit = tokens.loc[foreign & facts.unexpired, ["owner_id", "owner_type"]]
    kind = pd.Series(np.where(hit["owner_type"].isna(), "owner", hit["owner_type"]), index=hit.index, dtype="string")
    return flag(
        hit,
        sentence("Belongs to another {kind} than the organization that lists it.", kind=shorten(kind)),
        owner_id=hit["owner_id"],
        owner_type=hit["owner_type"],
    )

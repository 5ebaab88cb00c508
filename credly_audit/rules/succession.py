"""LIF: successions that are not brought to their end; silent without a history."""

import numpy as np
import pandas as pd
from pydantic import Field

from credly_audit.rules.controls import EXPIRED, EXPIRING
from credly_audit.rules.declare import Flags, NoOptions, Options, rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.quantities import Days
from credly_audit.rules.wording import day, distance, sentence, shorten
from credly_audit.severity import Severity


class SupersededOptions(Options):
    """Options of LIF001."""

    grace_days: Days = Field(
        default=14, description="Days after the last consumer was confirmed in which the old token has to be deleted."
    )


@rule(
    "LIF001",
    "superseded-token-active",
    Severity.HIGH,
    summary="A token whose consumers have all switched to its successor is still listed.",
    rationale="No consumer needs the token any more, and it still grants everything that it did before.",
    remediation="Delete the old token in Credly's web page (Developers > Authorization Tokens).",
    task="Delete {tokens} of {organizations} that all consumers have replaced",
    controls=EXPIRED,
    options=SupersededOptions,
)
def superseded_token_active(facts: Facts, options: SupersededOptions) -> Flags:
    found = facts.successions
    grace = pd.Timedelta(days=options.grace_days)
    overdue = found["confirmed_at"].notna() & (facts.as_of - found["confirmed_at"] > grace)
    hit = found[(overdue & (found["old_row"] >= 0)).to_numpy(dtype=bool)]
    return describe_successions(
        hit,
        hit["old_row"],
        sentence(
            "Replaced by token {new}; its last consumer was confirmed on {day} ({ago}).",
            new=hit["new_token_id"],
            day=day(hit["confirmed_at"]),
            ago=distance(hit["confirmed_at"], facts.as_of),
        ),
    )


@rule(
    "LIF002",
    "succession-stalled",
    Severity.MEDIUM,
    summary="Consumers have not switched to a token's successor by the date set for it, or can no longer switch.",
    rationale="Two tokens are valid where one should be, and the old one expires while consumers still use it.",
    remediation="Run `credly-audit create --replaces` again for consumers whose switch failed; confirm the others with "
    "`credly-audit succession confirm`, or give the succession up with `credly-audit succession abandon`.",
    task="Complete the switch to the successors of {tokens} of {organizations}",
    controls=EXPIRING,
)
def succession_stalled(facts: Facts, _: NoOptions) -> Flags:
    found = facts.successions
    is_late = (found["due_at"] <= facts.as_of).to_numpy(dtype=bool)
    old = found["old_row"].to_numpy()
    expired = np.append(facts.expired, False)[old] & (old >= 0)
    rows = np.where(found["new_row"] >= 0, found["new_row"], old)
    waiting = found["confirmed_at"].isna().to_numpy()
    hit = found[waiting & (is_late | expired) & (rows >= 0)]
    return describe_successions(
        hit,
        pd.Series(rows[waiting & (is_late | expired) & (rows >= 0)], index=hit.index),
        sentence(
            "Not confirmed: {waiting}. All consumers of token {old} were to switch to token {new} by {day} ({ago}).",
            waiting=shorten(hit["waiting"], 200),
            old=hit["old_token_id"],
            new=hit["new_token_id"],
            day=day(hit["due_at"]),
            ago=distance(hit["due_at"], facts.as_of),
        ),
    )


def describe_successions(hit: pd.DataFrame, rows: pd.Series, message: pd.Series) -> Flags:
    """Return findings on the tokens at `rows`, one for each of the successions."""
    evidence = hit[["succession_id", "old_token_id", "new_token_id", "opened_at", "due_at", "confirmed_at", "waiting"]]
    return Flags(pd.Index(rows), message, discriminator=hit["succession_id"], evidence=evidence)

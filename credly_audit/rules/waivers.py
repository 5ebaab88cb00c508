"""WVR: decisions that have run out."""

import pandas as pd

from credly_audit.instant_columns import last_days
from credly_audit.rules.controls import REVIEW
from credly_audit.rules.declare import Flags, Options, rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.wording import day, distance, plural, sentence, shorten
from credly_audit.severity import Severity


@rule(
    "WVR001",
    "waiver-expired",
    Severity.MEDIUM,
    summary="A waiver that once covered a present finding is past its date.",
    rationale="A risk was accepted for a time, and the time is over: either it is mended, or somebody accepts it anew "
    "and says why.",
    remediation="Mend what the waiver covered, or have it approved again with a new date; then remove the old one.",
    controls=REVIEW,
    subject="organization",
)
def waiver_expired(facts: Facts, _: Options) -> Flags:
    lapses = facts.lapses
    lapses = lapses.set_axis(pd.Index(lapses["organization_row"]))
    last_day = last_days(lapses["ended_at"])
    return Flags(
        lapses.index,
        sentence(
            "The waiver {id} of {rule}, approved by {by}, held until {day} ({ago}); what it covered is back: {many}.",
            id=shorten(lapses["waiver_id"]),
            rule=lapses["rule"],
            by=shorten(lapses["approved_by"]),
            day=day(last_day),
            ago=distance(lapses["ended_at"], facts.as_of),
            many=plural(lapses["findings"], "finding", "findings"),
        ),
        token_rows=lapses["token_row"],
        discriminator=lapses["waiver_id"],
        evidence=lapses[["waiver_id", "rule", "approved_by", "findings"]].assign(expired_on=last_day),
    )

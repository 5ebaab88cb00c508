"""WVR: decisions that have expired."""

import pandas as pd

from credly_audit.instants.instant_columns import last_days
from credly_audit.rules.controls import REVIEW
from credly_audit.rules.declare import Flags, Options, rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.wording import day, distance, plural, sentence, shorten
from credly_audit.severity import Severity


@rule(
    "WVR001",
    "waiver-expired",
    Severity.MEDIUM,
    summary="A waiver of a current finding has expired.",
    rationale="A risk was accepted for a limited time that is over: either it is remediated, or the acceptance is "
    "renewed with a reason.",
    remediation="Remediate the findings, or renew the acceptance with a new date; then remove the expired waiver.",
    task="Remediate the findings of {waivers} in {organizations}, or renew the acceptance",
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
            "The waiver {id} of {rule}, approved by {by}, expired on {day} ({ago}) and covered {many}.",
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

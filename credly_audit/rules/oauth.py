"""OAU: OAuth applications, the other access to Credly's API; evaluated where `include_oauth_applications` is on.

An application has no expiry and no permissions of its own in the API: what can be judged is whether somebody answers
for it, whether its description says what for, and when it was last touched ([DOC] oauth).
"""

import numpy as np
import pandas as pd
from pydantic import Field

from credly_audit.rules.controls import OVERDUE, UNDOCUMENTED
from credly_audit.rules.declare import Flags, OptionColumns, Options, rule
from credly_audit.rules.documentation import placeholders
from credly_audit.rules.facts import Facts, blank, durations
from credly_audit.rules.quantities import Days
from credly_audit.rules.wording import day, plural, sentence, shorten, whole_days
from credly_audit.severity import Severity


def _flags(hit: pd.DataFrame, said: pd.Series, **evidence: pd.Series) -> Flags:
    """Findings on the organizations of these applications; `said` goes on after the application's name."""
    names = shorten(hit["name"].fillna(""))
    names = names.where(names != "", "without a name")
    message = sentence(
        "OAuth application {name} ({id}) {said}", name=names, id=shorten(hit["application_id"]), said=said
    )
    seen = pd.DataFrame({"application_id": hit["application_id"], "application_name": hit["name"]} | evidence)
    return Flags(pd.Index(hit["organization_row"]), message, discriminator=hit["application_id"], evidence=seen)


@rule(
    "OAU001",
    "oauth-app-orphaned",
    Severity.HIGH,
    summary="The application's creator is no longer active.",
    rationale="An application still gives access to the API after its creator has left: it has no responsible owner, "
    "and the creator may still know its secret.",
    remediation="Identify what uses the application; have an active administrator create a new one, switch to it and "
    "delete this one, or delete it at once if no one needs it.",
    task="Replace {applications} of {organizations} whose creator is no longer active",
    controls=UNDOCUMENTED,
    subject="organization",
)
def oauth_app_orphaned(facts: Facts, _: Options) -> Flags:
    orphaned = facts.applications["creator_available"].eq(other=False).fillna(value=False)
    hit = facts.applications[orphaned.to_numpy(dtype=bool)]
    said = pd.Series("has no active creator.", hit.index, dtype="string")
    return _flags(hit, said, created_at=hit["created_at"])


@rule(
    "OAU002",
    "oauth-app-undocumented",
    Severity.MEDIUM,
    summary="The OAuth application's description is missing or a placeholder.",
    rationale="Without a description it is not known which system depends on the application, or whom to notify before "
    "its secret is changed.",
    remediation="Describe the application: system, purpose and owner; if no one needs it, delete it.",
    task="Describe {applications} of {organizations}",
    controls=UNDOCUMENTED,
    subject="organization",
)
def oauth_app_undocumented(facts: Facts, _: Options) -> Flags:
    texts = facts.applications["description"]
    missing = blank(texts)
    hit = facts.applications[missing | placeholders(texts.array.__arrow_array__())]
    fault = np.where(missing[hit.index], "has no description.", "has a placeholder as its description.")
    return _flags(hit, pd.Series(fault, hit.index, dtype="string"), description=hit["description"])


class OldSecretOptions(Options):
    """Options of OAU003."""

    max_secret_age_days: Days = Field(
        default=365, description="The maximum number of days since the last update of an OAuth application."
    )


@rule(
    "OAU003",
    "oauth-secret-old",
    Severity.MEDIUM,
    summary="The OAuth application, and therefore its secret, has not been updated for longer than the policy allows.",
    rationale="The API shows no expiration date for a client secret: copies of it work until it is changed. An "
    "application without a date of its last update is also flagged.",
    remediation="Create a new secret for the application, deploy it, and check that Credly shows the update.",
    task="Renew the secrets of {applications} of {organizations}",
    controls=OVERDUE,
    subject="organization",
    options=OldSecretOptions,
    by_row=True,
)
def oauth_secret_old(facts: Facts, options: OptionColumns) -> Flags:
    most = options.max_secret_age_days.take(facts.applications["organization_row"]).set_axis(facts.applications.index)
    changed = facts.applications["updated_at"].fillna(facts.applications["created_at"])
    fresh = facts.as_of - changed <= durations(most)
    hit = facts.applications[~fresh.to_numpy(dtype=bool)]
    changed = changed[hit.index]
    known = changed.fillna(facts.as_of)
    age = -whole_days(known, facts.as_of)
    said = sentence(
        "was last updated on {day}, {age} ago; the policy allows {most}.",
        day=day(known),
        age=plural(age, "day", "days"),
        most=plural(most[hit.index], "day", "days"),
    ).mask(changed.isna(), "has no date of its last update, so the age of its secret is unknown.")
    return _flags(hit, said, updated_at=changed, days=age.astype("Int64").mask(changed.isna()))

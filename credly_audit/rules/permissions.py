"""PRM: tokens that can do more than their purpose needs.

Credly knows three permissions, read, write and delete, and nothing finer ([DOC] authorization tokens). Approved is a
token whose permissions a purpose of the policy, or its register entry, allows in full.
"""

import numpy as np
import pandas as pd
from pydantic import Field

from credly_audit.quantities import Count
from credly_audit.rules.controls import PERMISSIVE
from credly_audit.rules.declare import Flags, OptionColumns, Options, flag, rule
from credly_audit.rules.facts import PERMISSIONS, Facts
from credly_audit.rules.wording import plural, sentence
from credly_audit.severity import Severity


def permissions_in_words(facts: Facts, rows: pd.Index) -> pd.Series:
    """`read, write` for each of the rows; `none known` where no flag is true."""
    words = pd.Series("", index=rows, dtype="string")
    for permission in PERMISSIONS:
        words = words.str.cat(np.where(facts.has(permission)[rows], f", {permission}", ""))
    return words.str.removeprefix(", ").replace("", "none known")


def _flag_permissions(facts: Facts, mask: np.ndarray, message: str) -> Flags:
    hit = facts.tokens.loc[mask, ["is_audit_credential"]]
    words = permissions_in_words(facts, hit.index)
    advice = " It is the credential of this audit: a token with write alone, or OAuth, sees everything too."
    own = pd.Series(np.where(hit["is_audit_credential"], advice, ""), index=hit.index, dtype="string")
    return flag(hit, sentence(message + "{own}", own=own), permissions=words)


@rule(
    "PRM001",
    "full-access",
    Severity.HIGH,
    summary="The token can read, write and delete everything of its organization.",
    rationale="Such a token is as strong as an administrator's password: its finder can issue, revoke and delete "
    "badges and read every earner's data.",
    remediation="Replace it by a token with the permissions that its purpose needs, or approve it in the policy.",
    controls=PERMISSIVE,
)
def full_access(facts: Facts, _: Options) -> Flags:
    full = facts.unapproved & facts.has("read") & facts.has("write") & facts.has("delete")
    return _flag_permissions(facts, full, "Can read, write and delete, and nobody has approved that.")


@rule(
    "PRM002",
    "delete-enabled",
    Severity.MEDIUM,
    summary="The token can delete.",
    rationale="Few integrations ever delete; what is deleted in Credly is gone for its earners.",
    remediation="Replace it by a token without delete permission, or approve it in the policy.",
    controls=PERMISSIVE,
)
def delete_enabled(facts: Facts, _: Options) -> Flags:
    partly = facts.has("delete") & ~(facts.has("read") & facts.has("write"))
    return _flag_permissions(facts, facts.unapproved & partly, "Can delete, and nobody has approved that.")


@rule(
    "PRM003",
    "write-enabled",
    Severity.LOW,
    summary="The token can write.",
    rationale="A token that can write can issue badges in the organization's name; that somebody meant it to should be "
    "on record.",
    remediation="Replace it by a read-only token, or approve it in the policy.",
    controls=PERMISSIVE,
)
def write_enabled(facts: Facts, _: Options) -> Flags:
    write = facts.unapproved & facts.has("write") & ~facts.has("delete")
    return _flag_permissions(facts, write, "Can write, and nobody has approved that.")


@rule(
    "PRM004",
    "exceeds-purpose",
    Severity.HIGH,
    summary="The token can do more than the purpose that its description names.",
    rationale="The policy says what this purpose needs; every permission beyond it only serves whoever finds the "
    "value.",
    remediation="Replace it by a token with the permissions that the policy allows for this purpose.",
    controls=PERMISSIVE,
)
def exceeds_purpose(facts: Facts, _: Options) -> Flags:
    hit = facts.tokens.loc[facts.unapproved & facts.tokens["exceeds_purpose"].to_numpy(dtype=bool), []]
    words = permissions_in_words(facts, hit.index)
    return flag(
        hit,
        sentence("Has {words}: more than the policy allows for the purpose that its description names.", words=words),
        permissions=words,
    )


@rule(
    "PRM005",
    "no-permissions",
    Severity.LOW,
    summary="The token has no permission at all.",
    rationale="It can do nothing, so nothing needs it; what lies about unused is forgotten, and later given rights.",
    remediation="Delete the token in Credly.",
    controls=PERMISSIVE,
)
def no_permissions(facts: Facts, _: Options) -> Flags:
    flags = facts.tokens[[f"{permission}_enabled" for permission in PERMISSIONS]]
    none = facts.unexpired & flags.eq(other=False).fillna(value=False).all(axis=1).to_numpy(dtype=bool)
    hit = facts.tokens.loc[none, []]
    return flag(hit, pd.Series("Can neither read, write nor delete.", index=hit.index, dtype="string"))


class PrivilegedOptions(Options):
    """Options of PRM006."""

    max_privileged: Count = Field(
        default=3, description="Count tokens of an organization may write or delete without being approved."
    )


@rule(
    "PRM006",
    "too-many-privileged",
    Severity.MEDIUM,
    summary="The organization has many tokens that can write or delete.",
    rationale="Each of them alone is enough to issue or destroy badges; the more there are, the likelier one leaks.",
    remediation="Go through the tokens with write or delete; remove or narrow those that are not needed, approve the "
    "rest in the policy.",
    controls=PERMISSIVE,
    subject="organization",
    options=PrivilegedOptions,
    by_row=True,
)
def too_many_privileged(facts: Facts, options: OptionColumns) -> Flags:
    counts = facts.per_organization(facts.unapproved & facts.privileged & ~facts.superseded)
    hit = facts.organizations.loc[counts > options.max_privileged, []]
    counts, most = counts[hit.index], options.max_privileged[hit.index]
    return flag(
        hit,
        sentence(
            "{tokens} can write or delete without being approved; the policy allows {most}.",
            tokens=plural(counts, "token", "tokens"),
            most=most,
        ),
        privileged=counts,
        max_privileged=most,
    )


@rule(
    "PRM007",
    "permissions-unknown",
    Severity.LOW,
    summary="The API does not say what the token may do.",
    rationale="What is not known cannot be judged: the token may have full access.",
    remediation="Look the token's permissions up in Credly; rotate or replace it if they are not shown there either.",
    controls=PERMISSIVE,
)
def permissions_unknown(facts: Facts, _: Options) -> Flags:
    flags = facts.tokens[[f"{permission}_enabled" for permission in PERMISSIONS]]
    unknown = flags.isna()
    hit = facts.tokens.loc[facts.unexpired & unknown.any(axis=1).to_numpy(), []]
    words = pd.Series("", index=hit.index, dtype="string")
    for permission in PERMISSIONS:
        words = words.str.cat(np.where(unknown[f"{permission}_enabled"][hit.index], f", {permission}", ""))
    words = words.str.removeprefix(", ")
    return flag(hit, sentence("Credly does not say whether it has: {words}.", words=words), unknown=words)

"""PRM: tokens with more permissions than their purpose needs.

Credly knows three permissions, read, write and delete, and no finer ones ([DOC] authorization tokens). A token is
approved if a purpose of the policy, or its register entry, allows all of its permissions.
"""

import numpy as np
import pandas as pd
from pydantic import Field

from credly_audit.rules.controls import PERMISSIVE
from credly_audit.rules.declare import Flags, OptionColumns, Options, flag, rule
from credly_audit.rules.facts import PERMISSIONS, Facts
from credly_audit.rules.quantities import Count
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
    advice = " It is the credential of this audit: a token with only write permission, or OAuth, also sees every token."
    own = pd.Series(np.where(hit["is_audit_credential"], advice, ""), index=hit.index, dtype="string")
    return flag(hit, sentence(message + "{own}", own=own), permissions=words)


@rule(
    "PRM001",
    "full-access",
    Severity.HIGH,
    summary="The token can read, write and delete everything of its organization.",
    rationale="Such a token is as powerful as an administrator's password: it can issue, revoke and delete "
    "badges and read the data of every earner.",
    remediation="Replace it with a token with the permissions that its purpose needs, or approve it in the policy.",
    task="Approve or replace {tokens} of {organizations} with full access",
    controls=PERMISSIVE,
)
def full_access(facts: Facts, _: Options) -> Flags:
    full = facts.unapproved & facts.has("read") & facts.has("write") & facts.has("delete")
    return _flag_permissions(facts, full, "Full access (read, write, delete) without approval.")


@rule(
    "PRM002",
    "delete-enabled",
    Severity.MEDIUM,
    summary="The token has delete permission.",
    rationale="Few integrations need to delete, and what is deleted in Credly is lost to its earners.",
    remediation="Replace it with a token without delete permission, or approve it in the policy.",
    task="Approve or replace {tokens} of {organizations} with delete permission",
    controls=PERMISSIVE,
)
def delete_enabled(facts: Facts, _: Options) -> Flags:
    partly = facts.has("delete") & ~(facts.has("read") & facts.has("write"))
    return _flag_permissions(facts, facts.unapproved & partly, "Delete permission without approval.")


@rule(
    "PRM003",
    "write-enabled",
    Severity.LOW,
    summary="The token has write permission.",
    rationale="A token with write permission can issue badges in the organization's name; its approval should be "
    "documented.",
    remediation="Replace it with a read-only token, or approve it in the policy.",
    task="Approve or replace {tokens} of {organizations} with write permission",
    controls=PERMISSIVE,
)
def write_enabled(facts: Facts, _: Options) -> Flags:
    write = facts.unapproved & facts.has("write") & ~facts.has("delete")
    return _flag_permissions(facts, write, "Write permission without approval.")


@rule(
    "PRM004",
    "exceeds-purpose",
    Severity.HIGH,
    summary="The token has more permissions than the purpose in its description allows.",
    rationale="The policy defines what this purpose needs; every further permission only increases the damage if the "
    "value leaks.",
    remediation="Replace it with a token with the permissions that the policy allows for this purpose.",
    task="Replace {tokens} of {organizations} with more permissions than the purpose allows",
    controls=PERMISSIVE,
)
def exceeds_purpose(facts: Facts, _: Options) -> Flags:
    hit = facts.tokens.loc[facts.unapproved & facts.tokens["exceeds_purpose"].to_numpy(dtype=bool), []]
    words = permissions_in_words(facts, hit.index)
    return flag(
        hit,
        sentence("Permissions ({words}) exceed the approved purpose.", words=words),
        permissions=words,
    )


@rule(
    "PRM005",
    "no-permissions",
    Severity.LOW,
    summary="The token has no permissions.",
    rationale="No integration can need it; an unused token is easily forgotten and may be granted permissions later.",
    remediation="Delete the token in Credly.",
    task="Delete {tokens} of {organizations} without permissions",
    controls=PERMISSIVE,
)
def no_permissions(facts: Facts, _: Options) -> Flags:
    flags = facts.tokens[[f"{permission}_enabled" for permission in PERMISSIONS]]
    none = facts.unexpired & flags.eq(other=False).fillna(value=False).all(axis=1).to_numpy(dtype=bool)
    hit = facts.tokens.loc[none, []]
    return flag(hit, pd.Series("No permissions (read, write, delete).", index=hit.index, dtype="string"))


class PrivilegedOptions(Options):
    """Options of PRM006."""

    max_privileged: Count = Field(
        default=3,
        description="The maximum number of unapproved tokens of an organization with write or delete permission.",
    )


@rule(
    "PRM006",
    "too-many-privileged",
    Severity.MEDIUM,
    summary="The organization has many tokens with write or delete permission.",
    rationale="Each of them is sufficient to issue or delete badges; the more there are, the more likely one leaks.",
    remediation="Review the tokens with write or delete permission: remove them or reduce their permissions, and "
    "approve the rest in the policy.",
    task="Reduce the number of privileged tokens in {organizations}",
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
            "{tokens} with write or delete permission without approval; the policy allows {most}.",
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
    summary="The API does not report the permissions of the token.",
    rationale="Unknown permissions cannot be evaluated: the token may have full access.",
    remediation="Check the token's permissions in Credly; rotate or replace it if they are not shown there either.",
    task="Check {tokens} of {organizations} with unknown permissions",
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
    return flag(hit, sentence("Permissions not reported by Credly: {words}.", words=words), unknown=words)

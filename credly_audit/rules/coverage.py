"""COV: the coverage of the audit, and the credential that it uses.

These rules make an organization that is incomplete a finding of its own, so that it can be waived and followed;
the verdict is decided from the organizations themselves, with or without these rules.
"""

import numpy as np
import pandas as pd

from credly_audit.rules.controls import EXPIRING, REVIEW
from credly_audit.rules.declare import Flags, Options, flag, rule
from credly_audit.rules.facts import Facts
from credly_audit.rules.wording import day, distance, sentence, shorten, whole_days
from credly_audit.severity import Severity

LONGEST_REASON = 2_000


def _flag_status(facts: Facts, status: str) -> Flags:
    hit = facts.organizations.loc[facts.organizations["status"] == status, ["reason", "tokens", "total_count"]]
    reasons = shorten(hit["reason"].fillna(""), LONGEST_REASON).replace("", f"The organization is {status}.")
    return flag(hit, reasons, tokens=hit["tokens"], total_count=hit["total_count"])


@rule(
    "COV001",
    "listing-truncated",
    Severity.HIGH,
    summary="Credly showed only the organization's read-only tokens.",
    rationale="Credly limits the list to read-only tokens for a credential that can neither write nor delete, without "
    "a notice: exactly the tokens with more permissions are missing.",
    remediation="Audit this organization with a token that has write permission, or with OAuth.",
    task="Audit {organizations} with a credential that has write permission",
    controls=REVIEW,
    subject="organization",
    needs="nothing",
)
def listing_truncated(facts: Facts, _: Options) -> Flags:
    return _flag_status(facts, "truncated")


@rule(
    "COV002",
    "visibility-unverified",
    Severity.MEDIUM,
    summary="Nothing proves that the organization's list of tokens was complete.",
    rationale="Credly limits the list for some credentials without notification; if no listed token can write or "
    "delete, and the credential's own entry is missing, the list may be incomplete.",
    remediation="Audit this organization with a token that has write permission and appears in its own list, or waive "
    "this finding if the organization is known to have only read-only tokens.",
    task="Prove that the token list of {organizations} is complete",
    controls=REVIEW,
    subject="organization",
    needs="nothing",
)
def visibility_unverified(facts: Facts, _: Options) -> Flags:
    return _flag_status(facts, "unverified")


@rule(
    "COV003",
    "count-mismatch",
    Severity.HIGH,
    summary="Credly's list of tokens is inconsistent, or is that of another organization.",
    rationale="Inconsistent pages or counts mean that tokens may be missing; tokens that all belong to another "
    "organization give no information about this one.",
    remediation="Run the audit again off-peak; if the finding persists, ask Credly's support why the list is "
    "inconsistent. If the tokens belong to another organization, check the configured id and the credential.",
    task="Resolve the inconsistent token list of {organizations}",
    controls=REVIEW,
    subject="organization",
    needs="nothing",
)
def count_mismatch(facts: Facts, _: Options) -> Flags:
    return _flag_status(facts, "mismatch")


@rule(
    "COV004",
    "organization-failed",
    Severity.HIGH,
    summary="The organization could not be read.",
    rationale="Nothing is known about an organization that could not be read: it is not assessed, and not compliant.",
    remediation="Fix the problem that the reason names (usually an expired credential) and run the audit again.",
    task="Restore access to {organizations}",
    controls=REVIEW,
    subject="organization",
    needs="nothing",
)
def organization_failed(facts: Facts, _: Options) -> Flags:
    return _flag_status(facts, "failed")


@rule(
    "COV005",
    "audit-credential-expiring",
    Severity.HIGH,
    summary="The credential that audits the organization expires before the next audit.",
    rationale="After that the audit cannot collect this organization.",
    remediation="Rotate the audit credential before it expires.",
    task="Rotate the audit credential of {organizations}",
    controls=EXPIRING,
    subject="organization",
)
def audit_credential_expiring(facts: Facts, _: Options) -> Flags:
    expires = facts.organizations["credential_expires_at"]
    soon = (expires - facts.as_of <= facts.next_audit).to_numpy(dtype=bool)
    hit = facts.organizations.loc[soon, ["credential_expires_at"]]
    expires = hit["credential_expires_at"]
    return flag(
        hit,
        sentence(
            "The credential that audits it {expires} on {day} ({ahead}).",
            expires=pd.Series(np.where(expires <= facts.as_of, "expired", "expires"), hit.index, dtype="string"),
            day=day(expires),
            ahead=distance(expires, facts.as_of),
        ),
        credential_expires_at=expires,
        days_left=whole_days(expires, facts.as_of),
    )

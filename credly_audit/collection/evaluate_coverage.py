"""Decides how much of an organization was seen. `complete` needs proof; everything else says why, and what to do.

Credly cuts the listing to the read-only tokens where the caller's own token can neither write nor delete, and nothing
in the answer says so ([DOC] authorization tokens).
"""

import re
from typing import NamedTuple

from credly_audit.collection.listing import Applications, Tokens
from credly_audit.config.types import UUID_SHAPE
from credly_audit.credly.wire import TokenRow
from credly_audit.reasons import ReasonCode

USE_WRITE_PERMISSION = "Use a token with write permission, or OAuth"

WORST_FIRST = ("failed", "truncated", "mismatch", "unverified", "complete")

NO_APPLICATIONS = "fix that, or set [api] include_oauth_applications = false"


class Coverage(NamedTuple):
    """How completely an organization was collected: a code, which decides the status, and sentences for a person."""

    code: ReasonCode
    reason: str

    @property
    def status(self) -> str:
        """One of snapshot.STATUSES."""
        return self.code.status


def evaluate_coverage(listing: Tokens) -> Coverage:
    """Return how completely the tokens of an organization were read, and its OAuth applications where they are asked.

    Where several hold the first of WORST_FIRST counts. An organization is incomplete where its applications are,
    however completely its tokens were read.
    """
    tokens = _evaluate_tokens(listing)
    if listing.applications is None or tokens.status == "failed":
        return tokens
    applications = _evaluate_applications(listing.applications)
    if applications is None:
        return tokens
    worse = min((tokens, applications), key=lambda each: WORST_FIRST.index(each.status))
    return Coverage(worse.code, f"{tokens.reason} {applications.reason}")


def _evaluate_applications(listing: Applications) -> Coverage | None:
    """Return what there is to say of the applications; None where they were read without a contradiction."""
    reading = listing.reading
    if reading.trouble:
        return Coverage(
            ReasonCode.APPLICATIONS_UNREADABLE,
            f"Its OAuth applications could not be read: {reading.trouble.sentence}; {NO_APPLICATIONS}.",
        )
    if faults := reading.faults():
        return Coverage(
            ReasonCode.APPLICATIONS_FAULTY,
            f"Credly's list of its OAuth applications is not valid: {faults[0]}. Ask Credly's support; "
            f"{NO_APPLICATIONS}.",
        )
    if listing.doubts:
        reason = _describe_inconsistency("list of its OAuth applications", listing.doubts)
        return Coverage(ReasonCode.APPLICATIONS_CONTRADICTION, reason)
    return None


def _evaluate_tokens(listing: Tokens) -> Coverage:
    reading = listing.reading
    if reading.trouble:
        return Coverage(reading.trouble.code, _format_sentence(reading.trouble.sentence))
    if faults := reading.faults():
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        reason = f"Credly's list is not valid: {faults[0]}{more}. Ask Credly's support"
        return Coverage(ReasonCode.FAULTY_ROWS, _format_sentence(reason))
    return _evaluate_rows(listing)


def _evaluate_rows(listing: Tokens) -> Coverage:
    """Return what the rows prove, where all of them were read; only the organization's own rows prove anything."""
    own = listing.own_rows
    proof = next((row for row in own if row.write_enabled or row.delete_enabled), None)
    caller = [row for row in listing.audit_credential_rows if listing.owns(row)]
    if proof is None and any(row.write_enabled is False and row.delete_enabled is False for row in caller):
        return Coverage(
            ReasonCode.READ_ONLY_CREDENTIAL,
            "The credential has no write or delete permission, so Credly lists only read-only tokens. "
            f"{USE_WRITE_PERMISSION}.",
        )
    if listing.rows and not own:
        return Coverage(ReasonCode.OTHER_OWNER, _describe_foreign_owners(listing))
    if listing.doubts:
        return Coverage(ReasonCode.CONTRADICTION, _describe_inconsistency("list", listing.doubts))
    if proof is None:
        return _explain_missing_proof(listing, caller)
    return _prove(listing, proof)


def _describe_inconsistency(what: str, doubts: list[str]) -> str:
    return f"Credly's {what} was inconsistent in two attempts ({'; '.join(doubts)}). Run the audit again off-peak."


def _describe_foreign_owners(listing: Tokens) -> str:
    """Say whose tokens were listed, as far as that is an id: any other text of theirs could be anything."""
    owners = {(row.owner_id or "").lower() for row in listing.rows.values()}
    known = sorted(owner for owner in owners if re.fullmatch(UUID_SHAPE, owner))
    whose = f"organization {known[0]}" if len(owners) == len(known) == 1 else "other owners"
    return (
        f"All {len(listing.rows):,} listed tokens belong to {whose}, none to this organization. Check its id and its "
        "credential; `credly-audit orgs` lists the organizations of a credential."
    )


def _prove(listing: Tokens, proof: TokenRow) -> Coverage:
    can = "write" if proof.write_enabled else "delete"
    code, how = ReasonCode.PROVED, "Every reported token was collected."
    if not listing.reading.has_totals:
        code, how = ReasonCode.PROVED_BY_REREADING, "Two attempts returned the same tokens."
    afresh = " An earlier attempt was inconsistent." if listing.strikes else ""
    cut = f"A listed token has {can} permission, so Credly did not limit the list to read-only tokens."
    return Coverage(code, f"{cut} {how}{afresh}")


def _explain_missing_proof(listing: Tokens, own: list[TokenRow]) -> Coverage:
    waive = "waive this if the organization is known to have only read-only tokens"
    if not listing.rows:
        why = f"The list is empty, and nothing proves that Credly did not limit it. {USE_WRITE_PERMISSION}."
        return Coverage(ReasonCode.EMPTY_LIST, why)
    unknown = "No listed token is known to have write or delete permission, and"
    if own:
        code, why = (
            ReasonCode.OWN_PERMISSIONS_MISSING,
            "Credly does not report the permissions of the credential itself",
        )
    elif listing.credential is not None and listing.credential.kind == "oauth":
        why = f"{unknown} with OAuth nothing shows whether Credly limited the list. {waive[0].upper()}{waive[1:]}."
        return Coverage(ReasonCode.OAUTH_WITHOUT_PROOF, why)
    elif any(row.fingerprint is None for row in listing.rows.values()):
        code, why = (
            ReasonCode.VALUES_WITHHELD,
            "Credly masks values, so the credential's own entry cannot be identified",
        )
    else:
        code, why = ReasonCode.OWN_ROW_MISSING, "the credential's own entry is not among them"
    return Coverage(code, f"{unknown} {why}. {USE_WRITE_PERMISSION}, or {waive}.")


def _format_sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "…")) else ".")

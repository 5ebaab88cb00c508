"""Decides how much of an organization was seen. `complete` needs proof; everything else says why, and what to do.

Credly cuts the listing to the read-only tokens where the caller's own token can neither write nor delete, and nothing
in the answer says so ([DOC] authorization tokens).
"""

import re
from typing import NamedTuple

from credly_audit.collection.listing import Applications, Tokens
from credly_audit.config.types import UUID_SHAPE
from credly_audit.credly.wire import Row

FULLER_SIGHT = "audit it with a token that can write, or with OAuth"


WORST_FIRST = ("failed", "truncated", "mismatch", "unverified", "complete")

NO_APPLICATIONS = "mend that, or set [api] include_oauth_applications = false"


class Coverage(NamedTuple):
    """One of snapshot.STATUSES, and sentences for a person."""

    status: str
    reason: str


def coverage(listing: Tokens) -> Coverage:
    """How much was seen of an organization: of its tokens, and of its OAuth applications where they were asked for.

    Where several hold the first of WORST_FIRST counts. An organization whose applications were not all seen was not
    fully seen, however well its tokens were.
    """
    tokens = _of_tokens(listing)
    if listing.applications is None or tokens.status == "failed":
        return tokens
    applications = _of_applications(listing.applications)
    if applications is None:
        return tokens
    worse = min((tokens, applications), key=lambda each: WORST_FIRST.index(each.status))
    return Coverage(worse.status, f"{tokens.reason} {applications.reason}")


def _of_applications(listing: Applications) -> Coverage | None:
    """What there is to say of the applications; None where they were seen without a contradiction."""
    reading = listing.reading
    if reading.trouble:
        return Coverage("failed", f"Its OAuth applications could not be read: {reading.trouble}; {NO_APPLICATIONS}.")
    if faults := reading.faults():
        return Coverage(
            "failed",
            f"Credly's list of its OAuth applications cannot be trusted: {faults[0]}: ask Credly's support about it; "
            f"{NO_APPLICATIONS}.",
        )
    if listing.doubts:
        return Coverage("mismatch", _inconsistent("list of its OAuth applications", listing.doubts))
    return None


def _of_tokens(listing: Tokens) -> Coverage:
    reading = listing.reading
    if reading.trouble:
        return Coverage("failed", _sentence(reading.trouble))
    if faults := reading.faults():
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        return Coverage(
            "failed", _sentence(f"Credly's list cannot be trusted: {faults[0]}{more}: ask Credly's support about it")
        )
    return _of_rows(listing)


def _of_rows(listing: Tokens) -> Coverage:
    """Return what the rows prove, where all of them were read; only the organization's own rows prove anything."""
    own = listing.own_rows
    proof = next((row for row in own if row.write_enabled or row.delete_enabled), None)
    caller = [row for row in listing.audit_credential_rows if listing.owns(row)]
    if proof is None and any(row.write_enabled is False and row.delete_enabled is False for row in caller):
        return Coverage(
            "truncated",
            "The credential can neither write nor delete, so Credly shows it the read-only tokens alone: "
            f"{FULLER_SIGHT}.",
        )
    if listing.rows and not own:
        return Coverage("mismatch", _foreign(listing))
    if listing.doubts:
        return Coverage("mismatch", _inconsistent("list", listing.doubts))
    if proof is None:
        return Coverage("unverified", _not_proved(listing, caller))
    return Coverage("complete", _proved(listing, proof))


def _inconsistent(what: str, doubts: list[str]) -> str:
    return f"Credly's {what} was inconsistent in two readings: {'; '.join(doubts)}: run the audit again off-peak."


def _foreign(listing: Tokens) -> str:
    """Say whose tokens were listed, as far as that is an id: any other text of theirs could be anything."""
    owners = {(row.owner_id or "").lower() for row in listing.rows.values()}
    known = sorted(owner for owner in owners if re.fullmatch(UUID_SHAPE, owner))
    whose = f"organization {known[0]}" if len(owners) == len(known) == 1 else "other owners"
    return (
        f"All {len(listing.rows):,} listed tokens belong to {whose}, none to this organization: check its id and whose "
        "credential it is; `credly-audit orgs` shows what the credential sees."
    )


def _proved(listing: Tokens, proof: Row) -> str:
    can = "write" if proof.write_enabled else "delete"
    how = (
        "Every token that it claims was read." if listing.reading.has_totals else "Two readings showed the same tokens."
    )
    afresh = " An earlier reading was inconsistent." if listing.strikes else ""
    return f"A listed token can {can}, so Credly did not cut the list to the read-only ones. {how}{afresh}"


def _not_proved(listing: Tokens, own: list[Row]) -> str:
    waive = "waive this where it is known to have read-only tokens alone"
    if not listing.rows:
        return f"The list is empty, and nothing proves that Credly did not cut it: {FULLER_SIGHT}."
    if own:
        why = "Credly does not say what the credential itself may"
    elif listing.credential is not None and listing.credential.kind == "oauth":
        return (
            "No listed token is known to write or delete, and under OAuth nothing shows whether Credly cut the list: "
            f"{waive}."
        )
    elif any(row.fingerprint is None for row in listing.rows.values()):
        why = "Credly withholds values, so the credential's own entry cannot be told"
    else:
        why = "the credential's own entry is not among them"
    return f"No listed token is known to write or delete, and {why}: {FULLER_SIGHT}, or {waive}."


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text.endswith((".", "…")) else ".")

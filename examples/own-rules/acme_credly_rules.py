"""Two rules of Acme: every token names its ticket, and every organization has a contact."""

import pandas as pd
from pydantic import Field

from credly_audit.rules.declare import Flags, NoOptions, Options, flag, rule
from credly_audit.rules.facts import Facts, searched
from credly_audit.severity import Severity


class TicketOptions(Options):
    """Options of ACM001; `[policy.rules.ACM001]` sets them."""

    prefixes: tuple[str, ...] = Field(default=("IT",), min_length=1, description="The prefixes of ticket numbers.")


@rule(
    "ACM001",
    "ticket-missing",
    Severity.MEDIUM,
    summary="The description names no ticket.",
    rationale="Acme records in the ticket who requested a token, who approved it, and what it is for.",
    remediation="Open a ticket for the token and name it in the description.",
    controls={"ISO 27001:2022": ("A.5.9",)},
    options=TicketOptions,
)
def ticket_missing(facts: Facts, options: TicketOptions) -> Flags:
    """Compute a mask over all tokens, and return one `flag` for those that it selects."""
    named = searched(facts.tokens["description"], rf"\b(?:{'|'.join(options.prefixes)})-\d+\b")
    hit = facts.tokens.loc[facts.unexpired & ~named, []]
    wanted = " or ".join(f"{prefix}-…" for prefix in options.prefixes)
    return flag(hit, pd.Series(f"The description names no ticket ({wanted}).", index=hit.index, dtype="string"))


@rule(
    "ACM002",
    "contact-missing",
    Severity.LOW,
    summary="The organization has no contact in the configuration.",
    rationale="A finding without a responsible person stays open.",
    remediation="Give the organization a `contact`.",
    controls={},
    subject="organization",
)
def contact_missing(facts: Facts, _: NoOptions) -> Flags:
    """Flag rows of `facts.organizations`, as every rule of organizations does."""
    hit = facts.organizations.loc[facts.organizations["contact"].isna().to_numpy(), []]
    return flag(hit, pd.Series("No contact is configured.", index=hit.index, dtype="string"))

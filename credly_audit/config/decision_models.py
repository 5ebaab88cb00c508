"""A decision as a person writes it: a waiver accepts a finding until a day, a plan is to remediate it by one."""

import difflib
import hashlib
import re
from abc import abstractmethod
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, ClassVar, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from credly_audit.instants import end_of
from credly_audit.rules import catalogue, may_be_unloadable
from credly_audit.secrets.redaction import LOOKS_LIKE_A_VALUE, looks_like_a_value
from credly_audit.secrets.shape import mask_shapes

FINGERPRINT = re.compile(r"[0-9a-f]{16}")

FALSE_POSITIVE = "False positive: "
"""How the reason of a waiver begins whose finding is none in truth."""


def _a_day(value: Any) -> Any:
    day = _day_of(value)
    if day is None:
        raise ValueError("must be a date such as 2027-03-31")
    return day


def _day_of(value: Any) -> date | None:
    if isinstance(value, str):
        try:
            return date.fromisoformat(value)
        except ValueError:
            return None
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _some_words(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty; say something in words")
    if looks_like_a_value(text):
        raise ValueError(f"holds {LOOKS_LIKE_A_VALUE}")
    return text.strip()


def _a_rule(text: str) -> str:
    rule = text.strip().upper()
    if rule.startswith("WVR"):
        raise ValueError("reports an expired waiver and cannot be decided on; renew or remove that waiver")
    known = [*catalogue(), *dict.fromkeys(each[:3] for each in catalogue())]
    if rule not in known and not may_be_unloadable(rule):
        near = difflib.get_close_matches(rule, known, 1, 0.5)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"names no rule or family: {mask_shapes(text.strip())[:20]!r}{hint}")
    return rule


def _an_organization(text: str) -> str:
    if not _is_uuid(text.strip()):
        raise ValueError("must be the organization's id, a UUID")
    return text.strip().lower()


def _a_token(text: str) -> str:
    token = text.strip().lower()
    if not (FINGERPRINT.fullmatch(token) or _is_uuid(token)):
        raise ValueError("must be a token's id (a UUID) or its fingerprint (16 hex digits), never a token's value")
    return token


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


def _a_note(text: str) -> str:
    note = text.strip()
    if not (note and len(note) <= LONGEST_NOTE and note.isprintable()):
        raise ValueError(f"must be a text of 1 to {LONGEST_NOTE} printable characters")
    return note


def _an_instant(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError("must be an instant with its zone, such as 2026-11-23T09:00:00Z")
    return value.astimezone(UTC)


LONGEST_NOTE = 500

Note = Annotated[str, AfterValidator(_a_note)]
Moment = Annotated[datetime, AfterValidator(_an_instant)]
Day = Annotated[date, BeforeValidator(_a_day)]
Words = Annotated[str, AfterValidator(_some_words)]
RuleOrFamily = Annotated[str, AfterValidator(_a_rule)]
Organization = Annotated[str, AfterValidator(_an_organization)]
Token = Annotated[str, AfterValidator(_a_token)]

MADE = "Derived from rule, organization and token if absent."


def made_id(kind: str, said: Mapping[str, Any]) -> str:
    """The id of a decision that was given none: the same for the same rule, organization and token."""
    subject = "\x1f".join(str(said.get(key) or "") for key in ("rule", "organization", "token"))
    return f"{kind}-{hashlib.sha256(subject.encode()).hexdigest()[:12]}"


class Decision(BaseModel):
    """What waivers and plans share; `token` None: every token of the organization, and itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    ENDING: ClassVar[str]
    """What stands before the last day in a sentence."""

    rule: RuleOrFamily = Field(description="A rule's id or a family, such as PRM001 or PRM.")
    organization: Organization = Field(description="The organization's id.")
    token: Token | None = Field(
        default=None,
        description="A token's id or fingerprint; without it, the organization and all of its tokens.",
    )
    id: Words = Field(default_factory=lambda said: made_id("decision", said), description=MADE)
    reason: Words = Field(description="The reason for the decision.")
    approved_on: Day = Field(description="The day of the decision; it is valid from the beginning of that day in UTC.")
    reference: Words | None = Field(default=None, description="The ticket or record of the decision, such as RISK-17.")
    source: Note | None = Field(
        default=None, description="Where it was imported from: file name, SHA-256 and day; written by `waivers import`."
    )

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.last_day < self.approved_on:
            raise ValueError(f"{self.ENDING} {self.last_day}, before it was approved on {self.approved_on}")
        return self

    @property
    @abstractmethod
    def by(self) -> str:
        """Whose decision it is."""

    @property
    @abstractmethod
    def last_day(self) -> date:
        """The last day on which it holds."""

    @property
    def begins_at(self) -> datetime:
        """The instant from which it holds: the beginning of the day of its approval in UTC."""
        return datetime.combine(self.approved_on, time(), UTC)

    @property
    def ends_at(self) -> datetime:
        """The instant from which it no longer holds: the end of its last day in UTC."""
        return end_of(self.last_day)


class Waiver(Decision):
    """Accept the risk of a finding, with a reason, until the end of a day."""

    ENDING = "expires on"

    approved_by: Words = Field(description="Who accepts the risk; one of [policy] approvers, if set.")
    expires: Day = Field(description="The last day on which it is valid, to its end in UTC.")
    created_before: Moment | None = Field(
        default=None,
        description="Accept only tokens that were created before this time and whose permissions did not increase.",
    )
    id: Words = Field(default_factory=lambda said: made_id("waiver", said), description=MADE)

    @property
    def by(self) -> str:
        """Who accepts the risk."""
        return self.approved_by

    @property
    def last_day(self) -> date:
        """The last day on which it holds."""
        return self.expires


class Plan(Decision):
    """A remediation plan: its owner resolves a finding by the end of a day."""

    ENDING = "ends on"

    owner: Words = Field(description="Who resolves the finding.")
    until: Day = Field(description="The day by the end of which, in UTC, the finding is resolved.")
    id: Words = Field(default_factory=lambda said: made_id("plan", said), description=MADE)

    @property
    def by(self) -> str:
        """Who resolves the finding."""
        return self.owner

    @property
    def last_day(self) -> date:
        """Return the last day of the plan."""
        return self.until

"""Messages on earlier audits, as the next ones need to know of them."""

from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd

from credly_audit.instants.instant_columns import INSTANT
from credly_audit.secrets.fingerprint import Fingerprints

KNOWN = {"finding_id": "string", "days_left": "float64", "overdue": "bool", "at": INSTANT}
"""Findings that a recipient was told of and that are still open since then.

`days_left`: the fewest days until an expiration, rounded up (infinite: it has none); `at`: the as_of of the last
message (null: there are only messages on later audits).
"""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets messages by one address; `name` is how the configuration calls them, if it does."""

    id: str
    name: str | None
    channel: str


@dataclass(frozen=True, slots=True)
class Memory:
    """What one recipient was told before an audit: `known` has the columns KNOWN."""

    known: pd.DataFrame
    last: datetime | None = None
    """The as_of of the last message that was delivered; None: there was none."""
    outcome: str | None = None
    """The verdict that it reported."""
    failed: datetime | None = None
    """The as_of of the newest message, where its delivery failed."""
    interrupted: datetime | None = None
    """The as_of of the newest message, where the run ended before its result was recorded."""


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A message on an earlier audit that was not delivered, the newest to its recipient."""

    recipient: Recipient
    as_of: datetime
    """Of its audit."""
    reason: str | None
    """Why its delivery failed; None: the run was interrupted, and it may have arrived."""


@dataclass(frozen=True, slots=True)
class Undeliverables:
    """What was not delivered up to an audit, and the random key of recipients where the history has one."""

    messages: tuple[Undelivered, ...] = ()
    key: str | None = field(default=None, repr=False)


ALL_DELIVERED = Undeliverables()


def identify_recipient(fingerprints: Fingerprints, kind: str, address: str) -> str:
    """Return the id of a recipient: an HMAC of the address, which a `kind` of channel has to itself."""
    return fingerprints.digest(f"recipient\x1f{kind}\x1f{address}")

"""What a rule may know: the frames of a snapshot, the instant of the audit, and what every rule asks of them."""

from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from credly_audit.instants import DAY
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.patterns.search import Deadline, Search
from credly_audit.snapshot import APPLICATIONS

AUDIT_EVERY_DAYS = 31
"""How often the audit runs where the policy does not say."""

PERMISSIONS = ("read", "write", "delete")

ENTRIES = MappingProxyType(
    {
        "row": "int64",
        "organization_id": "string",
        "token_id": "string",
        "fingerprint": "string",
        "owner": "string",
        "purpose": "string",
        **{f"{name}_approved": "bool" for name in PERMISSIONS},
        "reviewed_until": INSTANT,
        "consumers": "string",
        "contact": "string",
    }
)
"""The register, a row an entry: its row in the file, what it says, the end of its review date in UTC (null: none).

`consumers`: their names, separated by `; `; `contact`: whom to ask about them.
"""

LAPSES = MappingProxyType(
    {
        "organization_row": "int64",
        "token_row": "int64",
        "waiver_id": "string",
        "rule": "string",
        "approved_by": "string",
        "ended_at": INSTANT,
        "findings": "int64",
    }
)
"""The waivers past their date whose findings are back, and how many these are; token_row -1: all the organization's."""

PLACED_APPLICATIONS = MappingProxyType(APPLICATIONS | {"organization_row": "int64"})
"""A snapshot's OAuth applications, each with the position of its organization."""

SUCCESSIONS = MappingProxyType(
    {
        "succession_id": "string",
        "organization_id": "string",
        "old_token_id": "string",
        "new_token_id": "string",
        "opened_at": INSTANT,
        "due_at": INSTANT,
        "confirmed_at": INSTANT,
        "waiting": "string",
    }
)
"""The unfinished successions of tokens, a row each: a token, the one that replaces it, and what is left to do.

`confirmed_at`: when the last of its consumers was confirmed (null: one is not); `waiting`: the names of the others,
joined by commas.
"""

PLACED_SUCCESSIONS = MappingProxyType(SUCCESSIONS | {"old_row": "int64", "new_row": "int64"})
"""Successions with the positions of their two tokens; -1: not listed."""

BEFORE = MappingProxyType(
    {
        "known": "bool",
        "gone": "bool",
        "fingerprint": "string",
        "expires_at": INSTANT,
        "permissions": "int64",
        "denied": "int64",
        "rotated_at": INSTANT,
        "seen_at": INSTANT,
    }
)
"""What earlier audits knew of each token: whether it was `known`, or `gone` since an audit that saw everything.

`fingerprint` is null where it was made under another key; `permissions` is a sum of BITS, of those not
known times 8; `denied` is a sum of `past.BITS`: permissions that it was
once known not to have; `rotated_at`: when it was seen to get this fingerprint; `seen_at`: the last audit that saw it.
"""

NOTHING_TO_SEE = r"^[\s\p{Cf}\p{Cc}\p{Zs}\p{Zl}\p{Zp}\p{Mn}]*$"


@dataclass(frozen=True)
class Facts:
    """The frames that a rule judges, indexed by position.

    `tokens` are a snapshot's with `last_rotated_at`, `rotation_evidence`, `approved` (bool: a purpose or the register
    allows all that it may do), `exceeds_purpose` (bool: a purpose matches, and it may do more), `register_row` (its
    position in `register`, -1: it has none) and `consumers_row` (its position in `consumers`, -1: none is known). Their
    `organization_id` is a category whose codes are row positions in `organizations`. Masks over tokens are boolean
    arrays of their length. `register` has the columns ENTRIES and organization_row (-1: not of this audit) and listed
    (bool: Credly lists its token), None where no register is configured; `lapses` has the columns LAPSES,
    `applications` PLACED_APPLICATIONS, `successions` PLACED_SUCCESSIONS.
    `before` has the columns BEFORE and is indexed as `tokens`, and `fully_seen_before`, indexed as `organizations`,
    says when each was last complete (null: never): both None where there is no history.
    """

    tokens: pd.DataFrame
    organizations: pd.DataFrame
    as_of: pd.Timestamp
    collected_at: pd.Timestamp
    audit_every_days: int = AUDIT_EVERY_DAYS
    register: pd.DataFrame | None = None
    before: pd.DataFrame | None = None
    fully_seen_before: pd.Series | None = None
    lapses: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=list(LAPSES)).astype(LAPSES))
    applications: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(PLACED_APPLICATIONS)).astype(PLACED_APPLICATIONS)
    )

    successions: pd.DataFrame = field(
        default_factory=lambda: pd.DataFrame(columns=list(PLACED_SUCCESSIONS)).astype(PLACED_SUCCESSIONS)
    )

    consumers: tuple[str, ...] = ()
    """The names of consumers in words, once for each different set of them: `CRM badge sync and Website`."""

    deadline: Deadline = field(default_factory=Deadline)
    """The time that the patterns of the policy may take together."""

    @property
    def next_audit(self) -> timedelta:
        """How long until the next audit has surely been: `audit_every_days` and four days of slack."""
        return (self.audit_every_days + 4) * DAY

    @cached_property
    def expired(self) -> np.ndarray:
        """Tokens with expires_at ≤ as_of."""
        mask: np.ndarray = (self.tokens["expires_at"] <= self.as_of).to_numpy()
        return mask

    @property
    def unexpired(self) -> np.ndarray:
        """Tokens that still open the API, those without an expiry included."""
        return ~self.expired

    def has(self, permission: str) -> np.ndarray:
        """Tokens known to have `read`, `write` or `delete`."""
        mask: np.ndarray = self.tokens[f"{permission}_enabled"].fillna(value=False).to_numpy(dtype=bool)
        return mask

    @cached_property
    def privileged(self) -> np.ndarray:
        """Tokens known to have write or delete."""
        return self.has("write") | self.has("delete")

    @cached_property
    def unapproved(self) -> np.ndarray:
        """Unexpired tokens whose permissions nobody has approved in full."""
        return self.unexpired & ~self.tokens["approved"].to_numpy(dtype=bool)

    @cached_property
    def registered(self) -> np.ndarray:
        """Tokens that the register names."""
        mask: np.ndarray = self.tokens["register_row"].to_numpy() >= 0
        return mask

    @property
    def register_entries(self) -> pd.DataFrame:
        """The register, without an entry where none is configured."""
        if self.register is not None:
            return self.register
        dtypes = ENTRIES | {"organization_row": "int64", "listed": "bool"}
        return pd.DataFrame(columns=list(dtypes)).astype(dtypes)

    def name_consumers(self, rows: pd.Index) -> pd.Series:
        """Return the consumers of these tokens in words (null: none is known), indexed by their positions."""
        names = pd.array([*self.consumers, None], dtype="string")
        return pd.Series(names.take(self.tokens["consumers_row"].reindex(rows).to_numpy()), index=rows)

    @cached_property
    def superseded(self) -> np.ndarray:
        """Tokens that are listed beside their successor while the succession is unfinished: the pair counts once."""
        mask = np.zeros(len(self.tokens), dtype=bool)
        pairs = self.successions[(self.successions["old_row"] >= 0) & (self.successions["new_row"] >= 0)]
        mask[pairs["old_row"].to_numpy()] = True
        return mask

    @cached_property
    def undescribed(self) -> np.ndarray:
        """Tokens whose description is null or shows nothing to a reader."""
        return blank(self.tokens["description"])

    @cached_property
    def organization_rows(self) -> np.ndarray:
        """For each token the position of its organization in `organizations`."""
        rows: np.ndarray = self.tokens["organization_id"].cat.codes.to_numpy()
        return rows

    def per_organization(self, mask: np.ndarray) -> pd.Series:
        """Count the tokens of `mask` in each organization (int64, indexed as `organizations`)."""
        counts = np.bincount(self.organization_rows[mask], minlength=len(self.organizations))
        return pd.Series(counts, index=self.organizations.index)

    @cached_property
    def fully_seen(self) -> pd.Series:
        """Organizations whose listing is proved complete (bool, indexed as `organizations`)."""
        return self.organizations["status"].eq("complete").astype(bool)


def rows_by_group(groups: np.ndarray, many: int) -> list[np.ndarray]:
    """Return for each of so many groups its rows, in order; `groups` has their numbers, a row each, -1: of none."""
    order = np.argsort(groups, kind="stable")
    bounds = np.searchsorted(groups[order], np.arange(many + 1))
    return [order[start:stop] for start, stop in pairwise(bounds)]


def durations(days: pd.Series) -> np.ndarray:
    """So many days as durations."""
    return days.to_numpy(dtype="timedelta64[D]").astype("timedelta64[us]")


def blank(texts: pd.Series) -> np.ndarray:
    """Where a text is null or shows nothing to a reader."""
    empty = pc.match_substring_regex(texts.array.__arrow_array__(), NOTHING_TO_SEE)
    mask: np.ndarray = pc.fill_null(empty, fill_value=True).to_numpy(zero_copy_only=False)
    return mask


def searched(texts: pd.Series, pattern: str) -> np.ndarray:
    """Where Python's regular expression is found in the texts, false where one is null; TooSlow after some seconds."""
    return Search(texts).find(pattern)


BITS = {"read": 1, "write": 2, "delete": 4}

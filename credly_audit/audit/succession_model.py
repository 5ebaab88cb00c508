"""A succession: a token that replaces another, and how far its consumers have switched to it.

The old token stays until every consumer is confirmed. Then an administrator deletes it in Credly's web page, and the
next audit that finds it gone closes the succession.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

import pandas as pd

from credly_audit.audit.prior import find_positions
from credly_audit.rules.facts import PLACED_SUCCESSIONS, SUCCESSIONS


class SwitchState(StrEnum):
    """How far one consumer is. The names are read by other programs."""

    PENDING = "pending"
    DEPLOYED = "deployed"
    """It has the new value; nothing has proved yet that it works with it."""
    FAILED = "failed"
    """Its `deploy` or `verify` failed."""
    CONFIRMED = "confirmed"
    """Its `verify` succeeded, or a person confirmed it."""


class SuccessionState(StrEnum):
    """How far a succession is. The names are read by other programs."""

    OPEN = "open"
    """The successor works; at least one consumer is not confirmed."""
    CONFIRMED = "confirmed"
    """Every consumer is confirmed; the old token has to be deleted."""
    CLOSED = "closed"
    """The old token is gone."""
    ABANDONED = "abandoned"
    """A person gave it up."""


@dataclass(frozen=True, slots=True)
class Switch:
    """One consumer of a succession; `at` is when its state changed last, `reason` why it failed."""

    consumer: str
    contact: str | None = None
    state: SwitchState = SwitchState.PENDING
    at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Succession:
    """A token and its successor, by their ids; no value and no fingerprint."""

    id: str
    organization_id: str
    organization_name: str
    old_token_id: str
    new_token_id: str
    description: str
    """Of the successor."""
    store: str
    """Where the successor's value is, as it may be shown."""
    opened_at: datetime
    due_at: datetime
    """When every consumer should be confirmed and the old token deleted."""
    updated_at: datetime
    switches: tuple[Switch, ...]
    """The consumers in the order in which they are switched."""
    ended_as: SuccessionState | None = None
    """CLOSED or ABANDONED."""
    ended_at: datetime | None = None

    @property
    def state(self) -> SuccessionState:
        """How far it is."""
        if self.ended_as is not None:
            return self.ended_as
        return SuccessionState.OPEN if self.waiting else SuccessionState.CONFIRMED

    @property
    def is_unfinished(self) -> bool:
        """Whether something is left to do."""
        return self.ended_as is None

    @property
    def waiting(self) -> tuple[Switch, ...]:
        """The consumers that are not confirmed."""
        return tuple(each for each in self.switches if each.state is not SwitchState.CONFIRMED)

    @property
    def confirmed_at(self) -> datetime | None:
        """When the last consumer was confirmed; None while one is not."""
        return None if self.waiting else max(each.at or self.opened_at for each in self.switches)

    def set_switch(self, consumer: str, state: SwitchState, now: datetime, reason: str | None = None) -> Self:
        """Return the succession with another state of one consumer."""
        switches = tuple(
            replace(each, state=state, at=now, reason=reason) if each.consumer == consumer else each
            for each in self.switches
        )
        return replace(self, switches=switches, updated_at=now)

    def end(self, state: SuccessionState, now: datetime) -> Self:
        """Return the succession as closed or abandoned."""
        return replace(self, ended_as=state, ended_at=now, updated_at=now)


def make_frame(successions: Sequence[Succession]) -> pd.DataFrame:
    """Return the columns SUCCESSIONS of those that are unfinished."""
    rows = [each for each in successions if each.is_unfinished]
    columns = {
        "succession_id": [each.id for each in rows],
        "organization_id": [each.organization_id for each in rows],
        "old_token_id": [each.old_token_id for each in rows],
        "new_token_id": [each.new_token_id for each in rows],
        "opened_at": [each.opened_at for each in rows],
        "due_at": [each.due_at for each in rows],
        "confirmed_at": [each.confirmed_at for each in rows],
        "waiting": [", ".join(switch.consumer for switch in each.waiting) for each in rows],
    }
    return pd.DataFrame({name: pd.Series(columns[name]).astype(dtype) for name, dtype in SUCCESSIONS.items()})


def place_successions(successions: pd.DataFrame, tokens: pd.DataFrame, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the successions that were open at an instant, with the positions of their tokens (PLACED_SUCCESSIONS)."""
    opened = successions[(successions["opened_at"] <= as_of).to_numpy(dtype=bool)].reset_index(drop=True)
    listed = (tokens["organization_id"].astype("string").str.lower(), tokens["token_id"].str.lower())
    rows = {
        f"{which}_row": find_positions((opened["organization_id"], opened[f"{which}_token_id"].str.lower()), listed)
        for which in ("old", "new")
    }
    return opened.assign(**rows).astype(PLACED_SUCCESSIONS)


def find_finished(
    successions: Sequence[Succession], listed: set[tuple[str, str]], complete: set[str]
) -> Iterator[Succession]:
    """Yield the unfinished successions whose old token is gone from an organization that was collected completely.

    `listed`: organization and token ids, lower case, of the tokens that an audit found.
    """
    for each in successions:
        key = each.organization_id, each.old_token_id.lower()
        if each.is_unfinished and each.organization_id in complete and key not in listed:
            yield each

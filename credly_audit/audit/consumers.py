"""The consumers of each token, as the configuration and the register name them: what stops working when it expires."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from credly_audit.config.types import ALL_CONSUMERS
from credly_audit.policy.policy import Policy
from credly_audit.text import count, one_line

MOST_NAMES = 5
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class TokenConsumer:
    """A program or team that uses a token."""

    name: str
    contact: str | None = None

    def describe(self) -> str:
        """Return its name, with its contact where that is known."""
        return f"{self.name} ({self.contact})" if self.contact else self.name


ConsumerSet = tuple[TokenConsumer, ...]


@dataclass(frozen=True, slots=True)
class TokenConsumers:
    """The different sets of consumers, and for each token the position of its set (int64, -1: none is known)."""

    sets: tuple[ConsumerSet, ...]
    rows: np.ndarray


def find_consumers(
    policy: Policy, tokens: pd.DataFrame, organizations: pd.DataFrame, successions: pd.DataFrame
) -> TokenConsumers:
    """Return the consumers of each token: those of the configuration first, then those of its register entry.

    Of a token with an unfinished succession (PLACED_SUCCESSIONS), those that have not switched to its successor.
    `tokens` have `register_row`.
    """
    places: dict[ConsumerSet, int] = {}
    ids = organizations["organization_id"].tolist()
    of_all = np.array([_number(places, _select(policy, each, None)) for each in ids] or [-1], dtype="int64")
    rows = of_all[tokens["organization_id"].cat.codes.to_numpy()] if len(tokens) else np.zeros(0, dtype="int64")
    waiting = dict(zip(successions["old_row"].tolist(), successions["waiting"], strict=True))
    registered = _read_register(policy)
    for row in sorted({*_find_named(policy, tokens), *_find_registered(tokens, registered), *waiting} - {-1}):
        token = tokens.iloc[row]
        known = _select(policy, token["organization_id"], token["token_id"])
        known = _merge(known, registered.get(token["register_row"], ()))
        if row in waiting:
            known = _keep_waiting(known, waiting[row])
        rows[row] = _number(places, known)
    return TokenConsumers(tuple(places), rows)


def name_consumers(consumers: Sequence[TokenConsumer]) -> str:
    """Return the names in words: `CRM badge sync and Website`."""
    names = [one_line(each.name, LONGEST_NAME) for each in consumers[:MOST_NAMES]]
    more = len(consumers) - len(names)
    if more:
        return f"{', '.join(names)} and {count(more, 'other', 'others')}"
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def describe_consumers(consumers: Sequence[TokenConsumer]) -> str:
    """Return all names with their contacts, separated by `; `."""
    return "; ".join(each.describe() for each in consumers)


def _select(policy: Policy, organization_id: str, token_id: str | None) -> ConsumerSet:
    """Return the consumers of the configuration; without a token, those of all of the organization's tokens."""
    found = (each for each in policy.consumers if each.uses(organization_id, token_id))
    return tuple(TokenConsumer(each.name, each.contact) for each in found)


def _number(places: dict[ConsumerSet, int], consumers: ConsumerSet) -> int:
    return places.setdefault(consumers, len(places)) if consumers else -1


def _find_named(policy: Policy, tokens: pd.DataFrame) -> list[int]:
    """Return the rows of the tokens that a consumer of the configuration names by their id."""
    named = {each.token for each in policy.consumers if each.token is not None}
    return np.flatnonzero(tokens["token_id"].str.lower().isin(named)).tolist() if named else []


def _read_register(policy: Policy) -> dict[int, ConsumerSet]:
    """Return the consumers of the register's entries, by position."""
    if policy.register is None:
        return {}
    entries = policy.register.entries[policy.register.entries["consumers"].notna()]
    contacts = [None if pd.isna(each) else each for each in entries["contact"]]
    return {
        row: tuple(TokenConsumer(name, contact) for name in names.split("; "))
        for row, names, contact in zip(entries.index, entries["consumers"], contacts, strict=True)
    }


def _find_registered(tokens: pd.DataFrame, registered: dict[int, ConsumerSet]) -> list[int]:
    return np.flatnonzero(tokens["register_row"].isin(list(registered))).tolist() if registered else []


def _merge(first: ConsumerSet, more: Iterable[TokenConsumer]) -> ConsumerSet:
    """Return all consumers, each name once, the first of a name with a contact."""
    merged: dict[str, TokenConsumer] = {}
    for each in (*first, *more):
        known = merged.get(each.name.casefold())
        if known is None or (known.contact is None and each.contact is not None):
            merged[each.name.casefold()] = TokenConsumer(known.name if known else each.name, each.contact)
    return tuple(merged.values())


def _keep_waiting(consumers: ConsumerSet, waiting: object) -> ConsumerSet:
    """Return the consumers that have not switched yet."""
    names = f", {waiting}, ".casefold() if isinstance(waiting, str) else ""
    if f", {ALL_CONSUMERS}, " in names:
        return consumers
    return tuple(each for each in consumers if f", {each.name}, ".casefold() in names)

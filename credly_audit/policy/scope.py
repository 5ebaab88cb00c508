"""Finds which overrides are for which organizations, in a time that grows with both and not with their product."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate

import pandas as pd

from credly_audit.config.settings import Override
from credly_audit.text import fold

MAGIC = re.compile(r"[*?\[]")


def find_overrides(overrides: Sequence[Override], organizations: pd.DataFrame) -> list[tuple[int, ...]]:
    """Return for each organization the positions of the overrides that are for it, in order.

    It has to fit each key of an override, by one of the key's entries. Ids are compared as they are, tags and contacts
    as globs (`*@acme.example`) without regard to case; an organization without a tag or contact fits no glob at all.
    """
    found: list[list[int]] = [[] for _ in range(len(organizations))]
    if overrides:
        ids = {each: [row] for row, each in enumerate(organizations["organization_id"].str.lower())}
        tags = Names(texts.split(",") for texts in organizations["tags"].fillna(""))
        contacts = Names([text] for text in organizations["contact"].fillna(""))
        for position, override in enumerate(overrides):
            keys = [
                {row for each in override.ids for row in ids.get(each, ())} if override.ids else None,
                tags.rows_of(override.tags) if override.tags else None,
                contacts.rows_of(override.contact) if override.contact else None,
            ]
            for row in set.intersection(*(rows for rows in keys if rows is not None)):
                found[row].append(position)
    return [tuple(positions) for positions in found]


class Names:
    """The names that rows have, several a row, asked for by globs; blank ones are none."""

    def __init__(self, names: Iterable[Iterable[str]]) -> None:
        self._rows: dict[str, list[int]] = defaultdict(list)
        for row, theirs in enumerate(names):
            for name in theirs:
                if name.strip():
                    self._rows[fold(name.strip())].append(row)
        self._forwards = sorted(self._rows)
        self._backwards = sorted(name[::-1] for name in self._rows)

    def rows_of(self, globs: Iterable[str]) -> set[int]:
        """Return the rows that have a name which one of the globs fits."""
        return {row for glob in globs for name in self._fitting(fold(glob.strip())) for row in self._rows[name]}

    def _fitting(self, glob: str) -> Iterator[str]:
        """The names that a glob fits; only those that begin, or end, as it does are looked at."""
        if not MAGIC.search(glob):
            return iter([glob] if glob in self._rows else [])
        begin = _find_span(MAGIC.split(glob)[0], self._forwards)
        end = _find_span(re.split(r"[*?\]]", glob)[-1][::-1], self._backwards)
        fits = re.compile(translate(glob)).match
        if begin[1] - begin[0] <= end[1] - end[0]:
            return (name for name in self._forwards[slice(*begin)] if fits(name))
        return (name[::-1] for name in self._backwards[slice(*end)] if fits(name[::-1]))


def _find_span(head: str, ordered: list[str]) -> tuple[int, int]:
    """Where the names that begin with `head` start and stop among all in order."""
    if not head:
        return 0, len(ordered)
    start = stop = bisect_left(ordered, head)
    while stop < len(ordered) and ordered[stop].startswith(head):
        stop += 1
    return start, stop

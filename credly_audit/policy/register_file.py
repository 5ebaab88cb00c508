"""The register where a team documents its tokens: a CSV or XLSX file, every bad row of it told in one pass."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.instants import end_of
from credly_audit.instants.instant_columns import last_days
from credly_audit.rules.facts import ENTRIES, PERMISSIONS
from credly_audit.secrets import runs_code
from credly_audit.secrets.redaction import LOOKS_LIKE_A_VALUE, looks_like_a_value
from credly_audit.secrets.shape import mask_shapes
from credly_audit.snapshot import conform
from credly_audit.tables.table import Row, Table, Titles, read_table
from credly_audit.tables.values import as_day, read_text

COLUMNS = (
    "organization_id",
    "token_id",
    "fingerprint",
    "owner",
    "purpose",
    "permissions",
    "review_by",
    "consumers",
    "consumer",
    "contact",
)
TITLES = Titles(
    COLUMNS,
    needed=(("organization_id",), ("permissions",), ("token_id", "fingerprint")),
    codes=frozenset({"organization_id", "token_id", "fingerprint", "permissions", "review_by"}),
)

COMMAND_COLUMNS = frozenset({"deploy", "verify"})
"""Columns that would hold programs, which only the configuration may name."""

NONE_AT_ALL = frozenset({"none", "-", "–"})


@dataclass(frozen=True, slots=True)
class Register:
    """What the file says: `entries` (columns ENTRIES) and, row by row, `extra`: the team's own columns (strings)."""

    path: Path
    entries: pd.DataFrame
    extra: pd.DataFrame
    sheet: str | None = None
    """Of a workbook, the sheet that the entries are in."""

    @classmethod
    def read(cls, path: Path) -> "Register":
        """Read a CSV or XLSX file; ConfigurationError with every row that is wrong, UsageError for no such file."""
        try:
            table = read_table(path, TITLES)
        except OSError as error:
            raise UsageError(
                f"{path}: the register cannot be read ({error.strerror}); name it in [policy] register"
            ) from None
        if mistake := find_command(path, table):
            raise ConfigurationError([mistake])
        reading = _RegisterReader()
        entries = [entry for row in table.rows if (entry := reading.entry(row)) is not None]
        if reading.mistakes:
            raise ConfigurationError(reading.mistakes)
        extra = {name: [read_text(row.cells.get(name)) or None for row in table.rows] for name in table.others}
        return cls(
            path,
            conform({name: [entry[name] for entry in entries] for name in ENTRIES}, ENTRIES),
            conform(pd.DataFrame(extra, index=range(len(entries))), dict.fromkeys(extra, "string")),
            next((row.sheet for row in table.rows), None),
        )

    def rows_of(self, tokens: pd.DataFrame) -> pd.Series:
        """For each token the position of its entry, by its id or else by its fingerprint; -1: it has none."""
        rows = pd.Series(-1, index=tokens.index, dtype="int64")
        for name in ("fingerprint", "token_id"):
            named = self.entries[self.entries[name].notna()]
            places = pd.MultiIndex.from_frame(named[["organization_id", name]]).get_indexer(_make_keys(tokens, name))
            found = places >= 0
            rows[found] = named.index.to_numpy()[places[found]]
        return rows

    @property
    def documented(self) -> pd.DataFrame:
        """All that the file says beside the token's name, as texts (null: nothing), the team's own columns last."""
        entries = self.entries
        words = np.array([f"+{name}" for name in PERMISSIONS], dtype=object)
        allowed = entries[[f"{name}_approved" for name in PERMISSIONS]].to_numpy()
        approved = ["".join(words[each]).removeprefix("+") or "none" for each in allowed]
        review = last_days(entries["reviewed_until"]).dt.strftime("%Y-%m-%d")
        said = entries[["owner", "purpose"]].assign(permissions=approved, review_by=review)
        users = entries[[name for name in ("consumers", "contact") if entries[name].notna().any()]]
        return pd.concat([said.astype("string"), users, self.extra], axis=1)

    def placed(self, tokens: pd.DataFrame, organizations: pd.DataFrame) -> pd.DataFrame:
        """The entries with `organization_row` (their organization's position, -1: not there) and `listed` (bool)."""
        places = pd.Index(organizations["organization_id"].str.lower()).get_indexer(self.entries["organization_id"])
        listed = np.zeros(len(self.entries), dtype=bool)
        for name in ("fingerprint", "token_id"):
            keys = pd.MultiIndex.from_frame(self.entries[["organization_id", name]])
            listed |= keys.isin(_make_keys(tokens, name)) & self.entries[name].notna().to_numpy()
        return self.entries.assign(organization_row=places, listed=listed)

    def approved_now(self, as_of: datetime) -> pd.DataFrame:
        """Which permissions each entry approves at an instant (bool columns read, write, delete): none past review."""
        in_review = ~(self.entries["reviewed_until"] <= pd.Timestamp(as_of)).to_numpy()
        return pd.DataFrame({name: self.entries[f"{name}_approved"] & in_review for name in PERMISSIONS})


def find_command(path: Path, table: Table) -> str | None:
    """Return the first place where a register contains a command, as a mistake; None where it contains none."""
    why = "a register contains no commands; name them in [[consumers]] of the configuration, and remove this"
    for name in table.others:
        if name in COMMAND_COLUMNS:
            return f"{path}: column {name!r}: {why}"
    for row in table.rows:
        for name, value in row.cells.items():
            if runs_code(read_text(value).strip()):
                return f"{row.place}: {mask_shapes(name)}: {why}"
    return None


def _make_keys(tokens: pd.DataFrame, name: str) -> pd.MultiIndex:
    organizations = tokens["organization_id"].astype("string").str.lower()
    return pd.MultiIndex.from_arrays([organizations, tokens[name].str.lower()])


@dataclass(slots=True)
class _RegisterReader:
    """One pass over the rows of a file."""

    mistakes: list[str] = field(default_factory=list)
    seen: dict[tuple[str, str], int] = field(default_factory=dict)

    def entry(self, row: Row) -> dict[str, Any] | None:
        """What a row says; None, and the mistakes noted, where that cannot be told."""
        before = len(self.mistakes)
        self.mistakes += row.mistakes
        said: dict[str, Any] = {"row": row.number}
        for name, read in READERS.items() if "" not in row.faults else ():
            try:
                said |= {} if name in row.faults else read(row.cells.get(name))
            except ValueError as error:
                self.mistakes.append(f"{row.place}: {name} {error}")
        said["consumers"] = "; ".join(filter(None, [said.get("consumers"), said.get("consumer")])) or None
        if len(self.mistakes) == before:
            self.mistakes += [f"{row.place}: {mistake}" for mistake in self._judge_token(row.number, said)]
        return said if len(self.mistakes) == before else None

    def _judge_token(self, number: int, said: dict[str, Any]) -> Iterator[str]:
        """Finding with the token that a row names: it names none, or another row has it."""
        names = [said[name] for name in ("token_id", "fingerprint") if said[name]]
        if not names:
            yield "names no token; fill in token_id or fingerprint"
        keys = [(said["organization_id"], name) for name in names]
        yield from (f"the same token as row {self.seen[key]}; keep one" for key in keys if key in self.seen)
        self.seen |= {key: number for key in keys if key not in self.seen}


ROUNDED = r"[0-9][0-9.,]*e[+-][0-9]+|[0-9]+[.,][0-9.,]+"

SHORTENED = r"[0-9]{10,15}"


def _read_organization(value: Any) -> dict[str, Any]:
    text = read_text(value).lower()
    if not _is_uuid(text):
        raise ValueError("is not an organization's id; write its UUID")
    return {"organization_id": text}


def _read_token(value: Any) -> dict[str, Any]:
    text = read_text(value).lower()
    if text and not _is_uuid(text):
        raise ValueError("is not a token's id; write its UUID, and never the token's value")
    return {"token_id": text or None}


def _read_fingerprint(value: Any) -> dict[str, Any]:
    text = read_text(value).lower()
    if text and not isinstance(value, str):
        raise ValueError("is a number in the file and has lost digits; format the column as text and enter it again")
    if re.fullmatch(ROUNDED, text):
        raise ValueError(f"was rounded to {text[:24]} by a spreadsheet; format the column as text and enter it again")
    if re.fullmatch(SHORTENED, text):
        raise ValueError(
            f"has {len(text)} digits of 16: a spreadsheet took it for a number and dropped leading zeros; format the "
            "column as text and enter it again"
        )
    if text and not re.fullmatch(r"[0-9a-f]{16}", text):
        raise ValueError("is not a fingerprint; write its 16 hex digits, and never the token's value")
    return {"fingerprint": text or None}


def _read_permissions(value: Any) -> dict[str, Any]:
    said = mask_shapes(read_text(value))
    words = [word for word in re.split(r"[+,;/&\s]+|\band\b", said.lower()) if word]
    if not words:
        raise ValueError("is empty; write read, read+write, read+write+delete … or none")
    if set(words) <= NONE_AT_ALL:
        words = []
    for word in words:
        if word not in PERMISSIONS:
            raise ValueError(
                f"contains an unknown permission: {word[:20]!r}; write read, read+write, read+write+delete … or none"
            )
    return {f"{name}_approved": name in words for name in PERMISSIONS}


def _review(value: Any) -> dict[str, Any]:
    day = as_day(value)
    return {"reviewed_until": day and end_of(day)}


def _read_consumers(name: str) -> Callable[[Any], dict[str, Any]]:
    """Return what reads the names of consumers, which `;`, commas or line breaks separate."""

    def read(value: Any) -> dict[str, Any]:
        text = read_text(value)
        if looks_like_a_value(text):
            raise ValueError(f"holds {LOOKS_LIKE_A_VALUE}")
        names = [" ".join(part.split()) for part in re.split(r"[;\n\r]" if ";" in text else r"[,\n\r]", text)]
        return {name: "; ".join(filter(None, names)) or None}

    return read


def _split_words(name: str) -> Callable[[Any], dict[str, Any]]:
    def read(value: Any) -> dict[str, Any]:
        text = read_text(value)
        if looks_like_a_value(text):
            raise ValueError(f"holds {LOOKS_LIKE_A_VALUE}")
        return {name: text or None}

    return read


READERS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "owner": _split_words("owner"),
    "purpose": _split_words("purpose"),
    "organization_id": _read_organization,
    "token_id": _read_token,
    "fingerprint": _read_fingerprint,
    "permissions": _read_permissions,
    "review_by": _review,
    "consumer": _read_consumers("consumer"),
    "consumers": _read_consumers("consumers"),
    "contact": _split_words("contact"),
}


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False

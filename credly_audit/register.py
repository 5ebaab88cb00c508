"""The register where a team documents its tokens: a CSV or XLSX file, every bad row of it told in one pass."""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd

from credly_audit.errors import ConfigurationError, UsageError
from credly_audit.redaction import LOOKS_LIKE_A_VALUE, looks_like_a_value
from credly_audit.rules.facts import ENTRIES, PERMISSIONS
from credly_audit.snapshot import conform
from credly_audit.workbooks import opened

COLUMNS = ("organization_id", "token_id", "fingerprint", "owner", "purpose", "permissions", "review_by")
NEEDED = ("organization_id", "permissions")

NONE_AT_ALL = frozenset({"none", "-", "–"})

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Register:
    """What the file says: `entries` (columns ENTRIES) and, row by row, `extra`: the team's own columns (strings)."""

    path: Path
    entries: pd.DataFrame
    extra: pd.DataFrame

    @classmethod
    def read(cls, path: Path) -> "Register":
        """Read a CSV or XLSX file; ConfigurationError with every row that is wrong, UsageError for no such file."""
        rows = list(_workbook(path) if path.suffix.lower() in {".xlsx", ".xlsm"} else _csv(path))
        reading = _Reading(path)
        entries = [entry for number, row in rows if (entry := reading.entry(number, row)) is not None]
        reading.mistakes += _shaped_like_values(path, entries)
        if reading.mistakes:
            raise ConfigurationError(reading.mistakes)
        own = dict.fromkeys(name for _, row in rows for name in row if name not in COLUMNS)
        extra = {name: [_text(row.get(name)) or None for _, row in rows] for name in own}
        return cls(
            path,
            conform({name: [entry[name] for entry in entries] for name in ENTRIES}, ENTRIES),
            conform(pd.DataFrame(extra, index=range(len(rows))), dict.fromkeys(extra, "string")),
        )

    def rows_of(self, tokens: pd.DataFrame) -> pd.Series:
        """For each token the position of its entry, by its id or else by its fingerprint; -1: it has none."""
        rows = pd.Series(-1, index=tokens.index, dtype="int64")
        for name in ("fingerprint", "token_id"):
            named = self.entries[self.entries[name].notna()]
            places = pd.MultiIndex.from_frame(named[["organization_id", name]]).get_indexer(_keys(tokens, name))
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
        review = (entries["reviewed_until"] - timedelta(days=1)).dt.strftime("%Y-%m-%d")
        said = entries[["owner", "purpose"]].assign(permissions=approved, review_by=review)
        return pd.concat([said.astype("string"), self.extra], axis=1)

    def placed(self, tokens: pd.DataFrame, organizations: pd.DataFrame) -> pd.DataFrame:
        """The entries with `organization_row` (their organization's position, -1: not there) and `listed` (bool)."""
        places = pd.Index(organizations["organization_id"].str.lower()).get_indexer(self.entries["organization_id"])
        listed = np.zeros(len(self.entries), dtype=bool)
        for name in ("fingerprint", "token_id"):
            keys = pd.MultiIndex.from_frame(self.entries[["organization_id", name]])
            listed |= keys.isin(_keys(tokens, name)) & self.entries[name].notna().to_numpy()
        return self.entries.assign(organization_row=places, listed=listed)

    def approved_now(self, as_of: datetime) -> pd.DataFrame:
        """Which permissions each entry approves at an instant (bool columns read, write, delete): none past review."""
        in_review = ~(self.entries["reviewed_until"] <= pd.Timestamp(as_of)).to_numpy()
        return pd.DataFrame({name: self.entries[f"{name}_approved"] & in_review for name in PERMISSIONS})


def _keys(tokens: pd.DataFrame, name: str) -> pd.MultiIndex:
    organizations = tokens["organization_id"].astype("string").str.lower()
    return pd.MultiIndex.from_arrays([organizations, tokens[name].str.lower()])


@dataclass(slots=True)
class _Reading:
    """One pass over the rows of a file."""

    path: Path
    mistakes: list[str] = field(default_factory=list)
    seen: dict[tuple[str, str], int] = field(default_factory=dict)

    def entry(self, number: int, row: Row) -> dict[str, Any] | None:
        """What a row says; None, and the mistakes noted, where that cannot be told."""
        before = len(self.mistakes)
        said: dict[str, Any] = {"row": number, "owner": _text(row.get("owner")), "purpose": _text(row.get("purpose"))}
        for name, read in READERS.items():
            try:
                said |= read(row.get(name))
            except ValueError as error:
                self.mistakes.append(f"{self.path}: row {number}: {name} {error}")
        if len(self.mistakes) == before and said["token_id"] is None and said["fingerprint"] is None:
            self.mistakes.append(f"{self.path}: row {number}: names no token; fill in token_id or fingerprint")
        for name in ("token_id", "fingerprint"):
            key = (said.get("organization_id", ""), said.get(name) or "")
            if len(self.mistakes) == before and key[1]:
                if key in self.seen:
                    self.mistakes.append(f"{self.path}: row {number}: the same token as row {self.seen[key]}; keep one")
                self.seen.setdefault(key, number)
        return (
            {key: value or None if value == "" else value for key, value in said.items()}
            if (len(self.mistakes) == before)
            else None
        )


def _shaped_like_values(path: Path, entries: list[dict[str, Any]]) -> Iterator[str]:
    """A sentence for each owner and purpose that could be a token's value; it is not shown."""
    for entry in entries:
        for name in ("owner", "purpose"):
            if entry[name] and looks_like_a_value(entry[name]):
                yield f"{path}: row {entry['row']}: {name} holds {LOOKS_LIKE_A_VALUE}"


def _organization(value: Any) -> dict[str, Any]:
    text = _text(value).lower()
    if not _is_uuid(text):
        raise ValueError("is no organization's id; write its UUID")
    return {"organization_id": text}


def _token(value: Any) -> dict[str, Any]:
    text = _text(value).lower()
    if text and not _is_uuid(text):
        raise ValueError("is no token's id; write its UUID, and never the token's value")
    return {"token_id": text or None}


def _fingerprint(value: Any) -> dict[str, Any]:
    text = _text(value).lower()
    if text and not isinstance(value, str):
        raise ValueError("is a number there and has lost digits; format the column as text and write it anew")
    if text and not re.fullmatch(r"[0-9a-f]{16}", text):
        raise ValueError("is no fingerprint; write its 16 hex digits, and never the token's value")
    return {"fingerprint": text or None}


def _permissions(value: Any) -> dict[str, Any]:
    words = [word for word in re.split(r"[+,;/&\s]+|\band\b", _text(value).lower()) if word]
    if not words:
        raise ValueError("is empty; write read, read+write, read+write+delete … or none")
    if set(words) <= NONE_AT_ALL:
        words = []
    for word in words:
        if word not in PERMISSIONS:
            raise ValueError(f"names no permission: {word[:20]!r}; write read, read+write, read+write+delete … or none")
    return {f"{name}_approved": name in words for name in PERMISSIONS}


def _review(value: Any) -> dict[str, Any]:
    if isinstance(value, datetime | date):
        day = value.date() if isinstance(value, datetime) else value
    elif not _text(value):
        return {"reviewed_until": None}
    else:
        try:
            day = date.fromisoformat(_text(value))
        except ValueError:
            raise ValueError("is no date; write one such as 2027-03-31") from None
    return {"reviewed_until": datetime.combine(day + timedelta(days=1), time(), UTC)}


READERS = {
    "organization_id": _organization,
    "token_id": _token,
    "fingerprint": _fingerprint,
    "permissions": _permissions,
    "review_by": _review,
}


def _csv(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigurationError([f"{path}: is not UTF-8; save it as CSV in UTF-8"]) from None
    except OSError as error:
        raise _unreadable(path, error) from None
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=";" if first.count(";") > first.count(",") else ",")
    try:
        header = _header(path, next(reader, []))
        start = reader.line_num + 1
        for cells in reader:
            number, start = start, reader.line_num + 1
            if len(cells) > len(header) and any(cells[len(header) :]):
                raise ConfigurationError([f"{path}: row {number}: more cells than columns; quote a cell with a comma"])
            if any(cell.strip() for cell in cells):
                yield number, dict(zip(header, cells, strict=False))
    except csv.Error as error:
        raise ConfigurationError([f"{path}: row {reader.line_num}: not CSV: {error}"]) from None


def _workbook(path: Path) -> Iterator[tuple[int, Row]]:
    try:
        with opened(path) as book:
            rows = enumerate(book.worksheets[0].iter_rows(values_only=True), 1)
            _, titles = next(rows, (1, ()))
            header = _header(path, [_text(title) for title in titles])
            for number, cells in rows:
                if any(_text(cell) for cell in cells):
                    yield number, dict(zip(header, cells, strict=False))
    except OSError as error:
        raise _unreadable(path, error) from None


def _header(path: Path, titles: list[str]) -> list[str]:
    """The names of the columns in lower case; those without a title are numbered."""
    names = [
        re.sub(r"[\s-]+", "_", title.strip().lower()) or f"column_{place}" for place, title in enumerate(titles, 1)
    ]
    lacking = [name for name in NEEDED if name not in names]
    if not {"token_id", "fingerprint"} & set(names):
        lacking.append("token_id or fingerprint")
    if lacking:
        raise ConfigurationError([f"{path}: row 1: no column {', no column '.join(lacking)}; {EXPECTED}"])
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice:
        raise ConfigurationError([f"{path}: row 1: two columns are called {twice}; keep one"])
    return names


EXPECTED = f"the columns are {', '.join(COLUMNS)}, and any of your own"


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip()


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _unreadable(path: Path, error: OSError) -> UsageError:
    return UsageError(f"{path}: the register cannot be read ({error.strerror}); name it in [policy] register")

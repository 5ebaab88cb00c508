"""What earlier audits left behind, as frames: all that judging may know of the past, wherever it was kept."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from credly_audit.audit.memory import ALL_DELIVERED, Undeliverables
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.rules.facts import SUCCESSIONS
from credly_audit.severity import Severity

LAST_KNOWN_TOKENS = {
    "organization_id": "string",
    "token_id": "string",
    "fingerprint": "string",
    "fingerprint_key": "string",
    "expires_at": INSTANT,
    "permissions": "int64",
    "denied": "int64",
    "rotated_at": INSTANT,
    "seen_at": INSTANT,
    "gone": "bool",
}
"""The tokens as the last audit that saw each of them did.

`permissions` is a sum of BITS, of those not known times 8; `denied` is a sum of BITS: permissions that some audit up to
then knew to be off; `rotated_at`: when its value was seen to change, under this fingerprint and key; `gone`: an audit
that saw everything has missed it since.
"""

LAST_KNOWN_FINDINGS = {
    "finding_id": "string",
    "weight": "int64",
    "waived": "bool",
    "resolved": "bool",
    "first_seen_at": INSTANT,
}
"""Every finding that an earlier audit had; `weight` is its severity's, `resolved`: gone when last judged."""

ABOUT = {
    "finding_id": "string",
    "rule_id": "string",
    "organization_id": "string",
    "token_id": "string",
    "description": "string",
    "fingerprint": "string",
    "weight": "int64",
    "due_at": INSTANT,
    "first_seen_at": INSTANT,
    "opened_at": INSTANT,
    "seen_at": INSTANT,
}
"""What is known of findings that are not there now; `opened_at` begins the stretch that ended, `seen_at` ended it."""

SEEN_ORGANIZATIONS = {
    "organization_id": "string",
    "audited_at": INSTANT,
    "fully_seen_at": INSTANT,
    "in_scope": "bool",
}
"""When each organization was last audited, and when last complete (null: never).

`in_scope`: it was among the organizations of the last audit that asked all that was configured, or was audited since.
"""

DESCRIBED = {"organization_id": "string", "token_id": "string", "description": "string"}
"""Tokens as the last audit that listed them described them."""

OPEN = {
    "organization_id": "string",
    "organization_name": "string",
    "last_audited_at": INSTANT,
    "open_findings": "int64",
    "weight": "int64",
}
"""Organizations with findings that are neither resolved nor waived; `weight` is that of the highest severity."""

REMEDIATED = {"weight": "int64", "opened_at": INSTANT, "resolved_at": INSTANT, "findings": "int64"}
"""How many findings of a severity appeared at one audit and were resolved at another."""

COUNTS = ("new", "persisting", "reopened", "resolved", "unseen", "waived")

TREND = {
    "as_of": INSTANT,
    "outcome": "string",
    "organizations": "int64",
    "fully_seen": "int64",
    "tokens": "int64",
    **{severity.value: "int64" for severity in Severity},
    **dict.fromkeys(COUNTS, "int64"),
}
"""A row an audit, as its reports counted: findings by severity are those neither waived nor unseen."""


@dataclass(frozen=True, slots=True)
class PriorManifest:
    """The last signed manifest of a series: its number, from 1 on, its file's name and SHA-256 in hex digits."""

    number: int
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Past:
    """The audits before an instant, as of the last of them.

    Columns: `tokens` LAST_KNOWN_TOKENS, `findings` LAST_KNOWN_FINDINGS, `organizations` SEEN_ORGANIZATIONS,
    `remediated` REMEDIATED, `audits` TREND (oldest first), `successions` SUCCESSIONS. `describe` gives DESCRIBED for
    some of the tokens' ids and `about` ABOUT for some of the findings' ids, both in no order; `open_in` gives OPEN for
    some of the organizations' ids.
    """

    tokens: pd.DataFrame
    findings: pd.DataFrame
    organizations: pd.DataFrame
    remediated: pd.DataFrame
    audits: pd.DataFrame
    successions: pd.DataFrame
    figures: Mapping[str, int]
    """The key figures of the last audit, by name (audit.figures)."""
    describe: Callable[[pd.Series], pd.DataFrame]
    about: Callable[[pd.Series], pd.DataFrame]
    open_in: Callable[[pd.Series], pd.DataFrame]
    undelivered: Undeliverables = ALL_DELIVERED


def make_empty_past() -> Past:
    """Return the past of a history that has just begun."""
    return Past(
        make_empty_frame(LAST_KNOWN_TOKENS),
        make_empty_frame(LAST_KNOWN_FINDINGS),
        make_empty_frame(SEEN_ORGANIZATIONS),
        make_empty_frame(REMEDIATED),
        make_empty_frame(TREND),
        make_empty_frame(SUCCESSIONS),
        {},
        lambda _ids: make_empty_frame(DESCRIBED),
        lambda _ids: make_empty_frame(ABOUT),
        lambda _ids: make_empty_frame(OPEN),
    )


@dataclass(frozen=True, slots=True)
class Baseline:
    """The findings of one report by id, with their severities: what `--new-only` is held against without a history."""

    as_of: datetime
    findings: Mapping[str, Severity]


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known from before an audit.

    `past`: what a history holds. A baseline serves `Gate.new_only`, and tells what is new where there is no history.
    """

    past: Past | None = None
    baseline: Baseline | None = None


NO_PRIOR = Prior()


def make_typed_frame(columns: Mapping[str, object], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Make a frame of these columns in these dtypes; instants may be microseconds (int64, the least is null)."""
    typed = {}
    for name, dtype in dtypes.items():
        column = columns[name]
        if dtype == INSTANT and isinstance(column, np.ndarray) and column.dtype == np.int64:
            typed[name] = pd.Series(column.view("datetime64[us]")).dt.tz_localize("UTC")
        else:
            typed[name] = pd.Series(column).astype(dtype)
    return pd.DataFrame(typed)


def make_empty_frame(dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Make a frame of these dtypes without a row."""
    return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in dtypes.items()})


def find_positions(wanted: object, known: object) -> np.ndarray:
    """Return the position of each text among the known ones (int64, the first of several; -1: unknown)."""
    places = pc.index_in(join_texts(wanted), value_set=join_texts(known), skip_nulls=True)
    found: np.ndarray = pc.fill_null(places, -1).to_numpy(zero_copy_only=False).astype("int64")
    return found


def find_positions_of_ids(wanted: pd.Series, known: pd.Series) -> np.ndarray:
    """Do the same for ids of 16 hex digits, each known at most once: as numbers, five times as fast."""
    return pd.Index(_read_ids(known)).get_indexer(_read_ids(wanted))


def _read_ids(ids: pd.Series) -> np.ndarray:
    digits = join_texts(ids)
    if not len(digits):
        return np.zeros(0, dtype="uint64")
    ends = np.frombuffer(digits.buffers()[1], dtype="int64")[digits.offset :][: len(digits) + 1]
    letters = digits.buffers()[2][ends[0] : ends[-1]].to_pybytes()
    return np.frombuffer(bytes.fromhex(letters.decode()), dtype=">u8").astype("uint64")


def join_texts(column: object) -> pa.Array:
    """Return a column of texts, or several joined row by row by U+001F, as an Arrow array."""
    if isinstance(column, tuple):
        return pc.binary_join_element_wise(*(join_texts(each) for each in column), pa.scalar("\x1f", pa.large_string()))
    array = pa.array(column)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(pa.large_string())


def take_with_default(values: np.ndarray, places: np.ndarray, default: object) -> np.ndarray:
    """Return the values at these places; the default where a place is -1."""
    return np.append(values, np.array([default], dtype=values.dtype))[places]

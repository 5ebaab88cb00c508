"""Sentences over whole columns: no rule goes through its rows one by one."""

from collections.abc import Callable
from string import Formatter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

US_PER_DAY = 86_400_000_000

UNPRINTABLE = r"[\s\pC]+"

LONGEST_NAME = 60


def sentence(template: str, **values: Any) -> pd.Series:
    """The template filled in for each row; fields are columns (one index) or single values, null reads `–`."""
    index = next((value.index for value in values.values() if isinstance(value, pd.Series)), None)
    if index is None:
        raise ValueError(f"sentence({template!r}) needs a column among its values")
    parts: list[Any] = []
    for literal, name, _, _ in Formatter().parse(template):
        parts.append(_text(literal))
        if name is not None:
            parts.append(_text(values[name]))
    joined = pc.binary_join_element_wise(*parts, _text(""), null_handling="replace", null_replacement="–")
    return pd.Series(pd.array(joined, dtype="string"), index=index)


def _text(value: Any) -> Any:
    if not isinstance(value, pd.Series):
        return pa.scalar(str(value), pa.large_string())
    array = pa.array(value)
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    return array.cast(pa.large_string())


def shorten(texts: pd.Series, most: int = LONGEST_NAME) -> pd.Series:
    """Make free texts fit for a sentence: in one line, cut where they are longer than `most`."""
    lines = texts.str.replace(UNPRINTABLE, " ", regex=True).str.strip()
    return lines.where((lines.str.len() <= most).fillna(value=True), lines.str.slice(stop=most - 1) + "…")


def worded(keys: np.ndarray, wording: Callable[[int], str], index: pd.Index) -> pd.Series:
    """`wording` of each whole number, said once for each different one."""
    codes, different = pd.factorize(keys)
    words = pd.array([wording(int(key)) for key in different], dtype="string")
    return pd.Series(words.take(codes), index=index)


def day(instants: pd.Series) -> pd.Series:
    """Return `29 Nov 2026` for each instant (UTC, none null)."""
    days = _microseconds(instants) // US_PER_DAY
    return worded(days, lambda number: _day(pd.Timestamp(number, unit="D")), instants.index)


def _day(instant: pd.Timestamp) -> str:
    return f"{instant.day} {instant:%b %Y}"


def clock(instants: pd.Series) -> pd.Series:
    """Return `09:30 UTC` for each instant (UTC, none null)."""
    return instants.dt.strftime("%H:%M UTC").astype("string")


def distance(instants: pd.Series, as_of: pd.Timestamp) -> pd.Series:
    """`in 6 days`, `today`, `11 days ago`: whole days between as_of and each instant (UTC, none null)."""
    return worded(whole_days(instants, as_of).to_numpy(), _distance, instants.index)


def whole_days(instants: pd.Series, as_of: pd.Timestamp) -> pd.Series:
    """Whole days from as_of to each instant (int64, cut towards zero; negative: it lies behind)."""
    apart = _microseconds(instants) - as_of.tz_localize(None).to_datetime64().astype("datetime64[us]").astype("int64")
    return pd.Series(np.sign(apart) * (np.abs(apart) // US_PER_DAY), index=instants.index)


def _distance(days: int) -> str:
    if days == 0:
        return "within a day"
    many = f"{abs(days):,} day{'' if abs(days) == 1 else 's'}"
    return f"in {many}" if days > 0 else f"{many} ago"


def plural(counts: pd.Series, one: str, many: str) -> pd.Series:
    """`1 token`, `2 tokens`: each whole number with its noun."""
    return worded(counts.to_numpy(), lambda count: f"{count:,} {one if count == 1 else many}", counts.index)


def _microseconds(instants: pd.Series) -> np.ndarray:
    numbers: np.ndarray = instants.dt.tz_localize(None).to_numpy().astype("datetime64[us]").astype("int64")
    return numbers

"""Checks what a rule returned, so that everything after it may rely on a typed column a field.

A rule is other people's code: where it returns something else it is that rule that is broken, whatever it had found.
"""

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from credly_audit.errors import BrokenRule
from credly_audit.instants.instant_columns import INSTANT
from credly_audit.rules.declare import Flags, Rule, is_text
from credly_audit.rules.facts import Facts
from credly_audit.severity import Severity

LONGEST = 10_000
"""The most characters of a message; more than that no report shows."""

FIRST_INSTANT, LAST_INSTANT = pd.Timestamp("0001-01-01", tz="UTC"), pd.Timestamp("9999-12-31T23:59:59.999999", tz="UTC")

KINDS = "texts, numbers, true or false, or instants with a time zone"

OF_OBJECTS = {"string": "string", "empty": "string", "boolean": "boolean", "integer": "Int64", "floating": "float64"}
"""The type of a column of Python objects, by what pandas infers of them."""


def check_flags(rule: Rule, flags: Any, facts: Facts) -> Flags:
    """Return the flags as typed columns of one length over copies of their own; BrokenRule for anything else."""
    if not isinstance(flags, Flags):
        _refuse(f"returned {type(flags).__name__}, not Flags: return what flag() gives")
    of_token = rule.subject == "token"
    rows = _positions("rows", flags.rows, 0, len(facts.tokens if of_token else facts.organizations))
    many = len(rows)

    def optional(check: Callable[..., pd.Series], name: str, *more: Any) -> Any:
        column = getattr(flags, name)
        return None if column is None else check(name, _column(name, column, many), *more)

    return Flags(
        pd.Index(rows),
        _messages(flags.message, many),
        severity=_severities(flags.severity, many),
        due_at=optional(_instants, "due_at"),
        discriminator=optional(_texts, "discriminator"),
        evidence=_evidence(flags.evidence, many),
        owner=optional(_texts, "owner", "nullable"),
        token_rows=None if flags.token_rows is None else _token_rows(flags.token_rows, rows, facts, of_token=of_token),
    )


def _refuse(sentence: str) -> NoReturn:
    raise BrokenRule(sentence)


def _column(name: str, values: Any, many: int | None = None) -> pd.Series:
    """The values as a series, `many` of them."""
    if not isinstance(values, pd.Series | pd.Index | np.ndarray | list | tuple | pd.api.extensions.ExtensionArray):
        _refuse(f"{name} is of type {type(values).__name__}, not a column with a value a finding")
    series = pd.Series(values).reset_index(drop=True)
    if many is not None and len(series) != many:
        _refuse(f"{name} has {len(series)} values for {many} findings")
    return series


def _positions(name: str, values: Any, least: int, end: int) -> np.ndarray:
    """Whole numbers from `least` up to, without, `end`."""
    series = _column(name, values)
    if series.empty:
        return np.zeros(0, dtype="int64")
    if not pd.api.types.is_integer_dtype(series.dtype) or series.isna().any():
        _refuse(f"{name} must be positions (whole numbers), not {series.dtype}{' with nulls' * series.hasnans}")
    if series.min() < least or series.max() >= end:
        _refuse(f"{name} must lie between {least} and {end - 1}; found {series.min()} to {series.max()}")
    return series.to_numpy(dtype="int64")


def _token_rows(values: Any, rows: np.ndarray, facts: Facts, *, of_token: bool) -> pd.Series:
    """Positions of tokens, each of the organization that it is flagged under; -1: of none."""
    if of_token:
        _refuse("token_rows is for rules on organizations; a token's rule has its tokens in rows")
    places = _positions("token_rows", _column("token_rows", values, len(rows)), -1, len(facts.tokens))
    if (facts.organization_rows[places[places >= 0]] != rows[places >= 0]).any():
        _refuse("token_rows names a token of another organization than rows")
    return pd.Series(places)


def _messages(values: Any, many: int) -> pd.Series:
    texts = _texts("message", _column("message", values, many))
    if texts.str.strip().eq("").any():
        _refuse("message is blank; say in it what was found")
    if (texts.str.len() > LONGEST).any():
        _refuse(f"message has {texts.str.len().max():,} characters; the most is {LONGEST:,}")
    return texts


def _texts(name: str, series: pd.Series, nulls: str = "") -> pd.Series:
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    found = "string" if isinstance(series.dtype, pd.StringDtype) else pd.api.types.infer_dtype(series, skipna=True)
    if found not in {"string", "empty"}:
        _refuse(f"{name} must be texts, not {found}")
    texts = series.astype("string")
    if not nulls and texts.isna().any():
        _refuse(f"{name} is null in {int(texts.isna().sum())} of {len(texts)} findings")
    return texts


def _severities(values: Any, many: int) -> pd.Series | None:
    if values is None:
        return None
    series = pd.Series([values] * many, dtype=object) if isinstance(values, str) else _column("severity", values, many)
    wrong = ~series.isin(list(Severity)).to_numpy(dtype=bool)
    if wrong.any():
        _refuse(f"severity {series[wrong].iloc[0]!s:.40} is none of {', '.join(Severity)}")
    return series


def _instants(name: str, series: pd.Series) -> pd.Series:
    """Instants in UTC of the years 1 to 9999."""
    if series.isna().all():
        return pd.Series(pd.NaT, series.index, dtype=INSTANT)
    if not isinstance(series.dtype, pd.DatetimeTZDtype):
        _refuse(f"{name} must be instants with a time zone, not {series.dtype}")
    instants = series.dt.tz_convert("UTC").astype(INSTANT)
    if (instants < FIRST_INSTANT).any() or (instants > LAST_INSTANT).any():
        _refuse(f"{name} must lie in the years 1 to 9999; found {instants.min()} to {instants.max()}")
    return instants


def _evidence(frame: Any, many: int) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        _refuse(f"evidence is of type {type(frame).__name__}, not a frame")
    if not len(frame.columns):
        return pd.DataFrame(index=range(many))
    names = list(frame.columns)
    if not all(is_text(name) and name for name in names) or len(set(names)) < len(names):
        _refuse("evidence must have a name of its own, a text, for each column")
    if len(frame) != many:
        _refuse(f"evidence has {len(frame)} rows for {many} findings")
    return pd.DataFrame({name: _typed(f"evidence {name}", frame[name].reset_index(drop=True)) for name in names})


def _typed(name: str, series: pd.Series) -> pd.Series:
    """The column with a type that every report can write, over memory of its own."""
    if isinstance(series.dtype, pd.ArrowDtype):
        series = series.convert_dtypes(dtype_backend="numpy_nullable")
    if isinstance(series.dtype, pd.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    if series.dtype == object:
        series = series.astype(OF_OBJECTS.get(pd.api.types.infer_dtype(series, skipna=True), object))
    dtype = series.dtype
    if isinstance(dtype, pd.StringDtype):
        return series.astype("string")
    if isinstance(dtype, pd.DatetimeTZDtype):
        return _instants(name, series)
    if pd.api.types.is_bool_dtype(dtype) or pd.api.types.is_integer_dtype(dtype):
        return series.copy()
    if pd.api.types.is_float_dtype(dtype):
        if np.isinf(series.to_numpy(dtype="float64", na_value=np.nan)).any():
            _refuse(f"{name} is infinite")
        return series.copy()
    _refuse(f"{name} must be {KINDS}, not {pd.api.types.infer_dtype(series, skipna=True)}")

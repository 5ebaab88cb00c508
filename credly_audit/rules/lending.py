"""Lends the facts to rules so that no rule can change what another one reads, without a copy for each rule."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from credly_audit.rules.facts import Facts

MASKS = tuple(name for name, each in vars(Facts).items() if isinstance(each, cached_property))
"""What every rule asks of the frames, worked out once for all of them."""

MASKED = pd.BooleanDtype | pd.Int8Dtype | pd.Int16Dtype | pd.Int32Dtype | pd.Int64Dtype
"""What keeps its values and its nulls in two arrays."""

Array = Any
"""A numpy or an extension array."""


def seal(facts: Facts) -> Facts:
    """Return the same facts over memory that nobody can write to."""
    sealed = replace(facts, **{name: _fixed(each) for name, each in _framed(_fields(facts))})
    vars(sealed).update({name: _fixed(getattr(sealed, name)) for name in MASKS})
    return sealed


@dataclass(frozen=True, slots=True)
class Loan:
    """Sealed facts in the hands of one rule: `facts` is its own, the memory below is everybody's."""

    sealed: Facts
    facts: Facts
    kept: dict[str, Any]
    """What was handed out, by the name of the attribute; `arrays` of a frame by the name of its column."""
    arrays: dict[str, dict[str, Array]]

    @classmethod
    def of(cls, sealed: Facts) -> "Loan":
        """Hand out shallow copies of the frames."""
        facts = replace(sealed, **{name: _shallow(each) for name, each in _framed(_fields(sealed))})
        vars(facts).update({name: _shallow(getattr(sealed, name)) for name in MASKS})
        kept = dict(vars(facts))
        arrays = {name: {column: part.array for column, part in _columns(each)} for name, each in _framed(kept)}
        return cls(sealed, facts, kept, arrays)

    def change(self) -> str | None:
        """Return what the rule changed, as it would write it; None where it changed nothing."""
        for name, handed in self.kept.items():
            if vars(self.facts).get(name) is not handed:
                return f"facts.{name}"
        for name, arrays in self.arrays.items():
            change = _change(self.kept[name], getattr(self.sealed, name), arrays)
            if change is not None:
                return f"facts.{name}{change}"
        return None


def _change(frame: Any, sealed: Any, arrays: dict[Any, Array]) -> str | None:
    """What changed in a frame or a series, as an ending of its name."""
    if frame.attrs or not all(map(pd.Index.identical, frame.axes, sealed.axes)):
        return ".attrs" if frame.attrs else ".index or .columns"
    for (name, now), (_, then) in zip(_columns(frame), _columns(sealed), strict=True):
        if not _is_as_it_was(now, then, arrays[name]):
            return f"[{name!r}]" if isinstance(frame, pd.DataFrame) else " (its values)"
    return None


def _fields(facts: Facts) -> dict[str, Any]:
    return {field.name: getattr(facts, field.name) for field in fields(facts)}


def _framed(values: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """The frames and series among the values."""
    return ((name, each) for name, each in values.items() if isinstance(each, pd.DataFrame | pd.Series))


def _columns(frame: Any) -> Iterator[tuple[Any, pd.Series]]:
    return frame.items() if isinstance(frame, pd.DataFrame) else iter([("", frame)])


def _is_as_it_was(now: pd.Series, sealed: pd.Series, handed: Array) -> bool:
    """Whether a column is what was handed out; values are compared only where its array is another one."""
    if isinstance(now.dtype, pd.StringDtype) and now.dtype == sealed.dtype:  # whose array may exchange what it holds
        return now.array.__arrow_array__() is sealed.array.__arrow_array__() or now.equals(sealed)
    return now.array is handed or now.equals(sealed)


def _shallow(each: Any) -> Any:
    """A frame or series of its own over the same memory; an array as it is."""
    if isinstance(each, np.ndarray):
        return each
    own = each.copy(deep=False)
    own.index = pd.RangeIndex(len(own))  # a RangeIndex keeps its numbers where they can be written to
    return own


def _fixed(each: Any) -> Any:
    """A frame, series or array over memory of its own that is never written to."""
    if isinstance(each, np.ndarray):
        return _fixed_memory(each)
    index = pd.RangeIndex(len(each))
    if isinstance(each, pd.Series):
        return pd.Series(_fixed_array(each), index=index, copy=False)
    return pd.DataFrame({name: _fixed_array(column) for name, column in each.items()}, index=index, copy=False)


def _fixed_array(column: pd.Series) -> Array:
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return pd.Categorical.from_codes(_fixed_memory(column.cat.codes.to_numpy()), dtype=dtype)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return pd.array(_fixed_memory(column.array.asi8), dtype=dtype, copy=False)
    if isinstance(dtype, MASKED):
        values = column.to_numpy(dtype=dtype.numpy_dtype, na_value=0)
        return dtype.construct_array_type()(_fixed_memory(values), _fixed_memory(column.isna().to_numpy()))
    if isinstance(dtype, np.dtype) and dtype.kind != "O":
        return _fixed_memory(column.to_numpy())
    return column.array.copy()  # texts: what Arrow holds is never written to


def _fixed_memory(array: np.ndarray) -> np.ndarray:
    """The values in memory that belongs to an immutable object: no flag makes it writable."""
    return np.frombuffer(array.tobytes(), dtype=array.dtype)

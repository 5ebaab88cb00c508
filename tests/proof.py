"""What `make test` leaves to `make proof`: most examples of each law, and cases whose siblings are always tried."""

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import settings

ALL_EXAMPLES = "proof"
"""The profile of hypothesis under which a law tries all the examples that it asks for."""


def try_a_quarter(law: Any) -> None:
    """Let a law try a quarter of the examples that it asks for, and two at least."""
    own = law._hypothesis_internal_use_settings
    law._hypothesis_internal_use_settings = settings(own, max_examples=max(2, own.max_examples // 4))


def in_proof(*cases: object) -> list[Any]:
    """Return cases for `parametrize` that `make test` leaves out; a tuple is one case of several values."""
    values = [case if isinstance(case, tuple) else (case,) for case in cases]
    return [pytest.param(*each, marks=pytest.mark.proof) for each in values]


def mostly_in_proof(cases: Iterable[object]) -> list[Any]:
    """Return many cases of one kind: each third one, and the rest in proof."""
    every = list(cases)
    return [each if place % 3 == 0 else in_proof(each)[0] for place, each in enumerate(every)]

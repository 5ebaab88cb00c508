"""`make test` tries a quarter of the examples of a law, and `make proof` all of them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proof import ALL_EXAMPLES, in_proof, mostly_in_proof, try_a_quarter

tried: list[int] = []


@given(number=st.integers())
@settings(max_examples=40, database=None)
def law(number: int) -> None:
    tried.append(number)


def test_a_law_tries_a_quarter_of_what_it_asks_for() -> None:
    try_a_quarter(law)
    tried.clear()
    law()

    assert len(tried) == 10


@given(number=st.integers())
@settings(max_examples=40, database=None)
def test_it_does_so_wherever_it_is_collected_unless_all_examples_are_wanted(
    number: int, pytestconfig: pytest.Config
) -> None:
    wanted = 40 if pytestconfig.getoption("hypothesis_profile") == ALL_EXAMPLES else 10
    own = test_it_does_so_wherever_it_is_collected_unless_all_examples_are_wanted
    found = own._hypothesis_internal_use_settings.max_examples  # type: ignore[attr-defined]

    assert found == wanted, number


def test_of_many_cases_each_third_is_always_tried() -> None:
    first, second, third, fourth = mostly_in_proof("abcd")

    assert (first, fourth) == ("a", "d")
    assert (second.values, third.values) == (("b",), ("c",))


def test_cases_that_are_left_out_are_marked() -> None:
    single, several = in_proof("a", ("b", 1))

    assert (single.values, several.values) == (("a",), ("b", 1))
    assert {mark.name for each in (single, several) for mark in each.marks} == {"proof"}

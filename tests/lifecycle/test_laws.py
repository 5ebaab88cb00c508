"""What holds for every answer, every value and every mix of ends."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from credly_audit.credly.new_token import read_new_token, read_values
from credly_audit.errors import ExitCode
from credly_audit.lifecycle.journal import Journal, find_journals, reserve
from credly_audit.lifecycle.outcome import Outcome, State, find_exit_code
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints

VALUES = st.text("ABCabc019_-", min_size=20, max_size=64)

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "token", "id", "x"]) | st.text(), inner),
)

FINGERPRINTS = Fingerprints()


@given(ANYTHING)
def test_no_answer_however_strange_is_more_than_no_token(content: Any) -> None:
    made = read_new_token(json.dumps(content).encode(), FINGERPRINTS.of, lambda _: None)

    assert made.value is None or "*" not in made.value.reveal()
    read_values(json.dumps(content).encode())


@given(st.binary())
def test_no_bytes_are_more_than_no_token(body: bytes) -> None:
    read_new_token(body, FINGERPRINTS.of, lambda _: None)
    read_values(body)


@given(VALUES, st.sampled_from(["data", "one of a list", "named in data", "bare"]))
def test_a_value_is_found_wherever_an_envelope_could_hold_it(value: str, where: str) -> None:
    row = {"id": "eec89e5a-d9fa-44f4-ae71-22fad2e58d8c", "token": value}
    content: dict[str, Any] = {
        "data": {"data": row},
        "one of a list": {"data": [row]},
        "named in data": {"data": {"authorization_token": row}},
        "bare": row,
    }[where]

    made = read_new_token(json.dumps(content).encode(), FINGERPRINTS.of, lambda _: None)

    assert made.value == Secret(value)
    assert made.row is not None
    assert made.row.id == row["id"]


@given(VALUES)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_copy_gives_back_the_value_that_it_was_given_and_the_journal_never_holds_it(
    tmp_path: Path, value: str
) -> None:
    was = Journal("rotate", "an id", "Acme", "a lock", None, None, None, "2026-11-23T00:00:00+00:00")
    journal = reserve(tmp_path, was)
    assert journal.value is None

    journal.keep(Secret(value))

    [found] = find_journals(tmp_path)
    assert (found.value, found) == (Secret(value), journal)
    assert replace(found, path=was.path) == was
    assert value not in journal.path.read_text()
    journal.discard()
    assert list(tmp_path.iterdir()) == []


def ended(state: State, **said: Any) -> Outcome:
    return Outcome("an id", "Acme", "rotate", state, "so it ended", **said)


ENDS = st.builds(ended, st.sampled_from(State), must_act=st.booleans(), defect=st.booleans())


@given(st.lists(ENDS))
def test_the_gravest_end_decides(outcomes: list[Outcome]) -> None:
    gravest_first = [ExitCode.UNEXPECTED, ExitCode.INCOMPLETE, ExitCode.VIOLATIONS, ExitCode.OK]
    places = [gravest_first.index(outcome.exit_code) for outcome in outcomes]

    assert find_exit_code(outcomes) == gravest_first[min(places, default=3)]


@pytest.mark.parametrize(
    ("state", "code"),
    [
        (State.ROTATED, 0),
        (State.CREATED, 0),
        (State.UNCHANGED, 1),
        (State.EMERGENCY, 3),
        (State.LOST, 3),
        (State.UNKNOWN, 3),
    ],
)
def test_each_state_has_its_exit_code(state: State, code: int) -> None:
    assert ended(state).exit_code == code


def test_an_outcome_shows_no_value() -> None:
    assert "MADE-UP" not in repr(Secret("MADE-UP-value-0123456789"))

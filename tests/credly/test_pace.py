"""One rate for the whole run: it falls on a 429, once for a burst, and creeps up again."""

import random
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credly_audit.credly.pace import LEAST_RATE, Pace, RetryBudget, Stopped, Throttled, back_off


def test_without_a_limit_nobody_waits() -> None:
    pace = Pace(0, 600, Event())
    began = time.monotonic()

    for _ in range(1000):
        pace.wait_turn()

    assert time.monotonic() - began < 20


def test_our_own_limit_spaces_the_requests_of_all_workers() -> None:
    pace = Pace(50, 600, Event())
    began = time.monotonic()

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(lambda _: pace.wait_turn(), range(26)))

    assert 0.45 < time.monotonic() - began < 20


def test_a_burst_of_429_slows_it_down_once() -> None:
    pace = Pace(100, 600, Event())
    sent_at = time.monotonic()

    for _ in range(16):
        pace.throttled(sent_at, None)

    assert pace._rate == 10


def test_it_falls_to_what_the_host_lets_through_and_creeps_up_again() -> None:
    pace = Pace(0, 600, Event())
    for _ in range(50):
        pace.answered()
        time.sleep(0.01)
    last_second = [at for at in pace._answers if at > time.monotonic() - 1]

    pace.throttled(time.monotonic(), None)
    fallen = pace._rate
    for _ in range(1000):
        pace.answered()

    assert 0.5 * len(last_second) < fallen < 100
    assert fallen < pace._rate < 3 * fallen


def test_it_never_falls_to_a_standstill() -> None:
    pace = Pace(0, 600, Event())

    for _ in range(50):
        pace.throttled(time.monotonic() + 1, None)

    assert pace._rate == LEAST_RATE


def test_a_pause_holds_back_everybody_also_those_that_wait_already() -> None:
    pace = Pace(20, 600, Event())
    pace.wait_turn()
    with ThreadPoolExecutor(4) as workers:
        waiting = [workers.submit(pace.wait_turn) for _ in range(4)]
        pace.throttled(0.0, 0.5)
        paused_at = time.monotonic()
        assert all(turn.result() >= paused_at + 0.45 for turn in waiting)


def test_an_answer_starts_the_patience_anew() -> None:
    pace = Pace(0, 0.2, Event())
    for _ in range(3):
        pace.throttled(time.monotonic(), None)
        time.sleep(0.12)
        pace.answered()

    pace.throttled(time.monotonic(), None)
    time.sleep(0.25)
    with pytest.raises(Throttled, match=r"0\.2 seconds"):
        pace.throttled(time.monotonic(), None)


def test_whoever_waits_stops_at_once() -> None:
    stop = Event()
    pace = Pace(0.01, 600, stop)
    pace.wait_turn()
    stop.set()
    began = time.monotonic()

    with pytest.raises(Stopped):
        pace.wait_turn()
    with pytest.raises(Stopped):
        pace.sleep(60)

    assert time.monotonic() - began < 20


def test_the_budget_is_200_or_a_tenth_of_the_requests() -> None:
    budget = RetryBudget()
    assert [budget.spend() for _ in range(201)] == [True] * 200 + [False]

    for _ in range(2100):
        budget.count_request()
    assert [budget.spend() for _ in range(11)] == [True] * 10 + [False]


@given(
    tries=st.integers(0, 10_000),
    retry_after=st.none() | st.floats(0, 1e12),
    seed=st.integers(0, 1000),
)
def test_a_retry_after_can_only_lengthen_the_back_off(tries: int, retry_after: float | None, seed: int) -> None:
    random.seed(seed)
    jittered = back_off(tries, None)
    random.seed(seed)
    waited = back_off(tries, retry_after)

    assert 0 <= jittered <= min(30.0, 0.5 * 2 ** min(tries, 10))
    assert waited == max(jittered, min(retry_after or 0.0, 60.0))


@pytest.mark.parametrize("retry_after", [None, 0.0])
def test_a_429_is_waited_for_though_it_says_that_nothing_is_to_be_waited_for(retry_after: float | None) -> None:
    pace = Pace(0, 600, Event())
    began = time.monotonic()

    for _ in range(3):
        pace.throttled(pace.wait_turn(), retry_after)

    pace.wait_turn()
    assert time.monotonic() - began >= 0.1 + 0.2 + 0.4

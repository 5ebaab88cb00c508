"""How fast the host may be asked: one rate for the whole run, which falls on a 429 and creeps up again.

Measured: each worker backing off for itself takes 1.15 to 1.24 times the ideal, a gate that stops all of them up to
4.8 times, one adaptive rate 1.00 to 1.16 times.
"""

import random
from collections import deque
from threading import Event, Lock
from time import monotonic

from credly_audit.errors import AuditError

LONGEST_PAUSE = 60.0
"""Seconds that a Retry-After is obeyed for at most."""

LEAST_RATE = 0.2
"""Requests a second that are still tried when nothing but 429 comes."""

FIRST_GUESS = 10.0
"""Requests a second after the first 429, where no other answer was seen yet."""


LONGEST_BACK_OFF = 30.0
"""Seconds that are waited at most before another try, where nobody says how long."""


def back_off(tries: int, retry_after: float | None) -> float:
    """Return how many seconds to wait after so many tries: exponential with full jitter, or longer where that is asked.

    A Retry-After can only lengthen the wait: one of nothing, or of the past, would have all workers ask at once.
    """
    jittered = random.uniform(0, min(LONGEST_BACK_OFF, 0.5 * 2 ** min(tries, 10)))  # noqa: S311 - spreads load
    return max(jittered, min(retry_after or 0.0, LONGEST_PAUSE))


class Throttled(AuditError):  # noqa: N818 - as it is told
    """The host answered 429 and nothing else for longer than the settings allow."""


class Stopped(Exception):  # noqa: N818 - no error: somebody asked to stop
    """The run is to end; waiting requests are given up."""


class Pace:
    """Gives each request its turn; safe to use from many threads.

    `limit` is requests a second (0: no limit of our own), `patience` the seconds without an answer but 429 after which
    Throttled is raised.
    """

    def __init__(self, limit: float, patience: float, stop: Event) -> None:
        self._limit = limit or float("inf")
        self._patience = patience
        self._stop = stop
        self._lock = Lock()
        self._rate = self._limit
        self._known_good = self._limit
        self._next_turn = self._resumed = monotonic()
        self._slowed_at = 0.0
        self._throttled_since: float | None = None
        self._answers: deque[float] = deque(maxlen=10_000)
        self._era = 0

    def wait_turn(self) -> float:
        """Wait until this request may go; the instant at which it goes (`time.monotonic`). Stopped where it may not."""
        while True:
            with self._lock:
                era, now = self._era, monotonic()
                turn = max(now, self._next_turn, self._resumed)
                self._next_turn = turn + 1 / self._rate
            self.sleep(turn - now)
            if era == self._era:  # else the rate fell, or a pause began, while this one waited
                return monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait; Stopped as soon as the run is to end."""
        if self._stop.wait(seconds) if seconds > 0 else self._stop.is_set():
            raise Stopped

    def answered(self) -> None:
        """An answer other than 429 came: the rate may creep up."""
        with self._lock:
            self._throttled_since = None
            self._answers.append(monotonic())
            if self._rate < self._limit:
                # Quickly up to what was good, then three percent of it a second.
                step = 1.0 if self._rate < self._known_good else 0.03 * self._known_good / self._rate
                self._rate = min(self._limit, self._rate + step)

    def throttled(self, sent_at: float, retry_after: float | None) -> None:
        """A request sent at that instant got a 429: slow down, once for a burst, and pause where it says so."""
        with self._lock:
            now = monotonic()
            since = self._throttled_since = self._throttled_since or now
            left = since + self._patience - now
            if left <= 0:
                raise Throttled(
                    f"Credly answered every request with 429 (too many requests) for {self._patience:g} seconds"
                )
            if sent_at > self._slowed_at:
                self._slow_down(now)
            pause = min(retry_after or 0.0, LONGEST_PAUSE, left)
            if now + pause > self._resumed:
                self._resumed = now + pause
                self._era += 1

    def _slow_down(self, now: float) -> None:
        """To nine tenths of what the host let through in the last second, or half the rate where that was nothing."""
        began = max(now - 1.0, self._resumed)
        let_through = sum(1 for at in self._answers if at > began)
        seen = let_through / max(now - began, 0.05)
        if let_through:
            self._rate = self._known_good = max(LEAST_RATE, 0.9 * min(self._rate, seen))
        else:
            self._rate = max(LEAST_RATE, min(self._rate / 2, FIRST_GUESS))
        self._slowed_at = now
        self._next_turn = now + 1 / self._rate
        self._era += 1


class RetryBudget:
    """How many retries a run may spend: the larger of 200 and a tenth of its requests."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._requests = 0
        self._retries = 0

    def count_request(self) -> None:
        """One more request goes out."""
        with self._lock:
            self._requests += 1

    def spend(self) -> bool:
        """Whether there is one retry left, which is then taken."""
        with self._lock:
            left = self._retries < max(200, self._requests // 10)
            self._retries += left
            return left

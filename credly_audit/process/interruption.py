"""Tells a person's Ctrl-C, or a SIGTERM, from a KeyboardInterrupt that other code raises."""

import signal
from types import FrameType
from typing import NoReturn

_received: list[int] = []


def watch_signals() -> None:
    """Raise KeyboardInterrupt on SIGINT and SIGTERM, and remember it; a SIGINT that is ignored stays ignored."""
    _received.clear()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)


def is_interrupted() -> bool:
    """Whether a signal asked the command to stop, whatever became of the exception that it raised."""
    return bool(_received)


def _interrupt(number: int, _frame: FrameType | None) -> NoReturn:
    _received.append(number)
    raise KeyboardInterrupt

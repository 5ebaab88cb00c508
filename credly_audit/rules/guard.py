"""Runs other people's code so that nothing it raises can end the command, let alone as passed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from credly_audit.errors import AuditError
from credly_audit.process.interruption import is_interrupted

LONGEST_REASON = 300


class Failure(Exception):  # noqa: N818 - named as its message reads
    """What other people's code raised, in one line."""


@contextmanager
def contain(*passing: type[Exception]) -> Iterator[None]:
    """Run other people's code: what it raises becomes a Failure, what it prints goes to standard error.

    Exceptions of the kinds `passing` go through. A person's Ctrl-C does too, even where the code swallowed it.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except passing:
        raise
    except BaseException as error:
        if is_interrupted():
            raise KeyboardInterrupt from error
        raise Failure(describe(error)) from error
    if is_interrupted():
        raise KeyboardInterrupt


def describe(error: BaseException) -> str:
    """Return the kind of an exception and what it says, in one bounded line; of our own errors, the text only."""
    try:
        text = " ".join(str(error).split())
    except BaseException:  # noqa: BLE001 - other people's code again
        text = ""
    if len(text) > LONGEST_REASON:
        text = f"{text[: LONGEST_REASON - 1]}…"
    if isinstance(error, AuditError) and text:
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

"""Standard streams that never fail, so that nobody who prints has to think of it.

A closed standard output, a full disk behind it or a reader that went away costs what would have been read there, and
nothing else: no exit code, no report, no history. Who has to know asks `get_stream_trouble`.
"""

import codecs
import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from credly_audit.files.writing import Tolerant

log = logging.getLogger(__name__)

STANDARD = range(3)


class Stream(io.TextIOWrapper):
    """Standard output or standard error; a letter that its encoding lacks is written as JSON and TOML escape it."""

    def __init__(self, before: TextIO | None, descriptor: int) -> None:
        self.raw_stream = Tolerant(descriptor)
        super().__init__(
            io.BufferedWriter(self.raw_stream),
            encoding=getattr(before, "encoding", None) or "utf-8",
            errors=ESCAPED,
            line_buffering=True,
        )


def trouble_of(stream: TextIO) -> OSError | None:
    """Why a standard stream did not take all that was written to it; None where it did."""
    if not isinstance(stream, Stream):
        return None
    stream.flush()
    return stream.raw_stream.trouble


def ignore_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    """Take the place of the trace that Python prints where a library fails while it is removed from memory."""
    log.debug("%s while something was removed from memory", unraisable.exc_type.__name__)


@contextmanager
def tolerant_streams() -> Iterator[None]:
    """While standard output and standard error never fail, and standard input is there, if only at its end."""
    _open_closed_descriptors()
    before = sys.stdin, sys.stdout, sys.stderr
    hook, sys.unraisablehook = sys.unraisablehook, ignore_unraisable
    sys.stdin = sys.stdin or open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 - for as long as the process
    sys.stdout, sys.stderr = (_make_tolerant(stream, number) for number, stream in enumerate(before[1:], 1))
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdin, sys.stdout, sys.stderr = before
        sys.unraisablehook = hook


def _make_tolerant(stream: TextIO | None, number: int) -> TextIO:
    """The stream in its place; one that is no file, as a program may set it, stays."""
    if stream is None:
        return Stream(None, number)
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return stream
    stream.flush()
    return Stream(stream, descriptor)


def _open_closed_descriptors() -> None:
    """Let no file take the number of a closed standard stream: what is written there would go into the file.

    It is opened for reading only, so that writing to it still fails.
    """
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDONLY), True)


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[each : each + 2].hex()}" for each in range(0, len(units), 2)), error.end


ESCAPED = "credly-audit-escaped"
codecs.register_error(ESCAPED, _escape)

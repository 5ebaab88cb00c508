"""Runs the programs that a configuration names: without a shell, within a time limit, and gone when the tool goes.

Each program leads a process group of its own, so that those it started end with it.
"""

import os
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from credly_audit.places import local_path

_running: set["subprocess.Popen[bytes]"] = set()


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended, and after how many seconds; `output` may be a secret."""

    status: int
    seconds: float
    output: bytes


def words_of(command: str) -> list[str]:
    """Split a command into words, `~` at the beginning of its program replaced. ValueError where quotes do not match.

    BadPath where the program's path can be none.
    """
    program, *arguments = shlex.split(command)
    return [str(local_path(program)) if program.startswith("~") else program, *arguments]


def run(
    words: Sequence[str],
    folder: Path,
    environ: Mapping[str, str],
    *,
    patience: float,
    given: bytes | None = None,
    keep_output: bool = True,
) -> Done:
    """Run a program; what it says on standard error is not kept, and what it says at all only where that is asked for.

    Where it is not, a service that the program starts may go on: nobody waits for the end of what it says.

    OSError where it cannot be started, subprocess.TimeoutExpired, with the program ended, where it takes too long.
    """
    began = monotonic()
    program = subprocess.Popen(  # noqa: S603 - the configuration's author chose the program; there is no shell
        words,
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE if keep_output else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=dict(environ),
        start_new_session=True,
    )
    with program:
        _running.add(program)
        try:
            output, _ = program.communicate(given, timeout=patience)
        except BaseException:
            _end(program)
            raise
        finally:
            _running.discard(program)
    return Done(program.returncode, monotonic() - began, output or b"")


def end_all() -> None:
    """End every program that still runs, in whichever thread it was started."""
    for program in list(_running):
        _end(program)


def _end(program: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(program.pid, signal.SIGKILL)

"""Runs the programs that a configuration names: without a shell, within a time limit, and gone when the tool goes.

Each program leads a process group of its own, so that those it started end with it.
"""

import os
import shlex
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from time import monotonic
from typing import BinaryIO, cast

from credly_audit.files.paths import local_path

_running: set["subprocess.Popen[bytes]"] = set()


CHUNK = 1 << 14


class TooMuch(Exception):  # noqa: N818 - named as it is told
    """A program said more than could be meant, and was ended."""


@dataclass(frozen=True, slots=True)
class Done:
    """How a program ended, and after how many seconds; `output` may be a secret."""

    status: int
    seconds: float
    output: bytes


def split_command(command: str) -> list[str]:
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
    most: int = 0,
) -> Done:
    """Run a program; of what it says, `most` bytes of standard output are kept, and nothing of standard error.

    Where nothing is kept, a service that the program starts may go on: nobody waits for the end of what it says.

    OSError where it cannot be started; with the program ended, subprocess.TimeoutExpired where it takes too long, and
    TooMuch where it says more.
    """
    began = monotonic()
    program = subprocess.Popen(  # noqa: S603 - the configuration's author chose the program; there is no shell
        words,
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE if most else subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        bufsize=0,
        cwd=folder,
        env=dict(environ),
        start_new_session=True,
    )
    with program:
        _running.add(program)
        try:
            output = (
                _read_output(program, given, began + patience, most) if most else _discard(program, given, patience)
            )
        except BaseException:
            _end(program)
            raise
        finally:
            _running.discard(program)
    return Done(program.returncode, monotonic() - began, output)


def _discard(program: "subprocess.Popen[bytes]", given: bytes | None, patience: float) -> bytes:
    program.communicate(given, timeout=patience)
    return b""


def _read_output(program: "subprocess.Popen[bytes]", given: bytes | None, until: float, most: int) -> bytes:
    """What it says until its output ends; a thread reads, so that no more than `most` is ever held."""
    assert program.stdout is not None  # noqa: S101 - it was asked for
    out, pieces = program.stdout, [b""]

    def read() -> None:
        with suppress(OSError, ValueError):
            while sum(map(len, pieces)) <= most and (piece := out.read(CHUNK)):
                pieces.append(piece)

    def write() -> None:
        if program.stdin is not None:
            with suppress(OSError), os.fdopen(program.stdin.fileno(), "wb", closefd=False) as stdin:
                stdin.write(given or b"")
            program.stdin.close()

    reader = Thread(target=read, daemon=True)
    reader.start()
    Thread(target=write, daemon=True).start()
    reader.join(max(0.0, until - monotonic()))
    output = b"".join(pieces)
    if len(output) > most:
        raise TooMuch
    if reader.is_alive():
        raise subprocess.TimeoutExpired(program.args, until)
    program.wait(max(0.0, until - monotonic()))
    return output


@contextmanager
def open_output(words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> Iterator[BinaryIO]:
    """Start a program and read its standard output as it comes; nothing is kept, and it ends with the block.

    OSError where it cannot be started, subprocess.CalledProcessError where it was read to its end and failed.
    """
    program = subprocess.Popen(  # noqa: S603 - the caller chose the program; there is no shell
        words,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=dict(environ),
        start_new_session=True,
    )
    with program:
        _running.add(program)
        try:
            assert program.stdout is not None  # noqa: S101 - it was asked for
            yield cast("BinaryIO", program.stdout)
            program.stdout.close()
            program.wait()
        except BaseException:
            _end(program)
            raise
        finally:
            _running.discard(program)
    if program.returncode:
        raise subprocess.CalledProcessError(program.returncode, words[0])


def end_all() -> None:
    """End every program that still runs, in whichever thread it was started."""
    for program in list(_running):
        _end(program)


def _end(program: "subprocess.Popen[bytes]") -> None:
    with suppress(ProcessLookupError, PermissionError):
        if os.name == "posix":
            os.killpg(program.pid, signal.SIGKILL)
        else:
            program.kill()

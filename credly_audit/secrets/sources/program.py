"""`exec:COMMAND`: a secret that a program prints, and a program that takes a new value on its standard input."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from credly_audit.errors import UsageError
from credly_audit.files.paths import BadPath
from credly_audit.process import programs
from credly_audit.secrets import limits
from credly_audit.secrets.secret import Secret, SecretError
from credly_audit.secrets.shape import mask_shapes
from credly_audit.secrets.sources.interface import SecretSource, StoreFailed

ASSIGNMENT = re.compile(r"""\s*["']?[A-Za-z_][A-Za-z0-9_]*=""")

BAD_QUOTES = "exec: the command's quotes do not match"


class ProgramSource(SecretSource):
    """A program: it gets no shell and no input; what it says on standard error is not shown."""

    prefix, form = "exec", "COMMAND"
    origin = "the output of a program, run without a shell and without input"
    can_store = True
    has_own_failures = True
    runs_code = True

    def mask(self, place: str) -> str:
        """Return the program alone: its arguments may be secret."""
        words = place.split()
        return name_program(words[0]) if words else super().mask(place)

    def find_mistake(self, place: str) -> str | None:
        """Return why a command cannot be run: only a shell understands NAME=VALUE, and the value could be secret."""
        if ASSIGNMENT.match(place):
            return (
                "begins with NAME=VALUE, which only a shell understands, and there is none: set the variable where "
                "credly-audit is started (and replace the value if it is a secret: it was readable)"
            )
        return None

    def fetch(self, place: str, folder: Path, environ: Mapping[str, str]) -> bytes:
        """Return what the program prints."""
        called = self.mask(place)
        try:
            done = programs.run(
                programs.split_command(place), folder, environ, patience=limits.PATIENCE, most=limits.MOST
            )
        except BadPath as error:
            raise SecretError(f"exec:{error}") from None
        except ValueError:
            raise SecretError(BAD_QUOTES) from None
        except programs.TooMuch:
            raise SecretError(f"{called} {limits.TOO_MUCH}") from None
        except subprocess.TimeoutExpired:
            raise SecretError(f"{called} returned nothing within {limits.PATIENCE:.0f} seconds") from None
        except OSError as error:
            raise SecretError(f"{called} cannot be run ({error.strerror})") from None
        if done.status != 0:
            raise SecretError(f"{called} ended with exit status {done.status} after {done.seconds:.1f} seconds")
        return done.output

    def store(self, place: str, folder: Path, environ: Mapping[str, str]) -> "ProgramStore":
        """Return the program as a store; UsageError where it cannot be read as a command."""
        try:
            return ProgramStore(tuple(programs.split_command(place)), folder, environ)
        except BadPath as error:
            raise UsageError(f"exec:{error}") from None
        except ValueError:
            raise UsageError(f"{BAD_QUOTES}; correct them") from None


def name_program(word: str) -> str:
    """Return a reference to a program as it may be shown, without its arguments."""
    return f"exec:{mask_shapes(word)}"


@dataclass(frozen=True, slots=True)
class ProgramStore:
    """A program that takes the value on its standard input. It gets no shell; what it says is not shown."""

    words: tuple[str, ...] = field(repr=False)
    folder: Path
    environ: Mapping[str, str] = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """The program; its arguments are not shown."""
        return name_program(self.words[0])

    @property
    def read(self) -> None:
        """None: a program can only be written."""

    def check(self) -> None:
        """Raise UsageError where there is no such program."""
        path = self.environ.get("PATH", os.defpath)
        here = self.folder / self.words[0] if os.sep in self.words[0] else self.words[0]
        if shutil.which(here, path=path) is None:
            raise UsageError(f"{self.name}: there is no such program; correct its name or PATH")

    def write(self, value: Secret) -> None:
        """Run the program with the value; it has a session of its own, so that Ctrl-C does not end it half-way."""
        run_to_end(self.words, self.folder, self.environ, value.reveal().encode())

    def try_write(self) -> None:
        """Do nothing: only the value itself could be given to it, and that would replace what it keeps."""


def run_to_end(words: tuple[str, ...], folder: Path, environ: Mapping[str, str], given: bytes = b"") -> None:
    """Run a program; StoreFailed, naming program, exit status and seconds, where its exit status is not 0."""
    called = name_program(words[0])
    try:
        done = programs.run(words, folder, environ, patience=limits.PROGRAM_PATIENCE, given=given)
    except subprocess.TimeoutExpired:
        raise StoreFailed(f"{called} did not end within {limits.PROGRAM_PATIENCE:.0f} seconds") from None
    except OSError as error:
        raise StoreFailed(f"{called} cannot be run ({error.strerror})") from None
    if done.status != 0:
        raise StoreFailed(f"{called} ended with exit status {done.status} after {done.seconds:.1f} seconds")

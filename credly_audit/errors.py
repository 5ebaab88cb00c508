"""What can go wrong, and the exit code of each.

Every expected failure is an `AuditError` whose text is one sentence for a person: what happened, where, what to do.
`cli.main` prints it and leaves with its code; anything else that is raised is a defect of ours (code 4).
"""

import traceback
from enum import IntEnum
from pathlib import Path


class ExitCode(IntEnum):
    """The exit codes of every command; where several hold the order is 130, 4, 2, 3, 1, 0."""

    OK = 0
    VIOLATIONS = 1
    USAGE = 2
    INCOMPLETE = 3
    UNEXPECTED = 4
    INTERRUPTED = 130


class AuditError(Exception):
    """The root of all that the tool expects to go wrong."""

    exit_code = ExitCode.UNEXPECTED


class UsageError(AuditError):
    """Wrong options, configuration or files: nothing was asked of Credly and nothing written."""

    exit_code = ExitCode.USAGE


class ConfigurationError(UsageError):
    """Everything that is wrong in what a person wrote, a line each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class CannotWrite(AuditError):  # noqa: N818 - named as it is told
    """A file could not be written after all: a full disk, a folder that went away."""


class Unfinished(AuditError):  # noqa: N818 - named as it is told
    """An audit was made, and something of what it had to leave is missing: a sentence for each."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


class HistoryLost(AuditError):  # noqa: N818 - named as it is told
    """The history could be opened, and then could not be read."""


class BrokenRule(AuditError):  # noqa: N818 - named as the finding of it reads
    """A rule raised: the audit cannot say what that rule would have found."""


class Interrupted(AuditError):  # noqa: N818 - as KeyboardInterrupt
    """Ctrl-C or SIGTERM."""

    exit_code = ExitCode.INTERRUPTED


def without_values(error: BaseException) -> str:
    """The kind and places of a defect; its message is left out, since it could hold a value."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in reversed(frames))
    return f"{type(error).__name__} at {places}"

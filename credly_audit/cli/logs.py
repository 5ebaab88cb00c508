"""The log on standard error: a line a record, as text or JSON, harmless on a terminal."""

import json
import logging
import secrets
import sys
from datetime import UTC, datetime

from credly_audit.text import harmless, one_line

PACKAGE = "credly_audit"


class TextLines(logging.Formatter):
    """`09:30:00 warning: …`; the level is left out where it is info."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        when = datetime.fromtimestamp(record.created, UTC)
        return f"{when:%H:%M:%S} {level}{one_line(record.getMessage(), 1_000)}"


class JsonLines(logging.Formatter):
    """An object a line: time, level, message, and the id of the run, which a collector of logs can join by."""

    def __init__(self) -> None:
        super().__init__()
        self.run = secrets.token_hex(8)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        when = datetime.fromtimestamp(record.created, UTC)
        fields = {"time": when.isoformat(timespec="milliseconds"), "level": record.levelname.lower(), "run": self.run}
        return json.dumps(fields | {"message": harmless(record.getMessage())})


def start_log(*, quiet: bool, verbose: bool, log_format: str) -> None:
    """Send the package's log to standard error: warnings alone where quiet, each request where verbose."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    log = logging.getLogger(PACKAGE)
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)


def end_log() -> None:
    """As before `start_log`."""
    log = logging.getLogger(PACKAGE)
    log.handlers = []
    log.propagate = True
    log.setLevel(logging.NOTSET)


def is_json() -> bool:
    """Whether standard error is a log of JSON lines, so that nothing else may be written there."""
    return any(isinstance(each.formatter, JsonLines) for each in logging.getLogger(PACKAGE).handlers)

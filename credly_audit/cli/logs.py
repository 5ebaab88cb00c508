"""The log on standard error: a line a record, as text or JSON, harmless on a terminal."""

import json
import logging
import secrets
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from credly_audit.cli.screen import Line, plain, print_json, print_lines
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
        """Return a record as one line."""
        return self.format_event(
            datetime.fromtimestamp(record.created, UTC), record.levelname.lower(), record.getMessage()
        )

    def format_event(self, when: datetime, level: str, message: str, **fields: Any) -> str:
        """Return an event as one line, with fields of its own after those of every line."""
        common = {"time": when.isoformat(timespec="milliseconds"), "level": level, "run": self.run}
        return json.dumps(common | {"message": harmless(message)} | fields, default=str)


def start_log(*, quiet: bool, verbose: bool, log_format: str) -> None:
    """Send the package's log to standard error: only warnings where quiet, each request where verbose."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if log_format == "json" else TextLines())
    log = logging.getLogger(PACKAGE)
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if verbose else logging.WARNING if quiet else logging.INFO)


def end_log() -> None:
    """Undo `start_log`."""
    log = logging.getLogger(PACKAGE)
    log.handlers = []
    log.propagate = True
    log.setLevel(logging.NOTSET)


def is_json() -> bool:
    """Return whether standard error is a log of JSON lines, so that nothing else may be written there."""
    return _json_lines() is not None


def _json_lines() -> JsonLines | None:
    formatters = (each.formatter for each in logging.getLogger(PACKAGE).handlers)
    return next((each for each in formatters if isinstance(each, JsonLines)), None)


def print_summary(*lines: Line, stream: TextIO, no_color: bool = False, **fields: Any) -> None:
    """Print how a command ended: lines for a person or, where the log is JSON, one event with these fields."""
    formatter = _json_lines()
    if formatter is None:
        print_lines(*lines, stream=stream, no_color=no_color)
        return
    message = "\n".join(map(plain, lines))
    event = formatter.format_event(datetime.now(UTC), "info", message, event="summary", **fields)
    print_json(event, err=stream is sys.stderr)

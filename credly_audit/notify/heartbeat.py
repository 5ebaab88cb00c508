"""The heartbeat: requests that show a monitor that an audit ran, and how it ended."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

import requests

from credly_audit.audit.model import Audit
from credly_audit.errors import AuditError, ExitCode
from credly_audit.report.briefing import write_headline
from credly_audit.secrets import Secret

log = logging.getLogger(__name__)

PATIENCE = 20.0
"""Seconds for a request."""

ENDINGS = {
    ExitCode.USAGE: "usage or configuration error",
    ExitCode.UNEXPECTED: "unexpected error",
    ExitCode.INTERRUPTED: "interrupted",
}
"""How a run ends without a verdict."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Where a monitor listens and what it understands; a request that fails is a warning and nothing more."""

    url: Secret
    protocol: Literal["get", "healthchecks"] = "get"
    fails_on: tuple[int, ...] = ()
    """Exit codes with a verdict that the monitor is to take for a failure."""

    def report_start(self) -> None:
        """Report that a run starts; the plain protocol is silent then."""
        if self.protocol == "healthchecks":
            self._request("start", "")

    def report_verdict(self, audit: Audit) -> None:
        """Report that an audit has a verdict; the body holds the verdict and counts, no names."""
        code = audit.verdict.exit_code
        ending = str(int(code)) if code in self.fails_on else ""
        self._request(ending, f"{audit.verdict.outcome} (exit code {int(code)})\n{write_headline(audit)}\n")

    def report_failure(self, code: ExitCode) -> None:
        """Report that a run ended without a verdict; the plain protocol is silent then."""
        if self.protocol == "healthchecks":
            self._request(str(int(code)), f"{ENDINGS.get(code, 'failed')} (exit code {int(code)})\n")

    def _request(self, ending: str, body: str) -> None:
        try:
            if self.protocol == "healthchecks":
                url = urlsplit(self.url.reveal())
                path = f"{url.path.rstrip('/')}/{ending}" if ending else url.path
                answered = requests.post(
                    url._replace(path=path).geturl(), data=body.encode(), timeout=PATIENCE, auth=_send_unchanged
                )
            else:
                answered = requests.get(self.url.reveal(), timeout=PATIENCE, auth=_send_unchanged)
            answered.raise_for_status()
        except (OSError, ValueError) as error:  # OSError: all of requests, and a CA bundle that is not there
            log.warning("the heartbeat was not accepted (%s); check [notify] heartbeat", type(error).__name__)


def _send_unchanged(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return the request without a credential from .netrc."""
    return request


@contextmanager
def report_ending(heartbeat: Heartbeat | None) -> Iterator[None]:
    """Report the exit code of what goes wrong inside, and raise it again."""
    try:
        yield
    except BaseException as error:
        if heartbeat is not None:
            heartbeat.report_failure(find_exit_code(error))
        raise


def find_exit_code(error: BaseException) -> ExitCode:
    """Return the exit code with which an error ends the command."""
    if isinstance(error, AuditError):
        return error.exit_code
    return ExitCode.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ExitCode.UNEXPECTED

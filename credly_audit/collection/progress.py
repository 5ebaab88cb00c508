"""How a collection is watched: a bar on a terminal, a line an organization in a log."""

import logging
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from credly_audit.text import count

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Hears, in the main thread, how far a collection is."""

    def watching(self, organizations: int) -> AbstractContextManager[None]:
        """While the collection of so many organizations runs."""

    def finished(self, name: str, status: str, reason: str, *, tokens: int) -> None:
        """One organization is done."""


def observer(*, quiet: bool, no_color: bool) -> Observer:
    """A bar where a person looks on, else lines; lines too where each request is logged anyway."""
    if quiet or not sys.stderr.isatty() or log.isEnabledFor(logging.DEBUG):
        return Lines()
    return ProgressBar(no_color=no_color)


class Lines:
    """A line in the log for each complete organization; the summary names the incomplete ones, each once."""

    @contextmanager
    def watching(self, organizations: int) -> Iterator[None]:  # noqa: ARG002 - the protocol's
        """Nothing to begin or end."""
        yield

    def finished(self, name: str, status: str, reason: str, *, tokens: int) -> None:
        """Log the organization where it is complete."""
        if status == "complete":
            log.info("%s: complete, %s. %s", name, count(tokens, "token", "tokens"), reason)


class ProgressBar:
    """rich's progress bar on standard error."""

    def __init__(self, *, no_color: bool) -> None:
        from rich.console import Console  # noqa: PLC0415 - 50 ms that only a person at a terminal waits for
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        self._progress = Progress(
            TextColumn("Collecting"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("organizations"),
            TimeElapsedColumn(),
            TextColumn("{task.fields[seen]}"),
            console=Console(stderr=True, no_color=no_color or None),
            transient=True,
        )
        self._incomplete = 0
        self._tokens = 0

    @contextmanager
    def watching(self, organizations: int) -> Iterator[None]:
        """Show the bar."""
        self._task = self._progress.add_task("", total=organizations, seen="")
        with self._progress:
            yield

    def finished(self, name: str, status: str, reason: str, *, tokens: int) -> None:  # noqa: ARG002 - the protocol's
        """Move it on."""
        self._tokens += tokens
        self._incomplete += status != "complete"
        seen = count(self._tokens, "token", "tokens")
        if self._incomplete:
            seen += f", {count(self._incomplete, 'organization', 'organizations')} incomplete"
        self._progress.update(self._task, advance=1, seen=seen)

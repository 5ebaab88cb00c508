"""What holds for every test."""

from collections.abc import Iterator

import pytest

from credly_audit.cli.logs import end_log


@pytest.fixture(autouse=True)
def _no_log_of_an_earlier_command() -> Iterator[None]:
    """A command that ran in this process leaves no log behind that would keep records from the next test."""
    end_log()
    yield
    end_log()

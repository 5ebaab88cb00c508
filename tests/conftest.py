"""What holds for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import is_hypothesis_test, settings

from credly_audit.cli.logs import end_log
from credly_audit.secrets.sources import load_package_sources
from tests.needs import summed_up
from tests.packages import Install, installer
from tests.proof import ALL_EXAMPLES, try_a_quarter

settings.register_profile(ALL_EXAMPLES)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let each law try a quarter of its examples, other ones at each run, unless `make proof` wants them all."""
    if config.getoption("hypothesis_profile") != ALL_EXAMPLES:
        for law in {item.obj for item in items if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj)}:
            try_a_quarter(law)


@pytest.fixture(autouse=True)
def _no_log_of_an_earlier_command() -> Iterator[None]:
    """A command that ran in this process leaves no log behind that would keep records from the next test."""
    end_log()
    yield
    end_log()


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Packages with sources of secrets, which the next test does not know."""
    yield installer(monkeypatch, tmp_path)
    load_package_sources.cache_clear()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End with one line that says what was skipped and how to install what it needs; with none where nothing was."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    skipped = terminal.stats.get("skipped", []) if terminal else []
    if skipped:
        terminal.write_line(summed_up(str(each.longrepr[2]) for each in skipped))

"""What is missing on a machine is told in one line, with the command that installs it, and fails no test."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

ROOT = Path(__file__).parents[1]

ESSENTIAL = {"bash", "e2fsprogs", "mount", "util-linux"}
"""Debian's packages that are on every machine."""


@pytest.mark.parametrize("name", needs.PACKAGES)
def test_a_program_that_is_missing_skips_with_the_command_that_installs_it(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(needs, "OFF_THE_PATH", ())

    expected = f"needs {name}: apt-get install {needs.PACKAGES[name]}"
    with pytest.raises(pytest.skip.Exception, match=expected):  # noqa: TID251 - the one of needs.py
        needs.program(name)


def test_continuous_integration_installs_every_program() -> None:
    [listed] = re.findall(r"programs=\((.*?)\)", (ROOT / ".ci" / "run").read_text())

    assert set(needs.PACKAGES.values()) - ESSENTIAL <= set(listed.split())


def test_what_was_skipped_is_one_line() -> None:
    reasons = [
        "Skipped: needs soffice: apt-get install libreoffice-calc",
        "Skipped: needs soffice: apt-get install libreoffice-calc",
        "Skipped: needs chromium: apt-get install chromium",
        "Skipped: needs axe.min.js: npm ci --prefix tests/tools",
    ]
    sudo = "" if os.geteuid() == 0 else "sudo "

    assert needs.summed_up(reasons) == (
        f"4 tests skipped for want of axe.min.js, chromium, soffice: {sudo}apt-get install --no-install-recommends "
        "chromium libreoffice-calc && npm ci --prefix tests/tools"
    )
    assert needs.summed_up(["Skipped: POSIX only"]) == "1 test skipped for want of POSIX only"


TESTS = """
import pytest
from tests import needs

@pytest.mark.parametrize("name", ["soffice", "chromium"])
def test_needs(name):
    needs.program(name)

def test_needs_nothing():
    pass
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
@pytest.mark.parametrize("chosen", ["", "nothing"])
def test_the_last_line_of_a_run_says_what_was_skipped(tmp_path: Path, workers: tuple[str, ...], chosen: str) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text())
    (tmp_path / "test_it.py").write_text(TESTS)
    options = ("-q", "-p", "no:randomly", "-c", os.devnull, "--rootdir", tmp_path, "-k", chosen or "needs")
    environ = {"PATH": str(tmp_path), "PYTHONPATH": str(ROOT)}

    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, *workers, tmp_path / "test_it.py"],
        capture_output=True, text=True, check=False, env=environ, cwd=tmp_path,
    )  # fmt: skip

    last = done.stdout.splitlines()[-1]
    if chosen:
        assert re.match(r"1 passed", last)
    else:
        assert last.startswith("2 tests skipped for want of chromium, soffice: ")
        assert last.endswith("apt-get install --no-install-recommends chromium libreoffice-calc")


def test_a_common_folder_is_found_where_the_temporary_one_is_private_or_deep(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = tmp_path / Path(*["deep"] * 30)
    deep.mkdir(parents=True)
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    for folder in (deep, private):
        monkeypatch.setattr("tempfile.tempdir", str(folder))
        with needs.common_folder("trial-") as found:
            assert not found.is_relative_to(folder)
            assert len(os.fsencode(found)) < needs.LONGEST_SOCKET + 20
            assert all(each.stat().st_mode & 0o001 for each in found.parents)

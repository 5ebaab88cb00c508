"""Standard streams that fail cost what would have been read there, and nothing else."""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from credly_audit.history.store import History
from credly_audit.sandbox.server import Sandbox
from tests import needs
from tests.journeys.conftest import Command, Outcome, configure
from tests.journeys.test_run import AS_OF_DATE
from tests.notify.conftest import Receiver, receiver
from tests.proof import in_proof

__all__ = ["receiver"]

BROKEN = {
    "closed": ">&-",
    "full": ">/dev/full",
    "gone": "> >(true)",
    "errors closed": "2>&-",
    "errors full": "2>/dev/full",
    "both closed": ">&- 2>&-",
    "both full": ">/dev/full 2>&1",
    "all closed": "<&- >&- 2>&-",
    "no input": "<&-",
}

Shell = Callable[..., Outcome]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a command in a process of its own, its streams redirected by bash."""

    def run(redirected: str, *arguments: object, **environ: str) -> Outcome:
        words = shlex.join([sys.executable, "-m", "credly_audit", *map(str, arguments)])
        done = subprocess.run(
            [needs.program("bash"), "-c", f"{words} {redirected}"],
            cwd=tmp_path,
            env=os.environ | environ,
            capture_output=True,
            check=False,
        )
        return Outcome(done.returncode, done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"))

    return run


def with_heartbeat(folder: Path, sandbox: Sandbox, receiver: Receiver) -> None:
    """A configuration whose first organization violates policy, and a monitor that waits to hear of it."""
    grave = sandbox.world.organizations[0].tokens[1]
    grave.write_enabled = grave.delete_enabled = True
    config = configure(folder, sandbox)
    (folder / "beat").write_text(f"http://{receiver.address}/beat")
    (folder / "beat").chmod(0o600)
    config.write_text(f'{config.read_text()}\n[notify]\nheartbeat = "file:beat"\n')


def audits(folder: Path) -> int:
    """Count audits the history has."""
    history = History.opened(None, folder / "credly-audit.toml", os.environ, create=False)
    return 0 if history is None else len(history.every_audit())


@pytest.mark.parametrize("streams", ["closed", "full", *in_proof("gone", "both closed", "errors full")])
def test_the_verdicts_exit_code_the_reports_the_history_and_the_heartbeat_stay(
    shell: Shell, sandbox: Sandbox, receiver: Receiver, tmp_path: Path, streams: str
) -> None:
    with_heartbeat(tmp_path, sandbox, receiver)

    done = shell(BROKEN[streams], "run", "--as-of", AS_OF_DATE, "--format", "json", "--format", "csv")

    assert done.code == 1
    assert {path.suffix for path in (tmp_path / "reports").iterdir()} == {".json", ".csv", ".snapshot"}
    assert audits(tmp_path) == 1
    assert len(receiver.asked) == 1
    said = [line for line in done.err.splitlines() if line.startswith("credly-audit: ")]
    reason = {"closed": "Bad file descriptor", "full": "No space left on device"}.get(streams)
    assert said == ([f"credly-audit: standard output could not be written ({reason})"] if reason else [])
    assert "Traceback" not in done.err
    assert "Exception ignored" not in done.err


@pytest.mark.parametrize("streams", ["full", *in_proof("closed", "gone")])
def test_a_report_that_standard_output_did_not_take_is_a_failed_report(
    shell: Shell, sandbox: Sandbox, receiver: Receiver, tmp_path: Path, streams: str
) -> None:
    with_heartbeat(tmp_path, sandbox, receiver)

    done = shell(
        BROKEN[streams], "run", "--as-of", AS_OF_DATE, "--output", "json=-", "--output", "json=kept.json", "--manifest"
    )

    assert done.code == 4
    [line] = [line for line in done.err.splitlines() if line.startswith("credly-audit: ")]
    assert line.startswith("credly-audit: standard output: the json report could not be written (")
    assert json.loads((tmp_path / "kept.json").read_text())["verdict"]["outcome"] == "violations"
    [manifest] = (tmp_path / "reports").iterdir()
    assert [each["path"] for each in json.loads(manifest.read_text())["files"]] == ["../kept.json"]
    assert audits(tmp_path) == 1
    assert not receiver.asked


@pytest.mark.parametrize(
    "streams",
    [
        "closed",
        "gone",
        "errors full",
        "all closed",
        *in_proof("full", "errors closed", "both closed", "both full", "no input"),
    ],
)
def test_what_a_command_is_there_to_print_is_missed_where_it_is_lost(shell: Shell, streams: str) -> None:
    done = shell(BROKEN[streams], "rules", "list")

    lost = streams in {"closed", "full", "both closed", "both full", "all closed"}
    assert done.code == (4 if lost else 0)
    assert "Traceback" not in done.err
    assert "Exception ignored" not in done.err


@pytest.mark.parametrize(("code", "arguments"), [(4, ["--help"]), (2, ["run", "--nonsense"]), (0, ["config", "init"])])
def test_without_any_stream_the_exit_code_is_that_of_what_was_done(
    shell: Shell, code: int, arguments: list[str]
) -> None:
    done = shell("<&- >&- 2>&-", *arguments)

    assert (done.code, done.err) == (code, "")


def test_a_reader_that_has_read_enough_is_no_mistake(shell: Shell) -> None:
    done = shell("| head -1; exit ${PIPESTATUS[0]}", "rules", "list")

    assert (done.code, done.err) == (0, "")
    assert done.out.count("\n") == 1


@pytest.mark.parametrize("encoding", ["ascii", *in_proof("latin-1:strict")])
def test_json_holds_the_same_values_whatever_the_encoding_of_standard_output(shell: Shell, encoding: str) -> None:
    done = shell("", "rules", "list", "--format", "json", PYTHONIOENCODING=encoding)

    assert done.code == 0
    assert json.loads(done.out) == json.loads(shell("", "rules", "list", "--format", "json").out)


def test_a_name_that_the_encoding_lacks_changes_no_exit_code(shell: Shell, sandbox: Sandbox, tmp_path: Path) -> None:
    config = configure(tmp_path, sandbox)
    config.write_text(config.read_text().replace('"Acme"', '"Łódź Ω 学校"'))
    sandbox.world.organizations[0].faults = ["status=401"]

    done = shell("", "collect", "-o", "a.snapshot", PYTHONIOENCODING="latin-1:strict")

    assert done.code == 3
    assert ": incomplete (failed). " in done.out
    assert "Wrote a.snapshot" in done.out


@pytest.mark.usefixtures("credly_audit")
def test_no_file_takes_the_place_of_a_closed_stream(shell: Shell, credly_audit: Command, tmp_path: Path) -> None:
    """A file that got the number 1 or 2 would hold what is printed, and what programs say that are started."""
    (tmp_path / "report.json").write_text('{"schema_version": "1.0", "as_of": "2026-11-23T00:00:00Z", "findings": []}')

    shell("<&- >&- 2>&-", "baseline", "report.json", "-o", "closed.json")
    credly_audit("baseline", "report.json", "-o", "open.json")

    assert (tmp_path / "closed.json").read_bytes() == (tmp_path / "open.json").read_bytes()

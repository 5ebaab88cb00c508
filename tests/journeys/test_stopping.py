"""Ctrl-C and SIGTERM stop a run within two seconds and leave no half-written file."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import configure

COMMAND = (sys.executable, "-m", "credly_audit")


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_run_against_a_stalled_server_is_stopped(sandbox: Sandbox, tmp_path: Path, sent: signal.Signals) -> None:
    configure(tmp_path, sandbox, extra="max_retries = 9")
    sandbox.faults = ["stall"]
    running = subprocess.Popen(
        [*COMMAND, "run", "--format", "json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - it may be ignored where the tests run
    )
    wait_for(lambda: bool(sandbox.requests))

    running.send_signal(sent)
    _, err = running.communicate(timeout=30)

    assert running.returncode == 130
    assert b"interrupted" in err
    assert b"Traceback" not in err
    assert not (tmp_path / "reports").exists()


def test_a_program_that_hands_over_no_secret_is_stopped_too(sandbox: Sandbox, tmp_path: Path) -> None:
    config = configure(tmp_path, sandbox)
    started = tmp_path / "started"
    program = tmp_path / "vault"
    program.write_text(f"#!/bin/sh\ntouch {started}\nexec sleep 60\n")
    program.chmod(0o700)
    config.write_text(config.read_text().replace("file:secret-0", f"exec:{program}"))
    running = subprocess.Popen(
        [*COMMAND, "run", "--format", "json"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    wait_for(started.exists)

    running.terminate()
    _, err = running.communicate(timeout=30)

    assert running.returncode == 130
    assert b"interrupted" in err


def wait_for(happened: object) -> None:
    assert callable(happened)
    deadline = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)

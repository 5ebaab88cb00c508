"""The command as a process of its own, with the tests' patience: what can be killed."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.lifecycle.conftest import Bench

PLANT = """
import sys
from credly_audit.lifecycle import request
from credly_audit.cli.main import outcome
from tests.lifecycle.conftest import SHORT
request.PATIENCE = SHORT
sys.exit(outcome(sys.argv[1:]))
"""
"""The command with the tests' patience, as a process of its own."""

ROOT = Path(__file__).parents[2]


class Runs:
    """Commands in processes of their own."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        emergency = ("--emergency-dir", self.bench.emergency)
        command = [sys.executable, "-c", PLANT, *map(str, arguments), "--yes", "--verbose", *map(str, emergency)]
        process = subprocess.Popen(
            command,
            cwd=self.bench.folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.started.append(process)
        return process

    def rotate(self, *arguments: object) -> subprocess.Popen[str]:
        return self.start("rotate", "--organization", self.bench.acme.id, *arguments)

    def end(self, process: subprocess.Popen[str]) -> int:
        out, err = process.communicate(timeout=30)
        self.bench.said += [out, err]
        return process.returncode


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    until = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < until, "it never came about"
        time.sleep(0.01)

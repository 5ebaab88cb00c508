"""One report that fails costs neither the others nor the history nor the notices; exit code 4 names it."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from credly_audit.config.formats import formats
from credly_audit.history.store import History
from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, configure
from tests.journeys.test_run import AS_OF_DATE
from tests.notify.conftest import Receiver, receiver
from tests.proof import in_proof

__all__ = ["receiver"]

ON_REAL_DATA = "{{% if tally.tokens == 6 %}}\n{}\n{{% endif %}}"
"""What a template does that meets as many tokens as the sandbox has."""

Audited = Callable[[str], Path]


@pytest.fixture
def with_template(sandbox: Sandbox, receiver: Receiver, tmp_path: Path) -> Audited:
    """A configuration with a page of its own that fails in a way, and a monitor."""

    def make(template: str) -> Path:
        config = configure(tmp_path, sandbox)
        for name, content in {"beat": f"http://{receiver.address}/beat", "own/about.html": template}.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(content)
            (tmp_path / name).chmod(0o600)
        config.write_text(f'{config.read_text()}\n[notify]\nheartbeat = "file:beat"\n[report]\ntemplates = "own"\n')
        return config

    return make


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("{{ 1 / 0 }}", "own/about.html: line 2: division by zero"),
        *in_proof(
            ("{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}", "own/about.html: line 2: maximum recursion")
        ),
        ("{{ 'x' * 4611686018427387904 }}", "own/about.html: line 2: "),
        *in_proof(("{{ findings[99].severity }}", "own/about.html: line 2: ")),
    ],
)
def test_a_page_that_fails_on_the_real_data_costs_only_itself(
    credly_audit: Command, with_template: Audited, receiver: Receiver, tmp_path: Path, fault: str, said: str
) -> None:
    with_template(ON_REAL_DATA.format(fault))

    chosen = [word for name in ("html", "json", "xlsx") for word in ("--format", name)]
    done = credly_audit("run", "--as-of", AS_OF_DATE, *chosen, "--manifest")

    assert done.code == 4
    [line] = [line for line in done.err.splitlines() if line.startswith("credly-audit: ")]
    assert said in line
    assert done.out.startswith("Pass: 6 tokens of 2 organizations")
    stem = f"credly-audit-{AS_OF_DATE}"
    written = {f"{stem}{suffix}" for suffix in (".snapshot", ".json", ".xlsx")}
    assert {path.name for path in (tmp_path / "reports").iterdir()} == {*written, f"{stem}.manifest.json"}
    manifest = json.loads((tmp_path / "reports" / f"{stem}.manifest.json").read_text())
    assert {each["path"] for each in manifest["files"]} == written
    history = History.opened(None, tmp_path / "credly-audit.toml", os.environ, create=False)
    assert history is not None
    assert len(history.every_audit()) == 1
    assert not receiver.asked


def test_every_report_that_fails_is_named(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    taken = [f"credly-audit-{AS_OF_DATE}{suffix}" for suffix in (".html", ".junit.xml", ".snapshot", ".manifest.json")]
    for name in taken:
        (tmp_path / "reports" / name).mkdir(parents=True)
    chosen = [word for name in ("html", "junit", "json") for word in ("--format", name)]

    done = credly_audit("run", "--as-of", AS_OF_DATE, *chosen, "--overwrite", "--manifest")

    assert done.code == 4
    lines = [line for line in done.err.splitlines() if line.startswith("credly-audit: ")]
    assert len(lines) == 4
    for name in taken:
        assert any(f"reports/{name}: could not be written (Is a directory)" in line for line in lines)
    assert (tmp_path / "reports" / f"credly-audit-{AS_OF_DATE}.json").is_file()
    assert not list((tmp_path / "reports").glob(".*"))


@pytest.mark.parametrize("most", [5_000, *in_proof(0, 40_000)])
def test_a_disk_that_is_full_leaves_nothing_by_halves_and_no_trace_of_a_library(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, most: int
) -> None:
    """A limit of bytes a file stands for the disk: it holds for the libraries' temporary files too."""
    configure(tmp_path, sandbox)
    assert credly_audit("collect", "-o", "today.snapshot").code == 0
    chosen = [word for name in formats() if name != "github" for word in ("--format", name)]

    done = subprocess.run(
        [sys.executable, "-m", "credly_audit", "check", "today.snapshot", "--as-of", AS_OF_DATE, *chosen, "--manifest"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)),
    )

    assert done.returncode == 4
    lines = done.stderr.splitlines()
    assert lines
    assert all(line.startswith("credly-audit: reports/") for line in lines)
    assert all(": could not be written (" in line for line in lines)
    assert all("(File too large" in line for line in lines if ".xlsx:" not in line)
    assert done.stdout.startswith("Pass: ")
    made = list((tmp_path / "reports").iterdir())
    assert all(path.stat().st_size <= most for path in made)
    assert not [path for path in made if path.name.startswith(".")]
    assert len(made) + len(lines) == len(formats()) + 2  # CSV has three files, github none; and the manifest

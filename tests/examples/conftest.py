"""What the examples need to run: their configuration, the organization that it names, and the command on the path."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization, World, made_up_organization
from tests import needs

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
ACME = "88cf96b7-e4ca-4a17-b938-a72bf2b9c273"
"""The organization of all examples."""


@dataclass
class Place:
    """A working directory with the configuration of the examples, against a sandbox of its own."""

    folder: Path
    sandbox: Sandbox
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def acme(self) -> SandboxOrganization:
        return self.sandbox.world.organizations[0]

    @property
    def secret(self) -> Path:
        return self.folder / "secrets" / "acme"

    def run(self, *words: object, **more: Any) -> subprocess.CompletedProcess[str]:
        """A program in the folder, with the command on its path."""
        said = {"cwd": self.folder, "env": self.environ | more.pop("environ", {}), "capture_output": True, "text": True}
        return subprocess.run([str(word) for word in words], timeout=120, check=False, **said, **more)

    def bash(self, script: str, **environ: str) -> subprocess.CompletedProcess[str]:
        """A script as the runners of CI start it."""
        options = ("--noprofile", "--norc", "-eo", "pipefail")
        return self.run(needs.program("bash"), *options, "-c", script, environ=environ)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    now = datetime.now(UTC)
    acme = made_up_organization("acme", now=now, tokens=3, id=ACME, name="Acme")
    with Sandbox(World([acme]), now=now) as served:
        text = (EXAMPLES / "credly-audit.toml").read_text()
        (tmp_path / "credly-audit.toml").write_text(f'[api]\nbase_url = "{served.base_url}"\n\n{text}')
        (tmp_path / "secrets").mkdir(mode=0o700)
        (tmp_path / "secrets" / "acme").write_text(acme.auditor.token)
        (tmp_path / "secrets" / "acme").chmod(0o600)
        environ = {
            "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "XDG_STATE_HOME": str(tmp_path / "state"),
            "CREDLY_TOKEN_ACME": acme.auditor.token,
            "CREDLY_API_URL": served.base_url,
        }
        yield Place(tmp_path, served, environ)


def reports(folder: Path) -> set[str]:
    """What lies there, by the ends of the names."""
    names = (path.name.removeprefix("credly-audit") for path in folder.iterdir())
    return {re.sub(r"^-\d{4}-\d\d-\d\d", "", name) for name in names}


def expressions(text: str, values: Mapping[str, str]) -> str:
    """A text of a workflow with its `${{ … }}` filled in, each of which has to be known."""
    return re.sub(r"\$\{\{ *(.*?) *\}\}", lambda found: values[found[1]], text)

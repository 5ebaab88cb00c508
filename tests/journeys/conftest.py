"""The command as people run it, in a folder of its own, against a sandbox of its own."""

import logging
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from credly_audit.cli.main import outcome
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import OAuthApplication, SandboxOrganization, World, made_up_organization
from tests.build import AS_OF


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it said."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]

OF_CI = {"CI", "GITHUB_ACTIONS", "GITHUB_WORKSPACE", "GITLAB_CI", "CI_PROJECT_DIR", "JENKINS_URL"}
"""What tells the command that it runs in CI, as it does where CI runs these tests."""


@pytest.fixture(autouse=True)
def _log_as_it_was() -> Iterator[None]:
    """The package's log as it was, when a command that ran in this process has set it up for itself."""
    log = logging.getLogger("credly_audit")
    before = log.handlers, log.level, log.propagate
    yield
    log.handlers, log.level, log.propagate = before


@pytest.fixture(autouse=True)
def _own_state(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test touches the history, or the locks, of whoever runs it."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


@pytest.fixture
def credly_audit(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run a command in this process, in an empty working directory."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("CREDLY") or name in OF_CI:
            monkeypatch.delenv(name)

    def run(*arguments: object) -> Outcome:
        capfd.readouterr()
        code = outcome([str(argument) for argument in arguments])
        sys.stdout.flush()
        said = capfd.readouterr()
        return Outcome(code, said.out, said.err)

    return run


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Two sound organizations with three tokens each."""
    world = World(
        [made_up_organization(name, now=AS_OF, tokens=3, name=name) for name in ("Acme", "Beta")], as_of=AS_OF
    )
    with Sandbox(world, now=AS_OF) as served:
        yield served


def configure(
    folder: Path, sandbox: Sandbox, organizations: Sequence[SandboxOrganization] | None = None, extra: str = ""
) -> Path:
    """A configuration for the organizations of the sandbox, its secrets in files."""
    parts = [f'[api]\nbase_url = "{sandbox.base_url}"\ntimeout = 2\n{extra}']
    for number, each in enumerate(organizations or sandbox.world.organizations):
        secret = folder / f"secret-{number}"
        secret.write_text(each.auditor.token)
        secret.chmod(0o600)
        parts.append(f'[[organizations]]\nid = "{each.id}"\nname = "{each.name}"\ntoken = "file:{secret.name}"\n')
    path = folder / "credly-audit.toml"
    path.write_text("\n".join(parts))
    return path


SECRET = "MADE-UP-secret-of-an-application-000"


def by_oauth(folder: Path, sandbox: Sandbox, theirs: SandboxOrganization, secret: str = SECRET) -> None:
    """A configuration for that organization alone, by OAuth."""
    theirs.oauth_applications.append(OAuthApplication(7, "Audit", "MADE-UP-uid", SECRET, "Audits tokens"))
    for name, value in (("uid", "MADE-UP-uid"), ("secret", secret)):
        (folder / name).write_text(value)
        (folder / name).chmod(0o600)
    (folder / "credly-audit.toml").write_text(
        f'[api]\nbase_url = "{sandbox.base_url}"\ntimeout = 2\nmax_retries = 0\n'
        f'[[organizations]]\nid = "{theirs.id}"\nname = "{theirs.name}"\n'
        'oauth = { client_id = "file:uid", client_secret = "file:secret" }\n'
    )

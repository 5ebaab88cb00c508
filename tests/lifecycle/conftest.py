"""A bench: `rotate` and `create` as people run them, against a sandbox, with a store that can fail at every step."""

import json
import os
import stat
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from jsonschema.protocols import Validator

from credly_audit.cli.main import outcome
from credly_audit.lifecycle import request
from credly_audit.lifecycle.request import Patience
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import SandboxOrganization, Token, World, made_up_organization
from credly_audit.secrets import limits
from tests.journeys.test_secrets_stay import everything, searched

SHORT = Patience(read_back=0.15, pause=0.01, tries=3, settling=0.02)

PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.schema.json"
SCHEMA: Validator = jsonschema.Draft202012Validator(
    json.loads(PAGE.read_text()), format_checker=jsonschema.FormatChecker()
)
"""Every JSON report that a test looks at is held against it."""

TIMEOUT = 0.5
"""Seconds that the client waits for an answer."""


class Watched(Token):
    """A token that remembers every value it had, and tells at once when it gets another."""

    __slots__ = ("history", "then")

    def __init__(self, token: Token) -> None:
        self.history: list[str] = []
        self.then: Callable[[], object] = lambda: None
        super().__init__(**{each.name: getattr(token, each.name) for each in fields(Token)})

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name == "token":
            self.history.append(value)
            if len(self.history) > 1:
                self.then()


@dataclass
class Told:
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report."""
        report: dict[str, Any] = json.loads(self.out)
        SCHEMA.validate(report)
        return report

    @property
    def token(self) -> dict[str, Any]:
        """The one token that the report is about."""
        [token] = self.report["tokens"]
        assert isinstance(token, dict)
        return token

    @property
    def words(self) -> str:
        """What a person is told of the one token."""
        return f"{self.token['message']} {self.token['next_step'] or ''}"


@dataclass(repr=False)
class Bench:
    """A folder with credentials, stores and a configuration; and the sandbox that they belong to."""

    folder: Path
    sandbox: Sandbox
    capfd: pytest.CaptureFixture[str]
    said: list[str] = field(default_factory=list)

    @property
    def acme(self) -> SandboxOrganization:
        return self.sandbox.world.organizations[0]

    @property
    def token(self) -> Watched:
        """The token of the first organization, by which it is asked."""
        return watched(self.acme.tokens[0])

    @property
    def store(self) -> Path:
        """Where the first organization's token is configured to be."""
        return self.folder / "secrets" / f"{self.acme.name}-0"

    @property
    def emergency(self) -> Path:
        return self.folder / "emergency"

    @property
    def copies(self) -> list[str]:
        """The values in the emergency folder."""
        return [path.read_text().strip() for path in sorted(self.emergency.glob("*.token"))]

    @property
    def posts(self) -> Counter[str]:
        """Count requests that change something have come."""
        return Counter(asked.action for asked in list(self.sandbox.requests) if asked.method == "POST")

    def configure(self, *, fallback: bool = False, timeout: float = TIMEOUT, own: str = "") -> None:
        """A file secret for every token, and a configuration that reads each organization's first one."""
        parts = [f'[api]\nbase_url = "{self.sandbox.base_url}"\ntimeout = {timeout}\nmax_retries = 0\n']
        for each in self.sandbox.world.organizations:
            for number, token in enumerate(each.tokens):
                secret = self.folder / "secrets" / f"{each.name}-{number}"
                secret.write_text(token.token)
                secret.chmod(0o600)
            lines = [f'id = "{each.id}"', f'name = "{each.name}"', f'token = "file:secrets/{each.name}-0"', own]
            lines += [f'fallback_token = "file:secrets/{each.name}-1"'] if fallback else []
            parts.append("\n".join(["[[organizations]]", *lines]))
        (self.folder / "credly-audit.toml").write_text("\n".join(parts))

    def run(self, *arguments: object) -> Told:
        """Any command, in this process."""
        self.capfd.readouterr()
        code = outcome([str(argument) for argument in arguments])
        sys.stdout.flush()
        said = self.capfd.readouterr()
        self.said += [said.out, said.err]
        return Told(code, said.out, said.err)

    def rotate(self, *arguments: object, organization: SandboxOrganization | None = None, shape: str = "json") -> Told:
        """`rotate` for one organization, logging all there is."""
        return self.run(
            *("rotate", "--organization", (organization or self.acme).id, "--yes", "--verbose", "--format", shape),
            *("--emergency-dir", self.emergency),
            *arguments,
        )

    def create(self, *arguments: object, organization: SandboxOrganization | None = None, shape: str = "json") -> Told:
        """`create` for one organization, into `stores/new` if nothing else is said."""
        store = () if "--store" in arguments else ("--store", "file:stores/new")
        description = (
            () if "--description" in arguments else ("--description", "Badge sync of team CRM, crm@acme.example")
        )
        return self.run(
            *("create", "--organization", (organization or self.acme).id, "--yes", "--verbose", "--format", shape),
            *("--emergency-dir", self.emergency, *store, *description),
            *arguments,
        )

    def program(self, name: str, *lines: str) -> str:
        """An `exec:` reference to a shell script with these lines."""
        path = self.folder / name
        path.write_text("\n".join(["#!/bin/sh", f"cd '{self.folder}'", *lines, ""]))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return f"exec:{path}"

    def failing(self, *calls: int, file: str = "stores/kept") -> str:
        """An `exec:` store into a file that fails when it is called for the n-th time, for every n of `calls`."""
        fails = " ".join(f'[ "$n" = {call} ] && exit 9;' for call in calls)
        count = 'n=$(($(cat calls 2>/dev/null || echo 0) + 1)); echo "$n" > calls'
        return self.program("keep", count, f"{fails} cat > {file}")

    @property
    def values(self) -> set[str]:
        """Every value that any token has or had."""
        every = [token for each in self.sandbox.world.organizations for token in each.tokens]
        return {value for token in every for value in [token.token, *getattr(token, "history", ())]}

    def leaks(self) -> list[str]:
        """Where a value lies that is neither a store nor an emergency file: files, and all that was ever said."""
        places = {
            path: content
            for path, content in everything(self.folder).items()
            if not path.startswith((f"{self.folder}/secrets/", f"{self.folder}/stores/"))
            and not (path.startswith(str(self.emergency)) and path.endswith(".token"))
        }
        return searched(self.values, places | {"what was said": "\n".join(self.said).encode()})


def watched(token: Token) -> Watched:
    assert isinstance(token, Watched)
    return token


MakeBench = Callable[..., Bench]


@pytest.fixture
def make_bench(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[MakeBench]:
    """Benches with as many organizations and tokens as asked; afterwards nothing must have leaked."""
    monkeypatch.setattr(request, "PATIENCE", SHORT)
    monkeypatch.setattr(limits, "PROGRAM_PATIENCE", 20.0)
    for name in list(os.environ):
        if name.startswith(("CREDLY", "CI")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.chdir(tmp_path)
    for name in ("tmp", "secrets", "stores"):
        (tmp_path / name).mkdir()
    made: list[Bench] = []

    def make(organizations: int = 1, tokens: int = 2, **configured: Any) -> Bench:
        now = datetime.now(UTC)
        names = ["Acme", *(f"Beta{number}" for number in range(1, organizations))]
        world = World([made_up_organization(name, now=now, tokens=tokens, name=name) for name in names])
        for each in world.organizations:
            each.tokens[:] = [Watched(token) for token in each.tokens]
            each.tokens[1].write_enabled = True
        bench = Bench(tmp_path, Sandbox(world), capfd)
        bench.sandbox.__enter__()
        made.append(bench)
        bench.configure(**configured)
        return bench

    yield make
    for bench in made:
        bench.sandbox.__exit__(None, None, None)
        assert bench.leaks() == []


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    return make_bench()

"""What needs an extra that is not installed says so in one sentence, before Credly is asked."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import World, made_up_organization
from tests.build import AS_OF
from tests.installed.conftest import Installed, Machine
from tests.journeys.conftest import configure

KEYRING, NOTIFY, POSTGRESQL, SIGN = "keyring", "notify", "postgresql", "sign"

ORGANIZATION = "88cf96b7-e4ca-4a17-b938-a72bf2b9c273"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    acme = made_up_organization("acme", now=AS_OF, tokens=3, id=ORGANIZATION, name="Acme")
    with Sandbox(World([acme], as_of=AS_OF), now=AS_OF) as served:
        yield served


@pytest.fixture
def machine(installed: Installed, sandbox: Sandbox, tmp_path: Path) -> Machine:
    home = tmp_path / "home"
    home.mkdir()
    configure(tmp_path, sandbox)
    return Machine(installed, tmp_path, home, sandbox.base_url)


RUN, DOCTOR = ("run", "--format", "json"), ("doctor",)
ROTATE = ("rotate", "--yes", "--organization", ORGANIZATION)
CREATE = ("create", "--yes", "--organization", ORGANIZATION, "--description", "Badge sync of team CRM")
TOKEN = ('token = "file:secret-0"', 'token = "keyring:credly/acme"')
FALLBACK = ('token = "file:secret-0"', 'token = "file:secret-0"\nfallback_token = "keyring:credly/acme"')
STORE = ('token = "file:secret-0"', 'token = "file:secret-0"\nstore = "keyring:credly/acme"')


def also(text: str) -> tuple[str, str]:
    return "[api]", f"{text}\n[api]"


ADDRESS = also('[history]\nurl = "postgresql://audit@127.0.0.1:1/audits"')


@pytest.mark.parametrize(
    ("extra", "change", "line"),
    [
        (KEYRING, TOKEN, RUN),
        (KEYRING, TOKEN, ("collect", "-o", "a.snapshot")),
        (KEYRING, TOKEN, DOCTOR),
        (KEYRING, TOKEN, ("orgs",)),
        (KEYRING, TOKEN, ROTATE),
        (KEYRING, TOKEN, ("config", "validate", "--secrets")),
        (KEYRING, FALLBACK, DOCTOR),
        (KEYRING, FALLBACK, ROTATE),
        (KEYRING, STORE, ROTATE),
        (KEYRING, also('[defaults]\nread_back = "keyring:credly/acme"'), (*ROTATE, "--store", "exec:true")),
        (KEYRING, also(""), ("orgs", "--credential", "keyring:credly/acme")),
        (KEYRING, also(""), (*ROTATE, "--store", "keyring:credly/acme")),
        (KEYRING, also(""), (*CREATE, "--store", "keyring:credly/acme")),
        (KEYRING, also(""), (*CREATE, "--store", "exec:true", "--read-back", "keyring:credly/acme")),
        (KEYRING, also('[privacy]\nfingerprint_key = "keyring:credly/key"'), RUN),
        (KEYRING, also('[history]\nurl = "keyring:credly/history"'), RUN),
        (KEYRING, also('[notify]\nheartbeat = "keyring:credly/heartbeat"'), RUN),
        (NOTIFY, also('[notify]\nurls = ["env:HOME"]'), RUN),
        (NOTIFY, also('[notify]\ncontacts = "env:HOME"'), RUN),
        (NOTIFY, also('[notify]\nurls = ["env:HOME", "env:PATH"]'), ("check", "a.snapshot", "--notify")),
        (POSTGRESQL, ADDRESS, RUN),
        (POSTGRESQL, ADDRESS, DOCTOR),
        (POSTGRESQL, ADDRESS, ("history", "list")),
        (POSTGRESQL, ADDRESS, ("check", "a.snapshot")),
        (SIGN, also(""), (*RUN, "--manifest", "--sign", "key.pem")),
        (SIGN, also(""), ("verify", "a.manifest.json", "--key", "key.pub")),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_missing_extra_is_named_in_one_sentence(
    machine: Machine, sandbox: Sandbox, extra: str, change: tuple[str, str], line: tuple[str, ...]
) -> None:
    if line[0] == "check":
        machine.done("collect", "-o", "a.snapshot", "--quiet")
        sandbox.requests.clear()
    config = machine.folder / "credly-audit.toml"
    config.write_text(config.read_text().replace(*change, 1))

    done = machine.run(*line)

    assert done.returncode == 2, (done.stdout, done.stderr)
    named = [each for each in done.stderr.splitlines() if f"pip install 'credly-audit[{extra}]'" in each]
    assert len(named) == 1, done.stderr
    assert named == done.stderr.splitlines()[-1:]
    assert sandbox.requests == []
    assert done.stdout == ""


def test_what_needs_no_extra_is_not_kept_from_working(machine: Machine) -> None:
    """Notices and history are configured, and not asked for."""
    config = machine.folder / "credly-audit.toml"
    text = config.read_text().replace("[api]", '[notify]\nurls = ["env:HOME"]\n[api]').replace(*ADDRESS, 1)
    config.write_text(text)

    machine.done("run", "--as-of", "2026-11-23", "--format", "json", "--no-notify", "--no-history")
    machine.done("collect", "-o", "a.snapshot")
    machine.done("check", "a.snapshot", "--no-history", "--format", "csv")
    machine.done("config", "validate")


def test_the_extras_are_those_of_the_package(installed: Installed) -> None:
    code = (
        "import importlib.metadata as m, json; from credly_audit.process.extras import MODULES; "
        "print(json.dumps([sorted(m.metadata('credly-audit').get_all('Provides-Extra')), sorted(MODULES)]))"
    )
    words = [installed.python, "-I", "-c", code]
    declared, known = json.loads(subprocess.run(words, capture_output=True, check=True).stdout)
    assert declared == known

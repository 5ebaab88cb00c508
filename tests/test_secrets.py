"""Where secrets are kept: each kind of reference, its faults in one line that names the place and never a value."""

import copy
import os
import pickle
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keyring
import keyring.errors
import pytest
from keyring.backend import KeyringBackend

from credly_audit import programs, secrets
from credly_audit.config.settings import OAuth, Organization
from credly_audit.credentials import credentials
from credly_audit.errors import ConfigurationError
from credly_audit.secrets import ClientCredentials, Secret, SecretError, Unavailable, is_reference, read
from tests.build import ACME, BETA

VALUE = "MADE-UP-value-of-a-secret-0123456789"


class InMemory(KeyringBackend):
    """A keyring that is a dictionary; `locked` makes it raise, with the value in its words."""

    priority = 1.0  # type: ignore[assignment]

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise keyring.errors.KeyringLocked(f"cannot unlock {self.kept}")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.fixture
def ring() -> Iterator[InMemory]:
    before = keyring.get_keyring()
    ring = InMemory()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


def program(folder: Path, script: str, name: str = "vault") -> str:
    """A reference to a program that runs this Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    return f"exec:{path}"


def organization(number: int = 0, **said: Any) -> Organization:
    made = Organization(id=[ACME, BETA][number], name=["Acme", "Beta"][number], **said)
    return made.model_copy(update={"file": Path("credly-audit.toml"), "line": 7 + number})


def refused(reference: str, folder: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SecretError) as error:
        read(reference, folder, environ or {})
    assert error.value.__cause__ is None
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("pasted", [VALUE, f" {VALUE}\n", f"{VALUE}:", f"\t{VALUE} : \r\n"])
def test_what_people_paste_with_a_value_is_taken_off(tmp_path: Path, pasted: str) -> None:
    (tmp_path / "secret").write_text(pasted)

    assert read("env:TOKEN", tmp_path, {"TOKEN": pasted}) == Secret(VALUE)
    assert read("file:secret", tmp_path, {}) == Secret(VALUE)


def test_a_file_is_looked_for_beside_the_configuration_at_home_or_where_its_path_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(VALUE)
    monkeypatch.setenv("HOME", str(tmp_path))

    for reference in ("file:secret", f"file:{tmp_path}/secret"):
        assert read(reference, tmp_path, {}).reveal() == VALUE
    assert read("file:~/secret", tmp_path / "elsewhere", {}).reveal() == VALUE


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:TOKEN", "env:TOKEN is not set"),
        ("env:BLANK", "env:BLANK is empty"),
        ("file:none", "file:none cannot be read (No such file or directory)"),
        ("file:.", "file:. cannot be read (Is a directory)"),
        ("file:bytes", "file:bytes is not text in UTF-8"),
        ("file:blank", "file:blank is empty"),
        ("exec:./none --password hunter2", "exec:./none cannot be run (No such file or directory)"),
        ("exec:./secret", "exec:./secret cannot be run (Permission denied)"),
        ("exec:sh -c 'exit", "exec: the command's quotes do not match"),
        ("exec:true --password hunter2", "exec:true is empty"),
    ],
)
def test_a_secret_that_is_not_there_is_named_by_its_place(tmp_path: Path, reference: str, said: str) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "blank").write_text(" : \n")
    (tmp_path / "secret").write_text(VALUE)

    assert refused(reference, tmp_path, {"BLANK": " ", "PATH": os.environ["PATH"]}) == said


def test_a_program_gets_no_shell_no_input_and_its_folder_is_the_configurations(tmp_path: Path) -> None:
    script = "import os, sys; print(sys.argv[1:], os.getcwd(), sys.stdin.read(), os.environ['ZONE'])"
    reference = program(tmp_path, script) + " '$HOME; id' `id` | cat > made"

    said = read(reference, tmp_path, {"ZONE": "eu"}).reveal()

    assert said == f"['$HOME; id', '`id`', '|', 'cat', '>', 'made'] {tmp_path}  eu"
    assert not (tmp_path / "made").exists()


def test_what_a_program_says_when_it_fails_is_not_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = f"import sys; print({VALUE!r}); print({VALUE!r}, file=sys.stderr); sys.exit(3)"

    said = refused(program(tmp_path, script) + f" --token {VALUE}", tmp_path)

    assert said.startswith(f"exec:{tmp_path}/vault ended with exit status 3 after ")
    assert VALUE not in said + "".join(capfd.readouterr())


def test_a_program_that_takes_too_long_is_ended_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets, "PATIENCE", 1.0)
    script = f"""import subprocess, time
child = subprocess.Popen(["sleep", "60"])
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
time.sleep(60)"""
    began = time.monotonic()

    said = refused(program(tmp_path, script), tmp_path, dict(os.environ))

    assert said.endswith("gave nothing within 1 seconds")
    assert time.monotonic() - began < 10
    child = int((tmp_path / "child").read_text())
    for _ in range(100):
        try:
            os.kill(child, 0)
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, ProcessLookupError):
            return
        if state == "Z":
            return
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    pytest.fail("what the program had started goes on")


def test_a_keyring_is_asked_by_service_and_user(ring: InMemory, tmp_path: Path) -> None:
    ring.kept["credly/audit", "acme"] = VALUE

    assert read("keyring:credly/audit/acme", tmp_path, {}) == Secret(VALUE)
    assert refused("keyring:credly/audit/beta", tmp_path) == "keyring:credly/audit/beta is not there"


def test_a_keyring_that_is_locked_is_said_so_without_its_words(ring: InMemory, tmp_path: Path) -> None:
    ring.kept["credly", "acme"] = VALUE
    ring.locked = True

    said = refused("keyring:credly/acme", tmp_path)

    assert said == "keyring:credly/acme cannot be read (KeyringLocked); is the keyring unlocked?"


def test_without_the_extra_a_keyring_reference_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    assert "pip install 'credly-audit[keyring]'" in refused("keyring:credly/acme", tmp_path)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("env:A", True),
        ("file:a/b", True),
        ("exec:vault read x", True),
        ("keyring:a/b", True),
        ("keyring:a", False),
        ("keyring:/b", False),
        ("keyring:a/", False),
        ("env:", False),
        ("file: ", False),
        ("ENV:A", False),
        (VALUE, False),
        ("", False),
    ],
)
def test_what_a_reference_is(text: str, right: bool) -> None:
    assert is_reference(text) is right


def test_a_secret_shows_itself_to_nobody_who_does_not_ask_by_name() -> None:
    secret = Secret(VALUE)

    assert VALUE not in repr(secret) + str(secret) + f"{ClientCredentials(secret, secret)}"
    for written in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not written down"):
            written(secret)
    assert secret != VALUE
    assert len({secret, Secret(VALUE)}) == 1


def test_every_missing_secret_is_named_with_its_place_in_one_pass(tmp_path: Path) -> None:
    oauth = OAuth(client_id="env:ID", client_secret="file:none")
    asked = (organization(0, token="env:ACME"), organization(1, oauth=oauth))

    with pytest.raises(ConfigurationError) as error:
        credentials(asked, tmp_path, {})

    assert str(error.value).splitlines() == [
        "credly-audit.toml:7: Acme: env:ACME is not set; set it, or mend `token`",
        "credly-audit.toml:8: Beta: env:ID is not set; set it, or mend `oauth`",
        "credly-audit.toml:8: Beta: file:none cannot be read (No such file or directory); set it, or mend `oauth`",
    ]


def test_a_program_that_fails_costs_only_its_organizations_and_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    count = tmp_path / "count"
    failing = program(tmp_path, f"open({str(count)!r}, 'a').write('x'); raise SystemExit(1)")
    asked = (organization(0, token=failing), organization(1, token=failing))

    found = credentials(asked, tmp_path, {})

    assert all(isinstance(each, Unavailable) for each in found.values())
    [said] = [record.getMessage() for record in caplog.records]
    assert said.endswith("(2 organizations)")
    assert "vault ended with exit status 1" in said
    assert count.read_text() == "x"


def test_a_file_that_the_defaults_named_costs_only_its_organization(tmp_path: Path) -> None:
    (tmp_path / BETA).write_text(VALUE)
    (tmp_path / BETA).chmod(0o600)
    asked = tuple(
        organization(number, token=f"file:{each}").model_copy(update={"from_defaults": True})
        for number, each in enumerate((ACME, BETA))
    )

    found = credentials(asked, tmp_path, {})

    assert isinstance(found[ACME], Unavailable)
    assert found[BETA] == Secret(VALUE)


def test_both_parts_of_an_oauth_client_are_read(tmp_path: Path) -> None:
    oauth = OAuth(client_id="env:ID", client_secret="env:SECRET")

    found = credentials((organization(oauth=oauth),), tmp_path, {"ID": "MADE-UP-id", "SECRET": VALUE})

    assert found[ACME] == ClientCredentials(Secret("MADE-UP-id"), Secret(VALUE))


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_may_read_is_warned_about_with_the_way_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
) -> None:
    (tmp_path / "secret").write_text(VALUE)
    (tmp_path / "secret").chmod(mode)

    credentials((organization(token="file:secret"),), tmp_path, {})

    assert caplog.messages == (
        ["others may read file:secret; `chmod 600` keeps a secret to its owner"] if warned else []
    )


def test_programs_are_run_some_at_a_time(tmp_path: Path) -> None:
    asked = []
    for number in range(2):
        slow = program(tmp_path, f"import time; time.sleep(0.7); print('MADE-UP-{number}')", f"vault{number}")
        asked.append(organization(number, token=slow))
    began = time.monotonic()

    found = credentials(tuple(asked), tmp_path, dict(os.environ))

    assert [found[each].reveal() for each in (ACME, BETA)] == ["MADE-UP-0", "MADE-UP-1"]  # type: ignore[union-attr]
    assert time.monotonic() - began < 1.4
    assert not programs._running

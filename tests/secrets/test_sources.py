"""Where secrets are kept: each kind of reference, its faults in one line that names the place and never a value."""

import copy
import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from credly_audit.cli.config import START
from credly_audit.config.credentials import read_credentials
from credly_audit.config.settings import OAuth, Organization
from credly_audit.errors import ConfigurationError
from credly_audit.process import programs
from credly_audit.process.extras import MissingExtra
from credly_audit.secrets import (
    ClientCredentials,
    Secret,
    SecretError,
    Unavailable,
    is_reference,
    limits,
    mask_reference,
    read_secret,
)
from credly_audit.secrets.sources import BUILT_IN
from tests.build import ACME, BETA
from tests.keyrings import Ring

VALUE = "MADE-UP-value-of-a-secret-0123456789"


@pytest.fixture
def ring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ring:
    return Ring.used_by(monkeypatch, tmp_path / "ring")


def program(folder: Path, script: str, name: str = "vault") -> str:
    """A reference to a program that runs this Python."""
    path = folder / name
    path.write_text(f"#!{sys.executable}\n{script}")
    path.chmod(0o755)
    return f"exec:{path}"


def organization(number: int = 0, **said: Any) -> Organization:
    made = Organization(id=[ACME, BETA][number], name=["Acme", "Beta"][number], **said)
    return made.model_copy(update={"place": f"credly-audit.toml:{7 + number}"})


def refused(reference: str, folder: Path, environ: dict[str, str] | None = None) -> str:
    with pytest.raises(SecretError) as error:
        read_secret(reference, folder, environ or {})
    assert error.value.__cause__ is None
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    "pasted",
    [
        VALUE,
        f" {VALUE}\n",
        f"{VALUE}:",
        f"\t{VALUE} : \r\n",
        *(f"{mark}{VALUE}{mark}" for mark in "\ufeff\u200b\u2060\u200e\u00ad\u00a0\u3000\0"),
        f"\ufeff \u200b{VALUE}\u2060:\u200e\n",
    ],
)
def test_what_people_paste_with_a_value_is_taken_off(tmp_path: Path, pasted: str) -> None:
    (tmp_path / "secret").write_text(pasted)

    assert read_secret("env:TOKEN", tmp_path, {"TOKEN": pasted}) == Secret(VALUE)
    assert read_secret("file:secret", tmp_path, {}) == Secret(VALUE)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_file_as_windows_programs_write_it_is_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "secret").write_text(f"{VALUE}\r\n", encoding=encoding)

    assert read_secret("file:secret", tmp_path, {}) == Secret(VALUE)


@pytest.mark.parametrize(
    ("content", "doubt"),
    [
        (f'"{VALUE}"', "contains quotes"),
        (f"CREDLY_TOKEN={VALUE}", "begins with NAME="),
        (f"export CREDLY_TOKEN={VALUE}", "begins with NAME="),
        (f"Bearer {VALUE}", "begins with a word of a header"),
        (f"Authorization: Basic {VALUE}", "begins with a word of a header"),
        (f"{VALUE}\n{VALUE}", "has several lines"),
        (f"{VALUE} {VALUE}", "contains white space"),
        (f"{VALUE[:8]}\u200b{VALUE[8:]}", "contains characters that tokens never contain"),
        ("****************ab12", "is masked or truncated"),
        ("{MADE-UP}", "contains characters that tokens never contain"),
    ],
)
def test_a_value_that_can_be_none_is_used_with_a_warning_that_does_not_show_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: str, doubt: str
) -> None:
    found = read_credentials((organization(0, token="env:TOKEN"),), tmp_path, {"TOKEN": content})

    assert found[ACME] == Secret(content)
    assert [each.getMessage() for each in caplog.records] == [f"the value of env:TOKEN {doubt}; it is used unchanged"]


@pytest.mark.parametrize("value", [VALUE, "MADE-UP-a.b~c/d+e==", "ab12"])
def test_of_an_ordinary_value_there_is_no_doubt(tmp_path: Path, value: str) -> None:
    assert read_secret("env:TOKEN", tmp_path, {"TOKEN": value}).doubt is None


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs devices")
@pytest.mark.parametrize("reference", ["file:/dev/zero", "file:large", "exec:yes", "env:LARGE"])
def test_what_gives_too_much_is_refused_within_a_bound(tmp_path: Path, reference: str) -> None:
    (tmp_path / "large").write_text("x" * 70_000)
    began = time.monotonic()

    said = refused(reference, tmp_path, {"PATH": os.environ["PATH"], "LARGE": "x" * 70_000})

    assert said == f"{reference} gave more than 64 KiB, too large for a secret"
    assert time.monotonic() - began < 25
    assert not programs._running


def test_a_pipe_that_is_filled_is_read_and_one_that_is_not_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PATIENCE", 1.0)
    for name in ("filled", "forgotten"):
        os.mkfifo(tmp_path / name)
    with subprocess.Popen(["sh", "-c", f"sleep 0.2; echo {VALUE} > {tmp_path}/filled"]):
        assert read_secret("file:filled", tmp_path, {}) == Secret(VALUE)
    asked = (organization(0, token="file:forgotten"), organization(1, token="env:NONE"))

    with pytest.raises(ConfigurationError) as error:
        read_credentials(asked, tmp_path, {})

    assert str(error.value).splitlines() == [
        "credly-audit.toml:7: Acme: file:forgotten returned nothing within 1 seconds; set it or change `token`",
        "credly-audit.toml:8: Beta: environment variable NONE is not set; set it or change `token`",
    ]


SHAPED = "MADE-UP-Xq3vT9rLm2WkPz7bNc4Hd"


@pytest.mark.parametrize("kind", ["env:", "file:", "file:some/folder/", "keyring:credly/", "keyring:x/y/", "exec:"])
def test_a_value_in_place_of_a_name_is_not_shown(tmp_path: Path, kind: str) -> None:
    reference = f"{kind}{SHAPED}"

    assert mask_reference(reference) == f"{kind}[redacted]"
    assert SHAPED not in refused(reference, tmp_path)


@pytest.mark.parametrize(
    "reference", ["env:CREDLY_TOKEN_PRODUCTION_EU_1", f"file:/run/secrets/{ACME}/token", "keyring:credly-audit/acme"]
)
def test_an_ordinary_name_is_shown(reference: str) -> None:
    assert mask_reference(reference) == reference


def test_a_file_is_looked_for_beside_the_configuration_at_home_or_where_its_path_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text(VALUE)
    monkeypatch.setenv("HOME", str(tmp_path))

    for reference in ("file:secret", f"file:{tmp_path}/secret"):
        assert read_secret(reference, tmp_path, {}).reveal() == VALUE
    assert read_secret("file:~/secret", tmp_path / "elsewhere", {}).reveal() == VALUE


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("env:TOKEN", "environment variable TOKEN is not set"),
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

    said = read_secret(reference, tmp_path, {"ZONE": "eu"}).reveal()

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
    monkeypatch.setattr(limits, "PATIENCE", 2.0)
    script = f"""import subprocess, time
child = subprocess.Popen(["sleep", "60"])
open({str(tmp_path / "child")!r}, "w").write(str(child.pid))
time.sleep(60)"""
    began = time.monotonic()

    said = refused(program(tmp_path, script), tmp_path, dict(os.environ))

    assert said.endswith("returned nothing within 2 seconds")
    assert time.monotonic() - began < 30
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


def test_a_keyring_is_asked_by_service_and_user(ring: Ring, tmp_path: Path) -> None:
    ring.keep("credly/audit/acme", VALUE)

    assert read_secret("keyring:credly/audit/acme", tmp_path, {}) == Secret(VALUE)
    assert refused("keyring:credly/audit/beta", tmp_path) == "keyring:credly/audit/beta does not exist"


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("locked", "cannot be read (KeyringLocked); is the keyring unlocked?"),
        ("exit", "cannot be read (SystemExit); is the keyring unlocked?"),
        ("die", "cannot be read (it ended with exit status 3); is the keyring unlocked?"),
        ("bytes", "returned something other than text"),
        ("hang", "did not answer within 1 seconds; is the keyring unlocked?"),
    ],
)
def test_whatever_a_keyring_does_is_one_sentence_without_its_words(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, said: str
) -> None:
    monkeypatch.setattr(limits, "PATIENCE", 1.4 if how == "hang" else 20.0)
    ring.keep("credly/acme", VALUE)
    ring.behave(how)

    assert refused("keyring:credly/acme", tmp_path) == f"keyring:credly/acme {said}"


def test_a_keyring_that_prints_gives_its_entry_all_the_same(
    ring: Ring, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    ring.keep("credly/acme", VALUE)
    ring.behave("print")

    assert read_secret("keyring:credly/acme", tmp_path, {}) == Secret(VALUE)
    assert capfd.readouterr() == ("", "")


def test_slow_keyring_entries_are_looked_up_side_by_side(ring: Ring, tmp_path: Path) -> None:
    for number in range(12):
        ring.keep(f"credly/{number}", f"MADE-UP-{number}")
    ring.behave("slow=1")
    asked = tuple(
        organization(0, token=f"keyring:credly/{number}").model_copy(update={"id": str(number)}) for number in range(12)
    )
    began = time.monotonic()

    found = read_credentials(asked, tmp_path, {})

    assert {name: secret.reveal() for name, secret in found.items()} == {str(n): f"MADE-UP-{n}" for n in range(12)}  # type: ignore[union-attr]
    assert time.monotonic() - began < 12


def test_a_keyring_that_hangs_costs_only_its_organization(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "PATIENCE", 1.0)
    ring.behave("hang")

    found = read_credentials(
        (organization(0, token="env:A"), organization(1, token="keyring:a/b")), tmp_path, {"A": VALUE}
    )

    assert found[ACME] == Secret(VALUE)
    assert isinstance(found[BETA], Unavailable)


def test_without_the_extra_a_keyring_reference_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)

    with pytest.raises(
        MissingExtra, match=r"^keyring:credly/acme needs the extra: pip install 'credly-audit\[keyring\]'$"
    ):
        read_secret("keyring:credly/acme", tmp_path, {})


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
        (f"exec:TOKEN={VALUE} vault read x", False),
        (f"exec: 'TOKEN={VALUE}' vault", False),
        ("exec:./a=b", True),
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
        with pytest.raises(TypeError, match="cannot be serialized"):
            written(secret)
    assert secret != VALUE
    assert len({secret, Secret(VALUE)}) == 1


def test_every_missing_secret_is_named_with_its_place_in_one_pass(tmp_path: Path) -> None:
    oauth = OAuth(client_id="env:ID", client_secret="file:none")
    asked = (organization(0, token="env:ACME"), organization(1, oauth=oauth))

    with pytest.raises(ConfigurationError) as error:
        read_credentials(asked, tmp_path, {})

    assert str(error.value).splitlines() == [
        "credly-audit.toml:7: Acme: environment variable ACME is not set; set it or change `token`",
        "credly-audit.toml:8: Beta: environment variable ID is not set; set it or change `oauth`",
        "credly-audit.toml:8: Beta: file:none cannot be read (No such file or directory); set it or change `oauth`",
    ]


def test_a_program_that_fails_costs_only_its_organizations_and_is_run_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    count = tmp_path / "count"
    failing = program(tmp_path, f"open({str(count)!r}, 'a').write('x'); raise SystemExit(1)")
    asked = (organization(0, token=failing), organization(1, token=failing))

    found = read_credentials(asked, tmp_path, {})

    reasons = [each.reason for each in found.values() if isinstance(each, Unavailable)]
    assert len(reasons) == 2
    assert all("vault ended with exit status 1" in reason for reason in reasons)
    assert not caplog.records
    assert count.read_text() == "x"


def test_a_file_that_the_defaults_named_costs_only_its_organization(tmp_path: Path) -> None:
    (tmp_path / BETA).write_text(VALUE)
    (tmp_path / BETA).chmod(0o600)
    asked = tuple(
        organization(number, token=f"file:{each}").model_copy(update={"from_defaults": True})
        for number, each in enumerate((ACME, BETA))
    )

    found = read_credentials(asked, tmp_path, {})

    assert isinstance(found[ACME], Unavailable)
    assert found[BETA] == Secret(VALUE)


def test_both_parts_of_an_oauth_client_are_read(tmp_path: Path) -> None:
    oauth = OAuth(client_id="env:ID", client_secret="env:SECRET")

    found = read_credentials((organization(oauth=oauth),), tmp_path, {"ID": "MADE-UP-id", "SECRET": VALUE})

    assert found[ACME] == ClientCredentials(Secret("MADE-UP-id"), Secret(VALUE))


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o400, False), (0o640, True), (0o604, True)])
def test_a_file_that_others_may_read_is_warned_about_with_the_way_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: bool
) -> None:
    (tmp_path / "secret").write_text(VALUE)
    (tmp_path / "secret").chmod(mode)

    read_credentials((organization(token="file:secret"),), tmp_path, {})

    assert caplog.messages == (["file:secret is readable by other users; run `chmod 600`"] if warned else [])


def test_programs_are_run_some_at_a_time(tmp_path: Path) -> None:
    asked = []
    for number in range(2):
        waits_for_the_other = f"""import pathlib, time
pathlib.Path({str(tmp_path)!r}, "began-{number}").touch()
while not pathlib.Path({str(tmp_path)!r}, "began-{1 - number}").exists():
    time.sleep(0.01)
print("MADE-UP-{number}")"""
        asked.append(organization(number, token=program(tmp_path, waits_for_the_other, f"vault{number}")))

    found = read_credentials(tuple(asked), tmp_path, dict(os.environ))

    assert [found[each].reveal() for each in (ACME, BETA)] == ["MADE-UP-0", "MADE-UP-1"]  # type: ignore[union-attr]
    assert not programs._running


def test_the_pages_and_the_first_configuration_name_every_source() -> None:
    docs = Path(__file__).parents[2] / "docs"
    lifecycle, first = (docs / "lifecycle.md").read_text(), START.read_text()
    for prefix, source in BUILT_IN.items():
        assert f"{prefix}:{source.form}" in first
        assert (f"\n| `{prefix}:{source.form}` |" in lifecycle) is source.can_store

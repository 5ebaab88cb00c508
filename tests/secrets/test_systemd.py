"""`systemd:NAME`: the credentials that systemd hands to a service."""

import os
import subprocess
from pathlib import Path

import pytest

from credly_audit.secrets import Secret, SecretError, find_store, is_reference, limits, read_secret

VALUE = "MADE-UP-value-of-a-secret-0123456789"


def refused(name: str, folder: Path, environ: dict[str, str]) -> str:
    with pytest.raises(SecretError) as error:
        read_secret(f"systemd:{name}", folder, environ)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_credential_of_the_service_is_read(tmp_path: Path) -> None:
    (tmp_path / "acme.token").write_text(f"{VALUE}\n")

    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert read_secret("systemd:acme.token", tmp_path / "elsewhere", environ) == Secret(VALUE)
    assert read_secret("systemd: acme.token ", tmp_path, environ) == Secret(VALUE)
    assert find_store("systemd:acme.token", tmp_path, environ) is None


@pytest.mark.parametrize(
    ("place", "right"),
    [
        ("acme", True),
        ("acme.token", True),
        ("88cf96b7-e4ca-4a17-b938-a72bf2b9c273", True),
        (".hidden", True),
        ("", False),
        (" ", False),
        (".", False),
        ("..", False),
        ("a..b", False),
        ("../shadow", False),
        ("a/b", False),
        ("/etc/shadow", False),
        ("a\0b", False),
        ("a\nb", False),
    ],
)
def test_what_a_name_is(place: str, *, right: bool) -> None:
    assert is_reference(f"systemd:{place}") is right


@pytest.mark.parametrize("use", ["store", "read back"])
def test_no_value_can_be_stored_or_read_back_there(use: str) -> None:
    assert not is_reference("systemd:acme", use)  # type: ignore[arg-type] # a parameter of the test is a text


def test_outside_of_a_service_it_says_how_to_get_one(tmp_path: Path) -> None:
    said = "systemd:acme cannot be read (CREDENTIALS_DIRECTORY is {}): systemd sets it for a service whose unit has "
    assert refused("acme", tmp_path, {}).startswith(said.format("not set"))
    assert refused("acme", tmp_path, {"CREDENTIALS_DIRECTORY": ""}).startswith(said.format("not set"))
    assert refused("acme", tmp_path, {"CREDENTIALS_DIRECTORY": "."}).startswith(said.format("not an absolute path"))


def test_a_credential_that_is_not_there_is_named(tmp_path: Path) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "folder").mkdir()
    (tmp_path / "blank").write_text(" \n")

    assert refused("acme", tmp_path, environ) == (
        "systemd:acme does not exist: add LoadCredential= or SetCredentialEncrypted= with that name to the unit"
    )
    assert refused("folder", tmp_path, environ) == "systemd:folder cannot be read (Is a directory)"
    assert refused("blank", tmp_path, environ) == "systemd:blank is empty"
    assert refused("x" * 300, tmp_path, environ).endswith(" cannot be read (File name too long)")
    assert refused("\ud800", tmp_path, environ).endswith(" cannot be read (no file name)")


def test_it_is_bounded_like_every_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    (tmp_path / "large").write_text("x" * 70_000)
    for name in ("pipe", "filled"):
        os.mkfifo(tmp_path / name)
    monkeypatch.setattr(limits, "PATIENCE", 0.5)

    assert refused("large", tmp_path, environ) == "systemd:large gave more than 64 KiB, too large for a secret"
    assert refused("pipe", tmp_path, environ) == "systemd:pipe returned nothing within 0 seconds"
    with subprocess.Popen(["sh", "-c", f"echo {VALUE} > {tmp_path}/filled"]):
        monkeypatch.setattr(limits, "PATIENCE", 20.0)
        assert read_secret("systemd:filled", tmp_path, environ) == Secret(VALUE)

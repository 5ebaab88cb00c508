"""Sources of other packages: found by their entry point, loaded when needed, and never able to harm an audit."""

import sys
import time
from pathlib import Path

import pytest

from credly_audit.config.credentials import read_credentials
from credly_audit.config.settings import Organization
from credly_audit.errors import UsageError
from credly_audit.secrets import Secret, SecretError, Unavailable, is_reference, limits, list_forms, read_secret
from tests.build import ACME, BETA
from tests.packages import READS, Install

VALUE = "MADE-UP-value-of-a-secret-0123456789"
SHAPED = "MADE-UP-Xq3vT9rLm2WkPz7bNc4Hd"


def source(*body: str) -> str:
    """A source that does this when it is read."""
    lines = "\n".join(f"        {line}" for line in body)
    return f"class Source:\n    def check(self, place):\n        pass\n    def read(self, place):\n{lines}\n"


def refused(folder: Path) -> str:
    with pytest.raises(SecretError) as error:
        read_secret("acme:token", folder, {})
    assert error.value.__cause__ is None
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_package_adds_a_prefix(tmp_path: Path, install: Install) -> None:
    install(READS)
    (tmp_path / "token").write_text(f" {VALUE}\n")

    assert is_reference("acme:token")
    assert read_secret("acme:token", tmp_path, {}) == Secret(VALUE)
    assert list_forms().endswith(" or acme:…")
    with pytest.raises(SecretError, match=r"^acme:other does not exist$"):
        read_secret("acme:other", tmp_path, {})
    assert "acme_secrets" not in sys.modules


REFERENCES = [("acme:x", True), ("acme:", False), ("acme: ", False), ("acme://x", False)]


@pytest.mark.parametrize(("text", "right"), REFERENCES)
def test_what_a_reference_of_a_package_is(install: Install, text: str, *, right: bool) -> None:
    """An address such as that of a proxy is none."""
    install(READS)

    assert is_reference(text) is right


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (f"raise ValueError({VALUE!r})", "cannot be read (ValueError)"),
        (f"raise SourceError('no region\\n is set {SHAPED}')", "cannot be read (no region is set [redacted])"),
        (f"sys.exit({VALUE!r})", "cannot be read (SystemExit)"),
        ("raise KeyboardInterrupt", "cannot be read (KeyboardInterrupt)"),
        ("os._exit(3)", "cannot be read (it ended with exit status 3)"),
        ("import boto4", "cannot be read (ModuleNotFoundError: boto4)"),
        (f"return {VALUE!r}.encode()", "returned something other than text"),
        (f"return [{VALUE!r}]", "returned something other than text"),
        ("return object()", "returned something other than text"),
        ("return ''", "is empty"),
        ("return None", "does not exist"),
        ("return 'x' * 70_000", "gave more than 64 KiB, too large for a secret"),
        ("return 'x' * 7_000_000", "gave more than 64 KiB, too large for a secret"),
        ("return self.read(place)", "cannot be read (RecursionError)"),
    ],
)
def test_whatever_a_source_does_is_one_sentence_without_its_words(
    tmp_path: Path, install: Install, capfd: pytest.CaptureFixture[str], body: str, said: str
) -> None:
    install(source(f"print({VALUE!r})", f"os.write(1, b'{VALUE}')", body))

    assert refused(tmp_path) == f"acme:token {said}"
    assert capfd.readouterr() == ("", "")


def test_a_source_that_hangs_is_given_up(tmp_path: Path, install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install(source("time.sleep(60)"))
    monkeypatch.setattr(limits, "PATIENCE", 1.0)
    began = time.monotonic()

    assert refused(tmp_path) == "acme:token did not answer within 1 seconds"
    assert time.monotonic() - began < 30


def test_a_source_that_prints_and_leaves_a_thread_behind_gives_its_secret(
    tmp_path: Path, install: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    thread = "import threading; threading.Thread(target=time.sleep, args=(60,)).start()"
    install(source("print('chatter')", thread, f"return {VALUE!r}"))

    assert read_secret("acme:token", tmp_path, {}) == Secret(VALUE)
    assert capfd.readouterr() == ("", "")


def test_a_source_that_fails_costs_only_its_organizations(tmp_path: Path, install: Install) -> None:
    install(READS)
    asked = (Organization(id=ACME, token="env:A"), Organization(id=BETA, token="acme:token"))

    found = read_credentials(asked, tmp_path, {"A": VALUE})

    assert found == {ACME: Secret(VALUE), BETA: Unavailable("credential could not be read: acme:token does not exist")}


def test_what_a_source_says_of_a_place_is_said_before_anything_is_read(tmp_path: Path, install: Install) -> None:
    install(READS)
    (tmp_path / "program").write_text(f"#!{sys.executable}\nopen('was-read', 'w')\n")
    (tmp_path / "program").chmod(0o755)
    asked = (Organization(id=ACME, token="exec:./program"), Organization(id=BETA, token="acme:a/b"))

    with pytest.raises(UsageError, match=r"^acme:a/b must be a name without a slash$"):
        read_credentials(asked, tmp_path, {})
    assert not (tmp_path / "was-read").exists()

"""Packages with sources of secrets, as people meet them: when they are imported, and what is said of broken ones."""

import sys
from pathlib import Path

import pytest

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, configure
from tests.packages import READS, STORES, Install

VALUE = "MADE-UP-value-of-a-secret-0123456789"


BROKEN = {
    "import": ("import boto4", "cannot be used (ModuleNotFoundError: boto4)"),
    "syntax": ("def", "cannot be used (SyntaxError)"),
    "exit": (f"sys.exit({VALUE!r})", "cannot be used (SystemExit)"),
    "dies": ("os._exit(0)", "cannot be used (it ended with exit status 0)"),
    "raises": (f"raise ValueError({VALUE!r})", "cannot be used (ValueError)"),
    "no class": ("", "cannot be used (AttributeError)"),
    "no source": ("class Source: pass", "cannot be used (it has no functions check(place) and read(place))"),
    "arguments": (
        "class Source:\n    def __init__(self, one): pass\n    def check(self, place): pass\n    read = check",
        "cannot be used (TypeError)",
    ),
    "check raises": (
        f"class Source:\n    def check(self, place): raise ValueError({VALUE!r})\n    def read(self, place): pass",
        "cannot be used (ValueError)",
    ),
}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_package_that_is_broken_is_a_usage_error_in_one_line(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, install: Install, broken: str
) -> None:
    code, said = BROKEN[broken]
    install(code)
    path = configure(tmp_path, sandbox)
    path.write_text(path.read_text().replace("file:secret-1", "acme:token"))

    done = credly_audit("run", "--quiet")

    assert done.code == 2
    sentence = f"the source acme: of the package acme-secrets {said}; correct or uninstall it"
    assert done.err.strip().endswith(sentence)
    assert len(done.err.splitlines()) == 1
    assert VALUE not in done.err + done.out
    assert sandbox.counts["list"] == 0


def test_a_package_is_imported_only_when_its_prefix_is_read(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, install: Install
) -> None:
    trace = install(READS)
    path = configure(tmp_path, sandbox)
    commands = (["config", "validate"], ["config", "explain"], ["doctor"], ["run", "--format", "json"])

    for command in commands:
        assert credly_audit(*command).code in {0, 3}
    assert credly_audit("rotate", "--dry-run", "--organization", sandbox.world.organizations[0].id).code == 0
    assert not trace.exists()

    (tmp_path / "token").write_text((tmp_path / "secret-1").read_text())
    path.write_text(path.read_text().replace("file:secret-1", "acme:token"))
    assert credly_audit("config", "validate").code == 0
    assert not trace.exists()
    assert credly_audit("run", "--format", "json").code == 0
    assert trace.exists()
    assert "acme_secrets" not in sys.modules


@pytest.mark.parametrize("prefix", ["env", "file", "exec", "keyring"])
@pytest.mark.parametrize("command", [["run"], ["config", "validate"], ["doctor"], ["config", "schema"]])
def test_a_built_in_prefix_cannot_be_replaced(
    credly_audit: Command,
    sandbox: Sandbox,
    tmp_path: Path,
    install: Install,
    prefix: str,
    command: list[str],
) -> None:
    trace = install(READS, package="evil-secrets", prefix=prefix)
    configure(tmp_path, sandbox)

    done = credly_audit(*command)

    assert done.code == 2
    assert f"package evil-secrets offers the prefix {prefix}: for secrets, which is built in" in done.err
    assert len(done.err.splitlines()) == 1
    assert sandbox.counts["list"] == 0
    assert not trace.exists()


def test_two_packages_cannot_offer_one_prefix(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, install: Install
) -> None:
    traces = [install(READS, package=name) for name in ("acme-secrets", "other-secrets")]
    configure(tmp_path, sandbox)

    done = credly_audit("run")

    assert done.code == 2
    assert "packages acme-secrets and other-secrets offer the same prefix acme: for secrets" in done.err
    assert not any(trace.exists() for trace in traces)


@pytest.mark.parametrize("prefix", ["Acme", "a.b", "1a", "-a"])
def test_a_prefix_that_can_be_none_is_refused(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, install: Install, prefix: str
) -> None:
    install(READS, prefix=prefix)
    configure(tmp_path, sandbox)

    done = credly_audit("config", "validate")

    assert done.code == 2
    assert f"package acme-secrets offers the prefix {prefix!r} for secrets, which is not valid" in done.err


def test_an_unknown_prefix_says_that_a_package_may_be_missing(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = configure(tmp_path, sandbox)
    path.write_text(path.read_text().replace("file:secret-1", f"acme:{VALUE}"))

    done = credly_audit("run")

    assert done.code == 2
    assert "or install the package that adds the prefix" in done.err
    assert VALUE not in done.err


def test_the_schema_knows_the_prefix(credly_audit: Command, install: Install) -> None:
    install(READS + STORES)

    assert '"pattern": "^(file|exec|keyring|acme):.+$"' in credly_audit("config", "schema").out

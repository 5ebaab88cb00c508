"""A path means the same wherever a person writes it, and one that is none is refused with its place."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from credly_audit.cli.options import LocalPath
from credly_audit.files.paths import BadPath, local_path
from credly_audit.sandbox.server import Sandbox
from tests.build import ACME
from tests.journeys.conftest import Command, configure
from tests.journeys.test_variables import commands

NAMES = st.text(st.characters(exclude_characters="/\0~", exclude_categories=["Cs"]), min_size=1, max_size=60)


@given(NAMES)
def test_a_path_without_a_tilde_is_taken_as_it_stands(name: str) -> None:
    assert local_path(name) == Path(name)
    assert local_path(name, Path("/a folder")) == Path("/a folder") / name
    assert local_path(f"/{name}", Path("/a folder")) == Path(f"/{name}")
    assert local_path(f"./~{name}") == Path(f"./~{name}")


@given(NAMES)
def test_a_tilde_is_the_home_directory_and_nothing_else(name: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("HOME", "/home of/me")
        assert local_path(f"~/{name}", Path("/a folder")) == Path("/home of/me") / name
        assert local_path("~", Path("/a folder")) == Path("/home of/me")
        assert local_path(f"~root/{name}") == Path("~root").expanduser() / name


@pytest.mark.parametrize("text", ["", "a\0b", "~nobody-of-that-name/x", "x" * 300, "\ud800", "loop/x"])
def test_what_can_be_no_path_is_told(text: str, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    with pytest.raises(BadPath, match=r"is empty|NUL|cannot be resolved|cannot be reached"):
        local_path(text, tmp_path)


def test_every_path_of_every_command_is_read_by_the_one_function() -> None:
    paths = [
        (*words, param.name, type(param.type))
        for words, command in commands()
        for param in command.params
        if isinstance(param.type, click.Path)
    ]

    assert len(paths) > 30
    assert [each for each in paths if each[-1] is not LocalPath] == []


BAD = "~nobody-of-that-name/x"

KEYS = [
    *("organizations_file", "history.url", "api.ca_bundle", "policy.waivers_file", "policy.register"),
    *("report.logo", "report.guidance", "report.templates"),
]


def written(key: str, value: str) -> str:
    table, _, name = key.rpartition(".")
    return f"[{table}]\n{name} = {json.dumps(value)}\n" if table else f"{name} = {json.dumps(value)}\n"


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("bad", [BAD, "a\0b", "x" * 300])
def test_a_bad_path_in_the_configuration_is_told_with_its_line(
    credly_audit: Command, tmp_path: Path, key: str, bad: str
) -> None:
    (tmp_path / "credly-audit.toml").write_text(written(key, f"sqlite:///{bad}" if key == "history.url" else bad))

    done = credly_audit("check", "no.snapshot")

    assert done.code == 2
    assert done.err.startswith("credly-audit: credly-audit.toml:")
    assert f"{key}: " in done.err
    assert "cannot be resolved" in done.err or "cannot be reached" in done.err or "NUL" in done.err


ORGANIZATION = f'[[organizations]]\nid = "{ACME}"\n'

REFERENCES: dict[str, Callable[[str], str]] = {
    "token": lambda path: f"{ORGANIZATION}token = {json.dumps(f'file:{path}')}\n",
    "program": lambda path: f"{ORGANIZATION}token = {json.dumps(f'exec:{path} get')}\n",
    "fallback": lambda path: f"{ORGANIZATION}token = 'env:HOME'\nfallback_token = {json.dumps(f'file:{path}')}\n",
    "history": lambda path: f"{ORGANIZATION}token = 'env:HOME'\n[history]\nurl = {json.dumps(f'file:{path}')}\n",
}


@pytest.mark.parametrize("which", REFERENCES)
@pytest.mark.parametrize("bad", [BAD, "~nobody-of-that-name"])
def test_a_bad_path_of_a_reference_is_told_with_its_place(
    credly_audit: Command, tmp_path: Path, which: str, bad: str
) -> None:
    (tmp_path / "credly-audit.toml").write_text(REFERENCES[which](bad))

    done = credly_audit("config", "validate", "--secrets")

    assert done.code == 2
    assert f":{bad} cannot be resolved" in done.err


@pytest.mark.parametrize(
    "line",
    [
        ("run", "-c", BAD),
        ("run", "--output-dir", BAD),
        ("run", "--output", f"json={BAD}"),
        ("run", "--baseline", BAD),
        ("collect", "-o", BAD),
        ("check", BAD),
        ("verify", BAD),
        ("baseline", BAD, "-o", "x"),
        ("baseline", "x", "-o", BAD),
        ("config", "init", BAD),
        ("config", "schema", "-o", BAD),
        ("rules", "docs", "-o", BAD),
        ("waivers", "import", BAD),
        ("waivers", "import", "x", "--into", BAD),
        ("rotate", "--yes", "--emergency-dir", BAD),
        ("demo", "--output-dir", BAD),
        ("sandbox", "serve", "--data", BAD),
    ],
    ids=" ".join,
)
def test_a_bad_path_on_the_command_line_is_told_with_its_option(
    credly_audit: Command, tmp_path: Path, line: tuple[str, ...]
) -> None:
    done = credly_audit(*line)

    assert done.code == 2
    assert f"{BAD} cannot be resolved (there is no user nobody-of-that-name on this machine)" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "my home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def test_a_tilde_means_the_same_in_every_place(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme = sandbox.world.organizations[0]
    get = home / "get"
    get.write_text(f"#!/bin/sh\necho {acme.auditor.token}\n")
    get.chmod(0o700)
    (home / "organizations.csv").write_text(f"id,name,token\n{acme.id},Acme,exec:~/get\n")
    (home / "decisions.toml").write_text("")
    (home / "guidance.md").write_text("What we do")
    (home / "credly-audit.toml").write_text(
        f'organizations_file = "~/organizations.csv"\n[api]\nbase_url = "{sandbox.base_url}"\n'
        '[policy]\nwaivers_file = "~/decisions.toml"\n'
        '[report]\nguidance = "~/guidance.md"\n[history]\nurl = "sqlite:///~/audits.sqlite"\n'
    )
    monkeypatch.setenv("CREDLY_AUDIT_RUN_OUTPUT_DIR", "~/reports")
    monkeypatch.setenv("XDG_STATE_HOME", "~/state")
    asked = ("--format", "json", "--output", "csv=~/more/report.csv", "--manifest")

    done = credly_audit("run", "-c", "~/credly-audit.toml", "--as-of", "2026-11-23", *asked)

    assert done.code == 0, done.err
    assert all((home / name).exists() for name in ("audits.sqlite", "more/report.csv", "state/credly-audit/locks"))
    assert not list(tmp_path.rglob("~*"))
    [manifest] = (home / "reports").glob("*.manifest.json")
    copies = {each["role"]: each["content"] for each in json.loads(manifest.read_bytes())["policy"]}
    assert copies["organizations"] == (home / "organizations.csv").read_text()
    assert credly_audit("verify", f"~/reports/{manifest.name}").code == 0


def test_a_file_in_a_folder_that_may_not_be_entered_is_refused(credly_audit: Command, tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to("loop")

    done = credly_audit("config", "init", "loop/credly-audit.toml")

    assert done.code == 2
    assert "loop/credly-audit.toml cannot be reached (Too many levels of symbolic links)" in done.err


@pytest.fixture
def _homeless(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without HOME and without an entry in the password file, as a container often has."""

    def unknown(user: object) -> NoReturn:
        raise KeyError(user)

    monkeypatch.setattr("pwd.getpwuid", unknown)
    for name in ("HOME", "XDG_STATE_HOME", "CI"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("_homeless")
def test_without_a_home_what_keeps_nothing_goes_on(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)

    for line in (
        ("run", "--as-of", "2026-11-23", "--no-history", "--format", "json"),
        ("collect", "-o", "a.snapshot"),
        ("check", "a.snapshot", "--format", "csv"),
        ("rotate", "--dry-run", "--organization", sandbox.world.organizations[0].id),
        ("config", "validate", "--secrets"),
        ("waivers", "list"),
        ("orgs",),
    ):
        done = credly_audit(*line)
        assert done.code == 0, (line, done.err)
    assert not list(tmp_path.rglob("~*"))


@pytest.mark.usefixtures("_homeless")
@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "not/absolute"}, {"XDG_STATE_HOME": "not/absolute"},
                                     {"XDG_STATE_HOME": BAD}])  # fmt: skip
def test_without_a_home_what_keeps_something_asks_for_a_folder(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, sandbox)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)

    whose = ("--organization", sandbox.world.organizations[0].id)
    for line in (("run", "--format", "json"), ("history", "list"), ("rotate", "--yes", *whose)):
        done = credly_audit(*line)
        assert (done.code, "XDG_STATE_HOME" in done.err) == (2, True), (line, done.err)
    assert sandbox.requests == []
    assert not (tmp_path / "reports").exists()


@pytest.mark.usefixtures("_homeless")
def test_a_state_folder_is_all_that_is_needed(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, sandbox)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    assert credly_audit("run", "--as-of", "2026-11-23").code == 0
    assert (tmp_path / "state/credly-audit/history.sqlite").is_file()


def test_a_working_directory_that_is_gone_is_told(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    gone = tmp_path / "gone"
    gone.mkdir()
    os.chdir(gone)
    gone.rmdir()
    config, whose = tmp_path / "credly-audit.toml", sandbox.world.organizations[0].id

    for line in (("run", "--output-dir", tmp_path / "reports"), ("rotate", "--dry-run", "--organization", whose)):
        done = credly_audit(*line, "-c", config)
        assert done.code == 2, done.err
        assert done.err.endswith("the working directory no longer exists; change to another one\n")
    assert sandbox.requests == []

"""Bad input gets a line that names the place and the mend, and exit code 2; nothing is asked and nothing written."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, configure

LITERAL = "MADE-UP-literal-secret-0123456789abc"

Spoil = Callable[[str], str]


def add(text: str) -> Spoil:
    return lambda config: f"{config}\n{text}"


def replace(old: str, new: str) -> Spoil:
    return lambda config: config.replace(old, new, 1)


def twice(config: str) -> str:
    start = config.index("[[organizations]]")
    return config + "\n" + config[start:]


def first_only(config: str) -> str:
    return config[: config.index("[[organizations]]")]


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (add("[api"), "not TOML"),
        (replace("timeout = 2", "timeout = 2\nworkres = 4"), "api.workres: unknown key; did you mean workers?"),
        (add("[polcy]"), "polcy: unknown key; did you mean policy?"),
        (add('[policy]\ndisable = ["EXP999"]'), "'EXP999'; did you mean EXP"),
        (add("[policy.rules.EXP099]\nwindows = {}"), "policy.rules.EXP099: unknown key; did you mean EXP0"),
        (add("[policy.rules.EXP002]\nwindow = {}"), "policy.rules.EXP002.window: unknown key; did you mean windows?"),
        (add("[policy.rules.INV001]\nmax_tokens = -1"), "policy.rules.INV001.max_tokens: must be greater than"),
        (add('[policy]\nfail_on = "hgh"'), "'hgh'; did you mean high?"),
        (add('[policy.severity]\nDOC001 = "grave"'), "policy.severity.DOC001: must be 'info', 'low'"),
        (
            add('[[policy.purposes]]\npattern = "("\nallow = ["read"]'),
            "purposes[1].pattern: is not a regular expression",
        ),
        (replace("file:secret-0", "env:NOT_THERE"), "Acme: environment variable NOT_THERE is not set"),
        (replace("file:secret-0", "env:EMPTY"), "Acme: env:EMPTY is empty"),
        (replace("file:secret-0", "file:nowhere"), "Acme: file:nowhere cannot be read (No such file or directory)"),
        (
            replace("file:secret-0", LITERAL),
            "must be a reference to the secret, not the secret: write env:NAME, file:PATH",
        ),
        (twice, "is listed 2 times; keep one"),
        (replace('id = "', 'id = "x'), "organizations[1].id: must be the organization's id, a UUID"),
        (first_only, "no organization; add [[organizations]] or organizations_file"),
        (replace("timeout = 2", "workers = 0"), "api.workers: must be greater than or equal to 1"),
        (replace("http://127.0.0.1", "http://credly.example"), "would send credentials unencrypted to credly.example"),
        (replace("http://127.0.0.1", "http://me:MADE-UP@127.0.0.1"), "must not contain a credential"),
        (
            replace('token = "file:secret-0"', ""),
            "Acme has no credential; give it `token` or `oauth`, or set [defaults] token",
        ),
    ],
)
def test_a_mistake_in_the_configuration(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Spoil, said: str
) -> None:
    config = configure(tmp_path, sandbox)
    config.write_text(spoil(config.read_text()))
    monkeypatch.setenv("EMPTY", " \n")

    done = credly_audit("run", "--format", "json")

    assert done.code == 2
    assert said in done.err
    assert "credly-audit.toml" in done.err
    assert LITERAL not in done.err
    assert "Traceback" not in done.err
    assert sandbox.requests == []
    assert list(tmp_path.glob("reports/*")) == []


def test_every_mistake_is_told_in_one_pass_with_its_line(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    config = configure(tmp_path, sandbox)
    config.write_text(config.read_text().replace("timeout = 2", "timeout = -2\nworkers = 0\nretries = 3"))

    done = credly_audit("run")

    places = sorted(line.split(": ")[1] for line in done.err.splitlines())
    assert places == [f"credly-audit.toml:{line}" for line in (3, 4, 5)]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["-c", "nowhere.toml"], "nowhere.toml: cannot be read (No such file or directory)"),
        (["--organization", "88cf96b7-e4ca-4a17-b938-a72bf2b9c273"], "not configured"),
        (["--workers", "0"], "0 is not in the range 1<=x<=256"),
        (["--format", "pdf"], "'pdf' is not one of"),
        (["--output", "json"], "'json' is not FORMAT=PATH"),
        (["--output", "json=-", "--output", "html=-"], "two reports go to standard output"),
        (["--fail-on", "hgih"], "--fail-on hgih: no severity, rule or family of that name; did you mean high?"),
        (["--as-of", "yesterday"], "'yesterday' is not a date or timestamp"),
        (["--output-dir", "a-file/reports"], "no file can be written there"),
        (["--output", "json=a-file/report.json"], "no file can be written there"),
        (["--output", "json=."], "is a folder; name a file in it"),
        (["--frmat", "json"], "No such option"),
    ],
)
def test_a_mistake_on_the_command_line(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, arguments: list[str], said: str
) -> None:
    configure(tmp_path, sandbox)
    (tmp_path / "a-file").write_text("in the way")

    done = credly_audit("run", "--format", "json", *arguments)

    assert done.code == 2
    assert said in done.err
    assert sandbox.requests == []
    assert list(tmp_path.glob("reports/*")) == []


def test_no_configuration_at_all_says_how_to_name_one(credly_audit: Command) -> None:
    done = credly_audit("run")

    assert done.code == 2
    assert (
        "credly-audit.toml: cannot be read (No such file or directory); name the configuration file with -c" in done.err
    )


def test_an_api_address_of_the_environment_is_judged_too(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, sandbox)
    monkeypatch.setenv("CREDLY_API_URL", "http://credly.example/v1")

    done = credly_audit("run")

    assert done.code == 2
    assert "CREDLY_API_URL: would send credentials unencrypted" in done.err


@pytest.mark.parametrize("pasted", [" {} \n", "{}:", "\t{}:\n"])
def test_white_space_and_a_colon_that_people_paste_with_a_token_are_stripped(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, pasted: str
) -> None:
    configure(tmp_path, sandbox)
    secret = tmp_path / "secret-0"
    secret.write_text(pasted.format(secret.read_text()))

    assert credly_audit("run", "--as-of", "2026-11-23", "--format", "json").code == 0


def test_an_organization_of_a_csv_file_is_audited_and_its_mistakes_have_their_row(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    config = configure(tmp_path, sandbox)
    acme, beta = sandbox.world.organizations
    start = config.read_text().index("[[organizations]]")
    config.write_text(
        'organizations_file = "organizations.csv"\n[defaults]\ntoken = "file:secret-{id}"\n'
        + config.read_text()[:start]
    )
    (tmp_path / f"secret-{acme.id}").write_text(acme.auditor.token)
    rows = (
        f"\ufeffid,name,contact,tags,token\n{acme.id},Acme,it@acme.example,prod;eu,\n{beta.id},Beta,,,file:secret-1\n"
    )
    (tmp_path / "organizations.csv").write_text(rows)

    assert credly_audit("run", "--as-of", "2026-11-23", "--format", "json").code == 0
    (tmp_path / "organizations.csv").write_text(f"{rows}nobody,Gamma,,,\n{acme.id},Acme,,,\n")
    done = credly_audit("run")
    assert done.code == 2
    assert "organizations.csv:4: id: must be the organization's id, a UUID" in done.err
    assert "organizations.csv:5: organization" in done.err


def test_a_default_secret_that_is_missing_fails_its_organization_alone(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    config = configure(tmp_path, sandbox)
    config.write_text(
        config.read_text().replace('token = "file:secret-1"', "") + '\n[defaults]\ntoken = "file:secret-{id}"\n'
    )

    done = credly_audit("run", "--as-of", "2026-11-23", "--format", "json")

    assert done.code == 3
    assert "Beta: incomplete (failed). Credential could not be read" in done.out


def test_a_program_that_fails_is_told_by_name_status_and_time_and_never_by_its_words(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    config = configure(tmp_path, sandbox)
    program = tmp_path / "vault"
    program.write_text(f"#!/bin/sh\necho {LITERAL}\necho {LITERAL} >&2\nexit 7\n")
    program.chmod(0o700)
    config.write_text(config.read_text().replace("file:secret-1", f"exec:{program} read {LITERAL[:8]}"))

    done = credly_audit("run", "--as-of", "2026-11-23", "--format", "json", "--verbose")

    assert done.code == 3
    assert f"exec:{program} ended with exit status 7 after" in done.out
    assert LITERAL not in done.out + done.err


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_a_configuration_that_a_windows_program_saved_is_read(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, encoding: str
) -> None:
    config = configure(tmp_path, sandbox)
    config.write_bytes(config.read_text().replace("\n", "\r\n").encode(encoding))

    assert credly_audit("config", "validate").code == 0
    config.write_bytes(config.read_bytes() + b"\r\n[polcy]\r\n")
    lines = config.read_bytes().count(b"\n")
    assert f"credly-audit.toml:{lines}: polcy: unknown key" in credly_audit("config", "validate").err


@pytest.mark.parametrize(
    ("encoding", "name"),
    [("utf-16", "UTF-16 and"), ("utf-16-le", "UTF-16 and"), ("utf-16-be", "UTF-16 and"), ("utf-32", "UTF-32 and")],
)
@pytest.mark.parametrize("file", ["credly-audit.toml", "waivers.toml"])
def test_another_encoding_is_named(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, file: str, encoding: str, name: str
) -> None:
    config = configure(tmp_path, sandbox)
    config.write_text(f'{config.read_text()}\n[policy]\nwaivers_file = "waivers.toml"\n')
    (tmp_path / "waivers.toml").write_text("# nothing\n")
    (tmp_path / file).write_bytes((tmp_path / file).read_text().encode(encoding))

    done = credly_audit("config", "validate")

    assert done.code == 2
    assert done.err == f"credly-audit: {file}: is {name} not UTF-8; save it as UTF-8\n"


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_secret_that_others_may_read_is_warned_of(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    (tmp_path / "secret-0").chmod(0o644)

    done = credly_audit("run", "--as-of", "2026-11-23", "--format", "json")

    assert "file:secret-0 is readable by other users; run `chmod 600`" in done.err

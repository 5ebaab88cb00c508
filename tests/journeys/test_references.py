"""A secret in the configuration, or in place of a reference's name, is refused or masked wherever it is shown."""

import json
from pathlib import Path

import pytest

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, Outcome, configure

PASSWORD = "MADE-UP-p/s@w:rd"
VALUE = "MADE-UP-Xq3vT9rLm2WkPz7bNc4Hd"


def everywhere(credly_audit: Command, folder: Path, *more: str) -> str:
    """What each command that reads a configuration says and writes."""
    said = []
    for command in (
        ["config", "validate"],
        ["config", "validate", "--secrets"],
        ["config", "explain"],
        ["config", "explain", "--format", "json"],
        ["doctor"],
        ["doctor", "--format", "json"],
        ["orgs"],
        ["collect", "-o", "reports/it.snapshot", "--verbose"],
        ["run", "--manifest", "--verbose", "--format", "json"],
        ["rotate", "--dry-run", *more],
    ):
        done: Outcome = credly_audit(*command)
        said += [done.out, done.err]
    said += [path.read_bytes().decode("latin-1") for path in (folder / "reports").glob("*") if path.is_file()]
    return "\n".join(said)


@pytest.mark.parametrize("slash", ["", "%2Fs"])
def test_a_password_in_the_proxys_address_works_with_a_warning_and_is_nowhere(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, slash: str
) -> None:
    address = f"http://auditor:{PASSWORD}@127.0.0.1:9".replace("/s", slash)
    configure(tmp_path, sandbox, extra=f'max_retries = 0\nproxy = "{address}"\n')

    said = everywhere(credly_audit, tmp_path)

    assert "[api] proxy contains a password, which a later version refuses" in credly_audit("config", "validate").err
    assert "http://…@127.0.0.1:9" in said
    for part in (PASSWORD, "MADE-UP-p", "w:rd", "auditor:"):
        assert part not in said


def test_a_reference_to_the_proxys_address_is_read_before_anything_is_asked(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROXY_ADDRESS", f"http://auditor:{PASSWORD.replace('/', '')}@127.0.0.1:9")
    configure(tmp_path, sandbox, extra='max_retries = 0\nproxy = "env:PROXY_ADDRESS"\n')

    done = credly_audit("run", "--format", "json")
    said = everywhere(credly_audit, tmp_path)

    assert "through the proxy 127.0.0.1:9" in done.err
    assert "holds a password" not in done.err
    assert done.code == 3
    assert sandbox.counts["list"] == 0
    assert '"env:PROXY_ADDRESS"' in said
    assert "MADE-UP-p" not in said
    monkeypatch.delenv("PROXY_ADDRESS")
    for command in (["run"], ["doctor"], ["collect", "-o", "x"], ["config", "validate", "--secrets"], ["orgs"]):
        failed = credly_audit(*command)
        assert (failed.code, "[api] proxy: environment variable PROXY_ADDRESS is not set" in failed.err) == (2, True)


@pytest.mark.parametrize(
    "proxy",
    ["exec:", "http://[::1", "://", f"{VALUE}: /", VALUE, f"http://a:{PASSWORD}@127.0.0.1:9", f"exec:A={VALUE} b"],
)
def test_a_proxy_that_is_no_address_is_refused_with_its_line_and_not_shown(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, proxy: str
) -> None:
    configure(tmp_path, sandbox, extra=f'proxy = "{proxy}"\n')

    done = credly_audit("config", "validate")

    assert done.code == 2
    assert "credly-audit.toml:4: api.proxy: " in done.err
    assert VALUE not in done.err
    assert "MADE-UP-p" not in done.err


@pytest.mark.parametrize("key", ["token", "store", "read_back", "fallback_token"])
def test_a_command_that_begins_with_an_assignment_is_refused_and_not_shown(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, key: str
) -> None:
    path = configure(tmp_path, sandbox)
    before = 'token = "file:secret-0"' if key == "token" else 'name = "Acme"'
    path.write_text(
        path.read_text().replace(before, f'{before if key != "token" else ""}\n{key} = "exec:T={VALUE} cmd"')
    )

    done = credly_audit("config", "validate")

    assert done.code == 2
    assert "begins with NAME=VALUE, which only a shell understands" in done.err
    assert VALUE not in done.err


@pytest.mark.parametrize("option", ["--credential", "--store", "--read-back", "--then"])
def test_the_same_of_an_option(credly_audit: Command, sandbox: Sandbox, tmp_path: Path, option: str) -> None:
    configure(tmp_path, sandbox)
    acme = sandbox.world.organizations[0].id

    done = credly_audit("rotate", "--yes", "--organization", acme, option, f"exec:T={VALUE} cmd")

    assert done.code == 2
    assert VALUE not in done.err
    assert sandbox.counts["rotate"] == 0


@pytest.mark.parametrize("kind", ["env:", "file:", "file:secrets/", "keyring:credly/", "exec:"])
def test_a_value_in_place_of_a_name_is_masked_wherever_a_reference_is_shown(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, kind: str
) -> None:
    path = configure(tmp_path, sandbox)
    path.write_text(
        path.read_text()
        .replace('"file:secret-0"', f'"{kind}{VALUE}"')
        .replace('name = "Acme"', f'name = "Acme {VALUE}"')
        + f'[policy.rules.DOC002]\nplaceholders = ["{VALUE}"]\n'
    )
    acme = sandbox.world.organizations[0].id

    said = everywhere(credly_audit, tmp_path, "--organization", acme)
    said += credly_audit("config", "explain", "--organization", acme).out
    said += credly_audit("rotate", "--yes", "--organization", acme).err

    assert VALUE not in said
    assert f"{kind}[redacted]" in said


def test_validate_with_secrets_says_where_a_configured_value_stands(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = configure(tmp_path, sandbox)
    acme = sandbox.world.organizations[0]
    acme.auditor.token = "MADE-UP-value-of-plain-words"
    (tmp_path / "secret-0").write_text(acme.auditor.token)
    (tmp_path / "register.csv").write_text(
        "organization_id,token_id,owner,permissions,token\n"
        f"{acme.id},{acme.tokens[0].id},{acme.auditor.token},read,{acme.auditor.token}\n"
    )
    path.write_text(path.read_text() + '[policy]\nregister = "register.csv"\n')

    done = credly_audit("config", "validate", "--secrets")

    assert done.code == 0
    assert "register.csv: row 2: owner holds what is, or looks like, a token's value" in done.err
    assert "register.csv: row 2: token holds what is, or looks like, a token's value" in done.err
    assert acme.auditor.token not in done.out + done.err
    assert json.loads(json.dumps(credly_audit("config", "validate").err)) == ""


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--organization", VALUE],
        ["rotate", "--yes", "--organization", VALUE],
        ["check", VALUE],
        ["check", "x.snapshot", "--fail-on", VALUE],
        ["run", "--as-of", VALUE],
        ["run", "--output", VALUE],
        ["rules", "show", VALUE],
        ["history", "diff", VALUE, VALUE],
        [VALUE],
        ["run", f"--{VALUE}"],
        ["run", "--log-format", "json", "--organization", VALUE],
    ],
)
def test_a_value_in_the_wrong_place_of_a_command_is_not_repeated(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, command: list[str]
) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit(*command)

    assert done.code == 2
    assert VALUE.lower() not in (done.out + done.err).lower()


def test_a_value_in_the_wrong_cell_or_key_is_not_repeated(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    acme = sandbox.world.organizations[0]
    (tmp_path / "register.csv").write_text(
        f"organization_id,token_id,fingerprint,permissions,review_by,{VALUE}\n{acme.id},{VALUE},,{VALUE},{VALUE},x\n"
        f"{VALUE},{acme.tokens[0].id},{VALUE},read,,x\n"
    )
    path = configure(tmp_path, sandbox)
    path.write_text(
        path.read_text()
        + f'[policy]\nregister = "register.csv"\ndisable = ["{VALUE}"]\nfail_on = "{VALUE}"\n"{VALUE}" = 1\n'
        + f'[policy.severity]\n"{VALUE}" = "{VALUE}"\n[policy.rules."{VALUE}"]\na = 1\n'
        + f'[[waivers]]\nrule = "{VALUE}"\norganization = "{VALUE}"\ntoken = "{VALUE}"\nid = "{VALUE}"\n'
        + f'reason = "r"\napproved_by = "a"\napproved_on = "{VALUE}"\nexpires = "{VALUE}"\n'
    )

    done = credly_audit("config", "validate")

    assert done.code == 2
    assert len(done.err.splitlines()) > 12
    assert VALUE[:12].lower() not in done.err.lower()

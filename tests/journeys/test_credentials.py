"""`doctor` and `orgs`: what each credential is good for, and what it sees."""

import csv
import json
import tomllib
from pathlib import Path

import pytest

from credly_audit.sandbox.server import Sandbox
from tests.journeys.conftest import Command, configure


def test_doctor_finds_sound_credentials_sound(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit("doctor", "--format", "json")

    assert done.code == 0
    [acme, beta] = json.loads(done.out)["credentials"]
    assert (acme["organization"], acme["sees"], acme["permissions"]) == ("Acme", "everything", "read, write")
    assert (beta["kind"], beta["status"]) == ("token", "complete")


def test_doctor_tells_why_a_credential_does_not_see_everything(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    config = configure(tmp_path, sandbox)
    acme, beta = sandbox.world.organizations
    (tmp_path / "secret-0").write_text(acme.tokens[1].token)
    beta.faults = ["status=401"]
    assert config.exists()

    done = credly_audit("doctor")

    assert done.code == 3
    assert "Acme: token" in done.out
    assert "sees read-only tokens alone" in done.out
    assert "next: 401: the credential of Beta was refused: expired, revoked, or of the other environment" in done.out
    assert all(token.token not in done.out + done.err for token in acme.tokens + beta.tokens)


@pytest.mark.parametrize("shape", ["toml", "csv"])
def test_orgs_needs_no_configuration_and_what_it_prints_is_one(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: str
) -> None:
    acme = sandbox.world.organizations[0]
    monkeypatch.setenv("ACME", acme.auditor.token)
    monkeypatch.setenv("CREDLY_API_URL", sandbox.base_url)

    done = credly_audit("orgs", "--credential", "env:ACME", "--format", shape)

    assert done.code == 0, done.err
    if shape == "toml":
        [row] = tomllib.loads(done.out)["organizations"]
    else:
        [row] = csv.DictReader(done.out.splitlines())
    assert (row["id"], row["name"], row["token"]) == (acme.id, "Acme", "env:ACME")
    (tmp_path / "credly-audit.toml").write_text(done.out if shape == "toml" else 'organizations_file = "orgs.csv"')
    (tmp_path / "orgs.csv").write_text(done.out)
    assert credly_audit("run", "--as-of", "2026-11-23", "--format", "json").code == 0


def test_orgs_tells_of_an_id_that_its_credential_does_not_see(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    acme, beta = sandbox.world.organizations
    (tmp_path / "secret-0").write_text(beta.auditor.token)

    done = credly_audit("orgs")

    assert done.code == 3
    assert f"file:secret-0 is configured for organization {acme.id}, but sees Beta ({beta.id})" in done.err


def test_orgs_says_which_credential_was_refused(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    (tmp_path / "secret-1").write_text("MADE-UP-value-that-nobody-issued-00")

    done = credly_audit("orgs")

    assert done.code == 3
    assert "file:secret-1: 401: the credential of the organization was refused" in done.err
    assert "MADE-UP-value" not in done.err


def test_orgs_refuses_a_value_in_place_of_a_reference(credly_audit: Command) -> None:
    done = credly_audit("orgs", "--credential", "MADE-UP-value-that-nobody-issued-00")

    assert done.code == 2
    assert "--credential: no reference; write env:NAME" in done.err
    assert "MADE-UP" not in done.err

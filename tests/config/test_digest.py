"""The digest of a configuration changes with what a collection reads, and with nothing else."""

from pathlib import Path

import pytest

from credly_audit.config.load import load
from tests.build import ACME, BETA

API = "[api]\n"
ORGANIZATIONS = f"""
[[organizations]]
id = "{ACME}"
token = "env:ACME"
tags = ["a", "b"]
[[organizations]]
id = "{BETA}"
oauth = {{ client_id = "env:ID", client_secret = "exec:vault read -field=MADE-UP-1 beta" }}
"""
CONFIGURATION = API + ORGANIZATIONS


def digest(folder: Path, text: str, **environ: str) -> str:
    path = folder / "credly-audit.toml"
    path.write_text(text)
    found = load(path, environ).digest
    assert found is not None
    assert len(found) == 64
    return found


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (API, '[api]\nbase_url = "https://sandbox-api.credly.com/v1"\n'),
        (API, "[api]\ninclude_oauth_applications = true\n"),
        (API, '[api]\noauth_token_url = "https://www.credly.com/oauth/token"\n'),
        (API, '[privacy]\nfingerprint_key = "env:KEY"\n'),
        ("env:ACME", "env:OTHER"),
        ("exec:vault", "exec:pass"),
        (BETA, BETA.replace("1", "2")),
        ('"a", "b"', '"a"'),
        (f'id = "{ACME}"', f'id = "{ACME}"\ncontact = "team@acme.example"'),
        (ORGANIZATIONS, ORGANIZATIONS[: ORGANIZATIONS.rindex("[[")]),
    ],
)
def test_what_decides_what_is_collected_changes_it(tmp_path: Path, old: str, new: str) -> None:
    assert old in CONFIGURATION
    assert digest(tmp_path, CONFIGURATION.replace(old, new)) != digest(tmp_path, CONFIGURATION)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (API, "[api]\nworkers = 3\ntimeout = 5\nmax_retries = 0\n"),
        (API, '[api]\nproxy = "http://user:MADE-UP-2@proxy.example"\n'),
        (API, "[policy]\naudit_every_days = 7\n"),
        ("MADE-UP-1", "MADE-UP-3"),
        ('"a", "b"', '"b", "a"'),
        (ACME, ACME.upper()),
    ],
)
def test_no_secret_and_no_way_of_collecting_changes_it(tmp_path: Path, old: str, new: str) -> None:
    assert old in CONFIGURATION
    assert digest(tmp_path, CONFIGURATION.replace(old, new)) == digest(tmp_path, CONFIGURATION)


def test_neither_the_order_nor_a_limit_to_some_of_them_changes_it(tmp_path: Path) -> None:
    first, second = ORGANIZATIONS.split("[[organizations]]")[1:]
    turned = f"{API}[[organizations]]{second}[[organizations]]{first}"
    path = tmp_path / "credly-audit.toml"

    assert digest(tmp_path, turned) == digest(tmp_path, CONFIGURATION)
    assert load(path, {}).only([ACME]).digest == load(path, {}).digest


def test_the_address_of_the_environment_counts(tmp_path: Path) -> None:
    sandbox = "https://sandbox-api.credly.com/v1"

    assert digest(tmp_path, CONFIGURATION, CREDLY_API_URL=sandbox) != digest(tmp_path, CONFIGURATION)

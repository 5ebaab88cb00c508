"""A token's value is nowhere but in the answer that brought it: every file and every line is searched."""

import os
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest

from credly_audit.files.resources import shipped
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import World, made_up_organization
from credly_audit.snapshot import Snapshot
from tests.build import AS_OF
from tests.journeys.conftest import SECRET, by_oauth, configure
from tests.proof import in_proof

COMMAND = (sys.executable, "-m", "credly_audit")


def forms(value: str) -> Iterator[bytes]:
    """The value, its Base64 (alone and as HTTP Basic sends it, at any offset) and URL-encoded forms."""
    yield value.encode()
    yield quote(value, safe="").encode()
    yield quote_plus(value).encode()
    for text in (value, f"{value}:"):
        yield b64encode(text.encode())
    for shift in range(3):
        encoded = b64encode(b"\0" * shift + value.encode())
        yield encoded[4 if shift else 0 : -4]


def searched(values: set[str], places: dict[str, bytes]) -> list[str]:
    """The places in which some form of some value stands."""
    pattern = re.compile(b"|".join(sorted({re.escape(form) for value in values for form in forms(value)})))
    return [place for place, content in places.items() if pattern.search(content)]


def everything(*folders: Path) -> dict[str, bytes]:
    """Every file under the folders."""
    return {str(path): path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def world() -> World:
    return World.load(shipped("sample_data"))


def values_of(world: World) -> set[str]:
    tokens = {token.token for organization in world.organizations for token in organization.tokens}
    applications = [one for organization in world.organizations for one in organization.oauth_applications]
    return tokens | {one.secret for one in applications} | {one.uid for one in applications}


def unpacked(snapshot: Path, folder: Path) -> None:
    """The snapshot's frames as text: Parquet is compressed, so searching its bytes would prove nothing."""
    read = Snapshot.read(snapshot)
    read.tokens.to_csv(folder / "tokens.csv")
    read.organizations.to_csv(folder / "organizations.csv")
    read.applications.to_csv(folder / "applications.csv")


def test_the_search_itself_finds_each_form() -> None:
    value = "MADE-UP-value-of-the-search-0123456789"

    assert all(searched({value}, {"a place": b"before " + form + b" after"}) for form in forms(value))
    assert searched({value}, {"a place": b64encode(f"xy{value}:".encode())})


def test_no_value_is_in_any_output_log_snapshot_or_temporary_file(world: World, tmp_path: Path) -> None:
    temporary, work, shown = (tmp_path / name for name in ("tmp", "work", "shown"))
    for folder in (temporary, work, shown):
        folder.mkdir()
    environ = os.environ | {"TMPDIR": str(temporary), "XDG_STATE_HOME": str(tmp_path / "state")}
    with Sandbox(world, now=world.as_of) as sandbox:
        config = shipped("sample_data") / "credly-audit.toml"
        done = subprocess.run(
            [*COMMAND, "run", "-c", config, "--as-of", "2026-11-23", "--verbose"],
            cwd=work,
            env=environ | {"CREDLY_API_URL": sandbox.base_url},
            capture_output=True,
            check=False,
        )
    assert done.returncode == 3
    [snapshot] = (work / "reports").glob("*.snapshot")
    unpacked(snapshot, shown)

    places = everything(temporary, work, shown, tmp_path / "state")
    assert len([place for place in places if "/reports/" in place]) == 4
    assert searched(values_of(world), places | {"stdout": done.stdout, "stderr": done.stderr}) == []


@pytest.mark.parametrize(
    "fault",
    ["html", "status=422", "redirect=http://127.0.0.1:9/", *in_proof("data-object", "cut", "status=500", "bad-utf8")],
)
def test_no_value_is_in_what_is_said_of_a_fault(world: World, tmp_path: Path, fault: str) -> None:
    with Sandbox(World(world.organizations[:3]), now=world.as_of, faults=[fault]) as sandbox:
        organizations = [each for each in sandbox.world.organizations if any(t.write_enabled for t in each.tokens)]
        configure(tmp_path, sandbox, organizations, extra="max_retries = 0")
        done = subprocess.run(
            [*COMMAND, "run", "--as-of", "2026-11-23", "--verbose", "--format", "json"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 3
    places = everything(tmp_path / "reports") | {"stdout": done.stdout, "stderr": done.stderr}
    assert searched(values_of(world), places) == []
    assert b"Traceback" not in done.stderr


def test_a_value_is_not_in_the_traceback_of_a_defect(world: World, tmp_path: Path) -> None:
    """A defect planted where a value is at hand: what is said names its kind and place, not the value."""
    plant = "import credly_audit.credly.wire as wire, sys\n"
    plant += "def broken(body, *_):\n    raise RuntimeError(body.decode())\n"
    plant += "import credly_audit.collection.listing as listing\nlisting.read_page = broken\n"
    plant += "from credly_audit.cli.main import outcome\nsys.exit(outcome(sys.argv[1:]))\n"
    with Sandbox(World(world.organizations[3:5]), now=world.as_of) as sandbox:
        organizations = [each for each in sandbox.world.organizations if any(t.write_enabled for t in each.tokens)]
        configure(tmp_path, sandbox, organizations)
        done = subprocess.run(
            [sys.executable, "-c", plant, "run", "--verbose", "--format", "json"],
            cwd=tmp_path,
            capture_output=True,
            check=False,
        )
    assert done.returncode == 4
    assert b"unexpected error: RuntimeError at" in done.stderr
    assert searched(values_of(world), {"stdout": done.stdout, "stderr": done.stderr}) == []


@pytest.mark.parametrize(
    ("way", "faults"),
    [
        ("form", ["status=401@list+0x1"]),
        ("basic", ["status=401@oauth-token"]),
        *in_proof(
            ("form", []),
            ("basic", []),
            ("basic", ["status=401@list+0x1"]),
            ("form", ["status=401@oauth-token"]),
        ),
    ],
)
def test_neither_client_secret_nor_access_token_is_anywhere(tmp_path: Path, way: str, faults: list[str]) -> None:
    acme = made_up_organization("acme", now=AS_OF, tokens=60, name="Acme")
    with Sandbox(World([acme]), now=AS_OF, faults=faults) as sandbox:
        by_oauth(tmp_path, sandbox, acme)
        path = tmp_path / "credly-audit.toml"
        path.write_text(path.read_text().replace("[api]", f'[api]\noauth_client_authentication = "{way}"'))
        done = subprocess.run(
            [*COMMAND, "run", "--as-of", "2026-11-23", "--verbose", "--format", "json"],
            cwd=tmp_path,
            env=os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")},
            capture_output=True,
            check=False,
        )
        granted = set(sandbox.api.bearers._granted)
    assert done.returncode == (3 if "status=401@oauth-token" in faults else 0), done.stderr
    assert len(granted) == (0 if "status=401@oauth-token" in faults else len(faults) + 1)

    places = everything(tmp_path / "reports", tmp_path / "state") | {"stdout": done.stdout, "stderr": done.stderr}
    assert b"/oauth/token" in done.stderr
    assert searched({SECRET, "MADE-UP-uid"} | granted, places) == []

"""`--manifest` and `verify`: whatever is changed after an audit is found, file by file."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from credly_audit.manifest.contents import Sources, collect_contents, write_document
from credly_audit.operations.outputs import Written
from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import World, made_up_organization
from credly_audit.text import CONTROL
from tests.build import AS_OF, audited, snapshot, token
from tests.journeys.conftest import Command, configure
from tests.journeys.test_run import AS_OF_DATE

FORMATS = ("--format", "json", "--format", "csv", "--format", "xlsx")
STEM = f"credly-audit-{AS_OF_DATE}"
NAME = f"reports/{STEM}.manifest.json"


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An audit with every kind of file: a configuration, organizations, waivers, a register, reports, a snapshot."""
    folder = tmp_path_factory.mktemp("once")
    acme, gamma = (made_up_organization(name.lower(), now=AS_OF, name=name) for name in ("Acme", "Gamma"))
    with Sandbox(World([acme, gamma], as_of=AS_OF), now=AS_OF) as served:
        config = configure(folder, served, [acme])
        (folder / "secret-gamma").write_text(gamma.auditor.token)
        (folder / "secret-gamma").chmod(0o600)
        (folder / "orgs.csv").write_text(f"id,name,token\n{gamma.id},Gamma,file:secret-gamma\n")
        (folder / "waivers.toml").write_text("")
        entry = f"{gamma.id},{gamma.tokens[0].id},Émilie,reports,read,2027-01-01"
        columns = "organization_id,token_id,owner,purpose,permissions,review_by"
        (folder / "register.csv").write_text(f"{columns}\n{entry}\n")
        policy = '\n[policy]\nwaivers_file = "waivers.toml"\nregister = "register.csv"\nfail_on = "never"\n'
        config.write_text('organizations_file = "orgs.csv"\n' + config.read_text() + policy)
        program = (sys.executable, "-m", "credly_audit", "run", "--as-of", AS_OF_DATE, *FORMATS, "--manifest")
        environ = os.environ | {"XDG_STATE_HOME": str(folder / "state")}
        done = subprocess.run(program, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


@pytest.fixture
def written(once: Path, tmp_path: Path) -> Path:
    """The manifest of that audit, in a copy of its own."""
    shutil.copytree(once, tmp_path, dirs_exist_ok=True)
    return tmp_path / NAME


def content(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def test_the_manifest_names_every_file_and_holds_the_policy(written: Path, tmp_path: Path) -> None:
    told = content(written)

    assert {each["path"]: each["role"] for each in told["files"]} == {
        f"{STEM}.snapshot": "snapshot",
        **{f"{STEM}{suffix}": "report" for suffix in (".json", ".csv", "-tokens.csv", "-organizations.csv", ".xlsx")},
    }
    for each in told["files"]:
        digest = hashlib.sha256((tmp_path / "reports" / each["path"]).read_bytes()).hexdigest()
        assert each["sha256"] == digest
    assert {each["role"]: each["content"] for each in told["policy"]} == {
        "configuration": (tmp_path / "credly-audit.toml").read_text(),
        "organizations": (tmp_path / "orgs.csv").read_text(),
        "waivers": "",
        "register": (tmp_path / "register.csv").read_text(),
    }
    assert told["verdict"] == {"outcome": "pass", "exit_code": 0, "violations": 0}
    assert {"credly-audit", "python", "pandas"} <= set(told["versions"])
    assert written.stat().st_mode & 0o777 == 0o600


def test_an_audit_as_it_was_written_is_verified(credly_audit: Command, written: Path) -> None:
    done = credly_audit("verify", written)

    assert done.code == 0
    assert done.out.startswith("6 files and 4 policy files unchanged since ")
    assert done.out.endswith(" UTC.\n")


def test_it_is_verified_wherever_its_folder_is_moved(credly_audit: Command, written: Path, tmp_path: Path) -> None:
    shutil.move(tmp_path / "reports", tmp_path / "archive")

    assert credly_audit("verify", tmp_path / "archive" / written.name).code == 0


@pytest.mark.parametrize("suffix", [".snapshot", ".json", ".csv", "-tokens.csv", ".xlsx"])
def test_one_byte_changed_in_any_file_is_found(
    credly_audit: Command, written: Path, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / "reports" / f"{STEM}{suffix}"
    changed = bytearray(path.read_bytes())
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)

    done = credly_audit("verify", written)

    assert done.code == 1
    [line] = done.out.splitlines()
    assert line.startswith(f"{STEM}{suffix}: was changed (SHA-256 ")


def test_a_missing_file_and_one_that_is_a_folder_are_found(
    credly_audit: Command, written: Path, tmp_path: Path
) -> None:
    (tmp_path / "reports" / f"{STEM}.json").unlink()
    (tmp_path / "reports" / f"{STEM}.xlsx").unlink()
    (tmp_path / "reports" / f"{STEM}.xlsx").mkdir()

    done = credly_audit("verify", written)

    assert done.code == 1
    assert done.out.splitlines() == [
        f"{STEM}.json: is missing",
        f"{STEM}.xlsx: cannot be read (Is a directory)",
    ]


@pytest.mark.parametrize("role", ["configuration", "organizations", "waivers", "register"])
def test_a_copy_of_the_policy_that_was_changed_is_found(credly_audit: Command, written: Path, role: str) -> None:
    told = content(written)
    [copy] = [each for each in told["policy"] if each["role"] == role]
    copy["content"] += "# and a word more\n"
    written.write_text(json.dumps(told))

    done = credly_audit("verify", written)

    assert done.code == 1
    assert done.out.endswith(f"the copy of the {role} in the manifest differs from the file that the audit used\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not a manifest of credly-audit, or damaged"),
        ("[]", "not a manifest of credly-audit, or damaged"),
        ('{"format": "sbom", "format_version": 1}', "not a manifest of credly-audit, or damaged"),
        ("\udcff", "not a manifest of credly-audit, or damaged"),
    ],
)
def test_what_is_no_manifest_is_refused(credly_audit: Command, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "other.json").write_bytes(text.encode(errors="surrogateescape"))

    done = credly_audit("verify", "other.json")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"credly-audit: other.json: {said}")
    assert done.err.count("\n") == 1


def test_a_manifest_of_a_later_format_is_refused(credly_audit: Command, written: Path) -> None:
    written.write_text(json.dumps(content(written) | {"format_version": 2}))

    done = credly_audit("verify", written)

    assert done.code == 2
    assert "a manifest of format 2; this version reads 1: use the version of credly-audit that wrote it" in done.err


def test_a_manifest_that_is_not_there_is_refused(credly_audit: Command) -> None:
    done = credly_audit("verify", "nowhere.json")

    assert (done.code, done.err) == (2, "credly-audit: nowhere.json: cannot be read (No such file or directory)\n")


def test_a_manifest_itself_is_harmless_on_a_terminal_and_holds_what_was(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = configure(tmp_path, sandbox)
    path.write_text(path.read_text() + "# right to left: \u202e, a line separator: \u2028\n")

    assert credly_audit("run", "--as-of", AS_OF_DATE, "--format", "json", "--manifest").code == 0

    [written] = (tmp_path / "reports").glob("*.manifest.json")
    assert not CONTROL.search(written.read_text())
    assert json.loads(written.read_text())["policy"][0]["content"] == path.read_text()


def test_hostile_names_in_a_manifest_are_harmless_on_a_terminal(credly_audit: Command, written: Path) -> None:
    told = content(written)
    told["files"][0]["path"] = "\x1b[2Jgone\nall is well"
    written.write_text(json.dumps(told))

    done = credly_audit("verify", written)

    assert done.code == 1
    assert "\x1b" not in done.out
    assert len(done.out.splitlines()) == 1


def test_what_went_to_standard_output_is_known_by_its_digest(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit("run", "--as-of", AS_OF_DATE, "--output", "json=-", "--manifest")

    told = content(tmp_path / NAME)
    assert told["files"] == [{"role": "report", "path": "-", "sha256": hashlib.sha256(done.out.encode()).hexdigest()}]
    verified = credly_audit("verify", tmp_path / NAME)
    assert verified.code == 0
    assert "1 report went to standard output and cannot be checked" in verified.out


def test_check_names_the_snapshots_that_it_read(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    credly_audit("collect", "-o", "today.snapshot")

    credly_audit("check", "today.snapshot", "--as-of", AS_OF_DATE, "--format", "json", "--manifest")

    assert {each["path"] for each in content(tmp_path / NAME)["files"]} == {"../today.snapshot", f"{STEM}.json"}
    (tmp_path / "today.snapshot").write_bytes(b"another")
    assert "../today.snapshot: was changed" in credly_audit("verify", NAME).out


def test_the_parts_of_a_split_report_are_in_the_manifest(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)

    credly_audit("run", "--as-of", AS_OF_DATE, "--format", "csv", "--split-by", "organization", "--manifest")

    made = {path.name for path in (tmp_path / "reports").iterdir()} - {f"{STEM}.manifest.json"}
    assert {each["path"] for each in content(tmp_path / NAME)["files"]} == made
    assert len(made) == 10


def test_the_manifest_of_the_same_audit_is_the_same_bytes(tmp_path: Path) -> None:
    audit = audited(snapshot([token(1)]))
    (tmp_path / "policy.toml").write_bytes(b"\xff not UTF-8")
    written = Written([tmp_path / "report.json"])
    written.paths[0].write_text("{}")
    for name in ("one", "two"):
        sources = Sources.taken([("configuration", tmp_path / "policy.toml")])
        write_document(tmp_path / name, collect_contents(tmp_path / name, audit, sources, written.paths))

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert content(tmp_path / "one")["policy"][0]["encoding"] == "base64"

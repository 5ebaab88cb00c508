"""`leaks` as people run it: on a snapshot that `run` or `collect` left, in a checkout, a pipe, a hook and a job."""

import json
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from credly_audit.sandbox.server import Sandbox
from credly_audit.secrets import Secret
from credly_audit.secrets.fingerprint import Fingerprints
from tests import build
from tests.build import ACME, AS_OF, BETA, organization, token
from tests.journeys.conftest import Command, configure
from tests.leaks.finding import OTHER, VALUE, write
from tests.needs import program, tool, validator

ABSENT = "MADE-UP-0000_vT9rLm-2WkPz7bNc4HdABCD"
ROOT = Path(__file__).parents[2]
LENGTHS = len(VALUE), len(OTHER)
TOOLS = "@microsoft/sarif-multitool-linux"


def keep_snapshot(path: Path, key: str | None = None, lengths: tuple[int, ...] = LENGTHS, **said: Any) -> Path:
    """Write a snapshot that knows the values."""
    fingerprints = Fingerprints(Secret(key) if key else None)
    rows = [
        token(1, description="CRM sync", fingerprint=fingerprints.of(VALUE)),
        token(2, organization=BETA, description="Badge export", fingerprint=fingerprints.of(OTHER)),
        token(3, organization=BETA, description="Copy", fingerprint=fingerprints.of(OTHER)),
    ]
    made = build.snapshot(rows, **said, key=fingerprints.key_fingerprint)
    replace(made, header=replace(made.header, value_lengths=lengths)).write(path)
    return path


def test_the_values_that_a_collection_knew_are_found_in_whatever_file_they_are(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    assert credly_audit("run", "--format", "json", "--as-of", "2026-11-23").code == 0
    theirs = sandbox.world.organizations[0].tokens[1]
    write(tmp_path / "src/app/config.py", f"# connector\nTOKEN = '{theirs.token}'\n")

    found = credly_audit("leaks", "src")

    assert found.code == 1
    [line] = [line for line in found.out.splitlines() if "config.py" in line]
    assert line.startswith("src/app/config.py:2: “")
    assert "Acme" in line
    assert theirs.description in line
    assert "Searching for" in found.err
    assert "reports/credly-audit-2026-11-23.snapshot" in found.err
    assert theirs.token not in found.out + found.err
    assert "Rotate the token" in found.out


def test_files_without_a_value_are_clean_and_what_cannot_be_found_is_said(
    credly_audit: Command, tmp_path: Path
) -> None:
    organizations = [organization(), organization(BETA, status="truncated")]
    keep_snapshot(tmp_path / "a.snapshot", organizations=organizations)
    write(tmp_path / "src/a", ABSENT)

    found = credly_audit("leaks", "src", "--snapshot", "a.snapshot")

    assert found.code == 0
    assert found.out.splitlines() == [
        "None of 3 values was found in 1 file (36 bytes).",
        "The snapshot was collected on 23 Nov 2026: values that were created since cannot be found.",
        "1 of 2 organizations in the snapshot is incomplete: tokens that were not collected cannot be found.",
    ]
    assert credly_audit("leaks", "src", "--snapshot", "a.snapshot", "--quiet").out == ""


def test_json_holds_all_that_was_found_searched_skipped_and_not_read(credly_audit: Command, tmp_path: Path) -> None:
    keep_snapshot(tmp_path / "a.snapshot")
    write(tmp_path / "src/a.txt", f"x\n{OTHER}")
    write(tmp_path / "src/broken.gz", b"\x1f\x8b" + b"\xff" * 100)
    (tmp_path / "src/link").symlink_to("a.txt")

    found = credly_audit("leaks", "src", "--snapshot", "a.snapshot", "--format", "json")

    assert found.code == 3
    report = json.loads(found.out)
    [leak] = report["leaks"]
    assert leak["place"] == "src/a.txt:2"
    assert (leak["path"], leak["line"], leak["members"], leak["git"], leak["forms"]) == ("src/a.txt", 2, [], None, [])
    assert [owner["description"] for owner in leak["owners"]] == ["Badge export", "Copy"]
    assert {owner["organization_id"] for owner in leak["owners"]} == {BETA}
    assert report["not_read"] == [{"name": "src/broken.gz", "reason": "is damaged"}]
    assert report["skipped"]["symbolic_links"] == 1
    assert report["searched"]["files"] == 2
    assert report["exit_code"] == 3
    assert VALUE not in found.out + found.err
    assert OTHER not in found.out + found.err


def test_sarif_is_valid_and_leads_to_the_line(credly_audit: Command, tmp_path: Path) -> None:
    keep_snapshot(tmp_path / "a.snapshot")
    write(tmp_path / "src/with space.txt", f"x\n{VALUE}")
    write(tmp_path / f"src/{OTHER}", "")

    found = credly_audit("leaks", "src", "--snapshot", "a.snapshot", "--format", "sarif", "-o", "leaks.sarif")

    assert found.code == 1
    assert "src/with space.txt:2: " in found.out
    content = (tmp_path / "leaks.sarif").read_text()
    assert VALUE not in content
    assert OTHER not in content
    log = json.loads(content)
    jsonschema.Draft202012Validator(json.loads(tool(f"{TOOLS}/sarif-2.1.0.json").read_text())).validate(log)
    locations = [result["locations"][0]["physicalLocation"] for result in log["runs"][0]["results"]]
    assert {"artifactLocation": {"uri": "src/with%20space.txt"}, "region": {"startLine": 2}} in locations
    assert {"artifactLocation": {"uri": "src/%5Bredacted%5D"}} in locations
    told = tmp_path / "told.sarif"
    kinds = ["--rule-kind", "Sarif;Ghas"]
    validator(f"{TOOLS}/Sarif.Multitool")("validate", tmp_path / "leaks.sarif", *kinds, "--output", told)
    [run] = json.loads(told.read_text())["runs"]
    assert [result for result in run["results"] if result.get("level") == "error"] == []


def test_a_keyed_snapshot_needs_its_key(credly_audit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_snapshot(tmp_path / "a.snapshot", "MADE-UP-key-of-fingerprints")
    write(tmp_path / "credly-audit.toml", '[privacy]\nfingerprint_key = "env:LEAKS_KEY"\n')
    write(tmp_path / "a", VALUE)
    search = ("leaks", "a", "--snapshot", "a.snapshot")

    monkeypatch.setenv("LEAKS_KEY", "MADE-UP-key-of-fingerprints")
    assert credly_audit(*search).code == 1
    monkeypatch.setenv("LEAKS_KEY", "MADE-UP-another-key-of-fingerprints")
    other = credly_audit(*search)
    monkeypatch.delenv("LEAKS_KEY")
    missing = credly_audit(*search)

    assert (other.code, missing.code) == (2, 2)
    assert "fingerprint_key is not the key of the snapshot" in other.err
    assert "LEAKS_KEY is not set" in missing.err


def test_a_snapshot_that_knows_no_value_proves_nothing(credly_audit: Command, tmp_path: Path) -> None:
    keep_snapshot(tmp_path / "old.snapshot", lengths=())
    clean = build.snapshot([token(1, fingerprint=None)], [organization(credential_fingerprint=None)])
    clean.write(tmp_path / "empty.snapshot")
    write(tmp_path / "a", "")

    old = credly_audit("leaks", "a", "--snapshot", "old.snapshot")
    empty = credly_audit("leaks", "a", "--snapshot", "empty.snapshot")
    none = credly_audit("leaks", "a")

    assert [each.code for each in (old, empty, none)] == [2, 2, 2]
    assert "without the lengths of values; collect again" in old.err
    assert "holds no fingerprint, so nothing can be found; collect again" in empty.err
    assert "there is no snapshot in reports/; name one by --snapshot" in none.err


def test_the_newest_snapshot_of_all_organizations_is_taken(credly_audit: Command, tmp_path: Path) -> None:
    for name in ("2026-11-23", "2026-11-23-093000", "2026-10-01", "2026-11-24-subset"):
        write(tmp_path / "reports/unused", "")
        keep_snapshot(tmp_path / f"reports/credly-audit-{name}.snapshot")
    write(tmp_path / "a", "")

    assert "reports/credly-audit-2026-11-23-093000.snapshot" in credly_audit("leaks", "a").err


def test_the_secrets_of_the_audit_are_searched_for_too(credly_audit: Command, tmp_path: Path) -> None:
    fingerprints = Fingerprints()
    made = build.snapshot([], [organization(credential_fingerprint=fingerprints.of(VALUE))])
    header = replace(made.header, value_lengths=LENGTHS, other_fingerprints=(str(fingerprints.of(OTHER)),))
    replace(made, header=header).write(tmp_path / "a.snapshot")
    write(tmp_path / "a", f"{VALUE}\n{OTHER}\n")

    lines = credly_audit("leaks", "a", "--snapshot", "a.snapshot").out.splitlines()

    assert lines[0].startswith("a:1: audit credential of Acme (")
    assert lines[1].startswith("a:2: secret of no listed token, such as an OAuth client secret (")


@pytest.mark.parametrize("redirected", ["> /dev/full", ">&-", "2>&-", "| true"])
def test_a_broken_standard_output_keeps_the_verdict(redirected: str, tmp_path: Path) -> None:
    keep_snapshot(tmp_path / "a.snapshot")
    words = f"{sys.executable} -m credly_audit leaks - --snapshot a.snapshot {redirected}"

    script = f'printf %s "$0" | {words}; exit "${{PIPESTATUS[1]}}"'
    done = subprocess.run([program("bash"), "-c", script, VALUE], cwd=tmp_path, capture_output=True, check=False)

    assert done.returncode == 1, done.stderr


def test_standard_input_and_a_pipe_are_searched(tmp_path: Path) -> None:
    keep_snapshot(tmp_path / "a.snapshot")
    words = f"{sys.executable} -m credly_audit leaks --snapshot a.snapshot - <(printf %s {OTHER}) <<< {VALUE}"

    done = subprocess.run([program("bash"), "-c", words], cwd=tmp_path, capture_output=True, check=False, text=True)

    assert done.returncode == 1
    lines = done.stdout.splitlines()
    assert lines[0].startswith("/dev/fd/")
    assert lines[1].startswith("standard input:1: “CRM sync” (Acme, ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("missing",), "missing: cannot be read (No such file or directory); name files and folders that exist"),
        (("/dev/zero",), "/dev/zero: is a device or a socket; name files and folders, or - for standard input"),
        (("a", "--git"), "--git: there is no git repository at these paths"),
        (("a", "-o", "x.json"), "--output needs --format json or --format sarif"),
        (("a", "--format", "json", "-o", "a/x.json"), "no file can be written there"),
        ((), "Missing argument"),
    ],
)
def test_usage_errors_are_one_line(
    arguments: tuple[str, ...], said: str, credly_audit: Command, tmp_path: Path
) -> None:
    keep_snapshot(tmp_path / "a.snapshot")
    write(tmp_path / "a", "")

    found = credly_audit("leaks", *arguments, "--snapshot", "a.snapshot", "--quiet")

    assert found.code == 2
    assert said in found.err
    assert len(found.err.splitlines()) == 1
    assert found.out == ""


def test_an_old_snapshot_says_how_old_it_is(credly_audit: Command, tmp_path: Path) -> None:
    keep_snapshot(tmp_path / "a.snapshot", at=AS_OF - timedelta(days=100))
    write(tmp_path / "a", "")

    out = credly_audit("leaks", "a", "--snapshot", "a.snapshot").out

    assert "collected on 15 Aug 2026" in out
    assert ACME not in out


def test_the_hook_for_pre_commit_searches_the_files_of_a_commit(credly_audit: Command, tmp_path: Path) -> None:
    hooks = {hook["id"]: hook for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())}
    example = yaml.safe_load((ROOT / "examples/pre-commit/.pre-commit-config.yaml").read_text())
    named = {hook["id"]: hook for repository in example["repos"] for hook in repository["hooks"]}
    assert set(named) <= set(hooks)
    keep_snapshot(tmp_path / "last.snapshot")
    arguments = [each.replace("/srv/audit", str(tmp_path)) for each in named["credly-audit-leaks"]["args"]]
    write(tmp_path / "clean", ABSENT)
    write(tmp_path / "leaking", VALUE)
    command = [*hooks["credly-audit-leaks"]["entry"].split()[1:], *arguments]

    assert credly_audit(*command, "clean").out == ""
    found = credly_audit(*command, "clean", "leaking")

    assert found.code == 1
    assert found.out.startswith("leaking:1: “CRM sync” (Acme, ")

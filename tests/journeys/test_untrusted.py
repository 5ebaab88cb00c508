"""`check --untrusted`: the configuration of a pull request, evaluated without running any of it; what it changes."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.build import ACME, BETA, organization, snapshot, token
from tests.journeys.conftest import Command
from tests.journeys.test_own_rules import package

WAIVER = f"""
[[waivers]]
rule = "DOC"
organization = "{ACME}"
reason = "exec: is a word here, and keyring: another one"
approved_by = "ciso@example.org"
approved_on = 2026-11-01
expires = 2026-12-31
"""


@pytest.fixture
def audited(tmp_path: Path) -> Path:
    """The snapshot of the last audit: tokens that expire soon, may do too much, or are not described."""
    rows = [
        token(1, description="test", write_enabled=True, delete_enabled=True),
        token(2, description=None),
        token(3, BETA, description="temp"),
    ]
    path = tmp_path / "last.snapshot"
    snapshot(rows, [organization(), organization(BETA)]).write(path)
    return path


def configured(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.toml"
    path.write_text(f'[[organizations]]\nid = "{ACME}"\nname = "Acme"\ntoken = "env:ACME"\n{text}')
    return path


def report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


CHANGES = {
    "none": ("", "", "adds 0 and removes 0 findings"),
    "rules are disabled": ("", '[policy]\ndisable = ["DOC"]\n', None),
    "rules are enabled": ('[policy]\ndisable = ["DOC", "PRM"]\n', "", None),
    "both": ('[policy]\ndisable = ["DOC002"]\n', '[policy]\ndisable = ["DOC001", "PRM001"]\n', None),
    "a waiver": ("", WAIVER, None),
}


@pytest.mark.parametrize("change", CHANGES)
def test_it_says_what_a_change_adds_and_removes(
    credly_audit: Command, tmp_path: Path, audited: Path, change: str
) -> None:
    before, after, said = CHANGES[change]
    base, head = configured(tmp_path, "base", before), configured(tmp_path, "head", after)
    live = []
    for path in (base, head):
        credly_audit("check", audited, "-c", path, "--output", f"json={path.stem}.json")
        findings = report(tmp_path / f"{path.stem}.json")["findings"]
        live.append({(each["rule_id"], each["finding_id"]) for each in findings if not each["waived"]})
    added, removed = live[1] - live[0], live[0] - live[1]

    done = credly_audit(
        *("check", audited, "-c", head, "--untrusted", "--against", base, "--fail-on", "never", "--allow-partial"),
        *("--output", "json=change.json", "--output", "markdown=change.md"),
    )

    assert done.code == 0, done.err
    noun = "finding" if len(removed) == 1 else "findings"
    sentence = f"This change adds {len(added)} and removes {len(removed)} {noun}."
    assert said is None or said in sentence
    assert (change == "none") == (not added and not removed)
    assert sentence in done.out.splitlines()
    assert f"**{sentence}**" in (tmp_path / "change.md").read_text()
    told = report(tmp_path / "change.json")["policy_change"]
    assert (told["adds"], told["removes"]) == (len(added), len(removed))
    rules = {each["rule_id"]: (each["adds"], each["removes"]) for each in told["rules"]}
    assert rules == {
        rule: (sum(each == rule for each, _ in added), sum(each == rule for each, _ in removed))
        for rule in {each for each, _ in added | removed}
    }


def test_a_part_of_a_report_says_nothing_of_the_change_in_others(
    credly_audit: Command, tmp_path: Path, audited: Path
) -> None:
    base, head = configured(tmp_path, "base", ""), configured(tmp_path, "head", '[policy]\ndisable = ["DOC"]\n')

    credly_audit("check", audited, "-c", head, "--against", base, "--format", "json", "--split-by", "organization")

    *parts, complete = sorted((tmp_path / "reports").rglob("*.json"), key=lambda path: "by-" not in path.name)
    assert len(parts) == 2
    assert report(complete)["policy_change"]["removes"] > 0
    assert [report(each)["policy_change"] for each in parts] == [None, None]


REFUSED = {
    "token by a program": (
        '\n[[organizations]]\nid = "{beta}"\ntoken = "exec:touch owned"\n',
        "organizations[2].token",
    ),
    "token in a keyring": ('\n[[organizations]]\nid = "{beta}"\ntoken = "keyring:a/b"\n', "organizations[2].token"),
    "default": ('[defaults]\ntoken = "exec:touch owned {{id}}"\n', "defaults.token"),
    "OAuth": (
        '\n[[organizations]]\nid = "{beta}"\noauth = {{ client_id = "env:I", client_secret = "exec:touch owned" }}\n',
        "organizations[2].oauth.client_secret",
    ),
    "key": ('[privacy]\nfingerprint_key = "exec:touch owned"\n', "privacy.fingerprint_key"),
    "history": ('[history]\nurl = "exec:touch owned"\n', "history.url"),
    "proxy": ('[api]\nproxy = "keyring:a/b"\n', "api.proxy"),
    "notices": ('[notify]\nurls = ["env:TEAM", "exec:touch owned"]\n', "notify.urls[2]"),
    "store": ('[defaults]\nstore = "exec:touch owned"\n', "defaults.store"),
    "consumer": (
        '[[consumers]]\nname = "CRM"\norganizations = ["{acme}"]\ndeploy = "exec:touch owned"\n',
        "consumers[1].deploy",
    ),
    "templates": ('[report]\ntemplates = "templates"\n', "report.templates"),
}


@pytest.mark.parametrize("which", REFUSED)
@pytest.mark.parametrize("option", ["-c", "--against"])
def test_what_would_run_code_is_refused_with_its_line(
    credly_audit: Command, tmp_path: Path, audited: Path, which: str, option: str
) -> None:
    text, key = REFUSED[which]
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.html").write_text("{{ 1/0 }}")
    path = configured(tmp_path, "changed", text.format(acme=ACME, beta=BETA))
    other = configured(tmp_path, "other", "")
    [line] = [
        number
        for number, each in enumerate(path.read_text().splitlines(), 1)
        if any(word in each for word in ("owned", "keyring:", "templates"))
    ]

    done = credly_audit("check", audited, "--untrusted", option, path, *(["-c", other] if option != "-c" else []))

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"credly-audit: {path}:{line}: {key}: --untrusted refuses ")
    assert len(done.err.splitlines()) == 1
    assert not (tmp_path / "owned").exists()
    assert not (tmp_path / "reports").exists()


def test_a_row_of_the_organizations_file_is_refused_as_well(
    credly_audit: Command, tmp_path: Path, audited: Path
) -> None:
    (tmp_path / "organizations.csv").write_text(f"id,token\n{BETA},exec:touch owned\n")
    path = tmp_path / "changed.toml"
    path.write_text('organizations_file = "organizations.csv"\n')

    done = credly_audit("check", audited, "--untrusted", "-c", path)

    assert done.code == 2
    assert f"{tmp_path / 'organizations.csv'}:2: token: --untrusted refuses exec:" in done.err


def test_a_prefix_of_another_package_is_refused_and_the_package_is_not_imported(
    credly_audit: Command, tmp_path: Path, audited: Path, install: Any
) -> None:
    trace = install("class Source: pass")
    path = configured(tmp_path, "changed", '[privacy]\nfingerprint_key = "acme:key"\n')

    done = credly_audit("check", audited, "--untrusted", "-c", path)

    assert done.code == 2
    assert "privacy.fingerprint_key: --untrusted refuses acme:" in done.err
    assert not trace.exists()


def test_rules_of_another_package_are_refused_before_they_are_imported(tmp_path: Path, audited: Path) -> None:
    packages = package(tmp_path / "packages", "import pathlib; pathlib.Path('owned').touch()")
    environ = {name: value for name, value in os.environ.items() if not name.startswith("CREDLY")}
    command = [sys.executable, "-m", "credly_audit", "check", audited, "--untrusted"]

    done = subprocess.run(
        command,
        cwd=tmp_path,
        env=environ | {"PYTHONPATH": str(packages)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(
        "credly-audit: --untrusted: rules of other packages are installed (entry point bad of "
    )
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("option", ["--notify", "--record"])
def test_notices_and_the_history_are_refused(credly_audit: Command, audited: Path, option: str) -> None:
    done = credly_audit("check", audited, "--untrusted", option)

    assert (done.code, done.out) == (2, "")
    assert done.err == f"credly-audit: --untrusted and {option} contradict each other; keep one\n"


def test_a_history_and_notices_that_the_configuration_names_are_not_touched(
    credly_audit: Command, tmp_path: Path, audited: Path
) -> None:
    text = '[history]\nurl = "sqlite:///kept.sqlite"\nname = "production"\n[notify]\nurls = ["env:TEAM"]\n'
    path = configured(tmp_path, "changed", text)
    (tmp_path / "kept.sqlite").write_bytes(b"no database, as the command would find out")

    assert credly_audit("check", audited, "-c", path).code == 2
    done = credly_audit("check", audited, "-c", path, "--untrusted", "--output", "json=report.json")

    assert done.code == 1, done.err
    assert report(tmp_path / "report.json")["compared"] is None
    assert not (tmp_path / "state").exists()

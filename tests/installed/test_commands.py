"""Every command works where nothing but the package and its base dependencies is installed."""

import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import openpyxl

from credly_audit.config.formats import formats
from tests import needs
from tests.installed.conftest import PATH, Installed, Machine, prepared, served

AS_OF = ("--as-of", "2026-11-23")
HARBORVIEW = "8f0786b2-2c89-44ee-873b-e2907df17b9a"
INCOMPLETE = 3


def test_every_format_is_written_with_a_manifest_that_verifies(machine: Machine) -> None:
    wanted = [word for name in formats() if name != "github" for word in ("--format", name)]

    out = machine.done("run", *AS_OF, "--manifest", *wanted, code=INCOMPLETE)

    assert out.startswith("Incomplete: ")
    [manifest] = (machine.folder / "reports").glob("*.manifest.json")
    told = json.loads(manifest.read_text())
    assert len(told["files"]) >= len(formats())
    assert {"credly-audit", "python", "pandas", "pyarrow"} <= set(told["versions"])
    assert not {"keyring", "apprise", "psycopg"} & set(told["versions"])
    assert "unchanged since" in machine.done("verify", manifest)
    (machine.folder / "reports" / told["files"][-1]["path"]).write_text("changed")
    assert "was changed" in machine.done("verify", manifest, code=1)


def test_annotations_go_to_standard_output(machine: Machine) -> None:
    assert machine.done("run", *AS_OF, "--no-history", "--format", "github", code=INCOMPLETE).startswith("::")


def test_the_history_of_two_audits_is_told_and_forgotten(machine: Machine) -> None:
    for day in ("2026-11-23", "2026-11-24"):
        machine.done("run", "--as-of", day, "--format", "json", "--quiet", code=INCOMPLETE)

    for name in ("list", "diff", "trend"):
        assert machine.done("history", name)
        assert json.loads(machine.done("history", name, "--format", "json"))
    assert machine.done("history", "purge", "--all")


def test_messages_need_their_extra_and_something_to_test(machine: Machine) -> None:
    assert machine.done("notify", "test", code=2) == ""
    config = machine.folder / "credly-audit.toml"
    config.write_text(config.read_text() + '\n[notify]\nurls = ["env:TEAM"]\n')
    assert machine.done("notify", "test", code=2) == ""


def test_what_was_decided_in_the_workbook_is_taken_over(machine: Machine) -> None:
    machine.done("run", *AS_OF, "--format", "xlsx", "--no-history", code=INCOMPLETE)
    [path] = (machine.folder / "reports").glob("*.xlsx")
    book = openpyxl.load_workbook(path)
    sheet = book["Findings"]
    titles = [cell.value for cell in sheet[1]]
    typed = {"Decision": "accept", "Reason": "Known", "Approved by": "ciso@example.org", "Until": "2027-01-31"}
    for title, text in typed.items():
        sheet.cell(2, titles.index(title) + 1).value = text
    book.save(path)

    machine.done("waivers", "import", path, "--into", "decisions.toml")

    [decision] = tomllib.loads((machine.folder / "decisions.toml").read_text())["waivers"]
    assert decision["reason"] == "Known"
    config = machine.folder / "credly-audit.toml"
    config.write_text(config.read_text().replace("[policy]\n", '[policy]\nwaivers_file = "decisions.toml"\n'))
    assert "Known" in machine.done("waivers", "list")
    assert json.loads(machine.done("waivers", "check", "--format", "json")) == {"decisions": []}


def test_the_catalogue_is_told(machine: Machine) -> None:
    assert "EXP001" in machine.done("rules", "list")
    assert json.loads(machine.done("rules", "list", "--format", "json"))
    assert "token-expired" in machine.done("rules", "show", "EXP001")
    machine.done("rules", "docs", "-o", "rules.md")
    assert (machine.folder / "rules.md").read_text().startswith("# Rules")


def test_credentials_and_organizations_are_told(machine: Machine) -> None:
    assert "Harborview University" in machine.done("doctor", code=INCOMPLETE)
    assert len(json.loads(machine.done("doctor", "--format", "json", code=INCOMPLETE))["credentials"]) == 9
    assert tomllib.loads(machine.run("orgs").stdout)["organizations"]
    assert machine.run("orgs", "--format", "csv").stdout.startswith("id,name,contact,tags,token\n")


def test_a_token_is_rotated_and_another_one_created(installed: Installed, tmp_path: Path) -> None:
    home = tmp_path / "home-of-the-sandbox"
    home.mkdir()
    with served(installed, home) as url:
        machine = prepared(installed, url, tmp_path)
        secret = machine.folder / "secrets" / "harborview-university"
        before = secret.read_text()

        assert "dry run" in machine.done("rotate", "--dry-run", "--organization", HARBORVIEW)
        assert secret.read_text() == before
        told = json.loads(machine.done("rotate", "--yes", "--organization", HARBORVIEW, "--format", "json"))
        assert told["tokens"][0]["state"] == "rotated"
        assert secret.read_text() != before
        line = ("--store", "file:second", "--description", "Badge sync of team@crm.example", "--fail-on", "never")
        assert machine.done("create", "--yes", "--organization", HARBORVIEW, *line)
        assert (machine.folder / "second").stat().st_mode & 0o777 == 0o600


def test_a_configuration_is_begun_and_judged(machine: Machine) -> None:
    machine.done("config", "init", "mine.toml")
    machine.done("config", "validate", "-c", "mine.toml")
    machine.done("config", "validate", "--secrets")
    assert json.loads(machine.done("config", "schema"))["title"] == "credly-audit.toml"
    assert "Harborview" in machine.done("config", "explain", "--organization", HARBORVIEW)
    assert json.loads(machine.done("config", "explain", "--organization", HARBORVIEW, "--format", "json"))


def test_a_snapshot_is_judged_later_and_held_against_a_baseline(machine: Machine) -> None:
    machine.done("collect", "-o", "a.snapshot", code=INCOMPLETE)
    machine.done("check", "a.snapshot", *AS_OF, "--output", "json=report.json", "--manifest", code=INCOMPLETE)
    machine.done("baseline", "report.json", "-o", "baseline.json")
    out = machine.done(
        *("check", "a.snapshot", *AS_OF, "--output", "csv=report.csv", "--no-history"),
        *("--new-only", "--baseline", "baseline.json", "--allow-partial"),
    )
    assert "No policy violations in the data collected." in out


def test_files_are_searched_for_values(machine: Machine) -> None:
    machine.done("collect", "-o", "a.snapshot", code=INCOMPLETE)
    assert "None of " in machine.done("leaks", "a.snapshot", "--snapshot", "a.snapshot")
    assert "secrets/harborview-university:1: " in machine.done("leaks", "secrets", "--snapshot", "a.snapshot", code=1)


def test_the_demo_needs_nothing(machine: Machine) -> None:
    machine.done("demo")

    assert {each.suffix for each in (machine.folder / "credly-audit-demo").iterdir()} >= {".html", ".xlsx", ".json"}


def test_it_is_a_module_too_and_completes_in_a_shell(machine: Machine) -> None:
    environ = {"PATH": PATH, "HOME": str(machine.home)}
    words = [str(machine.installed.python), "-m", "credly_audit", "--version"]
    version = subprocess.run(words, env=environ, capture_output=True, text=True, check=True, cwd="/").stdout
    assert version == machine.done("--version")
    needs.program("bash")
    assert "complete" in machine.run(_CREDLY_AUDIT_COMPLETE="bash_source").stdout


def test_a_home_that_is_empty_gets_the_state_and_nothing_else(machine: Machine) -> None:
    machine.done("run", *AS_OF, "--format", "json", code=INCOMPLETE)

    files = {str(path.relative_to(machine.home)) for path in machine.home.rglob("*") if path.is_file()}
    assert {re.sub(r"run-\w+", "run", name) for name in files} - {".local/state/credly-audit/locks/run.lock"} == {
        ".local/state/credly-audit/history.sqlite"
    }


UNKNOWN = 54_321


def test_a_user_without_home_and_entry_can_do_all_that_keeps_nothing(installed: Installed, url: str) -> None:
    needs.root()
    setpriv = [needs.program("setpriv"), f"--reuid={UNKNOWN}", f"--regid={UNKNOWN}", "--clear-groups"]
    if subprocess.run([*setpriv, installed.python, "-c", ""], capture_output=True, check=False).returncode:
        needs.missing("a Python that every user can run", "install Python where all users can reach it")
    with needs.common_folder("homeless-") as folder:
        machine = prepared(installed, url, folder)
        for path in (folder, *folder.rglob("*")):
            os.chown(path, UNKNOWN, UNKNOWN)

        def run(*arguments: object, **environ: str) -> tuple[int, str]:
            words = [*setpriv, str(installed.command), *map(str, arguments)]
            more = {"cwd": machine.folder, "env": {"PATH": PATH, "CREDLY_API_URL": url} | environ}
            done = subprocess.run(words, capture_output=True, text=True, check=False, **more)
            return done.returncode, done.stderr

        assert run("run", *AS_OF, "--no-history", "--format", "json")[0] == INCOMPLETE
        assert run("collect", "-o", "a.snapshot")[0] == INCOMPLETE
        assert run("check", "a.snapshot", *AS_OF, "--format", "csv")[0] == INCOMPLETE
        for line in (("run",), ("history", "list"), ("rotate", "--yes", "--organization", HARBORVIEW)):
            code, told = run(*line)
            assert (code, "XDG_STATE_HOME" in told) == (2, True), told
        state = folder / "state"
        assert run("run", *AS_OF, "--format", "csv", XDG_STATE_HOME=str(state))[0] == INCOMPLETE
        assert (state / "credly-audit" / "history.sqlite").is_file()

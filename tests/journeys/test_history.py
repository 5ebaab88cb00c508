"""Audits one after the other, as people run them: what the history says, what a baseline spares them."""

import json
import re
import sqlite3
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import made_up_token
from tests.build import AS_OF
from tests.journeys.conftest import Command, configure
from tests.notify.conftest import Receiver, receiver

__all__ = ["receiver"]

MONTHS = ("2026-11-24", "2026-12-24", "2027-01-23")


def audit(credly_audit: Command, as_of: str, *more: object) -> dict[str, Any]:
    """Run one audit; its JSON report."""
    done = credly_audit(
        "run", "--as-of", as_of, "--output", f"json=report-{as_of}.json", "--output", "csv=findings.csv", *more
    )
    assert done.code in {0, 1, 3}, done.err
    report: dict[str, Any] = json.loads(Path(f"report-{as_of}.json").read_text())
    return report


def test_three_months(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    first = audit(credly_audit, MONTHS[0])
    token = sandbox.world.organizations[0].tokens[1]
    token.write_enabled, token.description = True, "test"
    second = audit(credly_audit, MONTHS[1])
    token.write_enabled = False
    sandbox.world.organizations[1].tokens.pop()
    sandbox.world.organizations[1].tokens.append(made_up_token("late", now=AS_OF, write_enabled=True))
    third = audit(credly_audit, MONTHS[2])

    assert first["compared"] is None
    assert {each["status"] for each in first["findings"]} == {"new"}
    new = [each["rule_id"] for each in second["findings"] if each["status"] == "new"]
    assert sorted(new) == ["CHG001", "DOC002", "PRM003"]
    assert second["compared"]["since"] == "2026-11-24T00:00:00Z"
    resolved = {each["rule_id"] for each in third["compared"]["resolved"]}
    assert resolved == {"CHG001", "PRM003"}
    assert third["compared"]["time_to_mend"]["high"] == {"findings": 1, "median_days": 30.0}
    assert [each["as_of"][:10] for each in third["compared"]["trend"]] == list(MONTHS)
    assert (tmp_path / "state" / "credly-audit" / "history.sqlite").stat().st_mode & 0o777 == 0o600

    listed = credly_audit("history", "list")
    assert [line.split()[:2] for line in listed.out.splitlines()[2:]] == [
        [f"{n + 1}", day] for n, day in enumerate(MONTHS)
    ]
    assert [each["id"] for each in json.loads(credly_audit("history", "list", "--format", "json").out)["audits"]] == [
        1,
        2,
        3,
    ]
    text = credly_audit("history", "diff", MONTHS[0], "2").out
    assert "Tokens with increased permissions: 1" in text
    assert ": gained write" in text
    changed = json.loads(credly_audit("history", "diff", "--format", "json").out)
    assert {name: len(rows) for name, rows in changed["tokens"].items()} == {
        "made": 1,
        "gone": 1,
        "rotated": 0,
        "escalated": 0,
    }
    assert {each["rule_id"] for each in changed["findings"]["remediated"]} == resolved
    trend = credly_audit("history", "trend").out
    assert "Median time to remediate high: 30 days (1 resolved finding)." in trend
    assert json.loads(credly_audit("history", "trend", "--format", "json").out)["trend"] == third["compared"]["trend"]
    assert credly_audit("history", "purge", "--before", MONTHS[2]).out == "Deleted 2 audits.\n"
    assert json.loads(credly_audit("history", "purge", "--all", "--format", "json").out) == {"forgotten": 1}


def test_two_configurations_share_a_history_without_using_up_what_is_new(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    sandbox.world.organizations[0].tokens[1].description = None
    gate = ("--new-only", "--fail-on", "medium", "--format", "json", "--overwrite")
    configure(tmp_path, sandbox)
    named = Path("named.toml")
    named.write_text(Path("credly-audit.toml").read_text() + '[history]\nname = "production"\n')

    def run(config: Path, as_of: str) -> int:
        return credly_audit("run", "-c", config, "--as-of", as_of, *gate).code

    plain = Path("credly-audit.toml")
    assert [run(config, MONTHS[0]) for config in (plain, named)] == [1, 1]
    assert [run(config, MONTHS[1]) for config in (plain, named)] == [0, 0]
    names = [each["name"] for each in json.loads(credly_audit("history", "list", "--format", "json").out)["audits"]]
    assert names == [str(tmp_path / "credly-audit.toml")] * 2 + ["production"] * 2
    assert [line.split()[-1] for line in credly_audit("history", "list").out.splitlines()[2:]] == names
    only = credly_audit("history", "list", "--name", "production", "--format", "json")
    assert [each["id"] for each in json.loads(only.out)["audits"]] == [1, 2]
    assert credly_audit("history", "purge", "--name", "production", "--all").out == "Deleted 2 audits.\n"
    assert len(json.loads(credly_audit("history", "trend", "--format", "json").out)["trend"]) == 2
    done = credly_audit("history", "trend", "-c", named)
    assert (done.code, "has no audit of production, but of" in done.err) == (2, True)


def test_a_configuration_that_was_moved_continues_its_history_and_says_so(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    path = configure(tmp_path, sandbox)
    audit(credly_audit, MONTHS[0])
    moved = path.rename(tmp_path / "moved.toml")
    done = credly_audit("run", "-c", moved, "--as-of", MONTHS[1], "--output", "json=after.json", "--quiet")

    assert f"continuing the history of {path} under the name {moved}, which has no audit yet" in done.err
    assert json.loads(Path("after.json").read_text())["compared"]["since"] == f"{MONTHS[0]}T00:00:00Z"


def test_check_compares_and_records_only_when_told(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    credly_audit("collect", "-o", "a.snapshot")
    check = ("check", "a.snapshot", "--output", "json=r.json")

    def statuses() -> set[str | None]:
        return {each["status"] for each in json.loads(Path("r.json").read_text())["findings"]}

    assert credly_audit(*check).code == 0
    assert statuses() == {None}
    assert not list((tmp_path / "state").rglob("history*"))
    assert credly_audit(*check, "--as-of", MONTHS[0], "--record").code == 0
    assert statuses() == {"new"}
    assert credly_audit(*check, "--as-of", MONTHS[1]).code == 0
    assert statuses() == {"persisting"}
    assert credly_audit(*check, "--as-of", MONTHS[1], "--no-history").code == 0
    assert statuses() == {None}
    assert len(json.loads(credly_audit("history", "list", "--format", "json").out)["audits"]) == 1
    assert credly_audit(*check, "--record", "--no-history").code == 2


def test_no_history_reads_and_writes_none(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    report = audit(credly_audit, MONTHS[0], "--no-history")

    assert {each["status"] for each in report["findings"]} == {None}
    assert not list((tmp_path / "state").rglob("history*"))


def test_a_baseline_spares_what_was_known(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    sandbox.world.organizations[0].tokens[1].description = None
    gate = ("--no-history", "--fail-on", "medium", "--new-only", "--baseline", "known.json")
    audit(credly_audit, MONTHS[0], "--no-history")
    assert credly_audit("baseline", f"report-{MONTHS[0]}.json", "-o", "known.json").code == 0
    assert credly_audit("run", "--as-of", MONTHS[0], "--output", "json=r.json", *gate).code == 0
    sandbox.world.organizations[1].tokens[1].description = None
    assert credly_audit("run", "--as-of", MONTHS[0], "--output", "json=r.json", *gate).code == 1

    told = json.loads(Path("r.json").read_text())["findings"]
    assert {(each["rule_id"], each["status"]) for each in told if each["family"] == "DOC"} == {
        ("DOC001", "persisting"), ("DOC001", "new"),
    }  # fmt: skip
    known = json.loads(Path("known.json").read_text())
    assert set(known) == {"format", "format_version", "as_of", "findings"}
    assert all(re.fullmatch("[0-9a-f]{16}", each) for each in known["findings"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("run", "--new-only", "--no-history"), "--new-only: needs a history or --baseline"),
        (("check", "a.snapshot", "--new-only"), "--new-only: there is no history yet"),
        (("run", "--new-only", "--baseline", "none.json"), "none.json: cannot be read (No such file or directory)"),
        (("run", "--new-only", "--baseline", "credly-audit.toml"), "credly-audit.toml: not a baseline of credly-audit"),
        (("baseline", "credly-audit.toml", "-o", "b.json"), "credly-audit.toml: not a JSON report of credly-audit"),
        (("history", "list"), "there is no history yet"),
        (("history", "diff"), "there is no history yet"),
    ],
)
def test_what_cannot_be_compared_is_said_before_anything_is_asked(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    configure(tmp_path, sandbox)
    credly_audit("collect", "-o", "a.snapshot")
    asked = len(sandbox.requests)
    done = credly_audit(*arguments)

    assert (done.code, len(sandbox.requests)) == (2, asked)
    assert done.err.splitlines()[-1].startswith(f"credly-audit: {said}")
    assert not (tmp_path / "reports").exists() or not list((tmp_path / "reports").iterdir())


def test_a_purge_beside_an_open_reader_deletes_and_says_that_the_space_is_not_freed(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    audit(credly_audit, MONTHS[0])
    with sqlite3.connect(tmp_path / "state" / "credly-audit" / "history.sqlite", isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM tokens").fetchone()
        done = credly_audit("history", "purge", "--all")
    reader.close()

    assert (done.code, done.out) == (4, "Deleted 1 audit.\n")
    assert "the audits are deleted, but their data may remain in the file" in done.err
    assert "(another process is reading it); run the same command again" in done.err
    assert credly_audit("history", "purge", "--all").code == 0


def test_history_commands_name_what_is_not_there(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    audit(credly_audit, MONTHS[0])

    for arguments, said in {
        ("diff",): "the history has 1 audit; a comparison needs two",
        ("diff", "7"): "7: no such audit",
        ("diff", "2020-01-01"): "2020-01-01: no such audit",
        ("purge",): "no audits are selected",
        ("purge", "--all", "--keep-days", "3"): "--before, --keep-days and --all exclude each other",
    }.items():
        done = credly_audit("history", *arguments)
        assert (done.code, said in done.err) == (2, True), done.err


def test_a_history_that_cannot_be_used_stops_the_run_before_it_asks(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    with configure(tmp_path, sandbox).open("a") as file:
        file.write('[history]\nurl = "sqlite:///broken.sqlite"\n')
    Path("broken.sqlite").write_bytes(b"no database" * 1_000)
    done = credly_audit("run", "--format", "json")

    assert (done.code, sandbox.requests) == (2, [])
    [said] = [line for line in done.err.splitlines() if line.startswith("credly-audit: ")]
    assert re.fullmatch(
        r"credly-audit: the history \S+ cannot be opened \(.+: .+\); .+, or name another history by .+", said
    )


def altered(state: Path, statement: str) -> None:
    """Run a statement in the history, as somebody might."""
    with sqlite3.connect(state / "credly-audit" / "history.sqlite") as connection:
        connection.execute(statement)
    connection.close()


def test_a_history_whose_tables_are_not_ours_stops_the_run_before_it_asks(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    audit(credly_audit, MONTHS[0])
    asked = len(sandbox.requests)
    altered(tmp_path / "state", "DROP TABLE token_states")
    done = credly_audit("run", "--as-of", MONTHS[1], "--output", "json=after.json")

    assert (done.code, len(sandbox.requests), Path("after.json").exists()) == (2, asked, False)
    assert "its tables are not as credly-audit made them: no such table: token_states); restore a backup" in done.err


@pytest.mark.parametrize(
    ("statement", "said", "compared"),
    [
        ("DROP TABLE token_states", "cannot be read (its tables are not as", False),
        (
            "CREATE TRIGGER full BEFORE INSERT ON coverage BEGIN SELECT RAISE(ABORT, 'no room'); END",
            "could not be written; nothing of this audit is in it (its tables are not as credly-audit made them: ",
            True,
        ),
    ],
)
def test_a_history_that_is_lost_at_the_end_costs_no_report_and_gives_no_sign_of_life(
    credly_audit: Command,
    sandbox: Sandbox,
    receiver: Receiver,
    tmp_path: Path,
    statement: str,
    said: str,
    *,
    compared: bool,
) -> None:
    configure(tmp_path, sandbox)
    audit(credly_audit, MONTHS[0])
    once = [statement]

    def clock() -> datetime:
        if once:
            altered(tmp_path / "state", once.pop())
        return AS_OF

    with Sandbox(sandbox.world, now=clock) as served:
        config = configure(tmp_path, served)
        (tmp_path / "beat").write_text(f"http://{receiver.address}/beat")
        (tmp_path / "beat").chmod(0o600)
        config.write_text(f'{config.read_text()}\n[notify]\nheartbeat = "file:beat"\n')
        done = credly_audit("run", "--as-of", MONTHS[1], "--output", "json=after.json")

    assert done.code == 4
    assert done.out.startswith("Pass: ")
    assert not receiver.asked
    assert f"credly-audit: the history {tmp_path}/state/credly-audit/history.sqlite {said}" in done.err
    assert (json.loads(Path("after.json").read_text())["compared"] is not None) == compared


@pytest.mark.parametrize(
    "password", ["MADE-UP", "MADE/UP", "MADE?UP", "MADE#UP", "MADE@UP", "MADE:UP", "MADE%40UP", "1@2:MADE"]
)
def test_a_password_in_an_address_is_refused_and_never_shown(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, password: str
) -> None:
    with configure(tmp_path, sandbox).open("a") as file:
        file.write(f'[history]\nurl = "postgresql://audit:{password}@host/audits"\n')
    for command in (("config", "validate"), ("run",), ("history", "list")):
        done = credly_audit(*command)

        assert (done.code, sandbox.requests) == (2, [])
        assert "credly-audit.toml:" in done.err
        assert "history.url" in done.err
        assert "env:NAME" in done.err
        assert [part for part in ("MADE", "UP") if part in done.err + done.out] == []


def test_a_password_in_the_configuration_is_refused(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    with configure(tmp_path, sandbox).open("a") as file:
        file.write('[history]\nurl = "postgresql://audit:MADE-UP@host/audits"\n')
    done = credly_audit("run")

    assert (done.code, sandbox.requests) == (2, [])
    assert "history.url: contains a password; write env:NAME" in done.err
    assert "MADE-UP" not in done.err


def test_a_subset_says_so_and_resolves_nothing_of_others(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    sandbox.world.organizations[1].tokens[1].description = None
    audit(credly_audit, MONTHS[0])
    part = audit(credly_audit, MONTHS[1], "--organization", sandbox.world.organizations[0].id)
    whole = audit(credly_audit, MONTHS[2])

    assert part["compared"]["resolved"] == []
    assert [each["status"] for each in whole["findings"] if each["rule_id"] == "DOC001"] == ["persisting"]


def test_an_audit_in_the_far_future_deletes_no_history_and_huge_keep_days_do_no_harm(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    text = configure(tmp_path, sandbox).read_text()
    for as_of, days in ((MONTHS[0], 730), ("2099-01-01", 730), ("2099-01-02", 999_999), ("0001-01-01", 3_652_058)):
        Path("credly-audit.toml").write_text(f"{text}[history]\nkeep_days = {days}\n")
        assert credly_audit("run", "--as-of", as_of, "--format", "json", "--overwrite").code in {0, 1}

    audits = json.loads(credly_audit("history", "list", "--format", "json").out)["audits"]
    assert [each["as_of"][:10] for each in audits] == ["0001-01-01", MONTHS[0], "2099-01-01", "2099-01-02"]
    for arguments in ((), ("--keep-days", "3652058")):
        assert credly_audit("history", "purge", *arguments).out == "Deleted 0 audits.\n"
    Path("credly-audit.toml").write_text(f"{text}[history]\nkeep_days = {10**30}\n")
    done = credly_audit("run")
    assert (done.code, "credly-audit.toml:" in done.err, "history.keep_days: must be" in done.err) == (2, True, True)
    assert credly_audit("history", "purge", "--keep-days", "9" * 30).code == 2


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["history", "--help"]])
def test_help_and_runs_without_a_history_load_no_database(arguments: list[str]) -> None:
    check = (
        "import sys; from credly_audit.cli.main import outcome; outcome(sys.argv[1:]);"
        "import credly_audit.operations.conclude; sys.exit('sqlalchemy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", check, *arguments], capture_output=True, check=False).returncode == 0

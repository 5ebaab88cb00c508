"""The main job as its users run it: reports, verdicts, exit codes, what is said and where."""

import io
import json
import os
import re
from pathlib import Path
from threading import Thread

import openpyxl
import pytest

from credly_audit.sandbox.server import Sandbox
from credly_audit.sandbox.world import OAuthApplication
from credly_audit.snapshot import Snapshot
from tests.build import AS_OF
from tests.journeys.conftest import Command, configure

JSON_ONLY = ("--format", "json")
AS_OF_DATE = "2026-11-23"


def report(folder: Path, name: str = f"credly-audit-{AS_OF_DATE}.json") -> dict[str, object]:
    content: dict[str, object] = json.loads((folder / "reports" / name).read_text())
    return content


def test_a_sound_organization_passes(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY)

    assert done.code == 0
    assert done.out.startswith("Pass: 6 tokens of 2 organizations, all complete; no policy violations.")
    verdict = report(tmp_path)["verdict"]
    assert isinstance(verdict, dict)
    assert (verdict["outcome"], verdict["exit_code"], verdict["violations"], verdict["not_seen"]) == ("pass", 0, 0, [])


def test_a_violation_fails_and_the_gate_can_be_moved(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    sandbox.world.organizations[0].tokens[1].description = None

    assert credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY).code == 0
    done = credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY, "--fail-on", "DOC")
    assert done.code == 1
    assert done.out.startswith("Violations: 1 policy violation.")


def test_one_organization_that_fails_is_named_and_harms_no_other(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    beta = sandbox.world.organizations[1]
    beta.faults = ["status=401"]

    done = credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY)

    assert done.code == 3
    assert "1 of 2 organizations could not be collected completely" in done.out
    assert (
        "Beta: incomplete (failed). 401: the credential of Beta was refused: expired, revoked, or of the other"
        in done.out
    )
    verdict = report(tmp_path)["verdict"]
    assert isinstance(verdict, dict)
    assert verdict["not_seen"] == [beta.id]
    assert credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY, "--allow-partial").code == 0


def test_without_formats_there_are_html_xlsx_and_json_beside_the_snapshot(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)

    assert credly_audit("run", "--as-of", AS_OF_DATE).code == 0

    made = sorted(path.name for path in (tmp_path / "reports").iterdir())
    assert made == [f"credly-audit-{AS_OF_DATE}.{suffix}" for suffix in ("html", "json", "snapshot", "xlsx")]
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "reports").iterdir()} == {0o600}


def test_an_earlier_audits_files_are_kept_unless_they_may_be_replaced(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    asked = ("run", "--as-of", AS_OF_DATE, *JSON_ONLY)
    credly_audit(*asked)
    first = (tmp_path / "reports" / f"credly-audit-{AS_OF_DATE}.json").read_bytes()

    credly_audit(*asked)
    credly_audit(*asked)

    made = sorted(path.name for path in (tmp_path / "reports").glob("*.json"))
    assert len(made) == 3
    assert all(re.fullmatch(rf"credly-audit-{AS_OF_DATE}(-\d{{6}}(-\d)?)?\.json", name) for name in made)
    assert (tmp_path / "reports" / f"credly-audit-{AS_OF_DATE}.json").read_bytes() == first
    credly_audit(*asked, "--overwrite")
    assert len(list((tmp_path / "reports").glob("*.json"))) == 3


def test_a_subset_is_audited_and_says_so_in_its_names(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    acme = sandbox.world.organizations[0]

    done = credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY, "--organization", acme.id.upper())

    assert done.code == 0
    assert {asked.organization_id for asked in sandbox.requests} == {acme.id}
    assert (tmp_path / "reports" / f"credly-audit-{AS_OF_DATE}-subset.json").exists()


def test_an_organization_is_named_by_its_id_or_by_a_name_that_is_unique(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    config = configure(tmp_path, sandbox)
    acme, beta = sandbox.world.organizations
    only_acme = ("--organization", "acme")
    for command in (
        ("run", "--as-of", AS_OF_DATE, *JSON_ONLY, *only_acme),
        ("collect", "-o", "acme.snapshot", *only_acme),
        ("doctor", *only_acme),
    ):
        sandbox.requests.clear()
        done = credly_audit(*command)
        assert done.code == 0, done.err
        assert {asked.organization_id for asked in sandbox.requests} == {acme.id}
    assert acme.id in credly_audit("config", "explain", *only_acme, "--format", "json").out

    credly_audit("collect", "-o", "all.snapshot")
    config.write_text(config.read_text().replace('name = "Beta"', 'name = "The second"'))
    for name in ("Beta", "the second", beta.id.upper()):
        checked = credly_audit("check", "all.snapshot", "--organization", name, "--output", "json=-")
        assert [each["organization_id"] for each in json.loads(checked.out)["organizations"]] == [beta.id]

    config.write_text(config.read_text().replace('name = "The second"', 'name = "ACME"'))
    assert credly_audit("config", "explain", "--organization", "Acme").code == 0
    for command in ("run", "collect -o again.snapshot", "doctor", "check all.snapshot", "config explain"):
        done = credly_audit(*command.split(), "--organization", "acme")
        assert done.code == 2
        assert done.err == (
            f"credly-audit: --organization acme: 2 organizations have this name; write the id: {acme.id}, {beta.id}\n"
        )
        unknown = credly_audit(*command.split(), "--organization", "Acne")
        assert (unknown.code, "did you mean " in unknown.err) == (2, True)


@pytest.mark.parametrize("command", ["rotate --yes", "create --yes --store file:new --description New"])
def test_a_token_is_changed_only_for_an_organization_named_by_its_id(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, command: str
) -> None:
    configure(tmp_path, sandbox)
    acme, _ = sandbox.world.organizations

    done = credly_audit(*command.split(), "--organization", "Acme")

    assert done.code == 2
    assert f"--organization Acme: not configured; write the id: {acme.id} (Acme)" in done.err
    assert not sandbox.requests


def test_each_incomplete_organization_is_named_once(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    sandbox.world.organizations[1].faults = ["status=401"]

    for command in (
        "run --format json",
        "run --output json=r.json --quiet",
        "collect -o a.snapshot",
        "check a.snapshot",
    ):
        done = credly_audit(*command.split())
        assert done.code == 3
        assert (done.out + done.err).count("Beta: incomplete (failed). 401") == 1
        assert "Beta" not in done.err


@pytest.mark.parametrize("quietly", [(), ("--quiet",)])
def test_the_summary_is_an_event_of_the_json_log_and_never_beside_a_report(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, quietly: tuple[str, ...]
) -> None:
    configure(tmp_path, sandbox)
    sandbox.world.organizations[1].faults = ["status=401"]
    as_json = ("--log-format", "json", *quietly)

    done = credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY, *as_json)
    [event] = [json.loads(line) for line in done.out.splitlines()]
    assert event["event"] == "summary"
    assert (event["outcome"], event["exit_code"], event["organizations"], event["tokens"]) == ("incomplete", 3, 2, 3)
    assert [(each["name"], each["status"]) for each in event["incomplete"]] == [("Beta", "failed")]
    assert event["message"].startswith("Incomplete: 1 of 2 organizations could not be collected completely.")
    assert all(json.loads(line).get("event") is None for line in done.err.splitlines())

    beside = credly_audit("run", "--as-of", AS_OF_DATE, "--output", "json=-", "--no-history", *as_json)
    assert json.loads(beside.out)["verdict"]["outcome"] == "incomplete"
    [event] = [line for each in beside.err.splitlines() if (line := json.loads(each)).get("event") == "summary"]
    assert event["files"] == []

    collected = credly_audit("collect", "-o", "a.snapshot", *as_json)
    [event] = [json.loads(line) for line in collected.out.splitlines()]
    assert (event["exit_code"], event["files"]) == (3, ["a.snapshot"])


def test_a_report_on_standard_output_is_alone_there(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit("run", "--as-of", AS_OF_DATE, "--output", "json=-")

    assert json.loads(done.out)["verdict"]["outcome"] == "pass"
    assert "Pass: 6 tokens" in done.err
    assert not (tmp_path / "reports").exists()


def test_githubs_annotations_go_to_standard_output_and_the_summary_beside_it(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit("run", "--as-of", AS_OF_DATE, "--format", "github")

    assert done.out.startswith("::notice title=credly-audit::Pass: 6 tokens of 2 organizations")
    assert "Pass: 6 tokens" in done.err
    assert not (tmp_path / "reports").exists()


def test_what_was_collected_is_judged_again_offline(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)
    assert credly_audit("collect", "-o", "today.snapshot").code == 0
    asked = len(sandbox.requests)

    done = credly_audit("check", "today.snapshot", "--as-of", "2027-09-01", "--output", "json=later.json")

    assert len(sandbox.requests) == asked
    assert done.code == 1
    assert json.loads((tmp_path / "later.json").read_text())["summary"]["by_rule"]["EXP001"] == 6
    assert (tmp_path / "today.snapshot").stat().st_mode & 0o777 == 0o600


def test_check_needs_no_configuration_and_judges_at_the_collection(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    config = configure(tmp_path, sandbox)
    credly_audit("collect", "-o", "today.snapshot")
    config.unlink()

    done = credly_audit("check", "today.snapshot", "--output", "json=-")

    found = json.loads(done.out)
    assert found["as_of"] == found["collected_at"]


def test_several_collectors_snapshots_are_judged_together(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    ids = [organization.id for organization in sandbox.world.organizations]
    for each in ids:
        credly_audit("collect", "-o", f"{each}.snapshot", "--organization", each)

    done = credly_audit("check", *(f"{each}.snapshot" for each in ids), "--output", "json=-")

    assert [row["organization_id"] for row in json.loads(done.out)["organizations"]] == ids
    again = credly_audit("check", f"{ids[0]}.snapshot", f"{ids[0]}.snapshot", "--output", "json=-")
    assert again.code == 0


def test_collect_ends_with_3_where_something_was_not_seen(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    configure(tmp_path, sandbox)
    sandbox.world.organizations[0].faults = ["status=403"]

    done = credly_audit("collect", "-o", "today.snapshot")

    assert done.code == 3
    assert "Acme: incomplete (failed)" in done.out
    assert set(Snapshot.read(tmp_path / "today.snapshot").organizations["status"]) == {"failed", "complete"}


def test_quiet_says_nothing_when_all_is_well(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY, "--quiet")

    assert (done.code, done.out, done.err) == (0, "", "")


def test_the_log_can_be_json_lines(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    configure(tmp_path, sandbox)

    done = credly_audit("run", "--as-of", AS_OF_DATE, *JSON_ONLY, "--log-format", "json", "--verbose")

    records = [json.loads(line) for line in done.err.splitlines()]
    assert {"time", "level", "message"} <= set(records[0])
    assert any("GET /organizations/" in record["message"] for record in records)


def test_an_option_can_be_an_environment_variable(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(tmp_path, sandbox)
    monkeypatch.setenv("CREDLY_AUDIT_RUN_FORMAT", "json")
    monkeypatch.setenv("CREDLY_AUDIT_RUN_AS_OF", AS_OF_DATE)

    assert credly_audit("run").code == 0
    assert report(tmp_path)["as_of"] == "2026-11-23T00:00:00Z"
    suffixes = {path.suffix for path in (tmp_path / "reports").iterdir()}
    assert suffixes == {".json", ".snapshot"}


def test_paths_in_the_configuration_begin_at_its_folder(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "etc"
    elsewhere.mkdir()
    configure(elsewhere, sandbox)

    done = credly_audit("run", "-c", "etc/credly-audit.toml", "--format", "json", "--as-of", AS_OF_DATE)

    assert done.code == 0, done.err
    assert (tmp_path / "reports" / "credly-audit-2026-11-23.json").exists()


def test_the_demo_shows_the_whole_job(credly_audit: Command, tmp_path: Path) -> None:
    done = credly_audit("demo")

    assert done.code == 0
    assert "Incomplete: 5 of 9 organizations could not be collected completely." in done.out
    assert "A real run would have ended with exit code 3" in done.out
    [path] = (tmp_path / "credly-audit-demo").glob("*.json")
    report = json.loads(path.read_text())
    assert {path.suffix for path in path.parent.iterdir()} >= {".html", ".xlsx", ".json", ".sqlite"}
    assert len(report["compared"]["trend"]) == 12
    assert report["compared"]["resolved"]
    assert report["summary"]["waived"] == 1
    assert "overdue" in {plan["state"] for plan in report["plans"]}
    assert report["compared"]["time_to_mend"]["high"]["findings"] > 10


def test_every_rule_that_judges_alone_is_at_work_in_the_demo(credly_audit: Command, tmp_path: Path) -> None:
    credly_audit("demo")
    [path] = (tmp_path / "credly-audit-demo").glob("*.json")

    by_rule = json.loads(path.read_text())["summary"]["by_rule"]
    silent = {rule for rule, many in by_rule.items() if not many and rule[:3] in {"EXP", "PRM", "DOC", "COV", "OAU"}}
    assert not silent
    assert all(by_rule[rule] for rule in ("INV001", "INV002", "INV003", "INV004"))


def test_an_application_that_is_not_asked_about_any_more_is_not_said_to_be_mended(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    acme = sandbox.world.organizations[0]
    acme.oauth_applications = [OAuthApplication(7, "Bridge", "MADE-UP-uid", "MADE-UP-secret", "Copies results", AS_OF)]
    acme.oauth_applications[0].creator_available = False
    asked = "include_oauth_applications = true\n"

    def outcome(day: str, extra: str) -> tuple[list[str], int]:
        configure(tmp_path, sandbox, [acme], extra=extra)
        credly_audit("run", "--as-of", day, *JSON_ONLY)
        found = json.loads((tmp_path / "reports" / f"credly-audit-{day}.json").read_text())
        changed = json.loads(credly_audit("history", "list", "--format", "json").out)["audits"][-1]
        told = [f"{each['rule_id']} {each['status']}" for each in found["findings"] if each["rule_id"] == "OAU001"]
        return told, changed["resolved"]

    assert outcome("2026-11-20", asked) == (["OAU001 new"], 0)
    assert outcome("2026-11-21", "") == ([], 0)
    assert outcome("2026-11-22", asked) == (["OAU001 persisting"], 0)
    acme.oauth_applications = []
    assert outcome("2026-11-23", asked) == ([], 1)


def test_reports_go_where_their_paths_lead(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    """A device and a pipe are written to, a link is followed, another name of standard output is `-`."""
    configure(tmp_path, sandbox)
    credly_audit("collect", "-o", "today.snapshot")
    os.mkfifo(tmp_path / "pipe")
    came: list[bytes] = []
    reader = Thread(target=lambda: came.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    (tmp_path / "link.csv").symlink_to("real.csv")
    outputs = ["csv=link.csv", "csv=/dev/null", "xlsx=pipe", "json=/dev/stdout", "json=kept.json"]

    done = credly_audit(
        *("check", "today.snapshot", "--as-of", AS_OF_DATE, "--no-history", "--manifest"),
        *(word for output in outputs for word in ("--output", output)),
    )
    reader.join(20)

    assert done.code == 0, done.err
    assert done.out == (tmp_path / "kept.json").read_text()
    assert done.err.startswith("Pass: ")
    assert openpyxl.load_workbook(io.BytesIO(came[0])).sheetnames[0] == "Summary"
    assert Path("/dev/null").is_char_device()
    assert not Path("/dev/null-tokens.csv").exists()
    assert (tmp_path / "link.csv").is_symlink()
    assert (tmp_path / "real.csv").is_file()
    assert (tmp_path / "link-tokens.csv").is_file()
    [manifest] = (tmp_path / "reports").iterdir()
    listed = [each["path"] for each in json.loads(manifest.read_text())["files"]]
    assert sorted(listed) == sorted(
        ["-", "-", "-", *(f"../{name}" for name in ("today.snapshot", "kept.json", "link.csv")),
         "../link-tokens.csv", "../link-organizations.csv"]
    )  # fmt: skip
    assert credly_audit("verify", manifest).code == 0


@pytest.mark.parametrize("pair", [("a.json", "./a.json"), ("-", "/dev/stdout"), ("a.json", "link.json")])
def test_two_reports_to_one_place_are_a_mistake_however_it_is_named(
    credly_audit: Command, sandbox: Sandbox, tmp_path: Path, pair: tuple[str, str]
) -> None:
    configure(tmp_path, sandbox)
    (tmp_path / "link.json").symlink_to("a.json")

    done = credly_audit("run", *(word for path in pair for word in ("--output", f"json={path}")))

    assert done.code == 2
    assert "--output: two reports go to " in done.err
    assert not sandbox.requests

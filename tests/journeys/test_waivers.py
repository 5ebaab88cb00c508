"""Decisions as people make them: in the Excel report, with LibreOffice, and back into the file that an audit reads."""

import json
import shutil
import tomllib
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from credly_audit.sandbox.server import Sandbox
from tests import libreoffice
from tests.journeys.conftest import Command, configure

AS_OF_DATE = "2026-11-23"
TODAY = datetime.now(UTC).date()
SOON, LATER = TODAY + timedelta(days=90), TODAY + timedelta(days=120)
WORKBOOK = Path(f"reports/credly-audit-{AS_OF_DATE}.xlsx")
POLICY = """
[policy]
waivers_file = "waivers.toml"
approvers = ["ciso@acme.example", "cto@acme.example"]
max_waiver_days = 180

[policy.rules.PRM006]
max_privileged = 2
"""
KEPT = """# What Acme has decided. Ask the CISO before you touch this.

[[plans]]
# The old connector goes in spring.
rule = "DOC"  # all of its documentation
organization = "{acme}"
reason = "The team describes all its tokens"
owner = "crm-team@acme.example"
approved_on = 2026-01-01
until = 2027-06-30
"""


@pytest.fixture
def audit(credly_audit: Command, sandbox: Sandbox, tmp_path: Path) -> Command:
    """Three tokens of Acme that may do everything, and a policy with a file for decisions."""
    for token in sandbox.world.organizations[0].tokens:
        token.read_enabled = token.write_enabled = token.delete_enabled = True
    config = configure(tmp_path, sandbox)
    config.write_text(config.read_text() + POLICY)
    (tmp_path / "waivers.toml").write_text(KEPT.format(acme=sandbox.world.organizations[0].id))

    def run(*arguments: object) -> Any:
        if arguments:
            return credly_audit(*arguments)
        return credly_audit("run", "--as-of", AS_OF_DATE, "--format", "xlsx", "--format", "json", "--overwrite")

    return run


def rows() -> list[dict[str, Any]]:
    """The Findings sheet, a dictionary a row with its number."""
    book = openpyxl.load_workbook(WORKBOOK, data_only=True)
    titles, *values = book["Findings"].iter_rows(values_only=True)
    return [dict(zip(titles, each, strict=True)) | {"row": number} for number, each in enumerate(values, 2)]


def type_decisions(folder: Path, decisions: dict[int, tuple[str, str, str, object]]) -> None:
    """Into the rows of these numbers: Decision, Reason, Approved by, Until."""
    titles = list(rows()[0])
    columns = [chr(ord("A") + titles.index(title)) for title in ("Decision", "Reason", "Approved by", "Until")]
    cells = {
        f"{column}{row}": str(said)
        for row, typed in decisions.items()
        for column, said in zip(columns, typed, strict=True)
    }
    libreoffice.type_into(folder / WORKBOOK, "Findings", cells, folder / f"libreoffice-{len(list(folder.iterdir()))}")


def in_force_since(day: str, folder: Path) -> None:
    """What was imported today, as if it had been on that day, so that it holds for an audit of then."""
    decided, config = folder / "waivers.toml", folder / "credly-audit.toml"
    decided.write_text(decided.read_text().replace(f"approved_on = {TODAY}", f"approved_on = {day}"))
    config.write_text(config.read_text().replace("max_waiver_days = 180", "max_waiver_days = 36500"))


def of_rule(rule: str) -> list[dict[str, Any]]:
    return [row for row in rows() if row["rule_id"] == rule]


def test_what_was_typed_in_libreoffice_is_decided_and_the_next_report_says_so(audit: Command, tmp_path: Path) -> None:
    assert audit().code == 1
    first, second, third = of_rule("PRM001")
    [many] = of_rule("PRM006")
    type_decisions(
        tmp_path,
        {
            first["row"]: ("accept", 'Known; "bounded" – until spring', "ciso@acme.example", SOON),
            second["row"]: ("fix", "Moves to the new connector", "crm-team@acme.example", LATER),
            third["row"]: ("accept", "", "ciso@acme.example", SOON),
            many["row"]: ("false positive", "Two of them are being wound up", "CTO@acme.example", SOON),
        },
    )

    done = audit("waivers", "import", WORKBOOK)

    assert done.code == 1
    assert done.out.startswith("Wrote waivers.toml: 3 added, 0 changed; 1 row refused, named above.\n  added waiver-")
    assert done.err.startswith(f"credly-audit: {WORKBOOK}: Findings row {third['row']} (“")
    assert done.err.endswith("Acme): Reason is empty; fill in what is missing\n")
    text = Path("waivers.toml").read_text()
    acme = first["organization_id"]
    assert text.startswith(KEPT.format(acme=acme))
    made = tomllib.loads(text)
    sources = {each.pop("source") for each in (*made["waivers"], *made["plans"][1:])}
    assert all(each.startswith(f"{WORKBOOK.name}, sha256:") and each.endswith(str(TODAY)) for each in sources)
    assert made["waivers"] == [
        {
            "rule": "PRM001",
            "organization": acme,
            "token": first["token_id"],
            "reason": 'Known; "bounded" – until spring',
            "approved_by": "ciso@acme.example",
            "approved_on": TODAY,
            "expires": SOON,
        },
        {
            "rule": "PRM006",
            "organization": acme,
            "reason": "False positive: Two of them are being wound up",
            "approved_by": "CTO@acme.example",
            "approved_on": TODAY,
            "expires": SOON,
        },
    ]
    assert made["plans"][1:] == [
        {
            "rule": "PRM001",
            "organization": acme,
            "token": second["token_id"],
            "reason": "Moves to the new connector",
            "owner": "crm-team@acme.example",
            "approved_on": TODAY,
            "until": LATER,
        }
    ]

    in_force_since(AS_OF_DATE, tmp_path)
    audit()
    filled = {row["token_id"]: row for row in of_rule("PRM001")}
    typed = [
        (
            *(row[title] for title in ("Decision", "Reason", "Approved by", "Assigned to")),
            row["Until"] and row["Until"].date(),
            row["Accepted"],
        )
        for row in (filled[each["token_id"]] for each in (first, second, third))
    ]
    assert typed == [
        ("accept", 'Known; "bounded" – until spring', "ciso@acme.example", None, SOON, "yes"),
        ("fix", "Moves to the new connector", None, "crm-team@acme.example", LATER, "no"),
        (None, None, None, None, None, "no"),
    ]
    assert [row["Decision"] for row in of_rule("PRM006")] == ["false positive"]


def test_what_is_decided_anew_takes_the_place_of_what_stood_and_an_import_twice_changes_nothing(
    audit: Command, tmp_path: Path
) -> None:
    audit()
    first, *_ = of_rule("PRM001")
    decided = f"""
# The CISO's; see ticket 12.
[[waivers]]
id = "W-7"
rule = "PRM001"
organization = "{first["organization_id"]}"
token = "{first["fingerprint"]}"  # the badge issuer
reason = "Until the badge issuer is replaced"
approved_by = "ciso@acme.example"
approved_on = 2026-11-01
expires = 2026-12-31  # the end of the quarter
# nothing below
"""
    kept = Path("waivers.toml").read_text() + decided
    Path("waivers.toml").write_text(kept)
    audit()
    assert audit("waivers", "import", WORKBOOK).out == "Nothing new for waivers.toml; 1 already there.\n"
    assert Path("waivers.toml").read_text() == kept

    row = next(row for row in of_rule("PRM001") if row["token_id"] == first["token_id"])
    assert (row["Decision"], row["Risk acceptance"]) == ("accept", "W-7")
    type_decisions(tmp_path, {row["row"]: ("accept", "The badge issuer is late", "cto@acme.example", SOON)})
    done = audit("waivers", "import", WORKBOOK, "--into", "waivers.toml")

    assert done.code == 0
    assert done.out.startswith("Wrote waivers.toml: 0 added, 1 changed.\n  changed ")
    changed = Path("waivers.toml").read_text()
    [source] = [line for line in changed.splitlines() if line.startswith("source = ")]
    assert changed.replace(f"{source}\n", "") == (
        kept.replace("Until the badge issuer is replaced", "The badge issuer is late")
        .replace('approved_by = "ciso@acme.example"', 'approved_by = "cto@acme.example"')
        .replace("approved_on = 2026-11-01", f"approved_on = {TODAY}")
        .replace("2026-12-31  # the end", f"{SOON}  # the end")
    )
    again = audit("waivers", "import", WORKBOOK, WORKBOOK)
    assert (again.code, again.out) == (0, "Nothing new for waivers.toml; 1 already there.\n")
    assert Path("waivers.toml").read_text() == changed


def decided(organization: str, unknown: str) -> str:
    """A decision in every state, as of 23 Nov 2026."""
    common = f'organization = "{organization}"\nreason = "Known"\napproved_on = 2026-10-01\n'
    parts = [
        f'[[waivers]]\nid = "{name}"\nrule = "{rule}"\n{common}approved_by = "ciso@acme.example"\nexpires = {day}\n'
        for name, rule, day in [
            ("active", "PRM001", "2027-01-31"),
            ("expiring", "PRM006", "2026-12-01"),
            ("expired", "PRM", "2026-11-22"),
            ("unused", "EXP003", "2026-12-31"),
        ]
    ]
    parts += [
        f'[[plans]]\nid = "{name}"\nrule = "{rule}"\n{common}owner = "crm"\nuntil = {day}\n'
        for name, rule, day in [
            ("open", "PRM", "2026-12-01"),
            ("overdue", "PRM001", "2026-11-22"),
            ("kept", "EXP", "2026-11-22"),
        ]
    ]
    strange = parts[0].replace(organization, unknown).replace('"active"', '"strange"')
    return "\n".join([*parts, strange])


def test_check_says_against_a_snapshot_what_is_expired_unused_expiring_and_overdue(
    audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    acme = sandbox.world.organizations[0].id
    (tmp_path / "waivers.toml").write_text(decided(acme, "00000000-0000-4000-8000-0000000000ff"))
    audit("collect", "-o", "today.snapshot")

    done = audit("waivers", "check", "today.snapshot", "--as-of", AS_OF_DATE)

    assert done.code == 1
    told = {line.split()[1].rstrip(":"): line for line in done.out.splitlines() if not line.startswith(" ")}
    assert set(told) == {"expiring", "expired", "unused", "overdue"}
    assert told["expired"] == "waiver expired: expired; holds until 2026-11-22, 4 findings"
    assert told["unused"] == "waiver unused: matches no finding; holds until 2026-12-31, 0 findings"
    assert told["overdue"] == "plan overdue: overdue; promised by 2026-11-22, 3 findings"
    listed = json.loads(audit("waivers", "list", "--as-of", AS_OF_DATE, "--format", "json").out)["decisions"]
    assert {each["id"]: each["state"] for each in listed} == {
        "active": "active",
        "expiring": "expiring",
        "expired": "expired",
        "unused": "active",
        "strange": "unused",
        "open": "open",
        "overdue": "overdue",
        "kept": "overdue",
    }
    assert (tmp_path / "today.snapshot").exists()

    ran = audit("run", "--as-of", AS_OF_DATE, "--output", "json=now.json", "--output", "markdown=now.md")
    sentences = [
        "1 waiver expired, and its findings are open again: expired (22 Nov 2026)",
        "1 waiver expires before the next audit: expiring (1 Dec 2026)",
        "1 waiver matches no finding: unused (31 Dec 2026)",
        "1 plan is overdue: overdue (22 Nov 2026)",
    ]
    for sentence in sentences:
        assert f"  {sentence}\n" in ran.out
    assert (tmp_path / "now.md").read_text().count("- 1 waiver ") == 3


def test_check_without_a_snapshot_goes_by_the_calendar_and_all_is_well_where_all_holds(
    audit: Command, sandbox: Sandbox, tmp_path: Path
) -> None:
    assert audit("waivers", "check", "--as-of", AS_OF_DATE).out == "1 decision; none needs attention.\n"
    acme = sandbox.world.organizations[0].id
    (tmp_path / "waivers.toml").write_text(decided(acme, "00000000-0000-4000-8000-0000000000ff"))
    done = audit("waivers", "check", "--as-of", AS_OF_DATE, "--format", "json")
    assert done.code == 1
    states = {each["id"]: (each["state"], each["findings"]) for each in json.loads(done.out)["decisions"]}
    assert states == {
        "expiring": ("expiring", None),
        "expired": ("expired", None),
        "strange": ("unused", None),
        "overdue": ("overdue", None),
        "kept": ("overdue", None),
    }


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "none.xlsx"), "none.xlsx: cannot be read (No such file or directory)"),
        (("import", "credly-audit.toml"), "credly-audit.toml: row 1: no column decision, no column reason"),
        (("import", "none.xlsx", "--into", "."), "File '.' is a directory"),
        (("check", "none.snapshot"), "none.snapshot"),
        (("check", "-c", "none.toml"), "none.toml: cannot be read"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(
    audit: Command, tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = (tmp_path / "waivers.toml").read_bytes()
    done = audit("waivers", *arguments)
    assert done.code == 2
    assert said in done.err
    assert (tmp_path / "waivers.toml").read_bytes() == before


def test_a_file_for_decisions_may_be_made_by_the_import_and_one_that_no_audit_reads_is_told(
    audit: Command, tmp_path: Path
) -> None:
    audit()
    shutil.copy(WORKBOOK, tmp_path / "typed.xlsx")
    (tmp_path / "waivers.toml").unlink()
    assert audit("waivers", "list").code == 2
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook("typed.xlsx")
    sheet = book["Findings"]
    columns = {cell.value: cell.column for cell in sheet[1]}
    said = {"Decision": "Accept", "Reason": "Known", "Approved by": "ciso@acme.example", "Until": str(SOON)}
    for title, text in said.items():
        sheet.cell(2, columns[title], text)
    book.save("typed.xlsx")

    Path("kept.toml").write_bytes(b"\xef\xbb\xbf# Decided in the meeting.\r\n")
    Path("kept.toml").chmod(0o664)
    Path("link.toml").symlink_to("kept.toml")
    assert audit("waivers", "import", "typed.xlsx", "--into", "link.toml").code == 0
    assert Path("link.toml").is_symlink()
    assert Path("kept.toml").read_bytes().startswith(b"\xef\xbb\xbf# Decided in the meeting.\r\n\r\n[[waivers]]\r\n")
    assert Path("kept.toml").stat().st_mode & 0o777 == 0o664
    assert audit("waivers", "import", "typed.xlsx", "--into", "kept.toml").out.startswith("Nothing new for kept.toml")

    dry = audit("waivers", "import", "typed.xlsx", "--dry-run")
    assert (dry.code, dry.out.splitlines()[0]) == (0, "Would write waivers.toml: 1 added, 0 changed.")
    assert not Path("waivers.toml").exists()
    assert audit("waivers", "import", "typed.xlsx").code == 0
    assert tomllib.loads(Path("waivers.toml").read_text())["waivers"][0]["expires"] == SOON
    assert Path("waivers.toml").stat().st_mode & 0o777 == 0o600
    other = audit("waivers", "import", "typed.xlsx", "--into", "other.toml")
    assert other.out == "Nothing new for other.toml; 1 already there.\n"
    Path("waivers.toml").unlink()
    other = audit("waivers", "import", "typed.xlsx", "--into", "other.toml")
    assert "No audit reads other.toml yet: set [policy] waivers_file to it." in other.out
    into_itself = audit("waivers", "import", "typed.xlsx", "--into", "credly-audit.toml")
    assert (into_itself.code, into_itself.out.splitlines()[0]) == (0, "Wrote credly-audit.toml: 1 added, 0 changed.")
    Path("waivers.toml").write_text("")
    assert audit("waivers", "list").out.startswith("waiver waiver-")


def test_what_is_not_yet_in_force_is_said_and_covers_nothing(audit: Command, sandbox: Sandbox, tmp_path: Path) -> None:
    acme = sandbox.world.organizations[0].id
    decided = f'rule = "PRM001"\norganization = "{acme}"\nreason = "Known"\napproved_on = 2026-11-24\n'
    (tmp_path / "waivers.toml").write_text(
        f'[[waivers]]\nid = "W-1"\n{decided}approved_by = "ciso@acme.example"\nexpires = 2027-03-31\n'
        f'[[plans]]\nid = "P-1"\n{decided}owner = "crm-team@acme.example"\nuntil = 2027-03-31\n'
    )

    assert audit().code == 1
    report = json.loads(Path(f"reports/credly-audit-{AS_OF_DATE}.json").read_text())
    assert not any(finding["waived"] for finding in report["findings"])
    assert [report["waivers"][0]["state"], report["plans"][0]["state"]] == ["pending", "pending"]
    shown = [row[0] for row in openpyxl.load_workbook(WORKBOOK)["Decisions"].iter_rows(min_row=2, values_only=True)]
    assert shown == ["○ not yet valid"] * 2
    for day, states in {"2026-11-23": "not yet in force", "2026-11-24": "in force"}.items():
        listed = audit("waivers", "list", "--as-of", day)
        assert listed.out.splitlines()[0].startswith(f"waiver W-1: {states}; holds ")
    checked = audit("waivers", "check", "--as-of", AS_OF_DATE)
    assert checked.code == 0
    assert "waiver W-1: not yet in force; holds from 2026-11-24 until 2027-03-31" in checked.out
    assert "plan P-1: not yet in force; promised from 2026-11-24 by 2027-03-31" in checked.out

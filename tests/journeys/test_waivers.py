"""Decisions as people make them: in the Excel report, with LibreOffice, and back into the file that an audit reads."""

import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from credly_audit.sandbox.server import Sandbox
from credly_audit.workbooks import opened
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
    with opened(WORKBOOK) as book:
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

    assert (done.code, done.out) == (1, "Wrote waivers.toml: 3 added, 0 changed; 1 row refused, named above.\n")
    assert done.err == (
        f"credly-audit: {WORKBOOK}: Findings row {third['row']}: Reason is empty; fill in what is missing\n"
    )
    text = Path("waivers.toml").read_text()
    acme = first["organization_id"]
    assert text.startswith(KEPT.format(acme=acme))
    made = tomllib.loads(text)
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

    audit()
    filled = {row["token_id"]: row for row in of_rule("PRM001")}
    typed = [
        (row["Decision"], row["Reason"], row["Approved by"], row["Until"] and row["Until"].date(), row["Waived"])
        for row in (filled[each["token_id"]] for each in (first, second, third))
    ]
    assert typed == [
        ("accept", 'Known; "bounded" – until spring', "ciso@acme.example", SOON, "yes"),
        ("fix", "Moves to the new connector", "crm-team@acme.example", LATER, "no"),
        (None, None, None, None, "no"),
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
    assert audit("waivers", "import", WORKBOOK).out == "Nothing new for waivers.toml; 1 stood already.\n"
    assert Path("waivers.toml").read_text() == kept

    row = next(row for row in of_rule("PRM001") if row["token_id"] == first["token_id"])
    assert (row["Decision"], row["Waiver"]) == ("accept", "W-7")
    type_decisions(tmp_path, {row["row"]: ("accept", "The badge issuer is late", "cto@acme.example", SOON)})
    done = audit("waivers", "import", WORKBOOK, "--into", "waivers.toml")

    assert (done.code, done.out) == (0, "Wrote waivers.toml: 0 added, 1 changed.\n")
    changed = Path("waivers.toml").read_text()
    assert changed == (
        kept.replace("Until the badge issuer is replaced", "The badge issuer is late")
        .replace('approved_by = "ciso@acme.example"', 'approved_by = "cto@acme.example"')
        .replace("approved_on = 2026-11-01", f"approved_on = {TODAY}")
        .replace("2026-12-31  # the end", f"{SOON}  # the end")
    )
    again = audit("waivers", "import", WORKBOOK, WORKBOOK)
    assert (again.code, again.out) == (0, "Nothing new for waivers.toml; 1 stood already.\n")
    assert Path("waivers.toml").read_text() == changed

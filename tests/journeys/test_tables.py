"""The organizations and the decisions as files that other programs saved, at the command line."""

from pathlib import Path

import pytest

from tests.build import ACME, token
from tests.journeys.conftest import Command
from tests.spreadsheets import MAIN, row, workbook

FORMULA = "contains a formula without a stored result; open the file in a spreadsheet program, save it and try again"
APOSTROPHE = "begins with an apostrophe, by which a spreadsheet marks a text; delete the apostrophe"
ERROR = "contains the error #NAME?; correct the formula, or type a text that begins with a letter"
MERGED = "is in merged cells, of which only the first has a value; unmerge them"
NO_ID = "must be the organization's id, a UUID; Credly shows it under Organization Management > Developers"

ORGANIZATION = ("id", "name", "tags", "token")
BETA_ROW = ("1c3d7a52-9f0e-4a8b-8d6f-0b1e2a3c4d5e", "365", "prod; eu", "env:TOKEN")


@pytest.mark.parametrize("form", ["workbook", "semicolons", "UTF-16"])
def test_the_organizations_are_read_in_the_same_forms(form: str, credly_audit: Command, tmp_path: Path) -> None:
    name = "all.xlsx" if form == "workbook" else "all.csv"
    if form == "workbook":
        notes = row(1, "Read me") + row(2, "id", "the organization's")
        workbook(
            tmp_path / name,
            {"Notes": "", "All": row(3, *ORGANIZATION) + row(5, *BETA_ROW), "Old": notes},
            states={"Old": "hidden"},
        )
    elif form == "semicolons":
        lines = "ID;Name;Tags:;TOKEN;\n" + ";".join(f'"{cell}"' for cell in BETA_ROW) + ";\n;;;;\n"
        (tmp_path / name).write_text(lines)
    else:
        lines = "\t".join(ORGANIZATION) + "\r\n" + "\t".join(BETA_ROW) + "\r\n"
        (tmp_path / name).write_bytes(("\ufeff" + lines).encode("utf-16-le"))
    (tmp_path / "credly-audit.toml").write_text(f'organizations_file = "{name}"\n')

    done = credly_audit("config", "validate")
    assert (done.code, done.out) == (0, "credly-audit.toml is valid: 1 organization.\n")
    done = credly_audit("config", "explain", "--organization", BETA_ROW[0])
    assert "Settings for 365" in done.out


def test_every_fault_of_the_organizations_is_told_in_one_pass(credly_audit: Command, tmp_path: Path) -> None:
    rows = row(1, *ORGANIZATION, "Owner") + row(2, "acme", "", "", "'env:TOKEN") + row(3, *BETA_ROW[:3])
    cell = '<c r="D3"><f>A1</f></c></row>'
    workbook(tmp_path / "all.xlsx", {"All": rows[: -len("</row>")] + cell + row(4, "acme", "", "", "env:TOKEN")})
    (tmp_path / "credly-audit.toml").write_text('organizations_file = "all.xlsx"\n')

    done = credly_audit("config", "validate")
    said = [line.removeprefix("credly-audit: all.xlsx: ") for line in done.err.splitlines()]
    assert done.code == 2
    assert said == [
        "unknown column 'owner' (E); the columns are id, name, contact, tags, token",
        f"All row 2: token (cell D2) {APOSTROPHE}",
        f"All row 3: token (cell D3) {FORMULA}",
        f"All row 4: id: {NO_ID}",
    ]


DECIDED = ("Rule", "Decision", "Reason", "Approved by", "Until", "rule_id", "organization_id", "token_id")
ACCEPTED = ("r", "Accept", "Known", "ciso", "2027-03-31", "PRM001", ACME, token(0)["token_id"])


def test_a_decision_in_merged_cells_or_a_formula_is_refused_and_the_others_are_taken(
    credly_audit: Command,
    tmp_path: Path,
) -> None:
    subjects = [(*ACCEPTED[5:7], token(n)["token_id"]) for n in range(4)]
    formula = row(3, "r", "fix", "Soon", "crm", "", *subjects[1]).replace(
        "</row>", "<c r='E3'><f>TODAY()</f></c></row>"
    )
    error = row(6, "r", "accept", "", "ciso", "2999-03-31", *subjects[3])
    rows = row(1, *DECIDED) + row(2, *ACCEPTED[:4], "2999-03-31", *subjects[0]) + formula
    rows += row(4, "r", *ACCEPTED[1:4], "2999-03-31", *subjects[2]) + row(5, "r", "", "", "", "", *subjects[3])
    rows += error.replace("</row>", "<c r='C6' t='e'><v>#NAME?</v></c></row>")
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>'
    sheet += '<mergeCells><mergeCell ref="B4:B5"/></mergeCells></worksheet>'
    workbook(tmp_path / "r.xlsx", {"Findings": ""}, parts={"xl/worksheets/sheet1.xml": sheet})
    (tmp_path / "credly-audit.toml").write_text("[policy]\nmax_waiver_days = 999999\n")

    done = credly_audit("waivers", "import", "r.xlsx", "--into", "waivers.toml")
    assert (done.code, done.err.splitlines()) == (
        1,
        [
            f"credly-audit: r.xlsx: Findings row 3: until (cell E3) {FORMULA}",
            f"credly-audit: r.xlsx: Findings row 4: decision {MERGED}",
            "credly-audit: r.xlsx: Findings row 6: reason (cell C6) " + ERROR,
        ],
    )
    assert (tmp_path / "waivers.toml").read_text().count("[[waivers]]") == 1

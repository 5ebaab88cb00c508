"""Tables as people have them: whatever program saved the file, it says the same, or it is refused with its place."""

import codecs
import csv
import io
import zipfile
from collections.abc import Callable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openpyxl.styles import PatternFill

from credly_audit.errors import ConfigurationError
from credly_audit.policy.decision_workbook import read_typed_rows
from credly_audit.policy.register_file import Register
from tests import needs
from tests.build import ACME, token
from tests.spreadsheets import MAIN, row, text_cell, workbook

TOKEN = token(1)["token_id"]
TITLES = ("organization_id", "token_id", "owner", "permissions", "review_by")
SAID = (ACME, TOKEN, "ada@acme.example", "read+write", "2027-03-31")
DAY = 46_477
"""31 Mar 2027, as Excel counts days."""

ROWS = row(1, *TITLES) + row(2, *SAID)
LINES = f"{','.join(TITLES)}\n{','.join(SAID)}\n"

Make = Callable[[Path], Path]


def says(path: Path) -> tuple[Any, ...]:
    """The organization, token, owner, permissions and day of review of the register's one entry."""
    [entry] = Register.read(path).entries.to_dict("records")
    approved = "+".join(name for name in ("read", "write", "delete") if entry[f"{name}_approved"])
    until = entry["reviewed_until"]
    return entry["organization_id"], entry["token_id"], entry["owner"], approved, f"{until:%Y-%m-%d}"


EXPECTED = (ACME, TOKEN, "ada@acme.example", "read+write", "2027-04-01")
"""What the entry says in every form: its review is due until the end of the day."""


def sheets(**options: Any) -> Make:
    """A workbook of these sheets, Tokens with the entry among them where nothing else is said."""
    named = options.pop("sheets", {"Tokens": ROWS})
    return lambda folder: workbook(folder / "register.xlsx", named, **options)


def text(content: str, encoding: str = "utf-8", name: str = "register.csv") -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(content.encode(encoding))
        return folder / name

    return make


def by_openpyxl(change: Callable[[Any, Any], None]) -> Make:
    """What openpyxl writes of a workbook that was changed: the first argument is the book, the second its sheet."""

    def make(folder: Path) -> Path:
        book = openpyxl.Workbook()
        book.active.append(TITLES)
        book.active.append([*SAID[:-1], datetime(2027, 3, 31)])  # noqa: DTZ001 - as Excel has it
        change(book, book.active)
        book.save(folder / "register.xlsx")
        return folder / "register.xlsx"

    return make


def format_to_the_edges(_: Any, sheet: Any) -> None:
    for column in range(1, 16_385):
        sheet.cell(1, column).fill = sheet.cell(3, column).fill = PatternFill("solid", "FFFF00")
    sheet.cell(1_048_576, 1).fill = PatternFill("solid", "FFFF00")


def add_chart(book: Any, _: Any) -> None:
    book.create_chartsheet("Chart", 0)


def in_last_cell(cell: str) -> Make:
    """A register whose review_by is this cell."""
    return sheets(sheets={"Tokens": row(1, *TITLES) + row(2, *SAID[:-1]).replace("</row>", f"{cell}</row>")})


SHARED = f"""<sst xmlns="{MAIN}"><si><t>review</t></si>
<si><r><rPr><b/></rPr><t>2027-</t></r><r><t>03-31</t></r><rPh sb="0" eb="1"><t>GUIDE</t></rPh></si>
</sst>"""

NOTES = row(1, "Read me") + row(2, "organization_id", "is the id")
UNNUMBERED = "".join(
    "<row>" + "".join(f'<c t="str"><v>{each}</v></c>' for each in texts) + "</row>" for texts in (TITLES, SAID)
)
PREFIXED_ROWS = ROWS.replace("<", "<x:").replace("<x:/", "</x:")
PREFIXED = f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData>{PREFIXED_ROWS}</x:sheetData></x:worksheet>'
WIDE = {"Notes": NOTES, "Tokens": "".join(row(n, *texts) for n, texts in ((3, TITLES), (5, SAID)))}

FORMS: dict[str, Make] = {
    "as it should be": sheets(),
    "titles in row 3 of the second sheet": sheets(sheets=WIDE),
    "titles in row 20": sheets(sheets={"T": row(19, "Note") + row(20, *TITLES) + row(21, *SAID)}),
    "another sheet like it is hidden": sheets(sheets={"Old": ROWS, "T": ROWS}, states={"Old": "hidden"}),
    "another sheet like it is very hidden": sheets(sheets={"T": ROWS, "Old": ROWS}, states={"Old": "veryHidden"}),
    "Strict Open XML": sheets(strict=True),
    "a day in Strict Open XML": in_last_cell('<c r="E2" s="1" t="d"><v>2027-03-31T00:00:00</v></c>'),
    "no style sheet": sheets(parts={"xl/styles.xml": f'<styleSheet xmlns="{MAIN}"/>'}),
    "a number shown as a day": in_last_cell(f'<c r="E2" s="1"><v>{DAY}</v></c>'),
    "a number with a format of its own": in_last_cell(f'<c r="E2" s="2"><v>{DAY}.5</v></c>'),
    "days from 1904 on": sheets(
        sheets={
            "T": row(1, *TITLES)
            + row(2, *SAID[:-1]).replace("</row>", f'<c r="E2" s="1"><v>{DAY - 1462}</v></c></row>')
        },
        properties='<workbookPr date1904="1"/>',
    ),
    "a style that is not there": in_last_cell('<c r="E2" s="99" t="inlineStr"><is><t>2027-03-31</t></is></c>'),
    "rich text with a guide to its pronunciation": sheets(
        sheets={"T": row(1, *TITLES) + row(2, *SAID[:-1]).replace("</row>", '<c r="E2" t="s"><v>1</v></c></row>')},
        parts={"xl/sharedStrings.xml": SHARED},
    ),
    "a formula with its result": in_last_cell('<c r="E2" t="str"><f>TEXT(D9)</f><v>2027-03-31</v></c>'),
    "a formula with its result as a day": in_last_cell(f'<c r="E2" s="1"><f>TODAY()</f><v>{DAY}</v></c>'),
    "cells without places": sheets(sheets={"T": UNNUMBERED}),
    "a prefix for the namespace": sheets(parts={"xl/worksheets/sheet1.xml": PREFIXED}),
    "extensions in a cell": in_last_cell(
        '<c r="E2" t="str"><v>2027-03-31</v><extLst><ext uri="x"><f>1</f></ext></extLst></c>'
    ),
    "merged titles above": sheets(
        parts={
            "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{row(1, "Our tokens")}{row(2, *TITLES)}'
            f'{row(3, *SAID)}</sheetData><mergeCells><mergeCell ref="A1:E1"/><mergeCell ref="D9:E12"/></mergeCells>'
            "</worksheet>"
        }
    ),
    "titles in capitals, with a colon and blanks": sheets(
        sheets={
            "T": row(1, "Organization ID:", "\u200btoken-id", "Owner ", "PERMISSIONS", "\u00a0Review\u00a0by :")
            + row(2, *SAID)
        }
    ),
    "by openpyxl": by_openpyxl(lambda *_: None),
    "by openpyxl, a chart first": by_openpyxl(add_chart),
    "a workbook with the name of a CSV file": lambda folder: workbook(folder / "register.csv", {"T": ROWS}),
    "commas": text(LINES),
    "semicolons": text(LINES.replace(",", ";")),
    "tabs": text(LINES.replace(",", "\t"), name="register.tsv"),
    "bars": text(LINES.replace(",", "|")),
    "sep=": text("sep=^\r\n" + LINES.replace(",", "^")),
    "sep= in capitals behind a mark": text("\ufeffSEP=;\n" + LINES.replace(",", ";")),
    "trailing separators": text(LINES.replace("\n", ",,\n") + ",,,,,,\n"),
    "capitals": text(LINES.upper().replace("REVIEW_BY", "Review by:")),
    "blank rows": text("\n , \n" + LINES.replace("\n", "\n\n")),
    "a title above": text(f"Our tokens, all of them,\n\n{LINES}"),
    "CR LF": text(LINES.replace("\n", "\r\n")),
    "CR": text(LINES.replace("\n", "\r")),
    "no end of the last line": text(LINES.rstrip("\n")),
    "quotes": text("".join(",".join(f' "{cell}"' for cell in line.split(",")) + "\n" for line in LINES.splitlines())),
    "UTF-8 with its mark": text("\ufeff" + LINES),
    "UTF-16 LE": text("\ufeff" + LINES, "utf-16-le"),
    "UTF-16 BE, tabs": text("\ufeff" + LINES.replace(",", "\t"), "utf-16-be", "register.txt"),
    "UTF-32": text("\ufeff" + LINES, "utf-32-le"),
    "a day that a program wrote as an instant": text(LINES.replace("2027-03-31", "2027-03-31 00:00:00")),
    "a cell of a megabyte": text(
        LINES.replace("review_by", "review_by,Note").replace("-31\n", f'-31,"{"x" * 2**20}"\n')
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_register_says_the_same_in_every_form(form: str, tmp_path: Path) -> None:
    said = says(FORMS[form](tmp_path))

    assert (*said[:2], said[2].lower(), *said[3:]) == EXPECTED


def test_what_is_only_formatted_makes_no_columns(tmp_path: Path) -> None:
    path = by_openpyxl(format_to_the_edges)(tmp_path)

    assert says(path) == EXPECTED
    assert list(Register.read(path).documented) == ["owner", "purpose", "permissions", "review_by"]


def test_a_register_that_libreoffice_saved_says_the_same(tmp_path: Path) -> None:
    soffice = needs.runner("soffice")
    source = FORMS["by openpyxl"](tmp_path)
    home = f"-env:UserInstallation={(tmp_path / 'home').as_uri()}"
    for kind in ("xlsx:Calc MS Excel 2007 XML", "csv:Text - txt - csv (StarCalc):59,34,76,1"):
        soffice(home, "--headless", "--convert-to", kind, "--outdir", tmp_path / "out", source).check_returncode()

    assert [says(saved) for saved in sorted((tmp_path / "out").iterdir())] == [EXPECTED, EXPECTED]


def refusal(make: Make, folder: Path) -> list[str]:
    path = make(folder)
    with pytest.raises(ConfigurationError) as raised:
        Register.read(path)
    assert all(mistake.startswith(f"{path}: ") for mistake in raised.value.mistakes)
    return [mistake.removeprefix(f"{path}: ") for mistake in raised.value.mistakes]


FORMULA = "contains a formula without a stored result; open the file in a spreadsheet program, save it and try again"
ERROR = "contains the error {}; correct the formula, or type a text that begins with a letter"
MERGED = "is in merged cells, of which only the first has a value; unmerge them"


def merged(*areas: str, rows: str) -> Make:
    cells = "".join(f'<mergeCell ref="{area}"/>' for area in areas)
    sheet = f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData><mergeCells>{cells}</mergeCells></worksheet>'
    return sheets(parts={"xl/worksheets/sheet1.xml": sheet})


SECOND = (ACME, token(2)["token_id"], "ada", "read", "")

BAD_CELLS: dict[str, tuple[Make, list[str]]] = {
    "a formula without a result": (
        in_last_cell('<c r="E2" s="1"><f>EDATE(A9,6)</f><v></v></c>'),
        [f"Tokens row 2: review_by (cell E2) {FORMULA}"],
    ),
    "a formula without a value": (
        in_last_cell('<c r="E2"><f>EDATE(A9,6)</f></c>'),
        [f"Tokens row 2: review_by (cell E2) {FORMULA}"],
    ),
    "formulas by openpyxl, in a column of the team's own too": (
        by_openpyxl(
            lambda _, sheet: [sheet.__setitem__(f"{at}2", "=1+1") for at in "ACDEF"] + [sheet.__setitem__("F1", "X")]
        ),
        [
            f"Sheet row 2: {name} (cell {at}2) {FORMULA}"
            for at, name in zip("ACDEF", ("organization_id", "owner", "permissions", "review_by", "x"), strict=True)
        ],
    ),
    "an error": (
        in_last_cell('<c r="E2" t="e"><f>VLOOKUP(1)</f><v>#N/A</v></c>'),
        [f"Tokens row 2: review_by (cell E2) {ERROR.format('#N/A')}"],
    ),
    "an error saved as CSV": (
        text(LINES.replace("ada@acme.example", "#REF!")),
        [f"row 2: owner {ERROR.format('#REF!')}"],
    ),
    "a text that is not there": (
        in_last_cell('<c r="E2" t="s"><v>7</v></c>'),
        ["Tokens row 2: review_by (cell E2) refers to a text that the workbook lacks; type it again"],
    ),
    "a number that is no day": (
        in_last_cell(f'<c r="E2" s="99"><v>{DAY}</v></c>'),
        [f"Tokens row 2: review_by is {DAY}, not a date; format the cell as a date, or write one such as 2027-03-31"],
    ),
    "a day after all calendars": (
        in_last_cell('<c r="E2" s="1"><v>99999999</v></c>'),
        ["Tokens row 2: review_by is 99999999, not a date; format the cell as a date, or write one such as 2027-03-31"],
    ),
    "a time": (
        in_last_cell('<c r="E2" s="1"><v>0.5</v></c>'),
        ["Tokens row 2: review_by is not a date; write one such as 2027-03-31"],
    ),
    "true": (
        in_last_cell('<c r="E2" t="b"><v>1</v></c>'),
        ["Tokens row 2: review_by is TRUE, not a date; format the cell as a date, or write one such as 2027-03-31"],
    ),
    "a day with its month in words": (
        text(LINES.replace("2027-03-31", "31 Foo 2027")),
        ["row 2: review_by is not a date; write one such as 2027-03-31"],
    ),
    "rows merged": (
        merged("E2:E3", "C3:D3", rows=ROWS + row(3, *SECOND)),
        [f"Tokens row 3: review_by {MERGED}", f"Tokens row 3: permissions {MERGED}"],
    ),
    "a title merged with what is under it": (merged("E1:E2", rows=ROWS), [f"Tokens row 2: review_by {MERGED}"]),
    "two titles alike": (
        text(LINES.replace("owner", "Permissions")),
        ["row 1: two columns are called permissions (C and D); keep one"],
    ),
    "two titles of the team's own alike": (
        sheets(sheets={"T": row(1, *TITLES, "Note", "Note:") + row(2, *SAID)}),
        ["T row 1: two columns are called note (F and G); keep one"],
    ),
    "too many cells, one of them quoted wrongly": (
        text(LINES + f'{ACME},{TOKEN},Ada, Bob and Eve,read,2027-03-31\n{ACME},"x" y\n'),
        [
            "row 3: more cells than columns; quote a cell with a comma",
            "row 4: a quotation mark is inside a quoted cell; double it",
        ],
    ),
    "a quotation mark that is not closed": (
        text(LINES + f'{ACME},{token(2)["token_id"]},"Ada,read,\n{ACME},{token(3)["token_id"]},,read,\n'),
        ["row 3: a quotation mark begins a cell that never ends; close it, or double it if it belongs to the text"],
    ),
    "an apostrophe": (
        text(LINES.replace(TOKEN, "'" + TOKEN)),
        ["row 2: token_id begins with an apostrophe, by which a spreadsheet marks a text; delete the apostrophe"],
    ),
    "a zero-width space and a soft hyphen": (
        text(LINES.replace(TOKEN, TOKEN + "\u200b").replace("2027-03-31", "2027\u00ad-03-31")),
        [
            (
                "row 2: token_id contains an invisible character (U+200B ZERO WIDTH SPACE); empty the cell and type it "
                "again"
            ),
            "row 2: review_by contains an invisible character (U+00AD SOFT HYPHEN); empty the cell and type it again",
        ],
    ),
}


@pytest.mark.parametrize("fault", BAD_CELLS)
def test_a_cell_that_is_not_certain_is_refused_with_its_place(fault: str, tmp_path: Path) -> None:
    make, expected = BAD_CELLS[fault]

    assert refusal(make, tmp_path) == expected


@pytest.mark.parametrize(
    ("fingerprint", "why"),
    [
        ("1.23457E+15", "was rounded to 1.23457e+15 by a spreadsheet"),
        ("1,23457E+15", "was rounded to 1,23457e+15 by a spreadsheet"),
        ("1234567890123450.0", "was rounded to 1234567890123450.0 by a spreadsheet"),
        ("12345678901234", "has 14 digits of 16: a spreadsheet took it for a number and dropped leading zeros"),
        ("123", "is not a fingerprint; write its 16 hex digits"),
        ("'0123456789abcdef", "begins with an apostrophe"),
        ("0123456789abcdef\u200b", "contains an invisible character (U+200B ZERO WIDTH SPACE)"),
    ],
)
def test_a_fingerprint_that_a_spreadsheet_spoiled_is_explained_by_row(
    fingerprint: str, why: str, tmp_path: Path
) -> None:
    lines = f'organization_id,fingerprint,permissions\n{ACME},{"0" * 16},read\n{ACME},"{fingerprint}",read\n'

    [mistake] = refusal(text(lines), tmp_path)
    assert mistake.startswith(f"row 3: fingerprint {why}")


def test_a_fingerprint_of_digits_alone_is_one(tmp_path: Path) -> None:
    lines = f"organization_id,fingerprint,permissions\n{ACME},1234567890123450,read\n"

    assert list(Register.read(text(lines)(tmp_path)).entries["fingerprint"]) == ["1234567890123450"]


def with_parts(*names: str) -> Make:
    def make(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "register.xlsx", "w") as archive:
            for name in names:
                archive.writestr(name, "")
        return folder / "register.xlsx"

    return make


def content(data: bytes, name: str = "register.xlsx") -> Make:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def cut(folder: Path) -> Path:
    path = workbook(folder / "register.xlsx", {"Tokens": ROWS})
    path.write_bytes(path.read_bytes()[:-400])
    return path


NO_SHEET = "no sheet has the columns in one of its first 20 rows"
COLUMNS = (
    "the columns are organization_id, token_id, fingerprint, owner, purpose, permissions, review_by, consumers, "
    "consumer, contact, and any others"
)
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
PADDING = f"<x y='{' ' * 60_000}'/>" * 300
BOMB = f'<worksheet xmlns="{MAIN}">{PADDING}<sheetData>{ROWS}</sheetData></worksheet>'
LATIN = LINES + "".join(
    f"{ACME},{token(n)['token_id']},{who},read,\n" for n, who in ((2, "Jos\xe9"), (3, "J"), (4, "\xd6"))
)

NO_TABLE: dict[str, tuple[Make, str]] = {
    "a web page": (
        content(b"\n<HTML><body><table>"),
        "has the name of a workbook, but is a web page (HTML); rename it",
    ),
    "a web page as CSV": (content(b"<!DOCTYPE html>", "register.csv"), "is a web page (HTML), not a table; save it"),
    "a CSV file as XLSX": (content(LINES.encode()), "has the name of a workbook, but is a text file; rename it"),
    "nothing as XLSX": (content(b""), "has the name of a workbook, but is empty; rename it"),
    "an old workbook": (content(OLE + b"\0" * 512), "is an Excel workbook of before 2007 (XLS), or another old Office"),
    "an encrypted workbook": (
        content(OLE + b"\0" * 512 + "EncryptedPackage".encode("utf-16-le")),
        "is encrypted with a password; save it without one",
    ),
    "an OpenDocument sheet": (with_parts("mimetype", "content.xml"), "is an OpenDocument file (ODS); save it"),
    "a binary workbook": (with_parts("[Content_Types].xml", "xl/workbook.bin"), "is a binary workbook (XLSB); save it"),
    "a document": (with_parts("[Content_Types].xml", "word/document.xml"), "is a Word document; save it"),
    "an archive": (with_parts("register.csv"), "is a ZIP archive without a workbook; save it"),
    "half a workbook": (cut, "not an XLSX workbook, or damaged (BadZipFile)"),
    "a sheet cut short": (
        sheets(parts={"xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{ROWS}'}),
        "not an XLSX workbook, or damaged (xl/worksheets/sheet1.xml, XMLSyntaxError)",
    ),
    "a cell beyond the last column": (
        in_last_cell(text_cell("XFE2", "x")),
        "not an XLSX workbook, or damaged (sheet Tokens has no cell XFE2)",
    ),
    "a row beyond the last": (
        sheets(sheets={"T": row(1_048_577, "x")}),
        "not an XLSX workbook, or damaged (sheet T has no row 1048577)",
    ),
    "an entity": (
        sheets(
            parts={
                "xl/worksheets/sheet1.xml": f'<!DOCTYPE x [<!ENTITY y "z">]><worksheet xmlns="{MAIN}"><sheetData>'
                '<row r="1"><c r="A1" t="str"><v>&y;</v></c></row></sheetData></worksheet>'
            }
        ),
        "not an XLSX workbook, or damaged (sheet Tokens, cell A1)",
    ),
    "twenty megabytes of nothing": (
        sheets(parts={"xl/worksheets/sheet1.xml": BOMB}),
        "xl/worksheets/sheet1.xml is too large when unpacked; save it",
    ),
    "bytes of Windows-1252": (content(LATIN.encode("cp1252"), "r.csv"), "rows 3, 5: not UTF-8 (byte 0xE9), perhaps"),
    "UTF-16 without its mark": (content(LINES.encode("utf-16-le"), "r.csv"), "row 1: contains a NUL character"),
    "half a letter of UTF-16": (
        content(codecs.BOM_UTF16_LE + b"a\0b", "r.csv"),
        "is damaged: truncated data of UTF-16",
    ),
    "a sheet that lacks columns": (
        sheets(sheets={"Notes": row(1, "Read me"), "Tokens": row(4, *TITLES[:3])}),
        f"{NO_SHEET} (Notes: none of them; Tokens row 4: no column permissions); {COLUMNS}",
    ),
    "titles in row 21": (sheets(sheets={"T": row(21, *TITLES) + row(22, *SAID)}), "no sheet has the columns in one of"),
    "the columns in a hidden sheet": (
        sheets(sheets={"T": row(1, "x"), "Old": ROWS}, states={"Old": "hidden"}),
        f"{NO_SHEET} (T: none of them); {COLUMNS}; show the hidden sheet Old, which has them",
    ),
    "two sheets that fit": (
        sheets(sheets={"2025": ROWS, "2026": ROWS, "Notes": NOTES}),
        "the sheets 2025 and 2026 all have the columns; keep one, or hide the others",
    ),
    "charts alone": (
        sheets(parts={"xl/workbook.xml": f'<workbook xmlns="{MAIN}"><sheets/></workbook>'}),
        "no sheet has the columns in one of its first 20 rows (it has no sheet with cells)",
    ),
    "201 columns of the team's own": (
        text(",".join([*TITLES, *(f"c{n}" for n in range(201))]) + "\n"),
        "row 1: more than 200 columns of other names",
    ),
}


@pytest.mark.parametrize("kind", NO_TABLE)
def test_a_file_that_is_no_such_table_is_named_for_what_it_is(kind: str, tmp_path: Path) -> None:
    make, expected = NO_TABLE[kind]

    [mistake] = refusal(make, tmp_path)
    assert mistake.startswith(expected)


def test_a_file_larger_than_any_register_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "register.csv").open("wb") as file:
        file.truncate(101 * 2**20)

    assert refusal(lambda folder: folder / "register.csv", tmp_path) == [
        "is larger than 100 MB; save it as an Excel workbook (XLSX), or as CSV in UTF-8"
    ]


DECIDED = ("Rule", "Decision", "Reason", "Approved by", "Until", "rule_id", "organization_id", "token_id")
ACCEPTED = ("r", "Accept", "Known", "ciso", "2027-03-31", "PRM001", ACME, TOKEN)


def test_decisions_are_read_where_they_stand_and_a_long_report_s_second_sheet_too(tmp_path: Path) -> None:
    rows = row(2, *DECIDED) + row(3, *ACCEPTED) + row(4, "r", "", "", "", "", *ACCEPTED[5:])
    path = workbook(tmp_path / "r.xlsx", {"Findings": rows, "Findings2": rows, "About": NOTES})

    assert [(each.place, each.until) for each in read_typed_rows(path, date(2026, 11, 23))] == [
        (f"{path}: {sheet} row 3", date(2027, 3, 31)) for sheet in ("Findings", "Findings2")
    ]
    path = workbook(tmp_path / "r.xlsx", {"Findings": rows, "Findings (2)": rows})
    with pytest.raises(ConfigurationError, match=r"the sheets Findings and Findings \(2\) all have the columns"):
        read_typed_rows(path, date(2026, 11, 23))


cells = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zs")), max_size=9).map(str.strip)
tables = st.lists(st.tuples(cells, cells), max_size=5)


@given(
    rows=tables,
    separator=st.sampled_from(",;\t|"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    above=st.integers(0, 19),
)
@settings(max_examples=40, deadline=None)
def test_every_dialect_of_csv_says_the_same(
    tmp_path_factory: pytest.TempPathFactory,
    rows: Sequence[tuple[str, str]],
    separator: str,
    quoting: int,
    ends: str,
    encoding: str,
    above: int,
) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=separator, quoting=quoting, lineterminator=ends)  # type: ignore[arg-type]
    writer.writerows([["Our tokens"]] * above)
    writer.writerow(["organization_id", "token_id", "permissions", "purpose", "Note"])
    writer.writerows([ACME, token(n)["token_id"], "read", *said] for n, said in enumerate(rows))
    path = tmp_path_factory.mktemp("csv") / "register.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    errors = [said for said in rows if said[0].startswith(("#N", "#R", "Err:"))]
    if errors:
        return

    register = Register.read(path)
    assert list(register.entries["row"]) == [above + 2 + n for n in range(len(rows))]
    assert list(register.entries["purpose"].fillna("")) == [purpose for purpose, _ in rows]
    assert list(register.extra["note"].fillna("")) == [note for _, note in rows]


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_a_spoiled_workbook_is_read_or_refused_and_never_ends_the_command(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("spoiled")
    make = FORMS[
        data.draw(
            st.sampled_from(
                ["as it should be", "Strict Open XML", "rich text with a guide to its pronunciation", "by openpyxl"]
            )
        )
    ]
    with zipfile.ZipFile(make(folder)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    name = data.draw(st.sampled_from(sorted(parts)))
    start = data.draw(st.integers(0, max(len(parts[name]) - 1, 0)))
    stop = start + data.draw(st.integers(0, 8))
    parts[name] = (
        parts[name][:start]
        + data.draw(st.binary(max_size=4) | st.sampled_from([b'"', b"0", b"-1", b"<x/>", b"A"]))
        + parts[name][stop:]
    )
    path = folder / "spoiled.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        for each, part in parts.items():
            archive.writestr(each, part)

    try:
        Register.read(path)
    except ConfigurationError as error:
        assert all(mistake.startswith(f"{path}: ") for mistake in error.mistakes)  # noqa: PT017

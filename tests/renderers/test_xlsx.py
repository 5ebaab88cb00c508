"""The workbook, read back by openpyxl: its sheets, tables, values, links, and what may be typed in it."""

import io
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import openpyxl
import pytest
from hypothesis import given, settings
from openpyxl.utils.escape import unescape
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from credly_audit.audit.model import Audit
from credly_audit.policy.decision_workbook import read_typed_rows
from credly_audit.renderers.xlsx import render
from credly_audit.renderers.xlsx import table_xml as rows
from credly_audit.renderers.xlsx.styles import SEVERITY_WORDS
from credly_audit.report.change_labels import LABELS
from credly_audit.severity import Severity
from credly_audit.text import harmless
from tests.build import ACME, AS_OF, BETA, audited, organization, plan, snapshot, token, waiver
from tests.renderers.rendering import (
    FULL,
    clean,
    comparison,
    empty,
    hostile,
    hostile_audit,
    of_all_kinds,
    rendered,
    with_a_broken_rule,
    with_a_past,
)
from tests.year import make_year

SHEETS = [
    *("Summary", "Actions", "Findings", "Decide by group", "Tokens", "Organizations", "Expiry calendar"),
    *("Decisions", "Changes", "Changes by organization", "Resolved", "Trend"),
    *("Rules and controls", "Controls", "About"),
]

TABLES = {
    "Actions": "Actions",
    "Findings": "Findings",
    "Decide by group": "Groups",
    "Tokens": "Tokens",
    "Organizations": "Organizations",
    "Expiry calendar": "Expiries",
    "Decisions": "Decisions",
    "Changes": "Changes",
    "Changes by organization": "Changed",
    "Resolved": "Resolved",
    "Trend": "Trend",
    "Rules and controls": "Rules",
    "Controls": "Controls",
}


def book_of(audit: Audit, most_rows: int | None = None) -> Workbook:
    out = io.BytesIO()
    render(audit, out, *([most_rows] if most_rows else []))
    return openpyxl.load_workbook(out)


@pytest.fixture(scope="module")
def book() -> Workbook:
    return book_of(with_a_past())


def listed(sheet: Worksheet) -> list[dict[str, Any]]:
    header, *lines = sheet.iter_rows(values_only=True)
    return [dict(zip(header, line, strict=True)) for line in lines]


def texts(sheet: Worksheet) -> list[str]:
    return [cell for row in sheet.iter_rows(values_only=True) for cell in row if isinstance(cell, str)]


def links(sheet: Worksheet) -> Iterator[tuple[Any, str, int]]:
    """Each cell with a link into this workbook, and the sheet and (first) row that it leads to."""
    for row in sheet.iter_rows():
        for cell in row:
            if cell.hyperlink is not None:
                title, _, place = cell.hyperlink.location.rpartition("!")
                yield cell, title.strip("'"), int(place.partition(":")[0].removeprefix("A"))


def test_it_opens_on_the_summary_at_the_top_without_grid_lines(book: Workbook) -> None:
    assert book.sheetnames == SHEETS
    assert book.active.title == "Summary"
    assert [sheet.title for sheet in book if sheet.sheet_view.tabSelected] == ["Summary"]
    assert not book["Summary"].sheet_view.showGridLines
    assert {sheet.sheet_view.zoomScale for sheet in book} == {100}


def test_each_list_is_a_real_table_with_a_name_filters_and_a_header_in_sight(book: Workbook) -> None:
    assert {sheet.title: next(iter(sheet.tables), None) for sheet in book if sheet.tables} == TABLES
    for title, name in TABLES.items():
        sheet = book[title]
        table = sheet.tables[name]
        assert table.ref == sheet.dimensions == table.autoFilter.ref
        assert [column.name for column in table.tableColumns] == [cell.value for cell in sheet[1]]
        assert sheet.freeze_panes[-1] == "2"
        assert not sheet.merged_cells.ranges
        assert all(6 <= dimension.width <= 60 for dimension in sheet.column_dimensions.values())


def test_every_sheet_prints_across_one_page_with_its_header_and_page_numbers(book: Workbook) -> None:
    for sheet in book:
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.sheet_properties.pageSetUpPr.fitToPage
        assert (sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight) == (1, 0)
        assert (sheet.oddFooter.left.text, sheet.oddFooter.right.text) == ("&F", "Page &P of &N")
        assert sheet.print_title_rows == ("$1:$1" if sheet.title in TABLES else None)


def test_the_document_says_what_it_is_and_when_it_was_made(book: Workbook) -> None:
    told = book.properties

    assert told.title == "Credly authorization tokens: audit of 23 Nov 2026"
    assert told.subject.startswith("Incomplete: 1 of 2 organizations could not be collected completely.")
    assert told.creator.startswith("credly-audit ")
    assert told.created == told.modified == datetime(2026, 11, 23, 9)  # noqa: DTZ001 - the file's are in UTC


def test_a_row_of_findings_holds_everything(book: Workbook) -> None:
    audit = with_a_past()
    read = listed(book["Findings"])

    assert len(read) == len(audit.findings)
    for row, finding in zip(read, audit.findings.records(), strict=True):
        for name in ("finding_id", "rule_id", "organization_id", "token_id", "fingerprint"):
            assert row[name] == finding[name]
        assert row["Severity"] == SEVERITY_WORDS[finding["severity"]]
        assert (row["Finding"], row["Remediation"]) == (finding["message"], finding["remediation"])
        assert row["Due"].replace(tzinfo=AS_OF.tzinfo) == finding["due_at"]
        assert row["First seen"].replace(tzinfo=AS_OF.tzinfo) == finding["first_seen_at"]
        assert row["Owner"] == finding["owner"]
        assert (row["Status"], row["Accepted"]) == (finding["status"], "yes" if finding["waived"] else "no")
        assert row["Mapped controls"] == "; ".join(finding["controls"])
    assert {cell.number_format for cell in book["Findings"]["G"][1:]} == {"yyyy-mm-dd"}


def test_the_tokens_are_all_there_with_ticks_dates_and_numbers(book: Workbook) -> None:
    read = {row["token_id"][-2:]: row for row in listed(book["Tokens"])}

    assert set(read) == {"01", "02", "03", "04", "05", "06"}
    assert [read["01"][flag] for flag in ("Read", "Write", "Delete")] == ["✓", "✓", "✓"]
    assert (read["02"]["Write"] or "") == ""
    assert read["03"]["Expires"] == datetime(2026, 11, 26)  # noqa: DTZ001 - as Excel has it
    assert (read["03"]["Days left"], read["06"]["Days left"]) == (3, -3)
    assert read["05"]["Highest severity"] == "① critical"
    assert (read["01"]["Open findings"], read["05"]["Open findings"]) == (0, 1)


def test_severities_sort_by_weight_as_texts_do() -> None:
    assert sorted(SEVERITY_WORDS.values()) == [SEVERITY_WORDS[each] for each in reversed(Severity)]


def test_a_waived_finding_is_struck_out_and_one_unseen_is_grey(book: Workbook) -> None:
    ranges = book["Findings"].conditional_formatting
    rules = {rule.formula[0]: (str(area.sqref), rule.dxf.font) for area in ranges for rule in area.rules}
    columns = {cell.value: cell.column_letter for cell in book["Findings"][1]}

    struck, font = rules[f'${columns["Accepted"]}2="yes"']
    assert (struck, font.strike) == ("A2:G8", True)
    grey, font = rules[f'${columns["Status"]}2="unseen"']
    assert (grey, font.italic) == ("B2:G8", True)


def test_what_is_unseen_or_waived_is_counted_apart(book: Workbook) -> None:
    told = {str(row[1]): row[2] for row in book["Summary"].iter_rows(values_only=True) if row[1]}

    assert {name: many for name, many in told.items() if name.startswith(("Risk", "Not assessed"))} == {
        "Risk accepted": 1,
        "Not assessed (carried over)": 1,
    }
    assert sum(row["Open findings"] for row in listed(book["Organizations"])) == 5
    assert sum(row["Open findings"] or 0 for row in listed(book["Rules and controls"])) == 5


def test_every_link_leads_to_what_it_is_about(book: Workbook) -> None:
    ids = {title: [None, None, *listed(book[title])] for title in TABLES}
    followed = 0
    for title in ("Actions", "Findings", "Tokens", "Organizations", "Expiry calendar", "Rules and controls"):
        for cell, target, row in links(book[title]):
            here, there = ids[title][cell.row], ids[target][row]
            common = [name for name in ("token_id", "organization_id", "rule_id") if here.get(name) and name in there]
            if title == "Organizations":
                common = ["organization_id"]
            assert common
            assert all(here[name] == there[name] for name in common)
            followed += 1
    assert followed == 27


def test_the_numbers_of_the_summary_lead_to_their_places(book: Workbook) -> None:
    led = {book["Summary"].cell(cell.row, 2).value: (target, row) for cell, target, row in links(book["Summary"])}
    findings = [None, None, *listed(book["Findings"])]

    assert next(place for name, place in led.items() if str(name).startswith("Tokens")) == ("Tokens", 2)
    assert next(place for name, place in led.items() if str(name).startswith("Policy violation"))[0] == "Findings"
    for severity in ("critical", "high", "medium"):
        target, row = led[SEVERITY_WORDS[Severity(severity)]]
        assert (target, findings[row]["Severity"]) == ("Findings", SEVERITY_WORDS[Severity(severity)])
    assert led["first 26 Nov 2026 (in 3 days)"][0] == "Actions"
    assert led["What was resolved"] == ("Resolved", 2)
    assert led["All changes"] == ("Changes", 2)


def test_the_summary_has_native_charts_whose_titles_say_the_finding(book: Workbook) -> None:
    def title(chart: Any) -> str:
        return "".join(run.t for run in chart.title.tx.rich.p[0].r)

    assert [title(chart) for chart in book["Summary"]._charts] == [
        "4 of 5 open findings are critical or high",
        "1 of 5 unexpired tokens can write or delete",
        "3 tokens expire in April 2027 (light: within 60 days)",
        "4 open findings, 1 fewer than at the audit before",
    ]


def test_the_trend_is_stacked_by_severity_over_the_audits_of_its_sheet(book: Workbook) -> None:
    (chart,) = [each for each in book["Summary"]._charts if each.grouping == "stacked"]
    header, *audits = book["Trend"].iter_rows(values_only=True)

    assert [each.tx.v for each in chart.series] == [severity.value for severity in Severity]
    for series in chart.series:
        sheet, cells = series.val.numRef.f.split("!")
        column = [row[0].value for row in book[sheet.strip("'")][cells]]
        assert column == [line[header.index(series.tx.v.capitalize())] for line in audits]
    assert [line[0].date() for line in audits] == [each.date() for each in comparison().trend["as_of"]]


def test_every_change_is_a_row_and_each_organization_has_its_counts(tmp_path: Path) -> None:
    audit = make_year(tmp_path, organizations=4, tokens=25, audits=3)
    assert audit.compared is not None
    changed, by_organization = (listed(book_of(audit)[each]) for each in ("Changes", "Changes by organization"))

    frame = audit.compared.changes
    assert [row["Change"] for row in changed] == frame["change"].map(LABELS).tolist()
    assert {row["Reason or permissions"] for row in changed if row["Change"] == "resolved finding"} >= {"rotated"}
    assert all((row["Severity"] is None) == (row["rule_id"] is None) for row in changed)
    assert all(row["Token"] and row["Organization"] for row in changed)
    for heading, change in (("Tokens rotated", "rotated"), ("New findings", "new"), ("Resolved findings", "resolved")):
        assert sum(row[heading] for row in by_organization) == frame["change"].eq(change).sum() > 0
    deltas = audit.compared.deltas
    moved = (deltas["open_now"] - deltas["open_before"]).tolist()
    assert [row["Change of open findings"] for row in by_organization] == moved


def test_the_chart_of_a_month_marks_what_is_within_the_windows() -> None:
    audit = audited(snapshot([token(1, expires_at=AS_OF + timedelta(days=20)), token(2)]))
    (chart,) = [each for each in book_of(audit)["Summary"]._charts if each.type == "col"]

    assert [point.idx for point in chart.series[0].dPt] == [1]


def test_resolved_says_since_when_and_how_long_it_was_open(book: Workbook) -> None:
    first, second = listed(book["Resolved"])

    assert (first["Severity"], first["Days open"], first["rule_id"]) == ("② high", 93, "EXP001")
    assert first["Token"] == "'=HYPERLINK(1) of the old connector"
    assert first["Finding"] == "The token has expired and is still listed."
    assert (second["Token"], second["Finding"]) == ("Organization-level finding", "GON001")


def test_the_summary_says_what_changed_and_how_long_mending_takes(book: Workbook) -> None:
    said = texts(book["Summary"])

    assert "Since the audit of 23 Oct 2026 2 findings were resolved; 1 new, 1 reopened, 3 unchanged." in said
    assert "31 days" in said


def test_nothing_to_show_is_said_and_no_table_is_empty() -> None:
    said = {sheet.title: sheet["A1"].value for sheet in book_of(empty()) if not sheet.tables}

    assert said["Findings"] == "No finding: the rules flag none of 0 tokens that were seen."
    assert said["Tokens"] == "No token was collected."
    assert said["Actions"] == "No open finding requires work."
    assert said["Expiry calendar"] == "No collected token has an expiration date ahead."
    assert said["Decisions"].startswith("No risk is accepted")
    for title in ("Changes", "Changes by organization", "Resolved", "Trend"):
        assert said[title] == "There is no earlier audit to compare with."
    unchanged = replace(clean(), compared=replace(comparison(), resolved=comparison().resolved[:0]))
    assert book_of(unchanged)["Resolved"]["A1"].value == "Nothing was resolved since the audit of 23 Oct 2026."
    assert "No collected token expires in the next 12 months." in texts(book_of(empty())["Summary"])


def test_a_broken_rule_is_told_first_thing_in_about() -> None:
    about = texts(book_of(with_a_broken_rule())["About"])

    assert about[1] == "Rules that are broken"
    assert "✕ broken" in texts(book_of(with_a_broken_rule())["Rules and controls"])


def test_an_organization_that_was_not_seen_stands_on_the_first_screen_with_its_reason() -> None:
    first_rows = book_of(of_all_kinds())["Summary"].iter_rows(max_row=18, values_only=True)
    (hidden,) = [row for row in first_rows if "✕ failed" in row]

    assert hidden[3] == "Beta"
    assert hidden[4].startswith("HTTP 503, five times.")
    (row,) = [row for row in listed(book_of(of_all_kinds())["Organizations"]) if row["organization_id"] == BETA]
    assert (row["Coverage"], row["Reason and remediation"]) == ("✕ failed", "HTTP 503, five times.")


def test_of_more_than_twenty_unseen_the_rest_is_counted() -> None:
    rows_ = [organization(f"{number:08x}-0000-4000-8000-000000000000", status="failed") for number in range(23)]
    said = texts(book_of(audited(snapshot([], rows_)))["Summary"])

    assert "… and 3 more, on the sheet Organizations" in said
    assert said.count("✕ failed") == 20


def decided() -> Audit:
    collected = snapshot(
        [token(1, **FULL), token(2, description="test"), token(3, fingerprint="c" * 16, description="-1 lost")]
    )
    return audited(
        collected,
        waivers=[
            waiver("PRM001", reason="False positive: =the migration needs it"),
            waiver("INV001", approved_on=date(2026, 1, 1), expires=date(2026, 10, 31)),
        ],
        plans=[plan("DOC002", until=date(2026, 11, 1))],
        approvers=["ciso@acme.example", "cto@acme.example"],
    )


def test_what_was_decided_stands_in_the_yellow_columns_again() -> None:
    read = {row["rule_id"]: row for row in listed(book_of(decided())["Findings"])}
    columns = ("Decision", "Reason", "Approved by", "Assigned to")
    typed = {rule: [row[name] for name in columns] for rule, row in read.items()}

    assert typed["PRM001"] == ["false positive", "'=the migration needs it", "ciso@acme.example", None]
    assert typed["DOC002"] == ["fix", "Moves to the new connector", None, "crm-team@acme.example"]
    assert read["PRM001"]["Until"] == datetime(2026, 12, 31)  # noqa: DTZ001 - as Excel has it
    assert typed["DOC003"] == [None, None, None, None]


def test_the_import_reads_the_yellow_columns_of_the_report(tmp_path: Path) -> None:
    path = tmp_path / "report.xlsx"
    path.write_bytes(rendered("xlsx", decided()))

    found = {row.rule: row for row in read_typed_rows(path, date(2026, 11, 23))}

    assert set(found) == {"PRM001", "DOC002"}
    assert (found["PRM001"].decision, found["PRM001"].reason) == ("false positive", "=the migration needs it")
    assert found["PRM001"].until == date(2026, 12, 31)
    assert (found["DOC002"].organization, found["DOC002"].token) == (ACME, token(2)["token_id"])


def test_the_yellow_columns_say_what_may_be_typed() -> None:
    sheet = book_of(decided())["Findings"]
    columns = {cell.column_letter: cell.value for cell in sheet[1]}
    rules = {columns[str(rule.sqref)[0]]: rule for rule in sheet.data_validations.dataValidation}

    assert set(rules) == {"Decision", "Reason", "Approved by", "Assigned to", "Until", "Reference"}
    assert rules["Decision"].formula1 == '"accept,fix,false positive"'
    assert rules["Approved by"].formula1 == '"ciso@acme.example,cto@acme.example"'
    assert (rules["Until"].type, rules["Until"].operator) == ("date", "greaterThanOrEqual")
    assert all(rule.prompt and rule.allowBlank for rule in rules.values())
    for rule in rules.values():
        letter = str(rule.sqref)[0]
        assert str(rule.sqref) == f"{letter}2:{letter}{sheet.max_row}"


def test_decisions_lists_what_asks_for_attention_first() -> None:
    states = [(row["State"], row["Rule"]) for row in listed(book_of(decided())["Decisions"])]

    assert states == [("✕ overdue", "DOC002"), ("○ unused", "INV001"), ("✓ active", "PRM001")]


def test_a_list_longer_than_a_sheet_goes_on_in_the_next() -> None:
    audit = audited(snapshot([token(number, description="test") for number in range(10)]))
    read = book_of(audit, most_rows=4)
    sheets = [sheet for sheet in read if sheet.title.startswith("Tokens")]

    assert [sheet.title for sheet in sheets] == ["Tokens", "Tokens2", "Tokens3"]
    assert [next(iter(sheet.tables)) for sheet in sheets] == ["Tokens", "Tokens2", "Tokens3"]
    assert [sheet.max_row for sheet in sheets] == [5, 5, 3]
    ids = [row["token_id"] for sheet in sheets for row in listed(sheet)]
    assert ids == audit.tokens["token_id"].tolist()
    everything = {title: [None, None, *listed(read[title])] for title in read.sheetnames if read[title].tables}
    led = [
        everything[sheet.title][cell.row]["token_id"] == everything[target][row]["token_id"]
        for sheet in sheets
        for cell, target, row in links(sheet)
    ]
    assert led == [True] * 10


def test_beyond_what_excel_takes_a_cell_is_no_link_and_does_not_look_like_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MOST_LINKS", 2)
    sheet = book_of(of_all_kinds())["Findings"]

    assert len(list(links(sheet))) == 2
    assert [cell.font.underline for cell in sheet["C"][1:4]] == ["single", "single", None]


def test_the_files_own_times_are_those_of_the_report() -> None:
    with ZipFile(io.BytesIO(rendered("xlsx", of_all_kinds()))) as archive:
        assert {member.date_time for member in archive.infolist()} == {(2026, 11, 23, 9, 0, 0)}


def test_a_day_that_excel_cannot_show_is_a_text() -> None:
    early = datetime(1850, 1, 2, tzinfo=AS_OF.tzinfo)
    (row,) = listed(book_of(audited(snapshot([token(1, created_at=early)])))["Tokens"])

    assert row["Created"] == "1850-01-02"


def test_a_text_that_excel_would_decode_stands_as_it_was_written() -> None:
    (row,) = listed(book_of(audited(snapshot([token(1, description="a _x000D_ b of the team")])))["Tokens"])

    assert row["Token"] == "a _x005F_x000D_ b of the team"
    assert unescape(row["Token"]) == "a _x000D_ b of the team"


def test_a_long_description_is_cut() -> None:
    (row,) = listed(book_of(audited(snapshot([token(1, description="word " * 1_000)])))["Tokens"])

    assert len(row["Token"]) == 2_000
    assert row["Token"].endswith("…")


@settings(deadline=None, max_examples=12)
@given(hostile)
def test_hostile_text_is_a_text_and_no_formula(text: str) -> None:
    audit = hostile_audit(text)
    read = book_of(replace(audit, compared=comparison()))

    assert read.sheetnames == SHEETS
    for sheet in read:
        for row in sheet.iter_rows():
            for cell in row:
                assert cell.data_type in {"s", "n", "d", "inlineStr"}
                if cell.data_type == "s" and cell.value:
                    assert not cell.value.lstrip().startswith(("=", "+", "-", "@"))
    told = [row["Token"] for row in listed(read["Tokens"])]
    assert len(told) == len(audit.tokens)
    assert all(each in {"(no description)", harmless(text), f"'{harmless(text)}"} for each in told)

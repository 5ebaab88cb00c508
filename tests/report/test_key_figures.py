"""Every key figure, added up again from the lists of the same report, in every format, on a year of audits."""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
from lxml import html
from openpyxl import Workbook, load_workbook

from credly_audit.audit.model import Audit
from credly_audit.cli.screen import plain
from credly_audit.cli.summary import summary
from credly_audit.history.store import History
from credly_audit.report.key_figures import KeyFigures
from tests.build import AS_OF, audited, organization, snapshot, token
from tests.renderers.rendering import rendered, with_a_past
from tests.year import Year

WINDOWS = (7, 35, 60)
HIDDEN = {"COV001", "COV002", "COV003", "COV004"}
SEVERE = {"critical", "high"}


@dataclass(frozen=True)
class Months:
    """The last two audits of a small year."""

    before: Audit
    now: Audit

    @property
    def report(self) -> dict[str, Any]:
        """The JSON report of the last one."""
        return read(self.now)


def read(audit: Audit) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(rendered("json", audit))
    return report


@pytest.fixture(scope="module")
def months(tmp_path_factory: pytest.TempPathFactory) -> Months:
    folder = tmp_path_factory.mktemp("year")
    history = History.opened(f"sqlite:///{folder}/history.sqlite", folder / "credly-audit.toml", {}, create=True)
    assert history is not None
    *_, before, now = Year(12, 12, 8).play(history)
    return Months(before, now)


def add_up(report: Mapping[str, Any]) -> dict[str, int]:
    """Add up the figures from the lists of a JSON report, in plain Python."""
    as_of = datetime.fromisoformat(report["as_of"])
    complete = {each["organization_id"] for each in report["organizations"] if each["status"] == "complete"}
    here = [each for each in report["findings"] if each["status"] != "unseen"]
    live = [each for each in here if not each["waived"]]
    flagged = {(each["organization_id"], each["token_id"]) for each in live if each["severity"] != "info"}
    clean = [
        each
        for each in report["tokens"]
        if each["organization_id"] in complete and (each["organization_id"], each["token_id"]) not in flagged
    ]
    expiries = [datetime.fromisoformat(each["expires_at"]) for each in report["tokens"] if each["expires_at"]]
    overdue = [
        each
        for each in live
        if each["severity"] != "info" and each["due_at"] and datetime.fromisoformat(each["due_at"]) < as_of
    ]
    return {
        "organizations": len(report["organizations"]),
        "complete": len(complete),
        "tokens": len(report["tokens"]),
        "without_findings": len(clean),
        "violations": sum(each["severity"] in SEVERE and each["rule_id"] not in HIDDEN for each in live),
        "overdue": len(overdue),
        "accepted": len(here) - len(live),
        "not_assessed": len(report["findings"]) - len(here),
        **{
            f"expiring_{days}": sum(as_of < each <= as_of + timedelta(days=days) for each in expiries)
            for days in WINDOWS
        },
    }


def test_every_figure_is_the_sum_of_its_list(months: Months) -> None:
    figures = months.report["summary"]["key_figures"]
    assert figures == add_up(months.report)
    assert min(figures[name] for name in figures if name != "not_assessed") > 0


def test_findings_that_are_carried_over_are_counted_apart() -> None:
    report = read(with_a_past())
    assert report["summary"]["key_figures"] == add_up(report)
    assert report["summary"]["key_figures"]["not_assessed"] == 1


def test_a_change_is_the_difference_to_the_last_audit(months: Months) -> None:
    before = add_up(read(months.before))
    now = add_up(months.report)
    assert months.report["compared"]["key_figures"] == before
    changes = {each.name: each.change for each in KeyFigures(months.now)}
    assert changes == {name: now[name] - before[name] for name in changes}
    assert any(changes.values())


def test_the_first_audit_has_no_change() -> None:
    assert {each.change for each in KeyFigures(audited(snapshot([token(1)])))} == {None}


def test_ages_add_up_to_the_open_findings_of_each_severity(months: Months) -> None:
    report = months.report
    as_of = datetime.fromisoformat(report["as_of"])
    expected = {severity: [0, 0, 0] for severity in report["summary"]["by_severity"]}
    for each in report["findings"]:
        if each["status"] != "unseen" and not each["waived"]:
            days = (as_of - datetime.fromisoformat(each["first_seen_at"])).days
            expected[each["severity"]][0 if days <= 30 else 1 if days <= 90 else 2] += 1
    ages = {severity: list(counts.values()) for severity, counts in report["summary"]["open_by_age"].items()}
    assert ages == expected
    assert {severity: sum(counts) for severity, counts in ages.items()} == report["summary"]["by_severity"]

    book = workbook(months.now)
    assert ages_of(book) == {severity: counts for severity, counts in ages.items() if any(counts)}
    lines = rendered("markdown", months.now).decode()
    for severity, counts in ages.items():
        if any(counts):
            assert f"| {severity} | {' | '.join(f'{many:,}' for many in counts)} |" in lines
    page = html.fromstring(rendered("html", months.now))
    rows = [
        [cell.text_content() for cell in row.xpath("./*")]
        for row in page.xpath('//table[contains(@class, "ages")]//tbody/tr')
    ]
    assert {row[0].split()[-1]: [number(each) for each in row[1:]] for row in rows} == {
        severity: counts for severity, counts in ages.items() if any(counts)
    }


def number(text: str) -> int:
    return int(text.replace(",", ""))


def workbook(audit: Audit) -> Workbook:
    book: Workbook = load_workbook(io.BytesIO(rendered("xlsx", audit)))
    return book


def ages_of(book: Workbook) -> dict[str, list[Any]]:
    rows = [[cell.value for cell in row] for row in book["Summary"].iter_rows(min_col=2, max_col=5)]
    start = next(place for place, row in enumerate(rows) if row[0] == "Age of open findings") + 2
    found: dict[str, list[Any]] = {}
    for row in rows[start:]:
        if row[0] is None:
            break
        found[str(row[0]).split()[-1].lower()] = row[1:]
    return found


def column(book: Workbook, sheet: str, heading: str) -> list[Any]:
    header = [cell.value for cell in book[sheet][1]]
    place = header.index(heading)
    return [row[place] for row in book[sheet].iter_rows(min_row=2, values_only=True)]


def test_the_workbook_shows_each_figure_and_its_lists_add_up_to_it(months: Months) -> None:
    figures, book = add_up(months.report), workbook(months.now)
    assessed = [status != "unseen" for status in column(book, "Findings", "Status")]
    days = column(book, "Expiry calendar", "Days left")
    sums = {
        "complete": sum(each.endswith(" complete") for each in column(book, "Organizations", "Coverage")),
        "tokens": len(column(book, "Tokens", "token_id")),
        "without_findings": column(book, "Tokens", "Without findings").count("✓"),
        "violations": column(book, "Findings", "Policy violation").count("✓"),
        "overdue": sum(each is not None for each in column(book, "Findings", "Overdue (days)")),
        "accepted": sum(
            is_here and accepted == "yes"
            for is_here, accepted in zip(assessed, column(book, "Findings", "Accepted"), strict=True)
        ),
        "not_assessed": assessed.count(False),
        **{f"expiring_{window}": sum(each < window for each in days) for window in WINDOWS},
    }
    assert sums == {name: figures[name] for name in sums}

    shown = {row[1].value: row[2] for row in book["Summary"].iter_rows() if len(row) > 2 and row[2].value is not None}
    for each in KeyFigures(months.now):
        label, cell = next(
            (label, cell) for label, cell in shown.items() if str(label).lower().startswith(each.label.lower())
        )
        assert cell.value == each.value
        assert str(label).endswith(each.detail)
        assert (each.described_change in str(label)) == bool(each.described_change)
        if each.value:
            check_link(book, getattr(cell.hyperlink, "location", ""), each, months.now)


def check_link(book: Workbook, location: str, figure: Any, audit: Audit) -> None:
    """A link leads to the rows of the figure: all of them where they follow each other, else the first."""
    found = re.fullmatch(r"'(?P<sheet>[^']+)'!A(?P<first>\d+)(?::A(?P<last>\d+))?", location)
    assert found, location
    first, last = int(found["first"]), int(found["last"] or found["first"])
    if found["sheet"] == "Expiry calendar":
        assert (first, last) == (2, figure.value + 1)
        return
    assert found["sheet"].lower() == figure.subject
    rows = [place + 2 for place, hit in enumerate(figure.rows) if hit]
    if figure.subject == "organizations":
        names = set(audit.organizations["name"][figure.rows])
        rows = [place + 2 for place, name in enumerate(column(book, "Organizations", "Organization")) if name in names]
    assert first == rows[0]
    assert last == first or rows == list(range(first, last + 1))
    assert book[found["sheet"]].max_row > last - 1


def test_page_markdown_and_terminal_show_each_figure_with_its_change(months: Months) -> None:
    page = html.fromstring(rendered("html", months.now))
    items = [" ".join(item.text_content().split()) for item in page.xpath('//ul[@class="numbers"]/li')]
    lines = rendered("markdown", months.now).decode().splitlines()
    terminal = " ".join(plain(line) for line in summary(months.now, []))
    figures = list(KeyFigures(months.now))
    assert len(items) == len(figures)
    for item, each in zip(items, figures, strict=True):
        assert item.startswith(f"{each.value:,} {each.label}")
        assert each.described_change in item
        assert each.sentence in terminal
        assert any(
            line.startswith(f"| {each.value:,} | {each.label} | {each.described_change or '–'} |") for line in lines
        )


def test_rules_and_controls_add_up_to_the_findings(months: Months) -> None:
    report = months.report
    live = [each for each in report["findings"] if each["status"] != "unseen"]
    rules, controls = report["summary"]["rules"], report["summary"]["controls"]
    assert set(rules) == set(report["summary"]["by_rule"])
    for rule_id, result in rules.items():
        assert result["assessed"] == result["passed"] + result["failed"] + result["accepted"], rule_id
        if months.now.rules[rule_id].subject == "token":
            of_rule = [each for each in live if each["rule_id"] == rule_id]
            failed = {(each["organization_id"], each["token_id"]) for each in of_rule if not each["waived"]}
            accepted = {(each["organization_id"], each["token_id"]) for each in of_rule} - failed
            assert (result["failed"], result["accepted"]) == (len(failed), len(accepted)), rule_id
            assert result["assessed"] + result["not_assessed"] >= len(report["tokens"])
    assert all(each["title"] and each["rules"] for each in controls)
    for each in controls:
        assert each["assessed"] == each["passed"] + each["failed"] + each["accepted"]
        assert each["findings"] == sum(report["summary"]["by_rule"][rule_id] for rule_id in each["rules"])
        assert each["failed"] >= max(rules[rule_id]["failed"] for rule_id in each["rules"])

    book = workbook(months.now)
    for rule_id, *shown in zip(
        *(column(book, "Rules and controls", heading) for heading in ("rule_id", *RESULT.values())), strict=True
    ):
        if rule_id in rules:
            assert shown == [rules[rule_id][name] for name in RESULT]
    shown = [column(book, "Controls", heading) for heading in RESULT.values()]
    assert [list(row) for row in zip(*shown, strict=True)] == [[each[name] for name in RESULT] for each in controls]


RESULT = {
    "assessed": "Assessed",
    "passed": "Passed",
    "failed": "Failed",
    "accepted": "Accepted",
    "not_assessed": "Not assessed",
}


def test_compliant_is_said_only_where_the_verdict_is_pass(months: Months) -> None:
    assert "compliant" not in labels(months.now)
    assert "1 token compliant" in labels(audited(snapshot([token(1)], [organization()])))


def labels(audit: Audit) -> str:
    return "; ".join(each.sentence for each in KeyFigures(audit))


def test_violations_that_are_not_the_critical_and_high_findings_are_explained() -> None:
    failed = organization(status="failed", reason="HTTP 503, five times.")
    explained = labels(audited(snapshot([], [failed], at=AS_OF)))
    assert "0 policy violations, 1 critical or high, including 1 on coverage, which is enforced separately" in explained

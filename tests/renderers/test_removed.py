"""An organization that left the configuration with open findings is named wherever a report shows changes."""

import io
from dataclasses import replace

import openpyxl
import pandas as pd
import pytest

from credly_audit.audit.split import split_audit
from credly_audit.cli.summary import summary
from credly_audit.notify.digest import Digest
from credly_audit.report.briefing import MOST_REMOVED, describe_removed
from tests.renderers.rendering import comparison, of_all_kinds, rendered

SAID = "with 2 open findings (highest severity: high); last audited on 23 Oct 2026."


def test_the_sentence_names_it_and_counts_what_was_open() -> None:
    audit = replace(of_all_kinds(), compared=comparison())
    assert list(describe_removed(audit)) == [f"Removed from scope: =Gone <b>[x](y)·, {SAID}"]

    many = pd.concat([comparison().removed] * (MOST_REMOVED + 2), ignore_index=True)
    *_, last = describe_removed(replace(audit, compared=replace(comparison(), removed=many)))
    assert last == "Removed from scope with open findings: 2 more organizations."


@pytest.mark.parametrize("name", ["html", "markdown"])
def test_reports_for_people_name_it(name: str) -> None:
    told = rendered(name, replace(of_all_kinds(), compared=comparison())).decode()
    assert SAID in told.replace("&#58;", ":")
    assert "Removed from scope" not in rendered(name, of_all_kinds()).decode()


def test_the_workbook_names_it() -> None:
    book = openpyxl.load_workbook(io.BytesIO(rendered("xlsx", replace(of_all_kinds(), compared=comparison()))))
    cells = [cell.value for row in book.worksheets[0] for cell in row if isinstance(cell.value, str)]
    assert [cell for cell in cells if "Removed from scope" in cell] == [f"Removed from scope: =Gone <b>[x](y)·, {SAID}"]


def test_the_terminal_and_the_notice_name_it() -> None:
    audit = replace(of_all_kinds(), compared=comparison())
    assert SAID in str(summary(audit, []))
    assert SAID in Digest.of_everything(audit).write_text()


@pytest.mark.parametrize("by", ["organization", "contact", "owner", "tag"])
def test_no_part_names_it(by: str) -> None:
    audit = replace(of_all_kinds(), compared=comparison())
    for part in split_audit(audit, by):
        assert not list(describe_removed(part.audit))

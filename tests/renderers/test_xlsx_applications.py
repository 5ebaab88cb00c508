"""The workbook's sheet of OAuth applications: there where there are any, harmless, and linked to their findings."""

import io
from typing import Any

import openpyxl
import pytest

from credly_audit.audit.model import Audit
from tests.build import ACME, AS_OF, BETA, application, audited, organization, snapshot, token
from tests.renderers.rendering import rendered

TITLE = "OAuth applications"


def workbook(audit: Audit) -> Any:
    return openpyxl.load_workbook(io.BytesIO(rendered("xlsx", audit)))


def sheet_rows(audit: Audit) -> list[dict[str, Any]]:
    head, *rows = workbook(audit)[TITLE].iter_rows()
    return [dict(zip([cell.value for cell in head], row, strict=True)) for row in rows]


@pytest.mark.parametrize("applications", [None, []])
def test_a_workbook_without_applications_has_no_such_sheet(applications: list[dict[str, Any]] | None) -> None:
    assert TITLE not in workbook(audited(snapshot([token(1)], applications=applications))).sheetnames


def test_each_application_stands_there_with_its_findings_and_a_link_to_the_gravest() -> None:
    applications = [
        application(1, name="Wallet"),
        application(2, BETA, name="Bridge", description=None, creator_available=False),
        application(3, BETA, name=None, description="Moodle connector", updated_at=None, creator_available=None),
    ]
    places = [organization(ACME), organization(BETA, contact=None)]
    audit = audited(snapshot([token(1), token(2, BETA)], places, applications))

    wallet, bridge, nameless = sheet_rows(audit)

    assert (wallet["Application"].value, wallet["Organization"].value) == ("Wallet", "Acme")
    assert (wallet["Open findings"].value, wallet["Creator active"].value) == (0, "✓")
    assert (bridge["Open findings"].value, bridge["Highest severity"].value) == (2, "② high")
    assert bridge["Description"].value == "(no description)"
    assert bridge["Updated"].value.date() == application()["updated_at"].date()
    assert (nameless["Application"].value, nameless["Creator active"].value) == ("(no name)", "?")
    assert nameless["application_id"].value == "3"
    findings = audit.findings.frame
    first = next(row for row, rule_id in enumerate(findings["rule_id"]) if rule_id == "OAU001")
    assert bridge["Open findings"].hyperlink.location == f"'Findings'!A{first + 2}"


def test_what_an_application_says_is_no_formula() -> None:
    text = '=HYPERLINK("https://evil.example")'
    collected = snapshot([token(1)], applications=[application(1, name=text, description=text)])

    [row] = sheet_rows(audited(collected, as_of=AS_OF))

    assert (row["Application"].data_type, row["Description"].data_type) == ("s", "s")

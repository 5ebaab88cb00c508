"""What holds for every format: same bytes, nothing unseen counted, every kind of finding told."""

import json
from dataclasses import replace
from datetime import timedelta
from itertools import combinations
from typing import Any

import pytest
from junitparser import JUnitXml

from credly_audit.audit.model import Audit, Gate
from credly_audit.audit.prior import REMEDIATED, make_typed_frame
from credly_audit.audit.split import split_audit
from credly_audit.config.formats import formats
from credly_audit.config.presentation import Presentation
from credly_audit.report.briefing import list_actions
from credly_audit.severity import Severity
from tests.build import ACME, AS_OF, BETA, application, audited, organization, snapshot, token
from tests.renderers.rendering import FULL, comparison, files, judged, of_all_kinds, rendered, with_a_past
from tests.renderers.test_xlsx import book_of, texts


def with_applications() -> Audit:
    """Two OAuth applications of one organization that nobody answers for, a third that is fine, a token in order."""
    made = [application(number, creator_available=number > 2, name=f"App {number}") for number in (1, 2, 3)]
    return audited(snapshot([token(1)], applications=made))


@pytest.mark.parametrize("name", formats())
def test_the_same_audit_is_the_same_bytes(name: str) -> None:
    once, again = (of_all_kinds.__wrapped__() for _ in range(2))

    assert files(name, with_a_past(once)) == files(name, with_a_past(again))


@pytest.mark.parametrize("name", [name for name in formats() if name not in {"ics", "prometheus", "html", "xlsx"}])
def test_findings_on_oauth_applications_are_told_apart(name: str) -> None:
    text = rendered(name, with_applications()).decode()

    assert "App 1" in text
    assert "App 2" in text
    assert "App 3" not in text or name == "json"


def test_each_oauth_application_is_an_action_of_its_own() -> None:
    asked = list(list_actions(with_applications()))

    assert [action.why.split(" (")[0] for action in asked] == ["OAuth application App 1", "OAuth application App 2"]
    assert {action.findings for action in asked} == {1}


def with_times(days: dict[str, list[float]]) -> Audit:
    """An audit whose history resolved findings of these severities after so many days."""
    rows = [(severity, open_for) for severity, many in days.items() for open_for in many]
    opened = [AS_OF - timedelta(days=open_for) for _, open_for in rows]
    columns = {
        "weight": [Severity(severity).weight for severity, _ in rows],
        "opened_at": opened,
        "resolved_at": [AS_OF] * len(rows),
        "findings": [1] * len(rows),
    }
    audit = with_a_past(of_all_kinds())
    assert audit.compared is not None
    return replace(audit, compared=replace(audit.compared, remediated=make_typed_frame(columns, REMEDIATED)))


def test_the_time_to_remediate_is_the_same_in_every_report() -> None:
    audit = with_times({"high": [29.8, 60.6], "low": [1]})

    assert json.loads(rendered("json", audit))["compared"]["time_to_mend"]["high"]["median_days"] == 45.2
    assert "45.2 days" in texts(book_of(audit)["Summary"])
    assert "1 day" in texts(book_of(audit)["Summary"])
    assert '<td class="count">45.2</td>' in rendered("html", audit).decode()


@pytest.mark.parametrize("name", [name for name in formats() if name != "csv"])
def test_a_part_never_passes_for_the_complete_audit(name: str) -> None:
    audit = of_all_kinds()
    acme, _ = split_audit(audit, "organization")
    subset = judged(audit.snapshot.only([ACME]))

    for part in (acme.audit, subset):
        assert part.part is not None
        written = rendered(name, part)
        told = " ".join(texts(book_of(part)["Summary"])) if name == "xlsx" else written.decode().replace("\r\n ", "")
        assert part.part.name in told


def test_two_parts_and_the_whole_have_no_series_in_common() -> None:
    audit = of_all_kinds()
    audits = [audit, *(part.audit for way in ("organization", "contact", "owner") for part in split_audit(audit, way))]
    series = [
        {line.rpartition(" ")[0] for line in rendered("prometheus", each).decode().splitlines() if line[0] != "#"}
        for each in audits
    ]

    assert all(one.isdisjoint(other) for one, other in combinations(series, 2))


@pytest.fixture
def unseen() -> Audit:
    """Every finding but the one that Beta failed is known from an earlier audit alone."""
    audit = of_all_kinds(gate=Gate(("low",)))
    statuses = audit.findings.frame["rule_id"].map(lambda rule: "new" if rule.startswith("COV") else "unseen")
    frame = audit.findings.frame.assign(status=statuses.astype(audit.findings.frame["status"].dtype), waived=False)
    findings = replace(audit.findings, frame=frame)
    verdict = replace(audit.verdict, violations=0)
    return replace(audit, findings=findings, violates=audit.violates & ~findings.unseen, verdict=verdict)


def test_what_is_unseen_fails_no_case_and_is_no_annotation(unseen: Audit) -> None:
    suites = JUnitXml.fromstring(rendered("junit", unseen))
    annotations = rendered("github", unseen).decode().splitlines()

    assert not [case.name for suite in suites for case in suite if _failed(case)]
    assert "[last known]" in rendered("junit", unseen).decode()
    assert len(annotations) == 2
    assert "DOC006" not in "".join(annotations)


def _failed(case: Any) -> bool:
    return any(type(result).__name__ == "Failure" for result in case.result)


def test_what_is_unseen_is_counted_apart(unseen: Audit) -> None:
    many = int(unseen.findings.unseen.sum())
    summary = json.loads(rendered("json", unseen))["summary"]
    metrics = rendered("prometheus", unseen).decode()

    assert many > 3
    assert (summary["findings"], summary["unseen"]) == (1, many)
    assert 'credly_audit_findings{severity="critical"} 0' in metrics
    assert f'credly_audit_findings_by_status{{status="unseen"}} {many}' in metrics
    assert "| last known |" in rendered("markdown", unseen).decode()
    assert {action.organization_id for action in list_actions(unseen)} == {BETA}


def test_what_is_unseen_is_told_as_such(unseen: Audit) -> None:
    sarif = json.loads(rendered("sarif", unseen))["runs"][0]["results"]
    dojo = {row["title"]: row for row in json.loads(rendered("defectdojo", unseen))["findings"]}
    events = json.loads(rendered("ocsf", unseen))[1:]

    assert {row["baselineState"] for row in sarif if row["ruleId"] != "COV004"} == {"unchanged"}
    assert [row["verified"] for title, row in dojo.items() if "secret" in title] == [False]
    assert {event["activity_name"] for event in events if event["severity"] == "Critical"} == {"Update"}


def test_a_part_knows_nothing_of_what_others_resolved() -> None:
    rows = [token(1, **FULL), token(2, BETA, **FULL)]
    whole = replace(audited(snapshot(rows, [organization(), organization(BETA)])), compared=comparison())

    acme, beta = (part.audit for part in split_audit(whole, "organization"))

    assert len(acme.compared.resolved) == 2
    assert len(beta.compared.resolved) == 0
    for name in formats():
        text = " ".join(texts_of(name, beta))
        assert "Beta" in text or name == "prometheus"
        for other in (ACME, "Acme", "old connector", token(1)["token_id"]):
            assert other not in text, name


def texts_of(name: str, audit: Audit) -> list[str]:
    if name == "xlsx":
        return [text for sheet in book_of(audit) for text in texts(sheet)]
    return [content.decode() for content in files(name, audit).values()]


def test_the_teams_own_title_stands_on_the_workbook() -> None:
    book = book_of(replace(of_all_kinds(), presentation=Presentation(title="=Tokens of the\nuniversity")))

    assert book.properties.title == "=Tokens of the university"
    assert book["Summary"]["B1"].value == "'=Tokens of the university"

"""Which consumers stop when a token expires: named in the configuration and the register, told in every report."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import openpyxl
import pytest
from icalendar import Calendar

from credly_audit.audit.model import Audit
from credly_audit.audit.split import split_audit
from credly_audit.renderers.base import renderer
from credly_audit.report.priorities import Priorities
from tests.build import ACME, AS_OF, BETA, audited, register, snapshot, token

HOURS = timedelta(hours=1)

CRM = {"name": "CRM badge sync", "organizations": [ACME], "contact": "crm@acme.example"}


def entry(number: int, organization: str = ACME, **said: str) -> dict[str, str]:
    """A register entry for a token; `said` adds columns."""
    token_id = token(number)["token_id"]
    usual = {"organization_id": organization, "token_id": token_id, "owner": "ada", "purpose": "x"}
    return usual | {"permissions": "read", **said}


def expiring(**said: Any) -> Audit:
    """Acme's token 1 expires in five days, 2 expired two days ago, 3 lives; Beta's 4 expires in three days."""
    rows = [
        token(1, expires_at=AS_OF + 125 * HOURS),
        token(2, expires_at=AS_OF - 50 * HOURS),
        token(3),
        token(4, BETA, expires_at=AS_OF + 75 * HOURS),
    ]
    return audited(snapshot(rows), **said)


def messages(audit: Audit) -> dict[str, str]:
    """Return what EXP001 and EXP002 say, by the last digit of the token's id."""
    found = (each for each in audit.findings.records() if each["rule_id"] in {"EXP001", "EXP002"})
    return {each["token_id"][-1]: each["message"] for each in found}


def write(name: str, audit: Audit) -> bytes:
    """Return a report."""
    out = io.BytesIO()
    renderer(name).render(audit, out)
    return out.getvalue()


def consumers(audit: Audit) -> dict[str, list[str]]:
    """Return the names that JSON has of each token's consumers, by the last digit of the token's id."""
    tokens = json.loads(write("json", audit))["tokens"]
    return {each["token_id"][-1]: [consumer["name"] for consumer in each["consumers"]] for each in tokens}


def test_a_finding_says_which_consumers_stop_at_what_instant() -> None:
    website = {"name": "Website", "token": token(1)["token_id"]}

    said = messages(expiring(consumers=[CRM, website]))

    assert said == {
        "1": "Expires on 28 Nov 2026 (in 5 days); CRM badge sync and Website will stop working at 05:00 UTC.",
        "2": "Expired on 20 Nov 2026 (2 days ago) and is still listed: CRM badge sync stopped working at 22:00 UTC.",
        "4": "Expires on 26 Nov 2026 (in 3 days); integrations that use it will stop working.",
    }


def test_many_consumers_are_counted() -> None:
    many = [{"name": f"Program {number}", "organizations": [ACME]} for number in range(1, 8)]

    assert "Program 4, Program 5 and 2 others will stop working" in messages(expiring(consumers=many))["1"]


@pytest.mark.parametrize("column", ["consumers", "consumer"])
@pytest.mark.parametrize("names", ["LMS; Data warehouse", "LMS, Data warehouse", "LMS\nData warehouse"])
def test_the_register_names_consumers_too(column: str, names: str) -> None:
    documented = register([entry(1, **{column: names, "contact": "lms@acme.example"})])

    audit = expiring(register=documented, consumers=[CRM])

    assert consumers(audit) == {
        "1": ["CRM badge sync", "LMS", "Data warehouse"],
        "2": ["CRM badge sync"],
        "3": ["CRM badge sync"],
        "4": [],
    }
    [of_first, *_] = json.loads(write("json", audit))["tokens"]
    assert of_first["consumers"][2] == {"name": "Data warehouse", "contact": "lms@acme.example"}


def test_a_consumer_that_both_name_is_one() -> None:
    named = {"name": "LMS", "token": token(1)["token_id"]}

    audit = expiring(register=register([entry(1, consumers="lms", contact="lms@acme.example")]), consumers=[named])

    [of_first, *_] = json.loads(write("json", audit))["tokens"]
    assert of_first["consumers"] == [{"name": "LMS", "contact": "lms@acme.example"}]


def test_the_priorities_name_the_consumers_that_stop_first() -> None:
    audit = expiring(register=register([entry(4, BETA, consumers="LMS")]), consumers=[CRM], disable=["INV"])

    expired, ahead = list(Priorities(audit).groups())[:2]

    assert "Stopped working: CRM badge sync 20 Nov 2026 (2 days ago)." in expired.describe_first(AS_OF)
    stops = "Will stop working: LMS 26 Nov 2026 (in 3 days); CRM badge sync 28 Nov 2026 (in 5 days)."
    assert stops in ahead.describe_first(AS_OF)
    assert stops in write("markdown", audit).decode()


def test_the_workbook_the_calendar_and_the_tables_name_them() -> None:
    audit = expiring(consumers=[CRM])

    book = openpyxl.load_workbook(io.BytesIO(write("xlsx", audit)))
    events = Calendar.from_ical(write("ics", audit)).walk("VEVENT")
    files = renderer("csv").beside
    out = io.BytesIO()
    files["-tokens.csv"](audit, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue().decode())))

    cells = {str(cell.value) for row in book["Actions"].iter_rows() for cell in row}
    assert "28 Nov 2026 05:00 UTC: CRM badge sync (crm@acme.example)" in cells
    assert "20 Nov 2026 22:00 UTC: CRM badge sync (crm@acme.example)" in cells
    for title in ("Tokens", "Expiry calendar"):
        assert "CRM badge sync (crm@acme.example)" in {
            str(cell.value) for row in book[title].iter_rows() for cell in row
        }
    told = [str(each["description"]) for each in events]
    assert sum("Consumers that stop working then: CRM badge sync (crm@acme.example)." in each for each in told) == 2
    assert [row["consumers"] for row in rows] == ["CRM badge sync (crm@acme.example)"] * 3 + [""]


def test_a_part_names_no_other_organizations_consumers() -> None:
    audit = expiring(consumers=[CRM, {"name": "Secret project", "organizations": [BETA]}])

    acme, beta = (each.audit for each in split_audit(audit, "organization"))

    assert "Secret project" not in write("json", acme).decode() + write("html", acme).decode()
    assert consumers(beta) == {"4": ["Secret project"]}

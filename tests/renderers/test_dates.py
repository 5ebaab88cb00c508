"""Any instant of the years 1 to 9999, in any field of a date, goes through every format; so does any number of days."""

import io
import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

import icalendar
import openpyxl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.config.formats import formats
from credly_audit.instants import FIRST, LAST, MOST_DAYS
from tests.build import ACME, AS_OF, application, audited, organization, plan, register, snapshot, token, waiver
from tests.renderers.rendering import files, rendered

EDGES = (
    FIRST,
    LAST,
    LAST.replace(microsecond=0),
    datetime(1899, 12, 31, tzinfo=UTC),
    datetime(1969, 12, 31, 23, tzinfo=UTC),
    AS_OF,
)
instants = st.sampled_from(EDGES) | st.datetimes(timezones=st.just(UTC))
maybe = st.none() | instants
days = st.sampled_from([1, 60, 10**6, MOST_DAYS])
dates = st.sampled_from([date.min, date.max, AS_OF.date()]) | st.dates()
DUE = ("critical", "high", "medium", "low")


@given(
    as_of=instants,
    tokens=st.lists(st.fixed_dictionaries({"created_at": maybe, "expires_at": maybe}), min_size=1, max_size=4),
    credential=maybe,
    applied=st.tuples(maybe, maybe),
    review_by=dates,
    decided=st.tuples(dates, dates).map(sorted),
    counts=st.fixed_dictionaries(
        {
            "audit_every_days": days,
            "due_days": st.fixed_dictionaries(dict.fromkeys(DUE, days)),
            "windows": st.none() | st.fixed_dictionaries({"high": days, "low": days}),
            "max_lifetime_days": days,
            "max_rotation_age_days": days,
            "max_secret_age_days": days,
        }
    ),
)
@settings(max_examples=8, deadline=None)
def test_any_instant_goes_through_every_format(
    as_of: datetime,
    tokens: list[dict[str, Any]],
    credential: datetime | None,
    applied: tuple[datetime | None, datetime | None],
    review_by: date,
    decided: list[date],
    counts: dict[str, Any],
) -> None:
    first, last = decided
    audit = audited(
        snapshot(
            [token(number, write_enabled=True, delete_enabled=True, **said) for number, said in enumerate(tokens)],
            [organization(credential_expires_at=credential)],
            [application(created_at=applied[0], updated_at=applied[1])],
            at=as_of,
        ),
        as_of=as_of,
        register=register(
            [{"organization_id": ACME, "token_id": token(0)["token_id"], "permissions": "read", "review_by": review_by}]
        ),
        waivers=[waiver("EXP", approved_on=first, expires=last)],
        plans=[plan("PRM", approved_on=first, until=last)],
        audit_every_days=counts["audit_every_days"],
        due_days=counts["due_days"],
        rules={
            "EXP002": {"windows": counts["windows"]},
            **{
                rule: {name: counts[name]}
                for rule, name in (("EXP004", "max_lifetime_days"), ("EXP005", "max_rotation_age_days"))
            },
            "OAU003": {"max_secret_age_days": counts["max_secret_age_days"]},
        },
    )

    made = {name: files(name, audit) for name in formats()}
    assert json.loads(made["json"][".json"])["as_of"] == as_of.isoformat().replace("+00:00", "Z")
    icalendar.Calendar.from_ical(made["ics"][".ics"])
    assert "Tokens" in openpyxl.load_workbook(io.BytesIO(made["xlsx"][".xlsx"])).sheetnames


def test_the_last_day_has_its_entry_in_the_calendar_which_needs_no_day_after_it() -> None:
    audit = audited(snapshot([token(1, expires_at=LAST), token(2, expires_at=LAST - timedelta(days=1))]))

    entries = icalendar.Calendar.from_ical(rendered("ics", audit)).walk("VEVENT")
    ends = [(each["DTSTART"].dt, each["DTEND"].dt if "DTEND" in each else None) for each in entries]
    assert ends == [(date(9999, 12, 30), date(9999, 12, 31)), (date(9999, 12, 31), None)]


def test_days_before_excel_s_calendar_are_texts_in_the_workbook() -> None:
    day = date(1, 1, 1)
    audit = audited(
        snapshot([token(1, created_at=FIRST, write_enabled=True, delete_enabled=True)]),
        plans=[plan("PRM", approved_on=day, until=day)],
    )
    book = openpyxl.load_workbook(io.BytesIO(rendered("xlsx", audit)))

    for sheet, title in (
        ("Tokens", "Created"),
        ("Decisions", "Decided on"),
        ("Decisions", "Until"),
        ("Findings", "Until"),
    ):
        titles, row = [*book[sheet].iter_rows(values_only=True)][:2]
        assert row[titles.index(title)] == "0001-01-01", (sheet, title)


@pytest.mark.parametrize("name", ["sarif", "ocsf", "defectdojo", "csv"])
def test_years_have_four_digits_in_what_programs_read(name: str) -> None:
    audit = audited(snapshot([token(1, created_at=FIRST, expires_at=LAST)], at=FIRST), as_of=FIRST)

    assert "0001-01-01" in b"".join(files(name, audit).values()).decode()


def test_a_review_or_a_waiver_until_the_last_day_holds_and_shows_it() -> None:
    rows = [
        {
            "organization_id": ACME,
            "token_id": token(1)["token_id"],
            "permissions": "read+write+delete",
            "review_by": date.max,
        }
    ]
    audit = audited(
        snapshot([token(1, write_enabled=True, delete_enabled=True, description="x")]),
        register=register(rows),
        waivers=[waiver("DOC", approved_on=date(2026, 11, 1), expires=date.max)],
        max_waiver_days=MOST_DAYS,
    )

    assert {row["waived"] for row in audit.findings.records() if row["rule_id"].startswith("DOC")} == {True}
    assert [row["rule_id"] for row in audit.findings.records() if row["rule_id"][:3] in {"INV", "PRM"}] == []
    assert json.loads(rendered("json", audit))["tokens"][0]["register"]["review_by"] == "9999-12-31"

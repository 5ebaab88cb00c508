"""iCalendar, read back by vobject."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import vobject
from hypothesis import given

from credly_audit.audit.model import Audit
from tests.build import ACME, AS_OF, snapshot, token
from tests.renderers.rendering import (
    DAY,
    clean,
    empty,
    hostile,
    hostile_audit,
    judged,
    many,
    of_all_kinds,
    rendered,
    tried,
)


def entries(audit: Audit) -> dict[str, Any]:
    """The entries by UID, as vobject reads them."""
    read = vobject.readOne(rendered("ics", audit).decode())
    read.validate(raiseException=True)
    events = read.contents.get("vevent", [])
    assert len({event.uid.value for event in events}) == len(events)
    return {event.uid.value: event for event in events}


def uid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}.{ACME}@credly-audit"


def test_each_unexpired_token_has_an_entry_on_the_day_of_its_expiry() -> None:
    found = entries(of_all_kinds())

    assert found[uid(3)].dtstart.value == date(2026, 11, 26)
    assert found[uid(4)].dtstart.value == date(2027, 1, 12)
    assert uid(6) not in found, "it has expired"
    assert found[uid(2)].summary.value == "Expires: “test” (Acme, 00000000)"
    assert "Owner: crm-team@acme.example." in found[uid(2)].description.value


def test_a_calendar_reminds_two_weeks_and_three_days_before() -> None:
    alarms = entries(clean())[uid(1)].valarm_list

    assert [alarm.trigger.value for alarm in alarms] == [-14 * DAY, -3 * DAY]
    assert {alarm.action.value for alarm in alarms} == {"DISPLAY"}


def test_after_a_rotation_the_entry_moves_and_none_is_added() -> None:
    before = judged(snapshot([token(1, expires_at=AS_OF + 10 * DAY)]))
    after = judged(snapshot([token(1, expires_at=AS_OF + 180 * DAY, fingerprint="a" * 16)]))
    later = replace(after, generated_at=after.generated_at + timedelta(days=1))

    assert list(entries(before)) == list(entries(later))
    ((_, old),), ((_, new),) = entries(before).items(), entries(later).items()
    assert new.dtstart.value - old.dtstart.value == 170 * DAY
    assert int(new.sequence.value) > int(old.sequence.value)
    assert new.dtstamp.value == later.generated_at


def test_what_was_not_seen_has_an_entry_on_the_day_of_the_audit() -> None:
    entry = entries(of_all_kinds())["incomplete@credly-audit"]

    assert entry.dtstart.value == AS_OF.date()
    assert "Beta: failed" in entry.description.value
    assert "incomplete@credly-audit" not in entries(clean())


def test_nothing_due_is_a_calendar_without_entries() -> None:
    assert entries(empty()) == {}


def test_every_line_ends_in_cr_lf_and_is_at_most_75_octets() -> None:
    *lines, last = rendered("ics", hostile_audit("日本語🎫" * 40)).split(b"\r\n")

    assert last == b""
    assert max(map(len, lines)) <= 75
    assert not any(b"\n" in line for line in lines)
    for line in lines:
        line.decode()


def test_a_thousand_tokens_are_a_thousand_entries() -> None:
    assert len(entries(many(1_000))) == 1_000


@tried
@given(hostile)
def test_hostile_text_adds_no_entry_and_no_property(text: str) -> None:
    found = entries(hostile_audit(text))

    assert len(found) == 4
    assert {name for event in found.values() for name in event.contents} <= {
        *("uid", "dtstamp", "sequence", "dtstart", "dtend", "transp", "summary", "description", "categories", "valarm"),
    }

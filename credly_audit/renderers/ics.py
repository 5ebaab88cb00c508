"""iCalendar: an all-day entry for each token on the day on which Credly turns it off.

Rotation keeps a token's id and moves its expiry, so an entry's UID is made from the ids: a calendar that has the file
moves its entry instead of adding one. The expiry is the one due date that no audit moves.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, BinaryIO

from icalendar import Alarm, Calendar, Event

from credly_audit import __version__
from credly_audit.audit.consumers import ConsumerSet, describe_consumers
from credly_audit.audit.model import Audit
from credly_audit.renderers.base import Renderer
from credly_audit.renderers.json import rows
from credly_audit.report.briefing import MOST_NAMED, list_incomplete, write_headline
from credly_audit.text import called, count, harmless, one_line, spoken_day

ALARMS = (14, 3)
"""Days before the expiry on which a calendar reminds."""

REMEDIATION = "Rotate it, and give the new value to what uses it, before then: Credly turns it off and warns no one."

COLUMNS = ["organization_id", "organization_name", "token_id", "fingerprint", "description", "expires_at"]


def render(audit: Audit, out: BinaryIO) -> None:
    """Write a calendar with an entry for each unexpired token, and one where the audit is incomplete."""
    part = "" if audit.part is None else f" ({audit.part.name})"
    calendar = Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", f"-//credly-audit//credly-audit {__version__}//EN")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", f"Credly authorization tokens{part}")
    calendar.add("x-wr-caldesc", harmless(write_headline(audit)))
    for event in _make_events(audit):
        calendar.add_component(event)
    out.write(calendar.to_ical(sorted=False))


def _make_events(audit: Audit) -> Iterator[Event]:
    if audit.verdict.not_seen:
        yield _make_coverage_event(audit)
    contacts = dict(zip(audit.organizations["organization_id"], audit.organizations["contact"], strict=True))
    expiring = audit.tokens[audit.expiring].sort_values("expires_at", kind="stable")
    using = audit.consumers_of(expiring.index.to_series())
    for token, consumers in zip(rows(expiring, COLUMNS), using, strict=True):
        contact = contacts.get(token["organization_id"])
        yield _make_expiry_event(audit, token, contact if isinstance(contact, str) else None, consumers)


def _make_expiry_event(audit: Audit, token: dict[str, Any], contact: str | None, consumers: ConsumerSet) -> Event:
    """Return the entry of one token, with its alarms."""
    name = called(token["description"], token["organization_name"], token["fingerprint"])
    when: datetime = token["expires_at"]
    ask = f" Owner: {one_line(contact)}." if contact else ""
    stop = f" Consumers that stop working then: {one_line(describe_consumers(consumers), 500)}." if consumers else ""
    event = _begin_event(audit, f"{token['token_id']}.{token['organization_id']}", when.date(), f"Expires: {name}")
    event.add(
        "description",
        f"Expires on {spoken_day(when)} at {when:%H:%M} UTC.{stop} {REMEDIATION}{ask}\n"
        f"Token {one_line(token['token_id'])} of organization {one_line(token['organization_id'])}.",
    )
    event.add("categories", [one_line(token["organization_name"] or token["organization_id"], 60)])
    for days in ALARMS:
        alarm = Alarm()
        alarm.add("action", "DISPLAY")
        alarm.add("description", f"Expires in {count(days, 'day', 'days')}: {name}")
        alarm.add("trigger", timedelta(days=-days))
        event.add_component(alarm)
    return event


def _make_coverage_event(audit: Audit) -> Event:
    """Return an entry on the day of the audit that says whose tokens may be missing."""
    hidden = list_incomplete(audit)
    names = "".join(f"\n{one_line(each.name, 60)}: {each.status}" for each in hidden[:MOST_NAMED])
    more = f"\n… and {len(hidden) - MOST_NAMED} more" if len(hidden) > MOST_NAMED else ""
    many = count(len(hidden), "organization", "organizations")
    uid = "incomplete" if audit.part is None else f"incomplete-{audit.part.name}"
    event = _begin_event(audit, uid, audit.as_of.date(), f"credly-audit: incomplete, {many} incomplete")
    event.add("description", f"{write_headline(audit)} Tokens of these may be missing in this calendar:{names}{more}")
    return event


def _begin_event(audit: Audit, uid: str, day: date, summary: str) -> Event:
    """Return the beginning of an all-day entry; SEQUENCE grows from audit to audit, so that the later one wins."""
    event = Event()
    event.add("uid", f"{one_line(uid)}@credly-audit")
    event.add("dtstamp", audit.generated_at)
    event.add("sequence", int(audit.generated_at.timestamp()) // 60)
    event.add("dtstart", day)
    if day < date.max:  # without an end the entry is of one day, too (RFC 5545, 3.6.1)
        event.add("dtend", day + timedelta(days=1))
    event.add("transp", "TRANSPARENT")
    event.add("summary", harmless(summary))
    return event


RENDERER = Renderer(".ics", render, dated=False)

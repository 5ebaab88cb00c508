"""iCalendar: an all-day entry for each token on the day on which Credly turns it off.

Rotation keeps a token's id and moves its expiry, so an entry's UID is made from the ids: a calendar that has the file
moves its entry instead of adding one. The expiry is the one due date that no audit moves.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, BinaryIO

import pandas as pd

from credly_audit import __version__
from credly_audit.audit import Audit
from credly_audit.renderers.base import Renderer
from credly_audit.renderers.briefing import headline, unseen
from credly_audit.renderers.json import rows
from credly_audit.renderers.text import calendar, called, count, one_line, spoken_day

ALARMS = (14, 3)
"""Days before the expiry on which a calendar reminds."""

MOST_UNSEEN = 20

MOST_OCTETS = 75
"""How long a line may be (RFC 5545, 3.1); the rest is folded."""

REMEDIATION = "Rotate it, and give the new value to what uses it, before then: Credly turns it off and warns nobody."

COLUMNS = ["organization_id", "organization_name", "token_id", "fingerprint", "description", "expires_at"]


def render(audit: Audit, out: BinaryIO) -> None:
    """One calendar; every line ends in CR LF."""
    out.writelines(folded(line) for line in lines(audit))


def lines(audit: Audit) -> Iterator[str]:
    """The calendar's content lines."""
    yield "BEGIN:VCALENDAR"
    yield "VERSION:2.0"
    yield f"PRODID:-//credly-audit//credly-audit {__version__}//EN"
    yield "CALSCALE:GREGORIAN"
    yield "METHOD:PUBLISH"
    part = "" if audit.part is None else f" ({audit.part.name})"
    yield f"X-WR-CALNAME:{calendar(f'Credly authorization tokens{part}')}"
    yield f"X-WR-CALDESC:{calendar(headline(audit))}"
    if audit.verdict.not_seen:
        yield from incomplete(audit)
    contacts = dict(zip(audit.organizations["organization_id"], audit.organizations["contact"], strict=True))
    ahead = audit.tokens["expires_at"] > pd.Timestamp(audit.as_of)
    for token in rows(audit.tokens[ahead.to_numpy(dtype=bool)].sort_values("expires_at", kind="stable"), COLUMNS):
        contact = contacts.get(token["organization_id"])
        yield from expiry(audit, token, contact if isinstance(contact, str) else None)
    yield "END:VCALENDAR"


def expiry(audit: Audit, token: dict[str, Any], contact: str | None) -> Iterator[str]:
    """The entry of one token."""
    name = called(token["description"], token["organization_name"], token["fingerprint"])
    when = token["expires_at"]
    facts = f"Expires on {spoken_day(when)} at {when:%H:%M} UTC. {REMEDIATION}"
    identity = f"Token {token['token_id']} of organization {token['organization_id']}."
    ask = f" Contact: {one_line(contact)}." if contact else ""
    yield from entry(audit, f"{token['token_id']}.{token['organization_id']}", when, f"Expires: {name}")
    yield f"DESCRIPTION:{calendar(f'{facts}{ask}')}\\n{calendar(identity)}"
    yield f"CATEGORIES:{calendar(one_line(token['organization_name'] or token['organization_id'], 60))}"
    for days in ALARMS:
        yield "BEGIN:VALARM"
        yield "ACTION:DISPLAY"
        yield f"DESCRIPTION:{calendar(f'Expires in {days} days: {name}')}"
        yield f"TRIGGER:-P{days}D"
        yield "END:VALARM"
    yield "END:VEVENT"


def incomplete(audit: Audit) -> Iterator[str]:
    """An entry on the day of the audit that says whose tokens may be missing."""
    hidden = unseen(audit)
    names = "".join(f"\n{one_line(each.name, 60)}: {each.status}" for each in hidden[:MOST_UNSEEN])
    more = f"\n… and {len(hidden) - MOST_UNSEEN} more" if len(hidden) > MOST_UNSEEN else ""
    many = count(len(hidden), "organization", "organizations")
    uid = "incomplete" if audit.part is None else f"incomplete-{audit.part.name}"
    yield from entry(audit, uid, audit.as_of, f"credly-audit: incomplete, {many} not fully seen")
    yield f"DESCRIPTION:{calendar(f'{headline(audit)} Tokens of these may be missing in this calendar:{names}{more}')}"
    yield "END:VEVENT"


def entry(audit: Audit, uid: str, day: datetime, summary: str) -> Iterator[str]:
    """The beginning of an all-day entry; SEQUENCE grows from audit to audit, so that the later one wins."""
    yield "BEGIN:VEVENT"
    yield f"UID:{calendar(one_line(uid))}@credly-audit"
    yield f"DTSTAMP:{audit.generated_at:%Y%m%dT%H%M%SZ}"
    yield f"SEQUENCE:{int(audit.generated_at.timestamp()) // 60}"
    yield f"DTSTART;VALUE=DATE:{day:%Y%m%d}"
    yield f"DTEND;VALUE=DATE:{day + timedelta(days=1):%Y%m%d}"
    yield "TRANSP:TRANSPARENT"
    yield f"SUMMARY:{calendar(summary)}"


def folded(line: str) -> bytes:
    """A content line, folded between characters so that no part is longer than MOST_OCTETS."""
    octets = line.encode()
    if len(octets) <= MOST_OCTETS:
        return octets + b"\r\n"
    parts = []
    start, room = 0, MOST_OCTETS
    while start < len(octets):
        end = min(start + room, len(octets))
        while end < len(octets) and octets[end] & 0xC0 == 0x80:  # noqa: PLR2004 - 10xxxxxx: inside a character
            end -= 1
        parts.append(octets[start:end])
        start, room = end, MOST_OCTETS - 1
    return b"\r\n ".join(parts) + b"\r\n"


RENDERER = Renderer(".ics", render, dated=False)

"""Instants of the years 1 to 9999 in UTC: how they are written, and arithmetic that never leaves those years."""

import re
from datetime import UTC, date, datetime, time, timedelta

FIRST = datetime.min.replace(tzinfo=UTC)
LAST = datetime.max.replace(tzinfo=UTC)

MOST_DAYS = (date.max - date.min).days

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)
MICROSECOND = timedelta(microseconds=1)

WRITTEN = re.compile(
    r"""
    (?P<date> \d{4}-\d\d-\d\d | \d{8} | \d{4}-?W\d\d-?\d | \d{4}-?\d{3} )
    (?: [Tt ] (?P<hour> \d\d ) (?: :? (?P<minute> \d\d ) (?: :? (?P<second> \d\d ) )? )? (?: [.,] (?P<fraction> \d+ ) )?
        (?P<zone> [Zz] | (?P<sign> [+\-\u2212] ) (?P<hours> \d\d ) (?: :? (?P<minutes> \d\d ) )? )?
    )?
    """,
    re.VERBOSE | re.ASCII,
)
"""A calendar, week or ordinal date of ISO 8601, extended or basic, and a time with or without a zone."""

ORDINAL = re.compile(r"(\d{4})-?(\d{3})", re.ASCII)

MOST_DIGITS = 15
"""Digits of a fraction of a second, minute or hour that can make a microsecond."""


def shift(instant: datetime, by: timedelta) -> datetime:
    """Return an instant so much later, or the last or first one there is where it would lie beyond."""
    try:
        return instant + by
    except (OverflowError, ValueError):
        return LAST if by > timedelta() else FIRST


def iso_day(when: date) -> str:
    """Return `2026-11-29`: strftime leaves out the leading zeros of early years."""
    return f"{when.year:04}-{when.month:02}-{when.day:02}"


def end_of(day: date) -> datetime:
    """Return the instant from which a day in UTC is over."""
    return shift(datetime.combine(day, time(), UTC), DAY)


def read_instant(text: str, *, assume_utc: bool = False) -> datetime | None:
    """Return the instant in UTC that a text of ISO 8601 or RFC 3339 means; None where it means none.

    A date alone, or a time without a zone, could mean any hour of the day: it is an instant only where UTC is assumed.
    """
    match = WRITTEN.fullmatch(text)
    if match is None or not (match["zone"] or assume_utc):
        return None
    try:
        return datetime.combine(_read_date(match["date"]), time(), UTC) + (_read_time(match) - _read_zone(match))
    except (ValueError, OverflowError):
        return None


def _read_date(text: str) -> date:
    ordinal = ORDINAL.fullmatch(text)
    if ordinal is None:
        return date.fromisoformat(text)
    year, number = int(ordinal[1]), int(ordinal[2])
    day = date(year, 1, 1) + (number - 1) * DAY
    if day.year != year:
        raise ValueError("this year has no such day")
    return day


def _read_time(match: re.Match[str]) -> timedelta:
    """Return the time since midnight; a leap second is the first second after it, 24:00 the next midnight."""
    hour, minute, second = (int(match[name] or 0) for name in ("hour", "minute", "second"))
    smallest = SECOND if match["second"] else MINUTE if match["minute"] else HOUR
    digits = (match["fraction"] or "0")[:MOST_DIGITS]
    fraction = smallest // MICROSECOND * int(digits) // 10 ** len(digits) * MICROSECOND
    since = hour * HOUR + minute * MINUTE + second * SECOND + fraction
    if minute > 59 or second > 60 or (hour > 23 and since != DAY):  # noqa: PLR2004 - of a clock
        raise ValueError("no clock shows this")
    return since


def _read_zone(match: re.Match[str]) -> timedelta:
    if not match["sign"]:
        return timedelta()
    hours, minutes = int(match["hours"]), int(match["minutes"] or 0)
    if hours > 23 or minutes > 59:  # noqa: PLR2004 - of a clock
        raise ValueError("no such zone")
    offset = hours * HOUR + minutes * MINUTE
    return offset if match["sign"] == "+" else -offset

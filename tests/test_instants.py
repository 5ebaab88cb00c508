"""Dates as they are written: all that ISO 8601 and RFC 3339 allow, by text and by column, in the years 1 to 9999."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.instants import FIRST, LAST, end_of, iso_day, read_instant, shift
from credly_audit.instants.instant_columns import keep_within, last_days, read_instants

NOON = datetime(2026, 11, 29, 12, 30, 15, 500_000, UTC)
MIDNIGHT = datetime(2026, 11, 29, tzinfo=UTC)

MEANT = {
    "2026-11-29T12:30:15.5Z": NOON,
    "2026-11-29T12:30:15,5Z": NOON,
    "2026-11-29t12:30:15.5z": NOON,
    "2026-11-29 12:30:15.500Z": NOON,
    "2026-11-29T12:30:15.500000999999Z": NOON,
    "2026-11-29T04:30:15.5-08:00": NOON,
    "2026-11-29T04:30:15.5-0800": NOON,
    "2026-11-29T04:30:15.5-08": NOON,
    "2026-11-29T04:30:15.5\u221208:00": NOON,
    "2026-11-29T12:30:15.5-00:00": NOON,
    "20261129T123015.5Z": NOON,
    "20261129T123015.5+00": NOON,
    "2026-W48-7T12:30:15.5Z": NOON,
    "2026W487T123015.5Z": NOON,
    "2026-333T12:30:15.5Z": NOON,
    "2026333T123015.5Z": NOON,
    "2026-11-29T12:30Z": NOON.replace(second=0, microsecond=0),
    "2026-11-29T12.5Z": NOON.replace(second=0, microsecond=0),
    "2026-11-29T12:30,25Z": NOON.replace(microsecond=0),
    "2026-11-29T12Z": NOON.replace(minute=0, second=0, microsecond=0),
    "2026-11-28T24:00:00Z": MIDNIGHT,
    "2026-11-28T24:00Z": MIDNIGHT,
    "2026-11-28T24Z": MIDNIGHT,
    "2026-11-28T24:00:00.000+00:00": MIDNIGHT,
    "2026-11-28T23:59:60Z": MIDNIGHT,
    "2026-11-28T15:59:60-08:00": MIDNIGHT,
    "2028-02-29T00:00:00Z": datetime(2028, 2, 29, tzinfo=UTC),
    "2028-366T00:00:00Z": datetime(2028, 12, 31, tzinfo=UTC),
    "0001-01-01T00:00:00Z": FIRST,
    "0001-01-01T08:00:00+08:00": FIRST,
    "9999-12-31T23:59:59.999999Z": LAST,
    "9999-12-31T15:59:59.999999-08:00": LAST,
    "9999-12-31T24:00:00+00:01": datetime(9999, 12, 31, 23, 59, tzinfo=UTC),
}

MEANINGLESS = (
    "",
    "never",
    "2026-11-29",
    "2026-11-29T12:30:15",
    "2026-11-29T12:30:15 UTC",
    "2026-11-29T12:30:15 +00:00",
    "2026-11-29T12:30:61Z",
    "2026-11-29T12:60:00Z",
    "2026-11-29T25:00:00Z",
    "2026-11-29T24:00:01Z",
    "2026-11-29T24:00:00.1Z",
    "2026-11-29T12:30:15+24:00",
    "2026-11-29T12:30:15+08:60",
    "2026-11-29T12:30:15.Z",
    "2026-02-29T00:00:00Z",
    "2026-366T00:00:00Z",
    "2026-000T00:00:00Z",
    "2026-W54-1T00:00:00Z",
    "2026-W48-8T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "26-11-29T12:30:15Z",
    "0000-12-31T23:59:59Z",
    "0001-01-01T00:00:00+08:00",
    "9999-12-31T23:59:59-08:00",
    "9999-12-31T24:00:00Z",
    "9999-12-31T23:59:60Z",
    "10000-01-01T00:00:00Z",
    "+002026-11-29T12:30:15Z",
    "1796032800",
    "29/11/2026 12:30",
    "\uff12\uff10\uff12\uff16-11-29T12:30:15Z",
    "2026-11-29T12:30:15Z\n",
)


@pytest.mark.parametrize("text", MEANT)
def test_what_the_standards_allow_is_read(text: str) -> None:
    assert read_instant(text) == MEANT[text]


@pytest.mark.parametrize("text", MEANINGLESS)
def test_what_means_no_instant_of_the_calendar_is_not_read(text: str) -> None:
    assert read_instant(text) is None


def test_a_column_is_read_as_its_texts_are() -> None:
    texts = [*MEANT, *MEANINGLESS, None]

    read = read_instants(pd.Series(texts, dtype="string"))

    assert [None if pd.isna(each) else each.to_pydatetime() for each in read] == [
        *MEANT.values(),
        *[None] * (len(MEANINGLESS) + 1),
    ]


@pytest.mark.parametrize("text", ["2026-11-29", "20261129", "2026-W48-7", "2026-11-29T00:00", "2026-11-29 00:00:00"])
def test_without_a_zone_it_means_utc_where_that_is_assumed(text: str) -> None:
    assert read_instant(text, assume_utc=True) == MIDNIGHT


instants = st.datetimes(timezones=st.just(UTC))


@st.composite
def written(draw: st.DrawFn) -> tuple[str, datetime]:
    """An instant, and one of the ways in which it can be written."""
    instant = draw(instants)
    minutes = draw(st.integers(-23 * 60 - 59, 23 * 60 + 59))
    try:
        local = instant.astimezone(timezone(timedelta(minutes=minutes)))
    except OverflowError:
        minutes, local = 0, instant
    extended = draw(st.booleans())
    day = draw(st.sampled_from(["%Y-%m-%d", "%G-W%V-%u", "%Y-%j"]))
    if day.startswith("%G") and local.isocalendar().year != local.year:
        day = "%Y-%m-%d"
    years = f"{local.year:04}"
    date_text = local.strftime(day.replace("%Y", "Y").replace("%G", "Y")).replace("Y", years)
    digits = draw(st.integers(6, 12))
    fraction = draw(st.sampled_from(".,")) + f"{local.microsecond:06}".ljust(digits, "9")
    clock = local.strftime("%H:%M:%S") + fraction
    sign = draw(st.sampled_from("-\u2212")) if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
    if minutes % 60 == 0 and draw(st.booleans()):
        zone = zone[:3]
    if minutes == 0 and draw(st.booleans()):
        zone = draw(st.sampled_from("Zz"))
    if not extended:
        date_text, clock, zone = date_text.replace("-", ""), clock.replace(":", ""), zone.replace(":", "")
    return f"{date_text}{draw(st.sampled_from('Tt '))}{clock}{zone}", instant


@given(
    texts=st.lists(
        written() | st.tuples(st.text(max_size=30) | st.from_regex(r"[0-9T:+.,Zz-]{8,30}"), st.none()), max_size=20
    )
)
@settings(max_examples=150, deadline=None)
def test_every_way_to_write_an_instant_means_it_by_text_and_by_column(texts: list[tuple[str, datetime | None]]) -> None:
    read = [read_instant(text) for text, _ in texts]

    assert [one for one, (_, instant) in zip(read, texts, strict=True) if instant] == [
        each for _, each in texts if each
    ]
    column = read_instants(pd.Series([text for text, _ in texts], dtype="string"))
    assert [None if pd.isna(each) else each.to_pydatetime() for each in column] == read


@given(day=st.dates(), instant=instants, days=st.integers(-4_000_000, 4_000_000))
def test_arithmetic_stays_in_the_years_that_there_are(day: date, instant: datetime, days: int) -> None:
    ends = pd.Series([end_of(day)], dtype="datetime64[us, UTC]")
    assert last_days(ends).dt.date.tolist() == [day]
    assert date.fromisoformat(iso_day(day)) == day
    moved = shift(instant, timedelta(days=days))
    assert FIRST <= moved <= LAST
    assert moved in {FIRST, LAST} or moved - instant == timedelta(days=days)
    column: Any = pd.Series([instant], dtype="datetime64[us, UTC]") + pd.Timedelta(days=days)
    assert keep_within(column).tolist() == [moved]

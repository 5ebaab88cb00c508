"""Audits in whatever order they are recorded, again, and forgotten: the history is what its audits make of it."""

import logging
import sqlite3
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.history.schema import BY_SERIES
from credly_audit.history.schema import audits as recorded_audits
from credly_audit.history.series import find_series
from credly_audit.history.store import History, Purged
from tests.build import ACME, AS_OF, BETA, audited, organization, snapshot, token
from tests.history.months import Months, resolved, standing, when

LONG = {"expires_at": AS_OF + timedelta(days=900), "created_at": AS_OF}
DAY = timedelta(days=1)
NOW = datetime.now(UTC)
POLICY: dict[str, Any] = {"disable": ["EXP", "COV005", "INV", "CHG"]}


def recorded(history: History, month: int, said: dict[str, Any]) -> None:
    """Record one month's audit, judged without a past, so that it is the same in whatever order it comes."""
    rows = [
        token(number, place, description=text, write_enabled=write, fingerprint=value, **LONG)
        for number, (place, text, write, value) in said["tokens"].items()
        if said["statuses"][place] != "failed"
    ]
    organizations = [organization(each, status=status) for each, status in said["statuses"].items()]
    collected = snapshot(rows, organizations, at=when(month))
    history.record(audited(collected, as_of=when(month), **POLICY))


def content(history: History) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that it holds of its configuration, by names instead of numbers, but when it was recorded."""
    with history.database.reading() as connection:
        own = find_series(connection, history.configuration).number
        tables = {
            table.name: connection.execute(sa.select(table).where(table.c.series == own)).mappings().all()
            for table in BY_SERIES
        }
    organizations = {row["id"]: row["organization_id"] for row in tables["organizations"]}
    tokens = {row["id"]: (organizations[row["organization"]], row["token_id"]) for row in tables["tokens"]}
    findings = {row["id"]: row["finding_id"] for row in tables["findings"]}
    hidden = {"id", "series", "recorded_at"}
    names = {"organization": organizations, "token": tokens, "finding": findings}
    return {
        name: sorted(
            repr([names.get(key, {}).get(value, value) for key, value in row.items() if key not in hidden])
            for row in rows
        )
        for name, rows in tables.items()
    }  # type: ignore[return-value]


places = st.sampled_from([ACME, BETA])
said = st.fixed_dictionaries(
    {
        "tokens": st.dictionaries(
            st.integers(1, 3),
            st.tuples(
                places,
                st.sampled_from(["test", "Moodle of team learning"]),
                st.booleans(),
                st.sampled_from(["a" * 16, "b" * 16, None]),
            ),
            max_size=3,
        ),
        "statuses": st.dictionaries(
            places, st.sampled_from(["complete", "failed", "truncated"]), min_size=2, max_size=2
        ),
    }
)


@given(months=st.lists(said, min_size=2, max_size=4), order=st.randoms(use_true_random=False))
@settings(max_examples=6, deadline=None)
def test_the_order_of_recording_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, months: list[dict[str, Any]], order: Any
) -> None:
    folder = tmp_path_factory.mktemp("order")
    shuffled = list(enumerate(months))
    order.shuffle(shuffled)
    contents = []
    for name, audits in (("straight", enumerate(months)), ("shuffled", [*shuffled, shuffled[0]])):
        history = History.opened(f"sqlite:///{name}.sqlite", folder / "credly-audit.toml", {}, create=True)
        assert history is not None
        for month, said_then in audits:
            recorded(history, month, said_then)
        contents.append(content(history))
    assert contents[0] == contents[1]


def test_an_audit_recorded_late_takes_its_place(history: History) -> None:
    months = Months(history)
    bad, good = token(1, description="test", **LONG), token(1, **LONG)
    months.audit(0, [bad], **POLICY)
    months.audit(2, [bad], **POLICY)
    months.audit(1, [good], **POLICY)

    later = Months(history, record=False).audit(3, [bad], **POLICY)
    assert standing(later) == {("DOC002", "01"): "persisting"}
    assert later.compared is not None
    assert later.compared.remediated["findings"].tolist() == [1]
    assert [each.strftime("%m-%d") for each in history.audits()["as_of"]] == ["11-23", "12-23", "01-22"]


def test_checking_an_earlier_instant_compares_with_what_was_before_it(history: History) -> None:
    months = Months(history)
    bad, good = token(1, description="test", **LONG), token(1, **LONG)
    for month, row in enumerate([bad, good, bad]):
        months.audit(month, [row], **POLICY)
    again = Months(history, record=False)

    assert standing(again.audit(0.5, [bad], **POLICY)) == {("DOC002", "01"): "persisting"}
    assert resolved(again.audit(1, [good], **POLICY)) == {("DOC002", "01")}
    assert standing(again.audit(2, [bad], **POLICY)) == {("DOC002", "01"): "reopened"}


def test_what_is_forgotten_is_gone_and_the_rest_stays(history: History) -> None:
    months = Months(history)
    stays, goes = token(1, description="test", **LONG), token(2, description="temp", **LONG)
    other = token(3, BETA, description="todo", **LONG)
    months.audit(0, [stays, goes, other], **POLICY)
    months.audit(1, [stays, goes], **POLICY)
    months.audit(2, [stays], **POLICY)
    months.audit(3, [stays | {"write_enabled": True}], **POLICY)
    assert history.purge(when(2.5)).audits == 2 + 1

    told = repr(content(history))
    assert "Acme" in told
    assert all(word not in told for word in ("temp", "todo", BETA, goes["token_id"]))
    later = Months(history, record=False).audit(4, [stays, goes], **POLICY)
    assert standing(later)["DOC002", "01"] == "persisting"
    assert standing(later)["DOC002", "02"] == "new"
    [row] = [row for row in later.findings.records() if row["rule_id"] == "DOC002" and row["status"] == "persisting"]
    assert row["first_seen_at"] == AS_OF
    assert history.purge(None).audits == 1
    assert {name: rows for name, rows in content(history).items() if rows} == {}


def test_what_is_forgotten_leaves_the_file(tmp_path: Path) -> None:
    history = History.opened("sqlite:///history.sqlite", tmp_path / "credly-audit.toml", {}, create=True)
    assert history is not None
    months = Months(history)
    months.audit(0, [token(1, description="Zanzibar connector", **LONG)], **POLICY)
    months.audit(1, [token(2, **LONG)], **POLICY)
    assert b"Zanzibar" in b"".join(file.read_bytes() for file in tmp_path.glob("history.sqlite*"))
    assert history.purge(when(0.5)).not_freed is None

    assert b"Zanzibar" not in b"".join(file.read_bytes() for file in tmp_path.glob("history.sqlite*"))


def test_forgetting_beside_an_open_reader_is_done_soon_and_says_what_it_left(tmp_path: Path) -> None:
    history = History.opened("sqlite:///history.sqlite", tmp_path / "credly-audit.toml", {}, create=True)
    assert history is not None
    Months(history).audit(0, [token(1, description="Zanzibar connector", **LONG)], **POLICY)
    with sqlite3.connect(tmp_path / "history.sqlite", isolation_level=None) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM tokens").fetchone()
        start = time.monotonic()
        purged = history.purge(None)
        took = time.monotonic() - start
    reader.close()

    assert took < 15
    assert (purged.audits, purged.not_freed) == (1, "another process is reading it")
    assert history.audits().empty
    assert history.purge(None) == Purged(0, None)
    assert b"Zanzibar" not in b"".join(file.read_bytes() for file in tmp_path.glob("history.sqlite*"))


def keep(history: History, as_of: datetime, keep_days: int) -> int:
    """Record an audit as of an instant; how many were forgotten."""
    collected = snapshot([token(1, description="test", **LONG)], at=as_of)
    return history.record(audited(collected, as_of=as_of, **POLICY), keep_days=keep_days)


def test_keep_days_forgets_as_audits_are_recorded(history: History, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "credly_audit")
    past = [NOW - 30 * DAY * month for month in (3, 2, 1, 0)]

    assert [keep(history, at, 45) for at in past] == [0, 0, 1, 1]
    assert [each.to_pydatetime() for each in history.audits()["as_of"]] == past[2:]
    assert [record.message for record in caplog.records if "deleted" in record.message] == [
        "deleted 1 of 2 earlier audits ([history] keep_days)"
    ] * 2


def test_forgetting_every_earlier_audit_is_a_warning(history: History, caplog: pytest.LogCaptureFixture) -> None:
    keep(history, NOW - 100 * DAY, 45)

    assert keep(history, NOW, 45) == 1
    assert [(record.levelname, record.message) for record in caplog.records] == [
        ("WARNING", "deleted 1 of 1 earlier audits ([history] keep_days)")
    ]


@given(
    days=st.one_of(st.integers(1, 800), st.integers(10**5, 3_652_058)),
    instants=st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2, max_size=4, unique=True),
)
@settings(max_examples=4, deadline=None)
def test_no_audit_is_forgotten_that_is_younger_than_keep_days_counted_from_now(
    tmp_path_factory: pytest.TempPathFactory, days: int, instants: list[datetime]
) -> None:
    folder = tmp_path_factory.mktemp("keep")
    history = History.opened("sqlite:///h.sqlite", folder / "credly-audit.toml", {}, create=True)
    assert history is not None
    for at in instants:
        keep(history, at, days)
    now = datetime.now(UTC)
    kept = {each.to_pydatetime() for each in history.audits()["as_of"]}

    young = {at for at in instants if (now - at).days < days - 1}
    assert kept >= young | {instants[-1]}


def test_a_clock_that_jumped_deletes_nothing_at_once(history: History, caplog: pytest.LogCaptureFixture) -> None:
    keep(history, NOW - DAY, 45)
    with history.database.writing() as connection:  # a clock 50 days ahead, seen from there
        connection.execute(sa.update(recorded_audits).values(recorded_at=NOW - 50 * DAY, as_of=NOW - 50 * DAY))

    assert keep(history, NOW, 45) == 0
    assert len(history.audits()) == 2
    assert caplog.records[-1].message == (
        "no audit was recorded within the last 45 days ([history] keep_days): if the clock is right, `credly-audit "
        "history purge` deletes what is older (1 of 1 earlier audits); nothing was deleted now"
    )
    assert keep(history, NOW + DAY, 45) == 1


def test_an_audit_without_changes_takes_next_to_no_room(tmp_path: Path) -> None:
    history = History.opened("sqlite:///history.sqlite", tmp_path / "credly-audit.toml", {}, create=True)
    assert history is not None
    rows = [token(number, description="test", **LONG) for number in range(2_000)]
    months = Months(history)
    sizes = []
    for month in range(4):
        months.audit(month, rows, **POLICY)
        sizes.append((tmp_path / "history.sqlite").stat().st_size)

    assert sizes[1] / 2_000 > 250
    assert (sizes[3] - sizes[1]) / 2 / 2_000 < 10

"""Configurations that share a history: each has a series of audits of its own, as if it had a history of its own."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.errors import UsageError
from credly_audit.history.database import Database
from credly_audit.history.place import Place
from credly_audit.history.schema import BY_SERIES, VERSION_TABLE, metadata, series
from credly_audit.history.store import History
from tests.build import ACME, AS_OF, BETA, organization, token
from tests.history.months import Months, make_first_version, resolved, standing, when
from tests.history.test_order import content, recorded, said

LONG = {"expires_at": AS_OF + timedelta(days=170), "created_at": AS_OF}
POLICY: dict[str, Any] = {"disable": ["EXP", "COV005"]}
BAD = token(1, description="test", **LONG)
GOOD = token(1, **LONG)

Open = Callable[..., History]


@pytest.fixture
def opened(url: str, tmp_path: Path) -> Open:
    """Open the test's history for a configuration file, which is made, or for one that is not there."""

    def open_it(file: str, name: str | None = None, *, there: bool = True, create: bool = True) -> History:
        path = tmp_path / file
        if there:
            path.parent.mkdir(exist_ok=True)
            path.touch()
        history = History.opened(url, path, {}, name=name, create=create)
        assert history is not None
        return history

    return open_it


@given(
    shared=st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3), said), min_size=2, max_size=5),
    purge=st.sampled_from([None, 1.5]),
)
@settings(max_examples=6, deadline=None)
def test_two_configurations_in_one_history_are_as_two_histories(
    tmp_path_factory: pytest.TempPathFactory, shared: list[tuple[str, int, dict[str, Any]]], purge: float | None
) -> None:
    folder = tmp_path_factory.mktemp("series")

    def contents(places: dict[str, str]) -> dict[str, Any]:
        histories = {
            name: History.opened(f"sqlite:///{place}.sqlite", folder / "x.toml", {}, name=name, create=True)
            for name, place in places.items()
        }
        for name, month, said_then in shared:
            recorded(histories[name], month, said_then)  # type: ignore[arg-type] - it is created
        if purge is not None:
            histories["a"].purge(when(purge))  # type: ignore[union-attr] - it is created
        return {name: content(history) for name, history in histories.items() if history is not None}

    assert contents({"a": "both", "b": "both"}) == contents({"a": "one", "b": "other"})


def test_one_configuration_neither_uses_up_what_is_new_nor_resolves_what_another_has(opened: Open) -> None:
    a, b = Months(opened("a.toml")), Months(opened("b.toml"))
    first = [each.audit(0, [BAD], new_only=True, fail_on=("low",), **POLICY) for each in (a, b)]
    b.audit(1, [GOOD], **POLICY)
    second = a.audit(2, [BAD], **POLICY)

    assert [audit.verdict.violations for audit in first] == [1, 1]
    assert [standing(audit) for audit in first] == [{("DOC002", "01"): "new"}] * 2
    assert standing(second) == {("DOC002", "01"): "persisting"}
    assert len(second.compared.trend) == 2  # type: ignore[union-attr]
    assert opened("a.toml").mended().empty
    assert opened("b.toml").mended()["findings"].tolist() == [1]
    assert opened("a.toml").every_audit()[["id", "name"]].to_numpy().tolist() == [
        [1, str(a.history.configuration.file)], [2, str(a.history.configuration.file)],
        [1, str(b.history.configuration.file)], [2, str(b.history.configuration.file)],
    ]  # fmt: skip


def test_a_rotation_that_another_configuration_saw_is_no_evidence(opened: Open) -> None:
    row = token(1, fingerprint="a" * 16, **LONG)
    Months(opened("a.toml")).audit(0, [row], **POLICY)
    rotated = Months(opened("b.toml")).audit(1, [row | {"fingerprint": "b" * 16}], **POLICY)

    assert rotated.tokens["rotation_evidence"].tolist() == ["created"]


def test_what_one_configuration_forgets_another_keeps(opened: Open) -> None:
    a, b = opened("a.toml"), opened("b.toml", "b")
    for history in (a, b):
        Months(history).audit(0, [BAD], **POLICY)
        Months(history).audit(1, [BAD], **POLICY)

    assert a.purge(when(0.5)).audits == 1
    assert [len(each.audits()) for each in (a, b)] == [1, 2]
    assert a.purge(None).audits == 1
    assert [a.names(), len(b.audits())] == [["b"], 2]


def test_the_name_finds_the_series_wherever_the_file_is(opened: Open) -> None:
    Months(opened("a/x.toml", "production")).audit(0, [BAD], **POLICY)
    Months(opened("a/x.toml", "staging")).audit(0, [BAD], **POLICY)
    later = Months(opened("b/y.toml", "production")).audit(1, [BAD], **POLICY)

    assert standing(later) == {("DOC002", "01"): "persisting"}
    assert opened("c.toml").names() == ["production", "staging"]
    assert len(opened("c.toml").called("staging").audits()) == 1
    with pytest.raises(UsageError, match=r"^--name prod: no audit has that name; the history has production, staging$"):
        opened("c.toml").called("prod")


def test_a_configuration_that_moved_continues_its_series_and_says_so(
    opened: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    Months(opened("old/x.toml")).audit(0, [BAD], **POLICY)
    (tmp_path / "old" / "x.toml").rename(tmp_path / "new.toml")
    moved = opened("new.toml")
    again = Months(moved, record=False).audit(1, [BAD], **POLICY)

    assert standing(again) == {("DOC002", "01"): "persisting"}
    assert [record.message for record in caplog.records] == [
        f"continuing the history of {tmp_path}/old/x.toml under the name {tmp_path}/new.toml, which has no audit yet"
    ]
    Months(moved).audit(1, [BAD], **POLICY)
    caplog.clear()
    assert opened("new.toml").names() == [f"{tmp_path}/new.toml"]
    assert not caplog.records


def test_a_configuration_that_gets_a_name_continues_its_series(opened: Open) -> None:
    Months(opened("x.toml")).audit(0, [BAD], **POLICY)
    named = Months(opened("x.toml", "production"))

    assert standing(named.audit(1, [BAD], **POLICY)) == {("DOC002", "01"): "persisting"}
    assert opened("x.toml").names() == ["production"]


@pytest.mark.parametrize(
    ("others", "gone"),
    [(["a.toml"], []), (["a.toml", "b.toml"], ["a.toml", "b.toml"]), ([], [])],
    ids=["it is there", "two are gone", "there is none"],
)
def test_a_new_configuration_begins_a_series_of_its_own(
    opened: Open, tmp_path: Path, others: list[str], gone: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    Months(opened("named.toml", "named")).audit(0, [BAD], **POLICY)
    (tmp_path / "named.toml").unlink()
    for each in others:
        Months(opened(each)).audit(0, [BAD], **POLICY)
    for each in gone:
        (tmp_path / each).unlink()
    new = Months(opened("new.toml")).audit(1, [BAD], **POLICY)

    assert standing(new) == {("DOC002", "01"): "new"}
    assert len(opened("new.toml").names()) == len(others) + 2
    assert not caplog.records


def test_the_series_of_another_machine_is_not_taken_over(opened: Open, tmp_path: Path) -> None:
    a = opened("a.toml")
    Months(a).audit(0, [BAD], **POLICY)
    (tmp_path / "a.toml").unlink()
    with a.database.writing() as connection:
        connection.execute(sa.update(series).values(host="elsewhere"))
    new = Months(opened("b.toml")).audit(1, [BAD], **POLICY)

    assert standing(new) == {("DOC002", "01"): "new"}


def test_without_a_configuration_the_only_series_is_meant(opened: Open) -> None:
    Months(opened("a.toml")).audit(0, [BAD], **POLICY)
    assert len(opened("none.toml", there=False).audits()) == 1
    Months(opened("b.toml")).audit(0, [BAD], **POLICY)
    assert opened("none.toml", there=False).audits().empty


@pytest.fixture
def first_version(url: str, tmp_path: Path) -> Database:
    """A history as version 0001 left it: three audits; a token stays bad, one was fixed, one was not seen at last."""
    database = Database.opened(Place.of(url, tmp_path, {}), create=True)
    assert database is not None
    make_first_version(database)
    return database


@pytest.mark.usefixtures("first_version")
def test_audits_of_the_first_version_are_earlier_ones_of_every_configuration(opened: Open) -> None:
    a, b = opened("a.toml"), opened("b.toml", "b")
    assert a.every_audit()["name"].isna().tolist() == [True] * 3
    fixed = Months(a).audit(3, [GOOD], [organization(), organization(BETA)], **POLICY)
    stays = Months(b).audit(3, [BAD], **POLICY)

    assert ("DOC002", "01") in resolved(fixed)
    assert len(fixed.compared.trend) == 4  # type: ignore[union-attr]
    assert standing(stays) == {("DOC002", "01"): "persisting"}
    assert [row["first_seen_at"] for row in stays.findings.records()] == [AS_OF]
    assert [opened(file, name).audits()["id"].tolist() for file, name in (("a.toml", None), ("b.toml", "b"))] == [
        [1, 2, 3, 4]
    ] * 2
    told = opened("a.toml").every_audit()
    assert told["id"].tolist() == [1, 2, 3, 4, 4]
    assert told["name"].fillna("-").tolist() == ["-"] * 3 + [str(a.configuration.file), "b"]
    assert ("DOC002", "01") in resolved(Months(opened("c.toml"), record=False).audit(3, [GOOD], **POLICY))


def stored(database: Database) -> dict[str, set[str]]:
    """What every table holds, but what version 0002 added."""
    added = {"series", "full_scope", "inherited"}
    with database.reading() as connection:
        rows = {
            table.name: connection.execute(sa.text(f'SELECT * FROM "{table.name}"')).mappings().all()  # noqa: S608 - our own names
            for table in BY_SERIES
        }
    return {
        table: {repr([(key, value) for key, value in row.items() if key not in added]) for row in found}
        for table, found in rows.items()
    }


@pytest.mark.usefixtures("first_version")
def test_what_other_configurations_may_have_recorded_was_not_removed_from_scope(opened: Open) -> None:
    months = Months(opened("a.toml"))
    first, second = (months.audit(month, [BAD], configured=[ACME], **POLICY) for month in (3, 4))

    assert [len(each.compared.removed) for each in (first, second)] == [0, 0]  # type: ignore[union-attr] - it is there


def test_a_history_of_the_first_version_holds_what_it_held(first_version: Database, opened: Open) -> None:
    before = stored(first_version)
    history = opened("a.toml")

    assert stored(history.database) == before
    with history.database.reading() as connection:
        inspector = sa.inspect(connection)
        assert not inspector.has_table("alembic_version")
        for table in BY_SERIES:
            numbers = connection.execute(sa.select(table.c.series).distinct()).scalars().all()
            keys = inspector.get_pk_constraint(table.name)["constrained_columns"]
            assert (numbers, keys) == ([0], [each.name for each in table.primary_key]), table.name


@pytest.mark.usefixtures("first_version")
def test_forgetting_forgets_what_was_recorded_before_there_were_names(opened: Open) -> None:
    history, other = opened("a.toml"), opened("b.toml", "b")
    Months(history).audit(3, [GOOD], **POLICY)
    Months(other).audit(3, [GOOD], **POLICY)

    assert history.purge(when(1.5)).audits == 2
    assert history.every_audit()["id"].tolist() == [3, 4, 1, 2, 4]
    assert [history.purge(None).audits, other.purge(None).audits] == [2, 4]
    with history.database.reading() as connection:
        assert [connection.execute(sa.select(table)).all() for table in metadata.tables.values()] == [[]] * 8


def test_another_programs_alembic_version_is_left_alone(opened: Open, url: str, tmp_path: Path) -> None:
    database = Database.opened(Place.of(url, tmp_path, {}), create=True)
    assert database is not None
    with database.writing() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
        connection.execute(sa.text("CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY)"))
        connection.execute(sa.text("INSERT INTO alembic_version VALUES ('c0ffee')"))
    Months(opened("a.toml")).audit(0, [BAD], **POLICY)

    assert len(opened("a.toml").audits()) == 1
    with database.reading() as connection:
        assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalars().all() == ["c0ffee"]


def test_another_programs_tables_are_not_touched(url: str, tmp_path: Path, opened: Open) -> None:
    database = Database.opened(Place.of(url, tmp_path, {}), create=True)
    assert database is not None
    with database.writing() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
        connection.execute(sa.text("CREATE TABLE organizations (id INTEGER PRIMARY KEY, vat TEXT)"))
    with pytest.raises(UsageError, match="a table `organizations` of another program; give the history a database"):
        opened("a.toml")

"""Histories of the first version of the schema, and databases that hold something else."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from credly_audit.errors import UsageError
from credly_audit.history.database import Database
from credly_audit.history.place import DatabasePlace
from credly_audit.history.schema import BY_SERIES, VERSION_TABLE, findings, key_figures, metadata
from credly_audit.history.store import History
from tests.build import ACME, AS_OF, BETA, organization, token
from tests.history.conftest import Open
from tests.history.months import MONTH, Months, former_id, make_first_version, resolved, return_to, standing, when

LONG = {"expires_at": AS_OF + timedelta(days=170), "created_at": AS_OF}
POLICY: dict[str, Any] = {"disable": ["EXP", "COV005"]}
BAD = token(1, description="test", **LONG)
GOOD = token(1, **LONG)


@pytest.fixture
def first_version(url: str, tmp_path: Path) -> Database:
    """A history as version 0001 left it: three audits; a token stays bad, one was fixed, one was not seen at last."""
    database = Database.opened(DatabasePlace.of(url, tmp_path, {}), create=True)
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
    """What every table of version 0001 holds, without the columns that were added later."""
    added = {"series", "full_scope", "inherited"}
    with database.reading() as connection:
        rows = {
            table.name: connection.execute(sa.text(f'SELECT * FROM "{table.name}"')).mappings().all()  # noqa: S608 - our own names
            for table in BY_SERIES
            if table.name != "key_figures"
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
        for table in set(BY_SERIES) - {key_figures}:
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
        assert [connection.execute(sa.select(table)).all() for table in metadata.tables.values()] == [[]] * len(
            metadata.tables
        )


def test_another_programs_alembic_version_is_left_alone(opened: Open, url: str, tmp_path: Path) -> None:
    database = Database.opened(DatabasePlace.of(url, tmp_path, {}), create=True)
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
    database = Database.opened(DatabasePlace.of(url, tmp_path, {}), create=True)
    assert database is not None
    with database.writing() as connection:
        metadata.drop_all(connection)
        connection.execute(sa.text(f"DROP TABLE {VERSION_TABLE}"))
        connection.execute(sa.text("CREATE TABLE organizations (id INTEGER PRIMARY KEY, vat TEXT)"))
    with pytest.raises(UsageError, match="a table `organizations` of another program; give the history a database"):
        opened("a.toml")


VALUES = [
    token(1, expires_at=AS_OF + timedelta(days=3, microseconds=987_654)),
    token(2, expires_at=AS_OF - timedelta(days=3)),
    token(3, expires_at=AS_OF + timedelta(days=900)),
    token(4, expires_at=None, created_at=AS_OF - timedelta(days=400)),
    token(5, expires_at=AS_OF + timedelta(days=5)),
]
"""Tokens that EXP001 to EXP005 flag, each as long as its value lasts; the last one is rotated in the month after."""

SAME_RULES: dict[str, Any] = {
    "disable": ["DOC", "INV", "PRM", "EXP006", "CHG"],
    "rules": {"EXP005": {"max_rotation_age_days": 20}},
}


@pytest.mark.parametrize("version", ["0001", "0002"])
def test_an_upgrade_resolves_nothing_and_makes_nothing_new(opened: Open, version: str) -> None:
    history = opened("a.toml")
    months = Months(history)
    months.audit(0, VALUES, **SAME_RULES)
    rotated = [*VALUES[:4], token(5, fingerprint="f" * 16, expires_at=AS_OF + timedelta(days=160))]
    before = months.audit(0.05, rotated, **SAME_RULES)
    of_one_value = {"EXP001", "EXP002", "EXP004", "EXP005"}
    assert of_one_value | {"EXP003"} == {rule for rule, _ in standing(before)}
    assert resolved(before) >= {("EXP002", "05"), ("EXP005", "05")}

    series = 0 if version == "0001" else 1
    with history.database.writing() as connection:
        if version == "0001":
            for table in BY_SERIES:
                connection.execute(sa.update(table).values(series=0))
    return_to(history.database, version)
    upgraded = opened("a.toml")
    with upgraded.database.reading() as connection:
        ids = {
            row.finding_id: row.rule_id
            for row in connection.execute(sa.select(findings).where(findings.c.series == series))
        }
    after = Months(upgraded).audit(0.06, rotated, **SAME_RULES)

    assert {row["finding_id"] for row in after.findings.records()} <= set(ids)
    assert former_id("EXP002", ACME, VALUES[4]["token_id"]) in ids, "what was resolved keeps its id"
    assert set(standing(after).values()) == {"persisting"}
    assert resolved(after) == set()
    assert after.compared is not None
    assert after.compared.trend.iloc[-1][["new", "reopened", "resolved"]].tolist() == [0, 0, 0]


def test_a_rotated_token_is_a_new_occurrence(history: History) -> None:
    months = Months(history)
    [first] = months.audit(
        0, [token(1, expires_at=AS_OF + timedelta(days=5))], **SAME_RULES | {"disable": ["EXP005", "DOC", "INV"]}
    ).findings.records()
    months.audit(1, [token(1, fingerprint="f" * 16, expires_at=AS_OF + timedelta(days=185))], **SAME_RULES)
    last = months.audit(6, [token(1, fingerprint="f" * 16, expires_at=AS_OF + timedelta(days=185))], **SAME_RULES)
    [second] = [row for row in last.findings.records() if row["rule_id"] == "EXP002"]

    assert (second["status"], second["first_seen_at"]) == ("new", AS_OF + 6 * MONTH)
    assert second["finding_id"] != first["finding_id"]

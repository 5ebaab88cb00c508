"""Configurations that share a history: each has a series of audits of its own, as if it had a history of its own."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from credly_audit.errors import UsageError
from credly_audit.history.schema import series
from credly_audit.history.store import History
from tests.build import AS_OF, token
from tests.history.conftest import Open
from tests.history.months import Months, standing, when
from tests.history.test_order import content, recorded, said

LONG = {"expires_at": AS_OF + timedelta(days=170), "created_at": AS_OF}
POLICY: dict[str, Any] = {"disable": ["EXP", "COV005"]}
BAD = token(1, description="test", **LONG)
GOOD = token(1, **LONG)

# What differs on a server is tried in test_versions and test_servers; here all of it takes its time.
with_servers_in_proof = pytest.mark.parametrize(
    "url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.proof)], indirect=True
)


@given(
    shared=st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(0, 3), said), min_size=2, max_size=5),
    purge=st.sampled_from([None, 1.5]),
)
@settings(max_examples=3, deadline=None)
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


@with_servers_in_proof
def test_one_configuration_neither_uses_up_what_is_new_nor_resolves_what_another_has(opened: Open) -> None:
    a, b = Months(opened("a.toml")), Months(opened("b.toml"))
    first = [each.audit(0, [BAD], new_only=True, fail_on=("low",), **POLICY) for each in (a, b)]
    b.audit(1, [GOOD], **POLICY)
    second = a.audit(2, [BAD], **POLICY)

    assert [audit.verdict.violations for audit in first] == [1, 1]
    assert [standing(audit) for audit in first] == [{("DOC002", "01"): "new"}] * 2
    assert standing(second) == {("DOC002", "01"): "persisting"}
    assert len(second.compared.trend) == 2  # type: ignore[union-attr]
    assert opened("a.toml").remediated().empty
    assert opened("b.toml").remediated()["findings"].tolist() == [1]
    assert opened("a.toml").every_audit()[["id", "name"]].to_numpy().tolist() == [
        [1, str(a.history.configuration.file)], [2, str(a.history.configuration.file)],
        [1, str(b.history.configuration.file)], [2, str(b.history.configuration.file)],
    ]  # fmt: skip


@with_servers_in_proof
def test_a_rotation_that_another_configuration_saw_is_no_evidence(opened: Open) -> None:
    row = token(1, fingerprint="a" * 16, **LONG)
    Months(opened("a.toml")).audit(0, [row], **POLICY)
    rotated = Months(opened("b.toml")).audit(1, [row | {"fingerprint": "b" * 16}], **POLICY)

    assert rotated.tokens["rotation_evidence"].tolist() == ["created"]


@with_servers_in_proof
def test_what_one_configuration_forgets_another_keeps(opened: Open) -> None:
    a, b = opened("a.toml"), opened("b.toml", "b")
    for history in (a, b):
        Months(history).audit(0, [BAD], **POLICY)
        Months(history).audit(1, [BAD], **POLICY)

    assert a.purge(when(0.5)).audits == 1
    assert [len(each.audits()) for each in (a, b)] == [1, 2]
    assert a.purge(None).audits == 1
    assert [a.names(), len(b.audits())] == [["b"], 2]


@with_servers_in_proof
def test_the_name_finds_the_series_wherever_the_file_is(opened: Open) -> None:
    Months(opened("a/x.toml", "production")).audit(0, [BAD], **POLICY)
    Months(opened("a/x.toml", "staging")).audit(0, [BAD], **POLICY)
    later = Months(opened("b/y.toml", "production")).audit(1, [BAD], **POLICY)

    assert standing(later) == {("DOC002", "01"): "persisting"}
    assert opened("c.toml").names() == ["production", "staging"]
    assert len(opened("c.toml").called("staging").audits()) == 1
    with pytest.raises(UsageError, match=r"^--name prod: no audit has that name; the history has production, staging$"):
        opened("c.toml").called("prod")


@with_servers_in_proof
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


@with_servers_in_proof
def test_a_configuration_that_gets_a_name_continues_its_series(opened: Open) -> None:
    Months(opened("x.toml")).audit(0, [BAD], **POLICY)
    named = Months(opened("x.toml", "production"))

    assert standing(named.audit(1, [BAD], **POLICY)) == {("DOC002", "01"): "persisting"}
    assert opened("x.toml").names() == ["production"]


@with_servers_in_proof
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


@with_servers_in_proof
def test_the_series_of_another_machine_is_not_taken_over(opened: Open, tmp_path: Path) -> None:
    a = opened("a.toml")
    Months(a).audit(0, [BAD], **POLICY)
    (tmp_path / "a.toml").unlink()
    with a.database.writing() as connection:
        connection.execute(sa.update(series).values(host="elsewhere"))
    new = Months(opened("b.toml")).audit(1, [BAD], **POLICY)

    assert standing(new) == {("DOC002", "01"): "new"}


@with_servers_in_proof
def test_without_a_configuration_the_only_series_is_meant(opened: Open) -> None:
    Months(opened("a.toml")).audit(0, [BAD], **POLICY)
    assert len(opened("none.toml", there=False).audits()) == 1
    Months(opened("b.toml")).audit(0, [BAD], **POLICY)
    assert opened("none.toml", there=False).audits().empty

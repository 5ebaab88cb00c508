"""PostgreSQL as others run it: other encodings, few rights, a pool before it, and everything that it can refuse."""

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from credly_audit.errors import CannotWrite, HistoryLost, UsageError
from credly_audit.history.store import History, must_be_possible
from tests import needs
from tests.build import AS_OF, audited, snapshot, token
from tests.history.months import Months, when

Run = Callable[..., list[tuple[object, ...]]]


@pytest.fixture
def name(postgresql: str) -> str:
    """A database of the test's own."""
    made = f"s{os.urandom(6).hex()}"
    with psycopg.connect(f"host={postgresql} user=audit dbname=postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{made}" TEMPLATE template0')
    return made


@pytest.fixture
def run(postgresql: str, name: str) -> Run:
    """Run statements in it, as its administrator."""

    def execute(*statements: str) -> list[tuple[object, ...]]:
        with psycopg.connect(f"host={postgresql} user=audit dbname={name}", autocommit=True) as connection:
            for statement in statements:
                cursor = connection.execute(statement)  # type: ignore[arg-type] - no literal, but the tests' own
            return cursor.fetchall() if cursor.description else []

    return execute


@pytest.fixture
def address(postgresql: str, name: str) -> Callable[[str], str]:
    """The address of the database for a user."""
    return lambda user: f"postgresql://{user}@/{name}?host={postgresql}"


def opened(url: str, *, create: bool = True) -> History:
    history = History.opened(url, Path("/nowhere/credly-audit.toml"), {}, create=create)
    assert history is not None
    return history


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_cannot_hold_every_text_is_refused_before_anything_is_asked(
    postgresql: str, encoding: str
) -> None:
    made = f"e{os.urandom(6).hex()}"
    with psycopg.connect(f"host={postgresql} user=audit dbname=postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE \"{made}\" TEMPLATE template0 ENCODING '{encoding}'")  # type: ignore[arg-type] - made here
    for create in (True, False):
        with pytest.raises(UsageError, match=f"the encoding {encoding}: .*; name one made by CREATE DATABASE"):
            History.opened(f"postgresql://audit@/{made}?host={postgresql}", Path("/x.toml"), {}, create=create)


def test_the_environments_encoding_does_not_matter(
    address: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "LATIN1")
    months = Months(opened(address("audit")))
    months.audit(0, [token(1, description="Ω \U0001f600")])
    assert [row["description"] for row in months.audit(1, []).compared.resolved.to_dict("records")][:1] == [  # type: ignore[union-attr] - it is there
        "Ω \U0001f600"
    ]


def test_a_role_that_may_not_create_tables_is_told_before_anything_is_asked(
    address: Callable[[str], str], run: Run
) -> None:
    role = f"r{os.urandom(6).hex()}"
    run(f"CREATE ROLE {role} LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    assert History.opened(address(role), Path("/x.toml"), {}, create=False) is None
    with pytest.raises(UsageError, match=r"cannot be created \(the user has no right to do that: .*\); grant SELECT"):
        must_be_possible(address(role), Path("/x.toml"), {})
    run(f"GRANT CREATE ON SCHEMA public TO {role}")
    must_be_possible(address(role), Path("/x.toml"), {})
    assert run("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize("right", ["SELECT", "INSERT", "UPDATE", "DELETE"])
def test_a_role_without_a_right_on_a_table_is_told_before_anything_is_asked(
    address: Callable[[str], str], run: Run, right: str
) -> None:
    opened(address("audit"))
    role = f"r{os.urandom(6).hex()}"
    every = "SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"
    run(f"CREATE ROLE {role} LOGIN", f"GRANT {every} TO {role}")
    opened(address(role)).must_be_writable()
    run(f"REVOKE {right} ON coverage FROM {role}")
    with pytest.raises(UsageError, match=r"cannot be written \(the user has no right to do that: permission denied"):
        opened(address(role)).must_be_writable()


def test_a_server_that_is_read_only_can_be_read_and_says_that_it_cannot_be_written(
    address: Callable[[str], str], run: Run, name: str
) -> None:
    Months(opened(address("audit"))).audit(0, [token(1)])
    run(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')

    history = opened(address("audit"))
    assert len(history.audits()) == 1
    with pytest.raises(UsageError, match=r"cannot be written \(the server is read-only: .*\); name the primary server"):
        history.must_be_writable()


REFUSALS = {
    "53100": "the disk is full",
    "53200": "memory ran out",
    "57014": "the server cancelled a statement",
    "57P01": "the server is stopping, starting or was restarted",
    "42501": "the user has no right to do that",
    "40001": "another transaction was in the way",
    "55P03": "another process is using it",
    "XX001": "it is damaged",
    "08006": "the connection failed or was lost",
    "P0001": "the database refused a statement",
}


@pytest.mark.parametrize("table", ["token_states", "coverage", "audits"])
def test_whatever_a_server_says_while_rows_are_copied_is_one_sentence_with_what_to_do(
    address: Callable[[str], str], run: Run, table: str
) -> None:
    history = opened(address("audit"))
    Months(history).audit(0, [token(1)])
    audit = audited(snapshot([token(2)], at=when(1)), as_of=when(1))
    for state, cause in REFUSALS.items():
        run(
            "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION E'no\\nroom' USING ERRCODE = '{state}', DETAIL = 'MADE-UP row'; END $$",
            f"CREATE OR REPLACE TRIGGER refuse BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION refuse()",
        )
        with pytest.raises(CannotWrite) as told:
            history.record(audit)
        said = str(told.value)
        assert f"could not be written; nothing of this audit is in it ({cause}: no room); " in said, state
        assert said.endswith(", then add this audit by `credly-audit check SNAPSHOT --record`")
        assert ("\n" in said, "MADE-UP" in said) == (False, False)
    run(f"DROP TRIGGER refuse ON {table}")
    history.record(audit)
    assert len(history.audits()) == 2


def test_a_statement_that_takes_too_long_is_told(address: Callable[[str], str], run: Run, name: str) -> None:
    history = opened(address("audit"))
    run(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(30); END $$",
        "CREATE TRIGGER wait BEFORE INSERT ON tokens FOR EACH ROW EXECUTE FUNCTION wait()",
        f"ALTER DATABASE \"{name}\" SET statement_timeout = '200ms'",
    )
    with pytest.raises(CannotWrite, match=r"the server cancelled a statement: .*; raise statement_timeout"):
        Months(history).audit(0, [token(1)])


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE tokens DROP COLUMN description",
        "DROP TABLE finding_states",
        "ALTER TABLE coverage ADD CHECK (false)",
    ],
)
def test_tables_that_somebody_changed_are_told(address: Callable[[str], str], run: Run, statement: str) -> None:
    history = opened(address("audit"))
    run(statement)
    with pytest.raises((CannotWrite, HistoryLost), match=r"its tables are not as credly-audit made them: .*; restore"):
        Months(history).audit(0, [token(1)])


def test_a_connection_that_is_ended_in_the_middle_is_told(address: Callable[[str], str], run: Run, name: str) -> None:
    history = opened(address("audit"))
    others = f"FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
    with (  # noqa: PT012 - it ends while the past is read
        pytest.raises(HistoryLost, match=r"the server is stopping|the connection failed or was lost"),
        history.past(AS_OF) as past,
    ):
        run(f"SELECT pg_terminate_backend(pid) {others}")
        past.about(past.findings["finding_id"])


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("postgresql://audit@/nosuch?host={}", "the server has no database of that name: .*; create it"),
        ("postgresql://nosuch@/postgres?host={}", "the server refuses the user or the password: .*; check both"),
        ("postgresql://audit@/postgres?host={}&port=1", "the connection failed or was lost: .*; check that the server"),
        (
            "postgresql://audit@/postgres?host={}&nosuch=1",
            "an option of the address is not one of PostgreSQL's: .*; correct",
        ),
    ],
)
def test_a_connection_that_is_refused_is_told(postgresql: str, url: str, cause: str) -> None:
    with pytest.raises(UsageError, match=rf"cannot be opened \({cause}"):
        History.opened(url.format(postgresql), Path("/x.toml"), {}, create=True)


@pytest.fixture
def pooled(postgresql: str, name: str) -> Iterator[str]:
    """The address of the database behind a pool that gives each transaction another connection, or the same again."""
    program = needs.program("pgbouncer")
    who = needs.as_user("postgres") if os.getuid() == 0 else []
    with socket.socket() as free, needs.common_folder("pool-") as folder:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        settings = folder / "pool.ini"
        settings.write_text(
            f"[databases]\n{name} = host={postgresql} user=audit\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = any\n"
            "pool_mode = transaction\ndefault_pool_size = 1\n"
        )
        if who:
            shutil.chown(folder, "postgres")
            shutil.chown(settings, "postgres")
        with subprocess.Popen([*who, program, settings], stderr=subprocess.DEVNULL, cwd="/") as pool:
            for _ in range(100):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.05)
            try:
                yield f"postgresql://audit@127.0.0.1:{port}/{name}"
            finally:
                pool.terminate()


def test_a_pool_that_shares_connections_between_transactions_does_no_harm(pooled: str) -> None:
    months = Months(opened(pooled))
    for month in range(3):
        months.audit(month, [token(number, description=f"test {month}") for number in range(12)])

    assert len(opened(pooled).audits()) == 3

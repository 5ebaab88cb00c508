"""Addresses of databases: read as they are meant, or refused in a sentence that holds no part of a password."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.engine import URL

from credly_audit.config.database_address import BadAddress, read_address
from credly_audit.errors import UsageError
from credly_audit.history.place import DatabasePlace

SECRET = "MADE-UP"

words = st.text("aZ09 -_.~!$&'()*+,;=:@/?#[]%<>\\|^`{}\"äλ中", min_size=1, max_size=12)
names = st.sampled_from(["db", "localhost", "10.0.0.1", "audit-db.example.org", "x"])


@given(
    scheme=st.sampled_from(["postgres", "postgresql", "postgresql+psycopg", "PostgreSQL+psycopg2"]),
    user=st.none() | words,
    password=st.none() | words,
    host=names,
    port=st.none() | st.integers(1, 65_535),
    database=words,
)
def test_percent_encoded_parts_are_read_as_they_were(
    scheme: str, user: str | None, password: str | None, host: str, port: int | None, database: str
) -> None:
    secret = "" if password is None else f":{quote(password, safe='')}"
    login = "" if user is None else f"{quote(user, safe='')}{secret}@"
    read = read_address(f"{scheme}://{login}{host}{'' if port is None else f':{port}'}/{quote(database, safe='')}")

    assert (read.user, read.host, read.database) == (user, host, database)
    assert read.password == (password if user is not None else None)
    assert read.port == ("" if port is None else str(port))


@given(user=names, password=words, host=names, port=st.integers(1, 65_535), database=names)
def test_what_sqlalchemy_writes_is_read(user: str, password: str, host: str, port: int, database: str) -> None:
    url = URL.create("postgresql+psycopg", user, password, host, port, database, {"sslmode": "require"})
    read = read_address(url.render_as_string(hide_password=False))

    assert read.connection == {
        "user": user, "password": password, "host": host, "port": str(port), "dbname": database, "sslmode": "require",
    }  # fmt: skip


mangled = st.lists(
    st.sampled_from([SECRET, "@", ":", "/", "?", "#", "=", "&", "[", "]", "%", " ", "host", "db", "1"]), max_size=8
)


@given(
    scheme=st.sampled_from(
        ["postgres://", "postgresql://", "sqlite://", "mysql://", "", "//", "postgresql:", "foo+bar://"]
    ),
    before=st.sampled_from(["audit:", ":", "audit:x"]),
    parts=mangled,
)
def test_no_message_and_no_name_holds_a_part_of_a_password(scheme: str, before: str, parts: list[str]) -> None:
    url = f"{scheme}{before}{SECRET}{''.join(parts)}@host/db"
    try:
        place = DatabasePlace.of("env:HISTORY", Path("/nowhere"), {"HISTORY": url})
        said = [place.name, repr(place)]
    except UsageError as error:
        said = [str(error)]

    assert [SECRET in each or "\n" in each for each in said] == [False] * len(said)


@pytest.mark.parametrize(
    ("url", "connection"),
    [
        ("postgres://audit@db/audits", {"user": "audit", "host": "db", "dbname": "audits"}),
        ("postgresql+psycopg://db:5433/audits", {"host": "db", "port": "5433", "dbname": "audits"}),
        ("postgresql:///audits?host=/run/postgresql", {"dbname": "audits", "host": "/run/postgresql"}),
        ("postgresql://%2Frun%2Fpostgresql/audits", {"host": "/run/postgresql", "dbname": "audits"}),
        ("postgresql://one:1,two:2/audits", {"host": "one,two", "port": "1,2", "dbname": "audits"}),
        ("postgresql://[::1]:5432/audits", {"host": "::1", "port": "5432", "dbname": "audits"}),
        ("postgresql:///audits?user=audit@tenant", {"dbname": "audits", "user": "audit@tenant"}),
        (
            "postgresql://audit:a/b?c#d:e@db/audits",
            {"user": "audit", "password": "a/b?c#d:e", "host": "db", "dbname": "audits"},
        ),
        ("postgresql://", {}),
    ],
)
def test_an_address_of_postgresql_is_read(url: str, connection: dict[str, str]) -> None:
    assert read_address(url).connection == connection


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///history.sqlite", "history.sqlite"),
        ("sqlite:////var/lib/x y.sqlite", "/var/lib/x y.sqlite"),
        ("sqlite+pysqlite:///~/h@home:1.db", "~/h@home:1.db"),
    ],
)
def test_an_address_of_sqlite_is_read(url: str, path: str) -> None:
    assert read_address(url).path == path


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://audit:MADE-UP@word@host/audits", "has more than one @; write special characters .* %40 for @"),
        ("postgresql://audit:MADE-UP", "has a host or port that cannot be read"),
        ("postgresql://audit@host:MADE-UP/db", "has a host or port that cannot be read"),
        ("postgresql://audit@host:99999/db", "has a port that is not a number from 1 to 65535"),
        ("postgresql://audit@ho st/db", "has a host or port that cannot be read"),
        ("postgresql://audit@host/db?MADE-UP", "has something other than option=value after `[?]`"),
        ("postgresql+nonsense://host/db", "names a driver that cannot be used; write postgresql://"),
        ("mysql://host/audits", "names a mysql database; the history can be in SQLite or PostgreSQL"),
        ("MADEUP://host/audits", "names a kind of database that cannot be used; the history can be in"),
        ("history.sqlite", "is not an address such as sqlite:////var"),
        ("audit:MADE-UP@host/db", "is not an address such as"),
        ("postgresql://audit:MADE\nUP@host/db", "contains NUL or another character that cannot be shown"),
        ("sqlite://host/x.db", "names a host, but SQLite is a file on this machine; write sqlite:///PATH"),
        ("sqlite://x.db", "names a host"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:x?mode=memory", "names no file"),
        ("sqlite:///x.db?mode=ro", "has options after `[?]`"),
        ("sqlite+pysqlcipher:///x.db", "names a driver that cannot be used; write sqlite://"),
        (r"sqlite:///C:\audit\x.db", "is a Windows path"),
        ("sqlite:////C:/audit/x.db", "is a Windows path"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_way_out(url: str, said: str) -> None:
    with pytest.raises(BadAddress, match=f"^{said}") as told:
        read_address(url)
    assert "MADE" not in str(told.value)

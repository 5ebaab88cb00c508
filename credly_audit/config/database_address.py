"""Read the address of a database strictly, so that no part of a password is ever taken for a host, and shown.

Every message is the end of a sentence that begins with where the address stands; none repeats any of it.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, unquote

EXAMPLES = "sqlite:////var/lib/audit/history.sqlite or postgresql://user:password@host/database"

POSTGRESQL = frozenset({"postgresql", "postgres"})
DRIVERS = frozenset({"", "psycopg", "psycopg_async", "psycopg2", "psycopg2cffi", "asyncpg", "pg8000"})
"""Drivers that addresses of PostgreSQL name; we connect by psycopg, whichever it is."""

OTHERS = frozenset({"mysql", "mariadb", "oracle", "mssql", "mongodb", "redis", "duckdb", "cockroachdb"})
"""Kinds of databases that a message may name: any other word could be part of a secret."""

SECRET_OPTIONS = frozenset({"password", "sslpassword"})

ENCODE = (
    "write special characters of the user name and the password percent-encoded: %40 for @, %2F for /, %3A for :, "
    "%3F for ?, %23 for #, %25 for %"
)

SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?:\+([A-Za-z0-9_]+))?://")
HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([\w.%-]*))(?::([0-9]{0,9}))?")
QUERY_BEFORE_AT = re.compile(r"[\w.,%-]*(?::[0-9]*)?(?:/[^?@]*)?\?(?:[a-z_]+=[^@&]*&)*(?:user|password)=[^@&]*@")
"""An address without a user before its host, but with one in its options that holds an `@`."""

WINDOWS = re.compile(r"/?[A-Za-z]:[\\/]")

MOST_PORT = 65_535


class BadAddress(ValueError):  # noqa: N818 - named as it is told
    """A text is no address of a database that can hold a history."""


@dataclass(frozen=True, slots=True, repr=False)
class DatabaseAddress:
    """The address of an SQLite file (`path`) or of a PostgreSQL database (the rest)."""

    kind: Literal["sqlite", "postgresql"]
    path: str = ""
    user: str | None = None
    password: str | None = None
    host: str = ""
    """Several are joined by commas, as libpq takes them; empty: the local socket."""
    port: str = ""
    database: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    """What stands after `?`, as libpq takes it."""

    @property
    def secrets(self) -> list[str]:
        """Return what must not be shown."""
        hidden = (value for name, value in self.options.items() if name in SECRET_OPTIONS)
        return [each for each in (self.password, *hidden) if each]

    @property
    def server(self) -> str:
        """Return the host, or the folder of the socket, as it may be shown."""
        return self.options.get("host") or self.host or "the local PostgreSQL"

    @property
    def connection(self) -> dict[str, str]:
        """Return what psycopg connects by."""
        named = {
            "user": self.user,
            "password": self.password,
            "host": self.host,
            "port": self.port,
            "dbname": self.database,
        }
        return {name: value for name, value in named.items() if value} | dict(self.options)


def read_address(text: str) -> DatabaseAddress:
    """Return the parts of an address; BadAddress where it is none, or of a database that cannot hold a history."""
    found = SCHEME.match(text)
    if not text.isprintable():
        raise BadAddress("contains NUL or another character that cannot be shown; remove it")
    if not found:
        raise BadAddress(f"is not an address such as {EXAMPLES}")
    kind, driver, rest = found[1].lower(), (found[2] or "").lower(), text[found.end() :]
    if kind == "sqlite":
        _must_be_known(driver, frozenset({"", "pysqlite"}), "sqlite")
        return DatabaseAddress("sqlite", path=_path(rest))
    if kind in POSTGRESQL:
        _must_be_known(driver, DRIVERS, "postgresql")
        return _postgresql(rest)
    named = f"names a {kind} database" if kind in OTHERS else "names a kind of database that cannot be used"
    raise BadAddress(f"{named}; the history can be in SQLite or PostgreSQL, such as {EXAMPLES}")


def _must_be_known(driver: str, known: frozenset[str], kind: str) -> None:
    if driver not in known:
        raise BadAddress(f"names a driver that cannot be used; write {kind}://")


def _path(rest: str) -> str:
    if not rest.startswith("/"):
        wrong = "names a host, but SQLite is a file on this machine" if rest else "names no file"
        raise BadAddress(f"{wrong}; write sqlite:///PATH, or sqlite:////PATH where the path begins with /")
    path = rest[1:]
    if not path or path == ":memory:" or path.startswith("file:"):
        raise BadAddress("names no file; write sqlite:///PATH")
    if "?" in path:
        raise BadAddress("has options after `?`, which SQLite does not support; remove them")
    if WINDOWS.match(path) and os.name != "nt":
        raise BadAddress("is a Windows path, and this machine does not run Windows; write sqlite:///PATH")
    return path


def _postgresql(rest: str) -> DatabaseAddress:
    user, password = None, None
    if rest.count("@") > 1:
        raise BadAddress(f"has more than one @; {ENCODE}")
    if "@" in rest and not QUERY_BEFORE_AT.match(rest):
        named, _, rest = rest.partition("@")
        name, colon, secret = named.partition(":")
        user, password = unquote(name) or None, unquote(secret) if colon else None
    place = re.split("[/?]", rest, maxsplit=1)[0]
    path, _, query = rest[len(place) :].partition("?")
    hosts, ports = zip(*(_host_and_port(each) for each in place.split(",")), strict=True)
    return DatabaseAddress(
        "postgresql",
        user=user,
        password=password,
        host=",".join(hosts),
        port=",".join(ports) if any(ports) else "",
        database=unquote(path.removeprefix("/")),
        options=_options(query),
    )


def _host_and_port(place: str) -> tuple[str, str]:
    found = HOST.fullmatch(place)
    host = unquote(found[1] or found[2]) if found else ""
    if not found or not (host.startswith("/") or re.fullmatch(r"[\w.:-]*", host)):
        raise BadAddress(f"has a host or port that cannot be read; {ENCODE}")
    port = found[3] or ""
    if port and not 0 < int(port) <= MOST_PORT:
        raise BadAddress(f"has a port that is not a number from 1 to {MOST_PORT}")
    return host, port


def _options(query: str) -> dict[str, str]:
    if not query:
        return {}
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True)
    except ValueError:
        raise BadAddress(f"has something other than option=value after `?`; {ENCODE}") from None
    if not all(re.fullmatch("[a-z_]+", name) for name, _ in pairs):
        raise BadAddress(f"has something other than option=value after `?`; {ENCODE}")
    options: dict[str, str] = {}
    for name, value in pairs:
        options[name] = f"{options[name]},{value}" if name in options else value
    return options

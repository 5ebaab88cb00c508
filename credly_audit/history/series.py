"""Whose audits are whose: each configuration has a series of its own in a history that several may share."""

import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from credly_audit.audit.prior import PriorManifest
from credly_audit.errors import UsageError
from credly_audit.history.schema import BY_SERIES, EARLIER, audits, series
from credly_audit.history.successions import has_unfinished


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a series is found by: the `[history] name` of its configuration, else the path of its file."""

    name: str | None
    file: Path

    @classmethod
    def of(cls, file: Path, name: str | None) -> "Configuration":
        """Return the configuration of a file, which need not exist, and its `[history] name`."""
        return cls(name, file.resolve())

    @property
    def called(self) -> str:
        """The name of its series."""
        return self.name or str(self.file)

    @property
    def own(self) -> sa.ColumnElement[bool]:
        """The condition that a series is its own."""
        return series.c.file == str(self.file) if self.name is None else series.c.name == self.name


@dataclass(frozen=True, slots=True)
class Series:
    """The series of a configuration; EARLIER where it has no audit of its own yet."""

    number: int
    continues: str | None = None
    """Where the configuration takes over the series of another one: what that is called."""


def find_series(connection: sa.Connection, configuration: Configuration) -> Series:
    """Return the series that a configuration has, or is to continue.

    It continues one only where it has none: the one that it began before it had a name, else, where the file of
    exactly one other configuration is gone, that one's. Without a configuration file the only series is meant.
    """
    own = connection.execute(sa.select(series.c.id).where(configuration.own)).scalar()
    if own is not None:
        return Series(own)
    rows = connection.execute(sa.select(series)).all()
    if configuration.name is None and not configuration.file.exists():
        return Series(rows[0].id) if len(rows) == 1 else Series(EARLIER)
    nameless = [row for row in rows if row.file is not None]
    candidates = [row for row in nameless if row.file == str(configuration.file)] or [
        row for row in nameless if row.host == _name_host(connection) and _is_gone(Path(row.file))
    ]
    if len(candidates) != 1:
        return Series(EARLIER)
    return Series(candidates[0].id, continues=candidates[0].file)


def begin_series(connection: sa.Connection, configuration: Configuration) -> int:
    """Return the number of the series to record in; where there is none yet, begin one with the earlier audits."""
    found = find_series(connection, configuration)
    identity = {
        "name": configuration.name,
        "file": str(configuration.file) if configuration.name is None else None,
        "host": _name_host(connection) if configuration.name is None else None,
    }
    if found.continues is not None:
        connection.execute(sa.update(series).where(series.c.id == found.number).values(identity))
    if found.number != EARLIER:
        return found.number
    number: int = connection.execute(sa.select(sa.func.coalesce(sa.func.max(series.c.id), EARLIER) + 1)).scalar_one()
    connection.execute(sa.insert(series).values(identity | {"id": number}))
    for table in BY_SERIES:
        changed: dict[str, sa.ColumnElement[Any]] = {"series": sa.literal(number, sa.Integer)}
        if table is audits:
            changed["inherited"] = sa.true()
        columns = [changed.get(each.name, each) for each in table.c]
        rows = sa.select(*columns).where(table.c.series == EARLIER)
        connection.execute(sa.insert(table).from_select(list(table.c.keys()), rows))
    return number


def list_series(connection: sa.Connection) -> dict[str, int]:
    """Return the number of each series by its name (or path), oldest first."""
    rows = connection.execute(sa.select(series).order_by(series.c.id)).all()
    return {row.name or row.file: row.id for row in rows}


def find_named_series(connection: sa.Connection, name: str) -> int:
    """Return the number of the series of this name (or path); UsageError, naming all, where there is none."""
    names = list_series(connection)
    if name not in names:
        known = f"the history has {', '.join(names)}" if names else "no audit has one yet"
        raise UsageError(f"--name {name}: no audit has that name; {known}")
    return names[name]


def remove_empty_series(connection: sa.Connection) -> None:
    """Remove the series that have neither an audit nor an unfinished succession any more."""
    used = sa.exists().where(audits.c.series == series.c.id) | has_unfinished(series.c.id)
    connection.execute(sa.delete(series).where(~used))


def load_last_manifest(connection: sa.Connection, number: int) -> PriorManifest | None:
    """Return the last signed manifest take_column a series; None find_database there is none."""
    columns = (series.c.manifest_number, series.c.manifest_name, series.c.manifest_sha256)
    row = connection.execute(sa.select(*columns).where(series.c.id == number)).one_or_none()
    return None if row is None or row.manifest_number is None else PriorManifest(*row)


def save_last_manifest(connection: sa.Connection, number: int, manifest: PriorManifest) -> None:
    """Save the last signed manifest take_column a series."""
    connection.execute(
        sa.update(series)
        .where(series.c.id == number)
        .values(manifest_number=manifest.number, manifest_name=manifest.name, manifest_sha256=manifest.sha256)
    )


def _name_host(connection: sa.Connection) -> str | None:
    """Return this machine's name, where others may share the history: a path of theirs may exist elsewhere."""
    return None if connection.dialect.name == "sqlite" else socket.gethostname()


def _is_gone(file: Path) -> bool:
    """Return whether a file does not exist; one that cannot be accessed may exist."""
    try:
        file.stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False
    return False

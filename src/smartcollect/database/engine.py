"""``Database``: connections to a database that several programs and processes share.

A connection is made for each piece of work and closed after it. So none is ever shared over a
fork, a server that went away is asked anew, and a file that was moved is not written any more.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    func,
    insert,
    select,
    text,
)
from sqlalchemy import inspect as inspected
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from ..forks import Process, this_process
from ..text import short_path
from ..values.redaction import without_secrets
from . import schema
from .sqlite_forks import connections

_PATIENCE = 30  # seconds that a write waits for that of another process
_LOCK = 0x736D6172_74636F6C  # "smartcol": of PostgreSQL's advisory locks, the one of our schema
_SQLITE, _POSTGRESQL = "sqlite", "postgresql+psycopg"
_DRIVERS = {
    "sqlite": _SQLITE,
    "sqlite+pysqlite": _SQLITE,
    "postgres": _POSTGRESQL,
    "postgresql": _POSTGRESQL,
    _POSTGRESQL: _POSTGRESQL,
}
_OPTIONS: dict[str, dict[str, Any]] = {
    _SQLITE: {"timeout": _PATIENCE},
    _POSTGRESQL: {
        "connect_timeout": 10,
        "tcp_user_timeout": 1000 * _PATIENCE,
        "fallback_application_name": "smartcollect",
        "client_encoding": "utf8",
    },
}
"""How to connect, unless the URL says something else."""
_ENCODINGS = ("UTF8", "SQL_ASCII")
"""Of PostgreSQL, those that take every character."""
_VERSION = re.compile(r"\d+\.\d+")
_FORMS = "sqlite:///calls.db or postgresql://user:password@host/database"


class WrongDatabase(ValueError):
    """A database that this program cannot use: of something else, or of a newer program."""


class Database:
    """A database by its URL. To make one checks the URL and connects to nothing.

    Args:
        url: ``sqlite:///calls.db``, or ``postgresql://user:password@host/database``.

    Attributes:
        url: the same, complete.

    Raises:
        TypeError: ``url`` is not text.
        ValueError: it is not the URL of a database, or of one that keeps nothing.
        ModuleNotFoundError: the driver is not installed.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = _checked(url)
        # Not by the first write: a child that is forked during an import waits for it for ever.
        self.url.get_dialect().import_dbapi()
        self._engines: dict[tuple[Process, bool], Engine] = {}

    def __str__(self) -> str:
        if self.file is not None:
            return f"sqlite:///{short_path(self.file)}"
        return without_secrets(self.url.render_as_string(hide_password=False))

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database."""
        name = self.url.database
        return Path(name) if self.url.drivername == _SQLITE and name else None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Connect to write: the tables are there, and up to date.

        Begin each transaction with ``with connection.begin():``. In SQLite it waits for those of
        other processes from its start on.

        Raises:
            WrongDatabase: a newer program made the tables, and they suit older ones no more.
            ForkedWhileOpen: this process cannot use SQLite.
            sqlalchemy.exc.DBAPIError: the database cannot be reached or written.
        """
        with self._connected(writes=True) as connection:
            _prepare(connection, str(self))
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Connect to read, in one transaction, which sees nothing that is written meanwhile.

        Raises:
            FileNotFoundError: there is no such SQLite file; none is made.
            WrongDatabase: nothing was written yet, or a newer program made the tables.
            ForkedWhileOpen: this process cannot use SQLite.
            sqlalchemy.exc.DBAPIError: the database cannot be reached or read.
        """
        if self.file is not None and not self.file.exists():
            raise FileNotFoundError(f"there is no database {str(self.file)!r}")
        with self._connected(writes=False) as connection:
            with connection.begin():
                version = _version(connection, str(self))
            if version is None:
                raise WrongDatabase(f"{self} has no tables of smartcollect")
            if not _suits(version, str(self)):
                with self.writing():  # brings it up to date
                    pass
            with connection.begin():
                yield connection

    @contextmanager
    def _connected(self, writes: bool) -> Iterator[Connection]:
        apart = nullcontext() if self.file is None else connections.opening(self)
        with apart, self._engine(writes).connect() as connection:
            yield connection

    def _engine(self, writes: bool) -> Engine:
        # Engines have locks, which another thread may hold while this process is forked.
        key = this_process(), writes
        if key not in self._engines:
            self._engines[key] = _made(self.url, writes)
        return self._engines[key]


def _checked(url: str | URL) -> URL:
    if not isinstance(url, (str, URL)):
        raise TypeError(f"url: {url!r} is not text; give a URL such as {_FORMS}")
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        shown = without_secrets(str(url))
        raise ValueError(f"url: {shown!r} is not the URL of a database, such as {_FORMS}") from None
    driver = _DRIVERS.get(made.drivername)
    shown = without_secrets(made.render_as_string(hide_password=False))
    if driver is None:
        raise ValueError(f"url: {shown!r} is not supported; use {_FORMS}")
    made = made.set(drivername=driver)
    if driver == _POSTGRESQL:
        try:
            import_module("psycopg")
        except ImportError as error:
            raise ModuleNotFoundError(
                f"{shown} needs psycopg: pip install 'smartcollect[database]' ({error})",
                name="psycopg",
            ) from None
        return made
    if made.host:
        raise ValueError(f"url: {shown!r} has a host; a file has three slashes: {_FORMS}")
    if not made.database or made.database == ":memory:" or made.database.startswith("file:"):
        raise ValueError(f"url: {shown!r} does not name a file by its path, as {_FORMS}")
    # Another thread connects, when the program may have changed its directory.
    return made.set(database=os.path.abspath(made.database))


def _made(url: URL, writes: bool) -> Engine:
    options = {
        name: value for name, value in _OPTIONS[url.drivername].items() if name not in url.query
    }
    engine = create_engine(url, poolclass=NullPool, connect_args=options)
    if url.drivername != _SQLITE:
        if writes:
            return engine
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    # SQLAlchemy's own recipe: sqlite3 begins no transactions, the hook does.
    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: object) -> None:
        connection.isolation_level = None
        if writes:
            _write_ahead(connection)
        else:
            connection.execute("PRAGMA query_only = ON")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _write_ahead(connection: Any) -> None:
    """Let readers read while somebody writes, and commit without waiting for the disk."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


# -- the schema -------------------------------------------------------------------------------


def _version(connection: Connection, name: str) -> str | None:
    """Return the version of the tables; ``None`` where there are none."""
    table = schema.version.name
    if not inspected(connection).has_table(table):
        return None
    # Whatever its columns are: a table of something else is not an error of the database.
    found = connection.execute(select(text("*")).select_from(schema.version))
    columns, row = list(found.keys()), found.mappings().first()
    ours = schema.version.c.version.name in columns
    if ours and row is None:
        raise WrongDatabase(
            f"{name} has a table {table!r} without a row, which should tell the version of the "
            "other tables; restore the row, or use a database or a schema of its own"
        )
    version = row["version"] if ours and row else None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise _foreign(name, {table})
    return version


def _suits(version: str | None, name: str) -> bool:
    """Tell whether the tables are as new as this program needs them."""
    if version is None:
        return False
    has, knows = _numbers(version), _numbers(schema.VERSION)
    if has[0] > knows[0]:
        raise WrongDatabase(
            f"{name} has version {version} of the schema, and this smartcollect knows "
            f"{schema.VERSION}: use a newer smartcollect"
        )
    return has >= knows


def _foreign(name: str, tables: Iterable[str]) -> WrongDatabase:
    return WrongDatabase(
        f"{name} has tables of something else: {', '.join(sorted(tables))}; use a database or a "
        "schema of its own"
    )


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


def _prepare(connection: Connection, name: str) -> None:
    with connection.begin():
        if _suits(_version(connection, name), name):
            return
        # SQLite's transactions exclude each other anyway.
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
        version = _version(connection, name)
        if version is None:
            _create(connection, name)
        elif not _suits(version, name):
            from .upgrade import upgrade

            upgrade(connection, version)


def _create(connection: Connection, name: str) -> None:
    there = set(inspected(connection).get_table_names()) & set(schema.metadata.tables)
    if there:
        raise _foreign(name, there)
    if connection.dialect.name == "postgresql":
        encoding = connection.execute(select(func.current_setting("server_encoding"))).scalar()
        if encoding not in _ENCODINGS:
            raise WrongDatabase(f"{name} has the encoding {encoding}: make one with UTF8")
    schema.metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(schema.version).values(version=schema.VERSION))

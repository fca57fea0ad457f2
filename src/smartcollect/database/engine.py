"""``Database``: connections to a database that several programs and processes share.

A connection is opened for each piece of work and closed after it. So no connection is shared across
a fork, a server that was restarted is connected to again, and a file that was moved is not written
any more.
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

_PATIENCE = 30  # seconds that a write waits for another process's write
_LOCK = 0x736D6172_74636F6C  # "smartcol": the advisory lock for the schema in PostgreSQL
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
"""Default options of a connection; the URL can override them."""
_ENCODINGS = ("UTF8", "SQL_ASCII")
"""Encodings of PostgreSQL that accept every character."""
_VERSION = re.compile(r"\d+\.\d+")
_FILE = "sqlite:///calls.db"
_FORMS = f"{_FILE} or postgresql://user:password@host/database"


class WrongDatabase(ValueError):
    """The database belongs to another application, or to a newer version of smartcollect."""


class Database:
    """A database, given by its URL. Creating a `Database` checks the URL but does not connect.

    Args:
        url: ``sqlite:///calls.db``, or ``postgresql://user:password@host/database``.

    Attributes:
        url: the URL with its driver, and with an absolute path for a file.

    Raises:
        TypeError: ``url`` is not text.
        ValueError: ``url`` is not the URL of a supported database, or names a database in memory.
        ModuleNotFoundError: the driver is not installed.
    """

    def __init__(self, url: str | URL) -> None:
        self.url = _checked(url)
        # Imported now and not by the first write: a child that is forked during an import would
        # wait for that import forever.
        self.url.get_dialect().import_dbapi()
        self._engines: dict[tuple[Process, bool], Engine] = {}

    def __str__(self) -> str:
        if self.file is not None:
            return f"sqlite:///{short_path(self.file)}"
        return without_secrets(self.url.render_as_string(hide_password=False))

    @property
    def file(self) -> Path | None:
        """The file of a SQLite database, or ``None`` for other databases."""
        name = self.url.database
        return Path(name) if self.url.drivername == _SQLITE and name else None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Connect to write, and create or upgrade the tables if needed.

        Begin each transaction with ``with connection.begin():``. In SQLite a transaction waits for
        the transactions of other processes at its start.

        Raises:
            WrongDatabase: the tables belong to another application or to an incompatible, newer
                version.
            ForkedWhileOpen: this process cannot use SQLite.
            sqlalchemy.exc.DBAPIError: the database cannot be reached or written.
        """
        with self._connected(writes=True) as connection:
            _prepare(connection, str(self))
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Connect to read, in one transaction, which does not see concurrent writes.

        Raises:
            FileNotFoundError: the SQLite file does not exist; it is not created.
            WrongDatabase: nothing was written yet, or the tables belong to another application or
                to an incompatible, newer version.
            ForkedWhileOpen: this process cannot use SQLite.
            sqlalchemy.exc.DBAPIError: the database cannot be reached or read.
        """
        if self.file is not None and not self.file.exists():
            raise FileNotFoundError(f"the database {str(self.file)!r} does not exist")
        with self._connected(writes=False) as connection:
            with connection.begin():
                version = _version(connection, str(self))
            if version is None:
                raise WrongDatabase(
                    f"{self} contains no smartcollect tables; has anything been written to it?"
                )
            if not _suits(version, str(self)):
                with self.writing():  # upgrades the tables
                    pass
            with connection.begin():
                yield connection

    @contextmanager
    def _connected(self, writes: bool) -> Iterator[Connection]:
        apart = nullcontext() if self.file is None else connections.opening(self)
        with apart, self._engine(writes).connect() as connection:
            yield connection

    def _engine(self, writes: bool) -> Engine:
        # By process: another thread may hold a lock of an engine while this process is forked.
        key = this_process(), writes
        if key not in self._engines:
            self._engines[key] = _made(self.url, writes)
        return self._engines[key]


def _checked(url: str | URL) -> URL:
    if not isinstance(url, (str, URL)):
        raise TypeError(f"url must be a string, not {url!r}; use {_FORMS}")
    try:
        made = make_url(url)
    except (ArgumentError, ValueError):
        shown = without_secrets(str(url))
        raise ValueError(f"url: {shown!r} is not the URL of a database; use {_FORMS}") from None
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
                f"{shown}: {error}; install smartcollect[database]",
                name="psycopg",
            ) from None
        return made
    if made.host:
        raise ValueError(f"url: {shown!r} has a host; a file needs three slashes: {_FILE}")
    if made.database == ":memory:":
        raise ValueError(f"url: SQLite in memory cannot be used; name a file: {_FILE}")
    if not made.database or made.database.startswith("file:"):
        raise ValueError(f"url: {shown!r} does not name a file by its path; use {_FILE}")
    # Absolute, because the program may change its directory before the first connection.
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

    # A recipe from SQLAlchemy's docs: the hook begins transactions instead of sqlite3.
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
    """Let readers read during writes, and commit without waiting for the disk."""
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")


# -- the schema -------------------------------------------------------------------------------


def _version(connection: Connection, name: str) -> str | None:
    """Return the version of the tables, or ``None`` if there are no tables."""
    table = schema.version.name
    if not inspected(connection).has_table(table):
        return None
    # All columns, because another application's table of that name may lack ours.
    found = connection.execute(select(text("*")).select_from(schema.version))
    columns, row = list(found.keys()), found.mappings().first()
    ours = schema.version.c.version.name in columns
    if ours and row is None:
        raise WrongDatabase(
            f"{name} has a table {table!r} without a row, which should hold the version of the "
            "other tables; restore the row, or use a separate database or schema"
        )
    version = row["version"] if ours and row else None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise _foreign(name, {table})
    return version


def _suits(version: str | None, name: str) -> bool:
    """Return whether the tables are new enough for this version of smartcollect."""
    if version is None:
        return False
    has, knows = _numbers(version), _numbers(schema.VERSION)
    if has[0] > knows[0]:
        raise WrongDatabase(
            f"{name} has version {version} of the schema, but this smartcollect supports "
            f"{schema.VERSION}; use a newer smartcollect"
        )
    return has >= knows


def _foreign(name: str, tables: Iterable[str]) -> WrongDatabase:
    return WrongDatabase(
        f"{name} has tables of another application: {', '.join(sorted(tables))}; use a separate "
        "database or schema"
    )


def _numbers(version: str) -> tuple[int, int]:
    major, minor = version.split(".")
    return int(major), int(minor)


def _prepare(connection: Connection, name: str) -> None:
    with connection.begin():
        if _suits(_version(connection, name), name):
            return
        # SQLite runs one writing transaction at a time anyway.
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
            raise WrongDatabase(f"{name} has the encoding {encoding}; use a database with UTF8")
    schema.metadata.create_all(connection, checkfirst=False)
    connection.execute(insert(schema.version).values(version=schema.VERSION))

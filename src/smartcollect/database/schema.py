"""The tables of a database, and the version of their schema.

Times are Unix seconds and durations are seconds, both in double precision. The schema is the same
in SQLite and PostgreSQL; ``docs/howto/database.md`` describes it for your own queries. There are no
foreign keys, because checking them would double the time to write a call.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = "1.0"
"""The version of the schema that this code creates and supports: ``major.minor``.

Migrations within a major version only add tables, indexes and nullable columns. So a program with
an older minor version can still write; only a newer major version makes it stop. The newest file in
``migrations/versions`` has the same version.
"""

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)

# SQLite assigns ids automatically only if the type is spelled INTEGER.
Key = BigInteger().with_variant(Integer(), "sqlite")

version = Table(
    "smartcollect",
    metadata,
    Column("version", String(32), primary_key=True),
)
"""A single row with the version of the schema of this database."""

handlers = Table(
    "handlers",
    metadata,
    Column("id", Key, primary_key=True),
    Column("switcher", Text, nullable=False),
    Column("handler", Text, nullable=False),
    UniqueConstraint("switcher", "handler"),
)

writers = Table(
    "writers",
    metadata,
    Column("id", Key, primary_key=True),
    Column("token", String(32), nullable=False, unique=True),
    Column("host", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("program", Text, nullable=False),  # version of smartcollect
    Column("started", Double, nullable=False),
    Column("written", Double, nullable=False),  # time of the last batch
    Column("batch", BigInteger, nullable=False),  # number of the last batch
    Column("dropped", BigInteger, nullable=False),
)
"""The processes that write calls, with a row for each subscription."""

minutes = Table(
    "minutes",
    metadata,
    Column("minute", BigInteger, primary_key=True),  # Unix seconds divided by 60
    Column("writer", Key, primary_key=True),
    Column("handler", Key, primary_key=True),
    Column("calls", BigInteger, nullable=False),
    Column("errors", BigInteger, nullable=False),
    Column("total_time", Double, nullable=False),
    Column("self_time", Double, nullable=False),
    Column("min_time", Double, nullable=False),
    Column("max_time", Double, nullable=False),
    Column("last_call", Double),
    Column("histogram", Text, nullable=False),
    Column("steady", Text),
    Column("steady_total", Double),
    Column("ran_total", Double),
    Column("read_total", Double),
    Index(None, "handler", "minute"),
)
"""Statistics by minute, handler and writer, of the calls that began in that minute."""

calls = Table(
    "calls",
    metadata,
    Column("id", Key, primary_key=True),
    Column("handler", Key, nullable=False),
    Column("writer", Key, nullable=False),
    Column("timestamp", Double, nullable=False),
    Column("ended", Double, nullable=False),
    Column("elapsed", Double, nullable=False),
    Column("self_time", Double, nullable=False),
    Column("thread", BigInteger, nullable=False),
    Column("args", Text, nullable=False),
    Column("kwargs", Text, nullable=False),
    Column("result", Text),
    Column("call", BigInteger),
    Column("parent", BigInteger),
    Column("task", Text),
    Column("call_site", Text),
    Column("exception_type", Text),
    Column("exception_message", Text),
    Column("traceback", Text),
    Index(None, "timestamp"),
    Index(None, "handler", "timestamp"),
)
"""Calls written one by one. ``call`` and ``parent`` are unique in the process of a writer."""

runs = Table(
    "runs",
    metadata,
    Column("id", Key, primary_key=True),
    Column("created", Double, nullable=False),
    Column("machine", Text, nullable=False),  # JSON object
    Column("revision", Text, nullable=False),  # the commit, or ""
    Column("branch", Text, nullable=False),
    Column("dirty", Boolean, nullable=False),
    Column("command", Text, nullable=False),  # JSON array of words
    Column("versions", Text, nullable=False),  # JSON object, by package
    Column("incomplete", Text, nullable=False),  # JSON array of missing parts
    Column("regressed", Boolean, nullable=False),  # true if its comparison failed
    Column("times", LargeBinary, nullable=False),
    Column("profile", LargeBinary, nullable=False),
    Column("tests", LargeBinary, nullable=False),
    Index(None, "machine", "created"),
    Index(None, "created"),
)
"""The history of runs. Binary columns are read by ``smartcollect.history``; see `database.runs`."""

"""The database itself: URLs, tables that are made and brought up to date, several programs."""

from __future__ import annotations

import pytest

pytest.importorskip("sqlalchemy")
from sqlalchemy import func, inspect, select

from smartcollect.database import schema
from smartcollect.database.engine import Database, WrongDatabase


def version_of(database):
    with database.reading() as connection:
        return connection.execute(select(schema.version.c.version_num)).scalars().all()


def test_the_first_to_write_makes_the_tables(url):
    database = Database(url)
    for _ in range(2):
        with database.writing() as connection, connection.begin():
            count = select(func.count()).select_from(schema.calls)
            assert connection.execute(count).scalar() == 0
    with database.reading() as connection:
        assert set(inspect(connection).get_table_names()) == set(schema.metadata.tables)
    assert version_of(database) == [schema.VERSION]


def test_reading_makes_nothing(url):
    database = Database(url)
    refused = pytest.raises((FileNotFoundError, WrongDatabase), match="there is no|has no tables")
    with refused, database.reading():
        pass
    assert database.file is None or not database.file.exists()

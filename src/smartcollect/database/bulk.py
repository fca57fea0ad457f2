"""Bulk inserts: multi-row INSERTs for SQLite, COPY for PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlalchemy.dialects import postgresql, sqlite

Values = tuple[Any, ...]
Filled = tuple[int, ...]
"""Indexes of the columns that have a value."""
_AT_ONCE = 250
"""Rows in one INSERT. Single-row INSERTs take twice the time."""


def insert_rows(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Values]
) -> None:
    """Insert rows, in the transaction of the caller.

    Args:
        connection: the connection to the database.
        table: the table of the rows.
        columns: the names of the columns to fill.
        rows: the values of each row, in the order of ``columns``. Values missing at the end are
            NULL.

    Raises:
        sqlite3.Error, psycopg.Error: the database rejected the rows.
    """
    insert_all = _copy if connection.dialect.name == "postgresql" else _insert
    insert_all(connection, table, columns, rows)


def _insert(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Values]
) -> None:
    driver: Any = connection.connection.driver_connection
    # Grouped by the columns that have a value: sqlite3 binds five numbers faster than one None.
    waiting: dict[Filled, list[Values]] = {}
    whole: dict[Filled, str] = {}
    prefixes = [tuple(range(width)) for width in range(len(columns) + 1)]

    def statement(filled: Filled, times: int) -> str:
        one = insert(table).compile(connection, column_keys=[columns[at] for at in filled])
        head, values = str(one).split(" VALUES ")
        return f"{head} VALUES {', '.join([values] * times)}"

    for row in rows:
        filled = prefixes[len(row)]
        if None in row:
            filled = tuple([at for at in filled if row[at] is not None])
            row = tuple([value for value in row if value is not None])
        some = waiting.setdefault(filled, [])
        some.append(row)
        if len(some) == _AT_ONCE:
            if filled not in whole:
                whole[filled] = statement(filled, _AT_ONCE)
            driver.execute(whole[filled], list(chain.from_iterable(some)))
            some.clear()
    for filled, some in waiting.items():
        if some:
            driver.execute(statement(filled, len(some)), list(chain.from_iterable(some)))


def _copy(
    connection: Connection, table: Table, columns: Sequence[str], rows: Iterable[Values]
) -> None:
    from psycopg.sql import SQL, Identifier

    statement = SQL("COPY {} ({}) FROM STDIN").format(
        Identifier(table.name), SQL(", ").join(map(Identifier, columns))
    )
    driver: Any = connection.connection.driver_connection
    missing = [(None,) * number for number in range(len(columns) + 1)]
    with driver.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row + missing[len(columns) - len(row)])


def insert_new(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, and skip rows that another process has inserted meanwhile."""
    connection.execute(_inserting(connection, table).on_conflict_do_nothing(), rows)


def insert_or_replace(connection: Connection, table: Table, rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, and replace rows with the same primary keys."""
    new = _inserting(connection, table)
    keys = list(table.primary_key)
    others = {column.name: new.excluded[column.name] for column in table.c if column not in keys}
    connection.execute(new.on_conflict_do_update(index_elements=keys, set_=others), rows)


def _inserting(connection: Connection, table: Table) -> Any:
    dialects = {"sqlite": sqlite, "postgresql": postgresql}
    return dialects[connection.dialect.name].insert(table)

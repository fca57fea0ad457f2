"""Deletes what is old, in steps that keep nobody waiting."""

from __future__ import annotations

from math import floor

from sqlalchemy import Connection, Table, delete, select, tuple_

from . import schema

STEP = 1_000
"""Rows that one statement deletes at most."""
_AT_LEAST = 10_000


def prune(connection: Connection, before: float, written: int = 0) -> int:
    """Delete calls and statistics of times before some time, whoever wrote them.

    Each step is a transaction of its own. So many rows go with each call that the database shrinks
    while new ones come: twice as many as were written, and ten thousand more.

    Args:
        connection: to the database, outside of a transaction.
        before: Unix seconds.
        written: how many rows were written since the last time.

    Returns:
        How many rows are deleted.
    """
    left = most = 2 * written + _AT_LEAST
    for table, keys, limit in (
        (schema.calls, ("timestamp", "id"), before),
        (schema.minutes, ("minute", "writer", "handler"), floor(before / 60)),
    ):
        deleted = STEP
        while left > 0 and deleted == STEP:
            deleted = _step(connection, table, keys, limit)
            left -= deleted
    if left > 0:  # nothing is left of those who wrote last before that time
        with connection.begin():
            old = schema.writers.c.written < before - 60
            left -= connection.execute(delete(schema.writers).where(old)).rowcount
    return most - left


def _step(connection: Connection, table: Table, keys: tuple[str, ...], limit: float) -> int:
    """Delete the oldest rows, and return how many."""
    columns = [table.c[key] for key in keys]
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # What it knows of the times is old, and to read the whole table takes a hundredfold.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        old = columns[0] < limit
        oldest = select(*columns).where(old).order_by(*columns)
        last = connection.execute(oldest.offset(STEP - 1).limit(1)).first()
        if last is not None:
            old = tuple_(*columns) <= tuple_(*last)
        return connection.execute(delete(table).where(old)).rowcount

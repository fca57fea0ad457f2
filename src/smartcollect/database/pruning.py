"""Deletion of old rows, in small steps that do not block other writers for long."""

from __future__ import annotations

from math import floor

from sqlalchemy import Connection, Table, delete, select, tuple_

from . import schema

STEP = 1_000
"""The maximum number of rows that one statement deletes."""
_AT_LEAST = 10_000


def prune(connection: Connection, before: float, written: int = 0) -> int:
    """Delete calls and statistics older than a given time, from all writers.

    Each step is a separate transaction. One call deletes at most about twice the number of written
    rows plus 10,000, so that the database shrinks even while new rows arrive.

    Args:
        connection: a connection to the database, not in a transaction.
        before: Unix seconds; older rows are deleted.
        written: the number of rows written since the last pruning.

    Returns:
        The number of deleted rows.
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
    if left > 0:  # all old rows are deleted, so old writers have no rows left
        with connection.begin():
            old = schema.writers.c.written < before - 60
            left -= connection.execute(delete(schema.writers).where(old)).rowcount
    return most - left


def _step(connection: Connection, table: Table, keys: tuple[str, ...], limit: float) -> int:
    """Delete the oldest rows, at most `STEP`, and return their number."""
    columns = [table.c[key] for key in keys]
    with connection.begin():
        if connection.dialect.name == "postgresql":
            # Its table statistics are outdated, and a sequential scan takes 100 times as long.
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        old = columns[0] < limit
        oldest = select(*columns).where(old).order_by(*columns)
        last = connection.execute(oldest.offset(STEP - 1).limit(1)).first()
        if last is not None:
            old = tuple_(*columns) <= tuple_(*last)
        return connection.execute(delete(table).where(old)).rowcount

"""The table ``minutes``: statistics of calls by minute, in rows that merge without loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, select

from ..names import HandlerName
from ..profiles.profile import Profile
from ..storage.statistics import HandlerStats
from . import schema
from .bulk import insert_or_replace
from .packing import packed_histogram, unpacked_histogram

_KEYS = tuple(column.name for column in schema.minutes.primary_key)
_NUMBERS = tuple(column.name for column in schema.minutes.columns if column.name not in _KEYS)


def merge_minutes(
    connection: Connection,
    minutes: Mapping[int, Profile],
    ids: Mapping[HandlerName, int],
    writer: int,
) -> None:
    """Add statistics to the rows of a writer, in the transaction of the caller.

    Args:
        connection: the connection to the database.
        minutes: the statistics of calls, by the Unix minute in which the calls began.
        ids: the ids of the handlers.
        writer: the id of the writer.
    """
    # By id, because two names that were too long may share one.
    merged: dict[tuple[int, int], HandlerStats] = {}
    for minute, profile in minutes.items():
        for name, stats in profile.called().items():
            merged.setdefault((minute, ids[name]), HandlerStats()).merge(stats)
    if not merged:
        return
    table = schema.minutes
    before = select(table).where(
        table.c.writer == writer, table.c.minute.between(min(minutes), max(minutes))
    )
    for row in connection.execute(before):
        key = row.minute, row.handler
        if key in merged:
            merged[key].merge(stats_of(row))
    rows = [
        {"minute": minute, "handler": handler, "writer": writer, **_row(stats)}
        for (minute, handler), stats in merged.items()
    ]
    insert_or_replace(connection, table, rows)


def _row(stats: HandlerStats) -> dict[str, Any]:
    calls, errors, total, own, least, most, last, _, *steady = stats.pack()
    numbers = [calls, errors, total, own, least, most, last, packed_histogram(stats.histogram)]
    if steady:
        numbers += [packed_histogram(stats.steady), *steady[1:]]
    numbers += [None] * (len(_NUMBERS) - len(numbers))
    return dict(zip(_NUMBERS, numbers, strict=True))


def stats_of(row: Any) -> HandlerStats:
    """Return the statistics in a row of the table ``minutes``."""
    calls, errors, total, own, least, most, last, histogram, *steady = (
        getattr(row, name) for name in _NUMBERS
    )
    numbers = [calls, errors, total, own, least, most, last, unpacked_histogram(histogram)]
    if steady[0] is not None:
        numbers += [unpacked_histogram(steady[0]), *steady[1:]]
    return HandlerStats.unpack(numbers)

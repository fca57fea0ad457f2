"""Conversion between calls and rows of the table ``calls``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from sqlalchemy import Connection

from ..names import HandlerName
from ..storage.rows import Details, Row, TracedEntry
from . import schema
from .bulk import insert_rows
from .packing import packed, packed_arguments, packed_each, restored, storable, unpacked

COLUMNS = tuple(column.name for column in schema.calls.columns if column.name != "id")
_AT_ONCE = 500
"""The number of calls whose values are packed together."""


def write_calls(
    connection: Connection, calls: Iterable[Row], ids: Mapping[HandlerName, int], writer: int
) -> None:
    """Write calls, in the transaction of the caller.

    Args:
        connection: the connection to the database.
        calls: the calls.
        ids: the ids of their handlers.
        writer: the id of the writer.

    Raises:
        sqlite3.Error, psycopg.Error: the database rejected the calls.
    """
    remaining = iter(calls)
    chunks = iter(lambda: list(islice(remaining, _AT_ONCE)), [])
    rows = chain.from_iterable(_rows(chunk, ids, writer) for chunk in chunks)
    insert_rows(connection, schema.calls, COLUMNS, rows)


def _rows(
    calls: list[Row], ids: Mapping[HandlerName, int], writer: int
) -> Iterator[tuple[Any, ...]]:
    """Yield a row for each call, in the order of `COLUMNS`."""
    _, _, _, all_args, _, all_results, _, _ = zip(*calls, strict=True)
    written = zip(calls, packed_arguments(all_args), packed_each(all_results), strict=True)
    for (name, start, elapsed, _, kwargs, _, thread, details), args, result in written:
        keywords = packed(kwargs) if kwargs else "{}"
        handler = ids[name]
        if details is None:
            ended = start + elapsed
            yield handler, writer, start, ended, elapsed, elapsed, thread, args, keywords, result
        else:
            more = Details._make(details)
            ended = start + (elapsed if more.span is None else more.span)
            own, returned = more.self_time, result if more.failure is None else None
            first = handler, writer, start, ended, elapsed, own, thread, args, keywords, returned
            yield first + _seldom(more)


def _seldom(details: Details) -> tuple[Any, ...]:
    """Return the columns that are empty for most calls."""
    failure, site = details.failure, details.call_site
    texts = [details.task, None if site is None else "{}:{}".format(*site)]
    if failure is not None:
        texts += failure.type, failure.message, failure.traceback()
    stored = [None if text is None else storable(text) for text in texts]
    return (details.id, details.parent, *stored)


def entry_of(name: HandlerName, row: Any) -> TracedEntry:
    """Return the entry of a call, as it was in the batch.

    Args:
        name: the handler.
        row: the row of the table ``calls``.
    """
    entry: TracedEntry = {  # type: ignore[typeddict-item]
        "handler": name.handler,
        "switcher": name.switcher,
        "timestamp": row.timestamp,
        "args": tuple(unpacked(row.args)),
        "kwargs": unpacked(row.kwargs),
        "elapsed": row.elapsed,
    }
    if row.exception_type is None:
        entry["result"] = unpacked(row.result)
    else:
        entry["exception"] = {
            "type": restored(row.exception_type),
            "message": restored(row.exception_message),
            "traceback": restored(row.traceback),
        }
    if row.call_site is not None:
        entry["call_site"] = restored(row.call_site)
    return {
        **entry,
        "end": row.ended,
        "self_time": row.self_time,
        "thread": row.thread,
        "task": None if row.task is None else restored(row.task),
        "id": row.call,
        "parent": row.parent,
    }

"""The table ``handlers``: the id of each handler."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b

from sqlalchemy import Connection, select

from ..names import HandlerName
from ..text import CUT
from . import schema
from .bulk import insert_new
from .packing import restored, storable

_MOST = 1_000
"""The maximum size of a name in bytes. An index row of PostgreSQL holds 2,700."""


def read_handlers(connection: Connection) -> dict[HandlerName, int]:
    """Return the id of each handler in the database."""
    table = schema.handlers.c
    return {
        HandlerName(restored(switcher), restored(handler)): number
        for number, switcher, handler in connection.execute(
            select(table.id, table.switcher, table.handler)
        )
    }


def names_of(numbers: Mapping[HandlerName, int]) -> dict[int, HandlerName]:
    """Return the handlers by id.

    Args:
        numbers: the ids that `read_handlers` returned.
    """
    return {number: name for name, number in numbers.items()}


def number_handlers(connection: Connection, names: Iterable[HandlerName]) -> dict[HandlerName, int]:
    """Return the id of each of ``names``. New names are added, in the caller's transaction."""
    shown = {name: HandlerName(_bounded(name.switcher), _bounded(name.handler)) for name in names}
    known = read_handlers(connection)
    # Sorted, because processes that insert in different orders could deadlock in PostgreSQL.
    new = sorted(set(shown.values()) - known.keys())
    if new:
        insert_new(
            connection,
            schema.handlers,
            [dict(zip(name._fields, map(storable, name), strict=True)) for name in new],
        )
        known = read_handlers(connection)
    return {name: known[short] for name, short in shown.items()}


def _bounded(name: str) -> str:
    """Return a name, or its start with a digest if it is too long for an index."""
    stored = storable(name).encode()
    if len(stored) <= _MOST:
        return name
    digest = blake2b(stored, digest_size=16).hexdigest()
    return f"{name[: _MOST // 10]}{CUT}{digest}"

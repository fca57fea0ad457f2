"""The table ``writers``: who writes, and which batch came last."""

from __future__ import annotations

import os
import socket
from importlib.metadata import version
from uuid import uuid4

from sqlalchemy import Connection, insert, select, update

from ..clock import SYSTEM
from . import schema
from .packing import storable


class Writer:
    """One subscription of one process, which numbers its batches.

    Where a connection breaks while a batch is committed, nobody knows whether it was. The number
    of the last one, which is written with it, tells.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._token = uuid4().hex
        self._started = SYSTEM.wall()

    def note(self, connection: Connection, batch: int, dropped: int) -> int | None:
        """Write that a batch is written, in its transaction.

        Args:
            connection: to the database.
            batch: its number.
            dropped: calls that are not in it, because the queue was full.

        Returns:
            The number of the writer; ``None`` where the batch was written already.
        """
        table = schema.writers
        known = connection.execute(
            select(table.c.id, table.c.batch).where(table.c.token == self._token)
        ).first()
        now = {"written": SYSTEM.wall(), "batch": batch}
        if known is None:
            made = connection.execute(
                insert(table).values(
                    token=self._token,
                    host=storable(socket.gethostname()),
                    pid=self._pid,
                    program=version("smartcollect"),
                    started=self._started,
                    dropped=dropped,
                    **now,
                )
            )
            assert made.inserted_primary_key is not None
            return int(made.inserted_primary_key[0])
        if known.batch == batch:
            return None
        counted = {"dropped": table.c.dropped + dropped, **now}
        connection.execute(update(table).where(table.c.id == known.id).values(counted))
        return int(known.id)

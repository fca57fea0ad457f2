"""The table ``writers``: each writer with its last batch."""

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
    """One subscription in one process, with numbered batches.

    If a connection breaks during a commit, it is unknown whether the batch was written. The number
    of the last batch, written in the same transaction, answers this.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._token = uuid4().hex
        self._started = SYSTEM.wall()

    def note(self, connection: Connection, batch: int, dropped: int) -> int | None:
        """Note the number of a batch, in the transaction of the batch.

        Args:
            connection: the connection to the database.
            batch: the number of the batch.
            dropped: the number of calls that are missing because the queue was full.

        Returns:
            The id of the writer, or ``None`` if the batch was already written.
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

"""``DatabaseSink``: calls and what they came to, in a database."""

from __future__ import annotations

import os

from ..clock import SYSTEM
from ..database.calls import write_calls
from ..database.engine import Database
from ..database.handlers import number_handlers
from ..database.minutes import merge_minutes
from ..database.pruning import prune
from ..database.writers import Writer
from ..storage.rows import NAME
from ..units import seconds
from .batch import Delivery


class DatabaseSink:
    """Writes batches to a database, each whole or not at all and once; deletes what is old.

    Args:
        url: ``sqlite:///calls.db``, or ``postgresql://user:password@host/database``.
        keep: how long calls and statistics stay: seconds, or text such as ``"30d"``; ``None`` for
            ever.

    Raises:
        ModuleNotFoundError: a library is not installed.
        TypeError, ValueError: a value is something else.
        FileNotFoundError: there is no folder for the file.
    """

    def __init__(self, url: str, keep: float | str | None = "30d") -> None:
        self._database = Database(url)
        self._keep = None if keep is None else seconds(keep, "keep")
        if self._keep == 0:
            raise ValueError(f"keep: {keep!r} keeps nothing; use None to keep everything")
        file = self._database.file
        if file is not None and not file.parent.is_dir():
            raise FileNotFoundError(f"url: there is no folder {str(file.parent)!r}")
        self._begin()

    def _begin(self) -> None:
        self._writer = Writer()
        self._batch: Delivery | None = None
        self._number = 0

    def write(self, batch: Delivery) -> None:
        """Write a batch; see `smartcollect.Sink`."""
        if os.getpid() != self._writer.pid:
            self._begin()
        if batch is not self._batch:
            self._batch = batch
            self._number += 1
        rows = batch.rows
        with self._database.writing() as connection:
            with connection.begin():
                writer = self._writer.note(connection, self._number, batch.dropped)
                if writer is not None:
                    names = {*batch.profile.handlers, *(row[NAME] for row in rows)}
                    ids = number_handlers(connection, names)
                    merge_minutes(connection, batch.minutes, ids, writer)
                    write_calls(connection, rows, ids, writer)
            # A batch that comes again because this fails is written: the next one tries anew.
            if writer is not None and self._keep is not None:
                prune(connection, SYSTEM.wall() - self._keep, len(rows))
        self._batch = None

"""``DatabaseSink``: writes calls and their statistics to a database."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping
from weakref import WeakKeyDictionary

from ..clock import SYSTEM
from ..database.calls import write_calls
from ..database.engine import Database
from ..database.handlers import number_handlers
from ..database.minutes import merge_minutes
from ..database.pruning import prune
from ..database.writers import Writer
from ..forks import this_process
from ..recording.recorder import Recorder
from ..storage.rows import NAME
from ..units import seconds
from .batch import Delivery
from .selection import Selection
from .subscription import Subscription
from .totals import Log

Terms = Mapping[str, object]
"""The arguments of `persist`, by parameter."""

_written: WeakKeyDictionary[Recorder, dict[Hashable, tuple[Terms, Subscription]]] = (
    WeakKeyDictionary()
)
"""The arguments and the subscription for each database, by log."""


def persist(
    log: Log,
    url: str,
    every: float | str,
    calls: str,
    keep: float | str | None,
    max_queue: int,
    slower_than: float | str,
) -> Subscription:
    """Subscribe a database to a log, or return its open subscription; see `CallLog.persist`."""
    Selection.of(calls, slower_than)
    sink = DatabaseSink(url, keep)
    terms: Terms = {
        "every": seconds(every, "every"),
        "calls": calls,
        "keep": sink.keep,
        "max_queue": max_queue,
        "slower_than": seconds(slower_than, "slower_than"),
    }
    of_log = _written.setdefault(log.recorder, {})
    before, there = of_log.get(sink.place, (terms, None))
    if there is None or there.closed:
        there = log.subscribe(sink, every, max_queue, calls, slower_than)
        of_log[sink.place] = terms, there
    elif terms != before:
        other = ", ".join(
            f"{name}={before[name]!r}" for name in terms if terms[name] != before[name]
        )
        raise ValueError(
            f"this log is already written to {sink} with {other}; pass the same values, or close() "
            "that subscription first"
        )
    return there


class DatabaseSink:
    """A sink that writes each batch to a database exactly once, and deletes old rows.

    Args:
        url: ``sqlite:///calls.db``, or ``postgresql://user:password@host/database``.
        keep: the time that calls and statistics stay: seconds, or text such as ``"30d"``; ``None``
            to keep them forever.

    Attributes:
        keep: the same in seconds.

    Raises:
        ModuleNotFoundError: a library is not installed.
        TypeError, ValueError: an argument is invalid.
        FileNotFoundError: the folder of the file does not exist.
    """

    def __init__(self, url: str, keep: float | str | None = "30d") -> None:
        self._database = Database(url)
        self.keep = None if keep is None else seconds(keep, "keep")
        if self.keep == 0:
            raise ValueError(f"keep={keep!r} would keep nothing; use None to keep everything")
        file = self._database.file
        if file is not None and not file.parent.is_dir():
            raise FileNotFoundError(
                f"url: the folder {str(file.parent)!r} does not exist; create it first"
            )
        self._begin()

    def __str__(self) -> str:
        return str(self._database)

    @property
    def place(self) -> Hashable:
        """The identity of the database: its file, or its URL without the password."""
        if self._database.file is not None:
            return os.path.realpath(self._database.file)
        url = self._database.url
        options = tuple(sorted(url.query.items()))
        return url.drivername, url.username, url.host, url.port, url.database, options

    def _begin(self) -> None:
        self._process = this_process()
        self._writer = Writer()
        self._batch: Delivery | None = None
        self._number = 0

    def write(self, batch: Delivery) -> None:
        """Write a batch; see `smartcollect.Sink`."""
        if self._process is not this_process():
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
            # Not in the transaction: if pruning fails, the batch stays written. Its retry is
            # recognized by its number, and the next batch prunes again.
            if writer is not None and self.keep is not None:
                prune(connection, SYSTEM.wall() - self.keep, len(rows))
        self._batch = None

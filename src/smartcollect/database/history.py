"""``History``: the questions that a database of calls and of runs answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from math import ceil, floor
from types import MappingProxyType
from typing import overload

from sqlalchemy import Connection, Select, select

from ..checks import whole_number
from ..clock import SYSTEM
from ..names import HandlerName, find
from ..profiles.profile import Profile
from ..profiles.trend import trends
from ..reports.exports import stats_of as by_short_name
from ..reports.stats import Stats
from ..reports.trends import Trends
from ..storage.fields import Statistics
from ..storage.rows import TracedEntry
from ..storage.statistics import HandlerStats
from ..units import instant, seconds
from . import schema
from .calls import entry_of
from .handlers import names_of, read_handlers
from .kept_runs import KeptRuns
from .minutes import stats_of
from .runs import Chosen, delete_runs, development, last_machine, last_runs, old_runs

Moment = float | str | datetime
"""Unix seconds; a ``datetime``; or text: ``"1h"`` (ago), ``"2024-05-31 12:00"``."""


def history(url: str) -> History:
    """Return what `CallLog.persist` or ``--smartcollect-history`` wrote to a database.

    Args:
        url: as it was given there.

    Raises:
        ModuleNotFoundError: a library is missing: install ``smartcollect[database]``.
        FileNotFoundError: there is no such SQLite file.
        TypeError, ValueError: ``url`` is something else, or nothing was written there yet.
        sqlalchemy.exc.DBAPIError: the database cannot be reached or read.

    Example:
        ``smartcollect.history("sqlite:///calls.db").stats(since="1h")``
    """
    return History(url)


class History:
    """The questions that a database of calls and of runs answers.

    ``since`` and ``until`` are Unix seconds; a ``datetime``, local unless it has a time zone; or
    text: how long ago, such as ``"1h"``, or a date as ISO 8601 writes it. Left out, there is no
    limit.

    Args:
        url: as it was given to `CallLog.persist`.
    """

    def __init__(self, url: str) -> None:
        # As it was given to pytest, it may choose runs.
        self._kept = KeptRuns(url)
        self._database = self._kept.database
        self._closed = False
        with self._database.reading():
            pass

    def handlers(self) -> list[HandlerName]:
        """Return the handlers that were ever written, in order of their names."""
        with self._reading() as connection:
            return sorted(read_handlers(connection))

    @overload
    def stats(self, *, since: Moment | None = None, until: Moment | None = None) -> Stats: ...
    @overload
    def stats(
        self, handler: str, since: Moment | None = None, until: Moment | None = None
    ) -> Statistics: ...
    def stats(
        self,
        handler: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
    ) -> Stats | Statistics:
        """Return the statistics of the calls that began in a span, of all processes together.

        They are kept by the minute: the minutes of ``since`` and ``until`` count as a whole.

        Args:
            handler: a selector or full name.
            since, until: the span.

        Returns:
            As `CallLog.stats`: `Stats`, by handler, or those of ``handler`` alone.

        Raises:
            KeyError: there is no such handler; the error suggests the nearest.
        """
        with self._reading() as connection:
            names = read_handlers(connection)
            wanted = None if handler is None else find(names, handler)
            merged = _merged(connection, names, wanted, *_span(since, until))
        if wanted is not None:
            return merged.get(wanted, HandlerStats()).statistics()
        return by_short_name({name: stats.statistics() for name, stats in merged.items()})

    def profile(self, since: Moment | None = None, until: Moment | None = None) -> Profile:
        """Return the same statistics as a `Profile`, which merges and is compared.

        Args:
            since, until: the span; see `stats`.
        """
        with self._reading() as connection:
            names = read_handlers(connection)
            merged = _merged(connection, names, None, *_span(since, until))
        return Profile(MappingProxyType({name: merged[name] for name in sorted(merged)}))

    def calls(
        self,
        handler: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        errors: bool | None = None,
        slower_than: float | str | None = None,
        last: int | None = None,
    ) -> list[TracedEntry]:
        """Return the calls that were kept one by one, in the order in which they began.

        Args:
            handler: only those of this handler, by selector or full name.
            since, until: only those that began in this span.
            errors: ``True`` for failed calls only, ``False`` for successful ones only.
            slower_than: only those that took longer: seconds, or text such as ``"100ms"``.
            last: only so many of the newest.

        Returns:
            Entries, as sinks are given them; see `TracedEntry`.

        Raises:
            KeyError: there is no such handler; the error suggests the nearest.
        """
        table = schema.calls.c
        start, end = _span(since, until)
        wanted = select(schema.calls)
        if start is not None:
            wanted = wanted.where(table.timestamp >= start)
        if end is not None:
            wanted = wanted.where(table.timestamp < end)
        if errors is not None:
            failed = table.exception_type.is_not(None)
            wanted = wanted.where(failed if errors else ~failed)
        if slower_than is not None:
            wanted = wanted.where(table.elapsed > seconds(slower_than, "slower_than"))
        if last is not None:
            wanted = wanted.limit(whole_number("last", last))
        with self._reading() as connection:
            names = read_handlers(connection)
            if handler is not None:
                wanted = wanted.where(table.handler == names[find(names, handler)])
            by_number = names_of(names)
            newest = wanted.order_by(table.timestamp.desc(), table.id.desc())
            entries = [entry_of(by_number[row.handler], row) for row in connection.execute(newest)]
        return entries[::-1]

    # -- the history of runs --------------------------------------------------------------------

    def runs(
        self,
        last: int | None = 10,
        branch: str | None = None,
        machine: Mapping[str, str] | None = None,
    ) -> list[Profile]:
        """Return the profiles of the runs that ``--smartcollect-history`` added, oldest first.

        Args:
            last: only so many of the newest; ``None`` for all.
            branch: only those of this branch of the code; that of the URL when left out.
            machine: only those of this machine, as ``Profile.run.machine`` tells it.
        """
        number = None if last is None else whole_number("last", last)
        with self._reading() as connection:
            return last_runs(connection, number, Chosen(machine, branch or self._kept.branch))

    def trend(
        self,
        handlers: str | None = None,
        branch: str | None = None,
        machine: Mapping[str, str] | None = None,
    ) -> Trends:
        """Return how handlers developed over all runs of one machine, and where they changed.

        A change is told when three runs in a row confirm it: a step of the calls or the errors of a
        run, or of the steady time, with the drift of the machine taken out.

        Args:
            handlers: a name, or a pattern such as ``"orders.*"``; all handlers when left out.
            branch: only runs of this branch of the code; that of the URL when left out.
            machine: the machine; that of the newest run when left out.

        Returns:
            `Trends`, a list with a `Trend` for each handler, in order of their names. It prints its
            steps as a table, and has them as ``steps``.

        Raises:
            KeyError: no run called such a handler; the error suggests the nearest.
            ValueError: there is no such run.

        Example:
            ``print(smartcollect.history("sqlite:///runs.db").trend("orders.*", branch="main"))``
        """
        branch = branch or self._kept.branch
        with self._reading() as connection:
            if machine is None:
                machine = last_machine(connection, branch)
            known = development(connection, Chosen(machine, branch))
        if not known.created:
            which = "" if branch is None else f" of branch {branch!r}"
            raise ValueError(f"{self._database} has no run{which}; see --smartcollect-history")
        names = sorted(known.handlers)
        wanted = [name for name in names if handlers is None or name.like(handlers)]
        if not wanted and handlers is not None:
            wanted = [find(names, handlers)]
        return Trends(trends(*known, wanted))

    def prune_runs(
        self,
        before: Moment | None = None,
        keep: int | None = None,
        dry_run: bool = False,
    ) -> int:
        """Delete old runs, and return how many those are.

        Args:
            before: only runs that were made before this time: Unix seconds, a ``datetime``, or
                text: ``"90d"`` (ago), ``"2024-05-31"``.
            keep: never the newest runs, so many of them.
            dry_run: whether to delete none, and only tell.

        Raises:
            TypeError, ValueError: a value is something else, or nothing says what to delete.
        """
        if before is None and keep is None:
            raise ValueError("pass before, keep or both: nothing says which runs are old")
        limit = None if before is None else instant(before, "before", SYSTEM.wall())
        number = None if keep is None else whole_number("keep", keep)
        if dry_run:
            with self._reading() as connection:
                return len(old_runs(connection, limit, number))
        with self._database.writing() as connection, connection.begin():
            numbers = old_runs(connection, limit, number)
            delete_runs(connection, numbers)
        return len(numbers)

    def close(self) -> None:
        """Answer no more questions."""
        self._closed = True

    def __enter__(self) -> History:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if self._closed:
            raise ValueError(f"the history of {self._database} is closed")
        with self._database.reading() as connection:
            yield connection


def _span(since: Moment | None, until: Moment | None) -> tuple[float | None, float | None]:
    now = SYSTEM.wall()
    start = None if since is None else instant(since, "since", now)
    end = None if until is None else instant(until, "until", now)
    if start is not None and end is not None and start > end:
        raise ValueError(f"since: {since!r} is later than until: {until!r}")
    return start, end


def _merged(
    connection: Connection,
    names: dict[HandlerName, int],
    wanted: HandlerName | None,
    start: float | None,
    end: float | None,
) -> dict[HandlerName, HandlerStats]:
    table = schema.minutes
    rows: Select[tuple[object, ...]] = select(table)
    if wanted is not None:
        rows = rows.where(table.c.handler == names[wanted])
    if start is not None:
        rows = rows.where(table.c.minute >= floor(start / 60))
    if end is not None:
        rows = rows.where(table.c.minute < ceil(end / 60))
    by_number = names_of(names)
    merged: dict[HandlerName, HandlerStats] = {}
    for row in connection.execute(rows):
        merged.setdefault(by_number[row.handler], HandlerStats()).merge(stats_of(row))
    return merged

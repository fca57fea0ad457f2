"""``History``: queries on a database of calls and runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from math import ceil, floor
from types import MappingProxyType
from typing import overload

from sqlalchemy import Connection, Select, select

from ..checks import true_false_or_none, true_or_false, whole_number
from ..clock import SYSTEM
from ..names import HandlerName, UnknownHandler, find, hint
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
    """Open a database that `CallLog.persist` or ``--smartcollect-history`` has written.

    Args:
        url: the same URL.

    Raises:
        ModuleNotFoundError: a library is missing; install ``smartcollect[database]``.
        FileNotFoundError: the SQLite file does not exist.
        TypeError, ValueError: ``url`` is invalid, or nothing was written there yet.
        sqlalchemy.exc.DBAPIError: the database cannot be reached or read.

    Example:
        ``smartcollect.history("sqlite:///calls.db").stats(since="1h")``
    """
    return History(url)


class History:
    """A database of calls and runs, open for queries.

    ``since`` and ``until`` are Unix seconds; a ``datetime``, which is local unless it has a time
    zone; or text: a time ago such as ``"1h"``, or an ISO 8601 date. They default to no limit.

    Args:
        url: the URL that was passed to `CallLog.persist` or ``--smartcollect-history``.
    """

    def __init__(self, url: str) -> None:
        # A URL for pytest may also select runs, such as ?branch=main.
        self._kept = KeptRuns(url)
        self._database = self._kept.database
        self._closed = False
        with self._database.reading():
            pass

    def handlers(self) -> list[HandlerName]:
        """Return all handlers in the database, sorted by name."""
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
        """Return the statistics of calls that began in a span of time, over all processes.

        Statistics are kept by the minute, so the minutes of ``since`` and ``until`` count
        completely.

        Args:
            handler: a selector or full name; all handlers if left out.
            since, until: the span.

        Returns:
            The `Stats` of all handlers, or the statistics of ``handler``; see `CallLog.stats`.

        Raises:
            KeyError: no call of the handler is in the database; the error suggests names.
        """
        with self._reading() as connection:
            names = read_handlers(connection)
            wanted = None if handler is None else _find(names, handler)
            merged = _merged(connection, names, wanted, *_span(since, until))
        if wanted is not None:
            return merged.get(wanted, HandlerStats()).statistics()
        return by_short_name({name: stats.statistics() for name, stats in merged.items()})

    def profile(self, since: Moment | None = None, until: Moment | None = None) -> Profile:
        """Return the statistics of a span of time as a `Profile`, which can be merged and compared.

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
        """Return the calls that were written individually, in the order in which they began.

        Args:
            handler: return only calls of this handler, by selector or full name.
            since, until: return only calls that began in this span.
            errors: ``True`` for failed calls only, ``False`` for successful calls only.
            slower_than: return only calls that took longer: seconds, or text such as ``"100ms"``.
            last: the maximum number of calls; the newest are returned.

        Returns:
            Entries with all details; see `TracedEntry`.

        Raises:
            KeyError: no call of the handler is in the database; the error suggests names.
            TypeError, ValueError: an argument is invalid.
        """
        table = schema.calls.c
        start, end = _span(since, until)
        wanted = select(schema.calls)
        if start is not None:
            wanted = wanted.where(table.timestamp >= start)
        if end is not None:
            wanted = wanted.where(table.timestamp < end)
        if true_false_or_none("errors", errors) is not None:
            failed = table.exception_type.is_not(None)
            wanted = wanted.where(failed if errors else ~failed)
        if slower_than is not None:
            wanted = wanted.where(table.elapsed > seconds(slower_than, "slower_than"))
        if last is not None:
            wanted = wanted.limit(whole_number("last", last))
        with self._reading() as connection:
            names = read_handlers(connection)
            if handler is not None:
                wanted = wanted.where(table.handler == names[_find(names, handler)])
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
            last: the maximum number of runs, the newest; ``None`` for all.
            branch: return only runs of this branch; by default the branch of the URL, or any.
            machine: return only runs of this machine, given as in ``Profile.run.machine``.
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
        """Return the trend of each handler over all runs of one machine, and where it changed.

        A change is a step in the calls or errors of a run, or in the steady time after removing the
        drift of the machine. It is reported once three runs in a row confirm it.

        Args:
            handlers: a name, or a pattern such as ``"orders.*"``; all handlers if left out.
            branch: use only runs of this branch; by default the branch of the URL, or any.
            machine: the machine; by default the machine of the newest run.

        Returns:
            `Trends`, a list with a `Trend` for each handler, sorted by name. Its ``steps`` are the
            changes, which it prints as a table.

        Raises:
            KeyError: no run called a matching handler; the error suggests the nearest name.
            ValueError: there are no matching runs.

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
            raise ValueError(
                f"{self._database} has no runs{which}; add runs with --smartcollect-history"
            )
        names = sorted(known.handlers)
        wanted = [name for name in names if handlers is None or name.like(handlers)]
        if not wanted and handlers is not None:
            wanted = [_find(names, handlers)]
        return Trends(trends(*known, wanted))

    def prune_runs(
        self,
        before: Moment | None = None,
        keep: int | None = None,
        dry_run: bool = False,
    ) -> int:
        """Delete old runs, and return their number.

        Args:
            before: delete only runs from before this time: Unix seconds, a ``datetime``, or text:
                ``"90d"`` (ago), ``"2024-05-31"``.
            keep: the number of newest runs that are never deleted.
            dry_run: true to count the runs without deleting them.

        Raises:
            TypeError, ValueError: an argument is invalid, or both ``before`` and ``keep`` are
                missing.
        """
        if before is None and keep is None:
            raise ValueError("pass before, keep or both to say which runs are old")
        limit = None if before is None else instant(before, "before", SYSTEM.wall())
        number = None if keep is None else whole_number("keep", keep)
        if true_or_false("dry_run", dry_run):
            with self._reading() as connection:
                return len(old_runs(connection, limit, number))
        with self._database.writing() as connection, connection.begin():
            numbers = old_runs(connection, limit, number)
            delete_runs(connection, numbers)
        return len(numbers)

    def close(self) -> None:
        """Close the history. Further queries raise ValueError."""
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


def _find(names: Iterable[HandlerName], wanted: str) -> HandlerName:
    """Return the handler that ``wanted`` means; see `names.find`.

    A database has no handlers without calls, so an unknown name need not be misspelled.
    """
    try:
        return find(names, wanted)
    except UnknownHandler:
        near = hint(names, wanted, "in the database")
        raise UnknownHandler(f"handler: no call of {wanted!r} is in the database; {near}") from None


def _span(since: Moment | None, until: Moment | None) -> tuple[float | None, float | None]:
    now = SYSTEM.wall()
    start = None if since is None else instant(since, "since", now)
    end = None if until is None else instant(until, "until", now)
    if start is not None and end is not None and start > end:
        raise ValueError(f"since={since!r} must not be later than until={until!r}")
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

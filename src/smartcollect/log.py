"""``CallLog``: the questions that recorded calls answer, and ``collecting``, which records some."""

from __future__ import annotations

import heapq
import operator
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, overload

from .assertions import Assertions
from .checks import whole_number
from .clock import SYSTEM, Clock
from .names import HandlerName, find, short_names
from .profiles.parts import SLOWEST
from .profiles.profile import Profile
from .recording.recorder import Recorder
from .recording.rules import serialized
from .recording.settings import DEFAULTS, LogSettings, changed
from .reports.exports import export_calls, heading, stats_of
from .reports.stats import Stats
from .reports.strict_json import strict
from .sinks.batch import Batch, profile_of
from .sources import switchers
from .sources.kinds import source_of
from .sources.smartswitch import Switcher
from .storage.fields import Statistics
from .storage.rows import ELAPSED, NAME, Call, Entry, Row, entry_of, failed
from .storage.statistics import HandlerStats
from .units import seconds

if TYPE_CHECKING:
    from .sinks.subscription import Sink, Subscription

Select = Callable[[list[Row]], list[Row]]
_SOME = 1_000
_elapsed = operator.itemgetter(ELAPSED)


class CallLog(Assertions):
    """Calls of handlers, and the answers to questions about them.

    What feeds it: `collecting`, the ``collect`` fixture, or the switchers that a `CollectPlugin`
    (which is a ``CallLog``) is plugged into.

    Args:
        settings: how calls are recorded.
        clock: what they are timed with.

    Example:
        >>> from smartswitch import Switcher
        >>> api = Switcher("api").plug("collect")
        >>> @api
        ... def divide(number, by=2):
        ...     return number / by
        >>> divide(84)
        42.0
        >>> [(call["handler"], call["args"], call["result"]) for call in api.collect.history()]
        [('divide', (84,), 42.0)]
    """

    def __init__(self, settings: LogSettings = DEFAULTS, clock: Clock = SYSTEM) -> None:
        self.recorder = Recorder(settings, SLOWEST, clock)

    # -- what was called ------------------------------------------------------------------------

    def history(
        self,
        last: int | None = None,
        first: int | None = None,
        handler: str | None = None,
        errors: bool | None = None,
    ) -> list[Entry]:
        """The retained calls, in the order in which they ended.

        Args:
            last: only so many of the newest.
            first: only so many of the oldest.
            handler: only those of this handler, by selector or full name.
            errors: ``True`` for failed calls only, ``False`` for successful ones only.

        Returns:
            A dict for each call: ``handler``, ``switcher``, ``timestamp`` (Unix seconds), ``args``
            (tuple), ``kwargs`` (dict), ``elapsed`` (seconds), and either ``result`` or
            ``exception`` (``type``, ``message`` and ``traceback``, all text).

        Raises:
            TypeError: ``last`` or ``first`` is no whole number.
            ValueError: one is negative, or both are given.

        Example:
            >>> CallLog().history(last=5, errors=True)
            []
        """
        for name, given in (("last", last), ("first", first)):
            if given is not None:
                whole_number(name, given)
        if last is not None and first is not None:
            raise ValueError(f"last={last!r} and first={first!r} are both given; accepted: one")

        def wanted(rows: list[Row]) -> list[Row]:
            if errors is not None:
                rows = [row for row in rows if failed(row) == errors]
            return rows[:first] if last is None else rows[max(0, len(rows) - last) :]

        return self._selected(handler, wanted, self.recorder.store.rows())

    def slowest(self, n: int = 10, handler: str | None = None) -> list[Entry]:
        """The ``n`` retained calls that took longest, slowest first.

        Args:
            n: how many at the most.
            handler: only those of this handler, by selector or full name.

        Returns:
            A dict for each call, as `history` returns them.

        Raises:
            TypeError, ValueError: ``n`` is no whole number, or negative.
        """
        return self._ranked(n, handler, slowest=True)

    def fastest(self, n: int = 10, handler: str | None = None) -> list[Entry]:
        """The ``n`` retained calls that took least, fastest first.

        Args:
            n: how many at the most.
            handler: only those of this handler, by selector or full name.

        Returns:
            A dict for each call, as `history` returns them.

        Raises:
            TypeError, ValueError: ``n`` is no whole number, or negative.
        """
        return self._ranked(n, handler, slowest=False)

    def _ranked(self, n: int, handler: str | None, slowest: bool) -> list[Entry]:
        whole_number("n", n)
        # Of one handler, the slowest may be far from the slowest of all.
        some = slowest and handler is None
        rows = self.recorder.store.slowest_rows(n) if some else self.recorder.store.rows()
        return self._selected(handler, lambda rows: _extreme(rows, n, slowest), rows)

    def slower_than(self, threshold: float | str, handler: str | None = None) -> list[Entry]:
        """The retained calls that took longer than ``threshold``, slowest first.

        Args:
            threshold: seconds, or text such as ``"100ms"``.
            handler: only those of this handler, by selector or full name.

        Returns:
            A dict for each call, as `history` returns them.

        Raises:
            TypeError, ValueError: ``threshold`` is no duration.

        Example:
            >>> CallLog().slower_than("100ms")
            []
        """
        limit = seconds(threshold, "threshold")

        def slower(calls: list[Row]) -> list[Row]:
            over = [call for call in calls if call[ELAPSED] > limit]
            return sorted(over, key=_elapsed, reverse=True)

        return self._selected(handler, slower, self.recorder.store.rows(limit))

    def errors(self, handler: str | None = None) -> list[Entry]:
        """The retained calls that raised, in the order in which they ended.

        Args:
            handler: only those of this handler, by selector or full name.

        Returns:
            A dict for each call, as `history` returns them, with ``exception``.
        """
        return self.history(handler=handler, errors=True)

    @overload
    def stats(self) -> Stats: ...
    @overload
    def stats(self, handler: str) -> Statistics: ...
    def stats(self, handler: str | None = None) -> Stats | Statistics:
        """Statistics of all calls since the last ``clear()``, those no longer retained included.

        Args:
            handler: a selector or full name.

        Returns:
            `Stats`, by handler, or those of ``handler`` alone. Where two switchers have a handler
            of one selector, full names are the keys.

        Raises:
            KeyError: no such handler was ever registered; the error suggests the nearest.

        Example:
            >>> from smartswitch import Switcher
            >>> api = Switcher("api").plug("collect")
            >>> @api
            ... def ping(): ...
            >>> ping()
            >>> api.collect.stats("ping")["calls"]
            1
        """
        if handler is not None:
            return self._handlers()[self._find(handler)].statistics()
        return stats_of(self.recorder.store.statistics())

    def uncalled(self) -> list[str]:
        """The registered handlers that no call has reached, in order of their names.

        Example:
            >>> from smartswitch import Switcher
            >>> api = Switcher("api").plug("collect")
            >>> @api
            ... def ping(): ...
            >>> api.collect.uncalled()
            ['ping']
        """
        handlers = self._handlers()
        keys = short_names(handlers)
        return sorted(keys[name] for name, stats in handlers.items() if not stats.calls)

    def profile(self) -> Profile:
        """The `Profile` of now: immutable, and apart from what is called later.

        Example:
            >>> CallLog().profile() == Profile()
            True
        """
        return profile_of(self.recorder.store.summary(), self.recorder.rules)

    @property
    def recording_failures(self) -> int:
        """How many values could not be recorded: their ``repr`` or serializer failed."""
        return self.recorder.rules.snapshot.failures

    # -- what becomes of it ---------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data: schema name and version, settings, statistics and history.

        Example:
            >>> CallLog().to_dict()["schema"]
            'smartcollect/log'
        """
        document: dict[str, Any] = strict(
            {**self._heading(), "history": list(self._entries(self._rows()))}
        )
        return document

    def _heading(self) -> dict[str, Any]:
        settings = self.recorder.rules.settings.to_dict()
        return heading(settings, self.recording_failures, self.stats())

    def export(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Writes the log to a file, whole or not at all.

        Args:
            path: the file.
            format: ``"json"`` (all of `to_dict`), ``"jsonl"`` (a line for each call), ``"csv"``
                (a row for each call) or ``"trace"``: Trace Event, which Perfetto shows, or, where
                ``path`` ends in ``.speedscope.json``, what speedscope shows. Left out, the suffix
                of ``path`` decides, or else JSON. A path that ends in ``.gz`` is compressed.

        Raises:
            ValueError: there is no such format.
            OSError: the file cannot be written; one that was there is as it was.

        Example:
            ``api.collect.export("calls.jsonl")``
        """

        def calls() -> Iterator[Row]:
            return map(self.recorder.rules.named_row, self._rows(monotonic=True))

        export_calls(path, format, self._heading(), self._entries(self._rows()), calls)

    def drain(self) -> Batch:
        """Take everything since the last ``drain()`` or ``clear()``, in one step.

        The log is as after ``clear()`` then. Whatever other threads do meanwhile, each call is in
        the statistics of exactly one batch, and among the calls of the same one, unless the history
        has forgotten it: ``max_history`` calls are retained between two drains.

        Returns:
            A `Batch`: ``history`` (entries), ``profile`` and ``export(path, format=None)``.

        Example:
            >>> from smartswitch import Switcher
            >>> api = Switcher("api").plug("collect")
            >>> @api
            ... def ping(): ...
            >>> ping()
            >>> drained = api.collect.drain()
            >>> [call["handler"] for call in drained.history], len(api.collect.history())
            (['ping'], 0)
        """
        ring, summary = self.recorder.store.drain()
        rules = self.recorder.rules
        return Batch(ring.rows, profile_of(summary, rules), rules)

    def clear(self) -> None:
        """Forgets calls and statistics. Handlers stay known, and watched."""
        self.recorder.store.clear()

    def subscribe(
        self,
        sink: Sink,
        every: float | str = "10s",
        max_queue: int = 100_000,
        calls: str = "all",
        slower_than: float | str = "100ms",
    ) -> Subscription:
        """Give every call from now on to a sink, in batches, from a thread of its own.

        The thread that makes a call never waits for the sink, and nothing that the sink raises
        reaches it. What is still waiting is written when the process ends, when the log is gone
        and at the end of a ``with collecting()`` block. A process that ends waits 10 seconds for
        all sinks together. A process that was forked goes on by itself, with what is called there.

        Args:
            sink: an object with ``write(batch)``, which takes a `Delivery`, and maybe ``close()``.
            every: how much time passes between two batches: seconds, or text such as ``"10s"``.
            max_queue: how many calls may wait for the sink. Calls that find no room are dropped:
                ``Subscription.dropped`` and ``Delivery.dropped`` count them, and the statistics in
                ``Delivery.profile`` still have them.
            calls: the calls that the sink is given one by one: ``"all"``, ``"slow"``, ``"failed"``,
                ``"slow or failed"`` or ``"none"``. The statistics count every call.
            slower_than: the time from which on a call is slow: seconds, or text.

        Returns:
            A `Subscription` with ``dropped``, ``failures``, ``flush()`` and ``close()``.

        Raises:
            TypeError: ``sink`` has no ``write``, or a value has the wrong type.
            ValueError: ``every`` is not a duration above zero, ``max_queue`` is negative, or
                ``calls`` or ``slower_than`` is something else.

        Example:
            >>> class Printer:
            ...     def write(self, batch):
            ...         for call in batch.calls:
            ...             print(call["handler"], call["result"])
            >>> from smartswitch import Switcher
            >>> api = Switcher("api").plug("collect")
            >>> @api
            ... def double(number):
            ...     return 2 * number
            >>> subscription = api.collect.subscribe(Printer(), every="1s")
            >>> double(21)
            42
            >>> subscription.close()
            double 42
        """
        from .sinks.selection import Selection
        from .sinks.subscription import Subscription

        if isinstance(sink, type):
            raise TypeError(f"sink: {sink!r} is a class; pass an instance of it")
        if not callable(getattr(sink, "write", None)):
            raise TypeError(f"sink: {sink!r} has no write(batch) method")
        pause = seconds(every, "every")
        if pause == 0:
            raise ValueError(f"every: {every!r} is not above zero")
        recorder = self.recorder
        subscription = Subscription(
            recorder.store,
            recorder.rules,
            sink,
            pause,
            whole_number("max_queue", max_queue),
            Selection.of(calls, slower_than),
        )
        recorder.subscriptions.add(subscription)
        subscription.finalizer = weakref.finalize(recorder, subscription.retire)
        subscription.finalizer.atexit = False
        return subscription

    def persist(
        self,
        url: str,
        every: float | str = "10s",
        calls: str = "slow",
        keep: float | str | None = "30d",
        max_queue: int = 100_000,
        slower_than: float | str = "100ms",
    ) -> Subscription:
        """Write statistics, and the calls that are wanted, to a database from now on.

        `subscribe` with a database: statistics of every call, minute by minute, and calls one by
        one. The first write makes the tables. Any number of processes can write to one database,
        and `smartcollect.history` reads what they wrote.

        Called again for the same database, perhaps after a fork, it returns the subscription that
        is there, unless that is closed: no call counts twice.

        Args:
            url: ``"sqlite:///calls.db"``, a file here; or
                ``"postgresql://user:password@host/database"``.
            every: how much time passes between two writes: seconds, or text such as ``"10s"``.
            calls: the calls that are written one by one: ``"all"``, ``"slow"``, ``"failed"``,
                ``"slow or failed"`` or ``"none"``.
            keep: how long calls and statistics stay in the database: seconds, or text such as
                ``"30d"``; ``None`` for ever.
            max_queue: how many calls may wait to be written; see `subscribe`.
            slower_than: the time from which on a call is slow: seconds, or text.

        Returns:
            A `Subscription` with ``dropped``, ``failures``, ``flush()`` and ``close()``. A database
            that is away is a failure, and is tried again.

        Raises:
            ModuleNotFoundError: a library is missing: install ``smartcollect[database]``.
            TypeError, ValueError: ``url`` or another value is something else, or the log is written
                to this database already, with other values.
            FileNotFoundError: there is no folder for the file.

        Example:
            ``api.collect.persist("sqlite:///calls.db", calls="slow or failed", keep="7d")``
        """
        from .sinks.database import persist

        return persist(self, url, every, calls, keep, max_queue, slower_than)

    # -- what is watched ------------------------------------------------------------------------

    def attach(self, target: Switcher | str) -> None:
        """Watch a switcher with its children, or the functions that a pattern fits, from now on.

        Attaching twice counts once.

        Args:
            target: the switcher; or a pattern such as ``"shop.database"``, ``"shop.*:Order.*"`` or,
                to leave out what an earlier one took, ``"!shop.api:_*"``.

        Raises:
            TypeError: ``target`` is neither.
            ValueError: it is not a pattern.

        Example:
            >>> from smartswitch import Switcher
            >>> api = Switcher("api")
            >>> @api
            ... def ping(): ...
            >>> log = CallLog()
            >>> log.attach(api)
            >>> ping()
            >>> log.detach(api)
            >>> log.stats("ping")["calls"]
            1

            >>> import textwrap
            >>> log.attach("textwrap:dedent")
            >>> textwrap.dedent("  text")
            'text'
            >>> log.detach("textwrap:dedent")
            >>> log.stats("textwrap:dedent")["calls"]
            1
        """
        source_of(target).attach(self.recorder, target)

    def detach(self, target: Switcher | str) -> None:
        """Undo `attach`; the last log to leave leaves the very objects that were there.

        Raises:
            TypeError: ``target`` is neither a switcher nor a pattern.
            ValueError: it is not attached.
        """
        source_of(target).detach(self.recorder, target)

    # -- for the questions above ----------------------------------------------------------------

    def _handlers(self) -> Mapping[HandlerName, HandlerStats]:
        return self.recorder.store.handlers()

    def _find(self, handler: str) -> HandlerName:
        return find(self._handlers(), handler)

    def _calls(self) -> list[Call]:
        return [self.recorder.rules.named(Call.of(row)) for row in self._rows()]

    def _rows(self, monotonic: bool = False) -> Iterator[Row]:
        """Yield the retained calls as plain data; see `storage.ring.Rows`."""
        # One after the other: a hundred thousand at a time take longer, and much memory.
        snapshot = self.recorder.rules.new_snapshot()
        rows = self.recorder.store.rows(monotonic=monotonic)
        return (serialized(row, snapshot) for row in rows)

    def _entries(self, rows: Iterable[Row]) -> Iterator[Entry]:
        context = self.recorder.rules.settings.include_context
        return (entry_of(row, context) for row in rows)

    def _selected(self, handler: str | None, select: Select, rows: Iterable[Row]) -> list[Entry]:
        """Return the entries of what ``select`` takes of ``rows``, or of those of ``handler``."""
        wanted = [row for row in rows if handler is None or row[NAME].fits(handler)]
        return list(self._entries(select(wanted)))


def _extreme(calls: list[Row], n: int, slowest: bool) -> list[Row]:
    """The ``n`` slowest or fastest of ``calls``; of equals the earlier ones."""
    # What is not among the first of a thousand is not among the first of all: of many calls few
    # are left by that, for a tenth of the time that ranking all takes.
    ranked = heapq.nlargest if slowest else heapq.nsmallest
    if 0 < n <= _SOME < len(calls):
        bound = ranked(n, calls[:_SOME], key=_elapsed)[-1][ELAPSED]
        if slowest:
            calls = [call for call in calls if call[ELAPSED] >= bound]
        else:
            calls = [call for call in calls if call[ELAPSED] <= bound]
    return ranked(n, calls, key=_elapsed)


@contextmanager
def collecting(*watched: Switcher | str, **settings: Any) -> Iterator[CallLog]:
    """Records the calls made inside of a ``with`` block.

    Args:
        watched: the switchers whose handlers are recorded, with their children, and patterns of
            functions, such as ``"shop.database"``; each switcher there is when left out.
        settings: those of `CollectPlugin`.

    Returns:
        The `CallLog`, which goes on to answer after the block.

    Raises:
        TypeError, ValueError: a setting that is none, or neither a ``Switcher`` nor a pattern.

    Example:
        >>> from smartswitch import Switcher
        >>> api = Switcher("api")
        >>> @api
        ... def double(number):
        ...     return 2 * number
        >>> with collecting(api) as log:
        ...     api["double"](21)
        42
        >>> [call["result"] for call in log.history()]
        [42]
    """
    log = CallLog(changed(DEFAULTS, settings))
    with ExitStack() as watching:
        watching.callback(log.recorder.close)
        if not watched:
            watching.enter_context(switchers.everywhere(log.recorder))
        for one in watched:
            log.attach(one)
            watching.callback(_detach, log, one)
        yield log


def _detach(log: CallLog, target: Switcher | str) -> None:
    with suppress(ValueError):  # the block did it already
        log.detach(target)

"""``CallLog``, which answers questions about recorded calls, and ``collecting``."""

from __future__ import annotations

import heapq
import operator
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, overload

from .assertions import Assertions
from .checks import true_false_or_none, whole_number
from .clock import SYSTEM, Clock
from .names import AmbiguousHandler, HandlerName, find, short_names
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
from .text import plural
from .units import seconds

if TYPE_CHECKING:
    from .sinks.subscription import Sink, Subscription

Select = Callable[[list[Row]], list[Row]]
_SOME = 1_000
_elapsed = operator.itemgetter(ELAPSED)


class CallLog(Assertions):
    """The recorded calls of handlers, their statistics, and assertions about both.

    You rarely create a log yourself. `collecting` returns one, the ``collect`` fixture is one, and
    so is a `CollectPlugin`, which records the switchers that it is plugged into. A log that you
    create records nothing until you call `attach`, and has the default settings. To choose
    settings, use ``collecting(…, max_history=5)`` or ``CollectPlugin(max_history=5)``.

    Two kinds of data are kept. The *history* holds the last ``max_history`` calls with their
    arguments and results. The *statistics* count every call since the last `clear` or `drain`,
    including calls that the history no longer holds.

    All methods can be called from any thread, also while calls are being recorded.

    Args:
        settings: the settings, which `collecting` and `CollectPlugin` create from keywords.
        clock: the clock that times the calls.

    Raises:
        TypeError: ``settings`` has the wrong type.

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
        if not isinstance(settings, LogSettings):
            raise TypeError(
                f"{settings!r} is not the settings of a log; to choose settings, use "
                "collecting(…, max_history=5) or CollectPlugin(max_history=5)"
            )
        self.recorder = Recorder(settings, SLOWEST, clock)

    def __repr__(self) -> str:
        handlers = self._handlers()
        called = [stats for stats in handlers.values() if stats.calls]
        calls = plural(sum(stats.calls for stats in called), "call")
        errors = plural(sum(stats.errors for stats in called), "error")
        return f"<{type(self).__name__}: {plural(len(handlers), 'handler')}, {calls}, {errors}>"

    # -- questions ------------------------------------------------------------------------------

    def history(
        self,
        last: int | None = None,
        first: int | None = None,
        handler: str | None = None,
        errors: bool | None = None,
    ) -> list[Entry]:
        """Return the calls in the history, in the order in which they ended.

        The filters by ``handler`` and ``errors`` apply before ``last`` and ``first``. So
        ``history(last=5, errors=True)`` returns the last five failed calls.

        Args:
            last: return only this many of the newest calls.
            first: return only this many of the oldest calls. Pass either ``last`` or ``first``.
            handler: return only calls of this handler, given by selector or full name.
            errors: ``True`` to return only calls that raised, ``False`` to return only calls that
                did not.

        Returns:
            One dict per call (see `Entry`): ``handler`` (selector), ``switcher`` (name),
            ``timestamp`` (start of the call in Unix seconds), ``args`` (tuple), ``kwargs`` (dict),
            ``elapsed`` (seconds), and either ``result`` or ``exception``, a dict of ``type``,
            ``message`` and ``traceback``, all text.

        Raises:
            KeyError: ``handler`` fits no registered handler. The error suggests a similar name.
            TypeError: ``last`` or ``first`` is not an integer, or ``errors`` not a ``bool``.
            ValueError: ``last`` or ``first`` is negative, or both are passed.

        Example:
            >>> from smartswitch import Switcher
            >>> api = Switcher("api").plug("collect")
            >>> @api
            ... def double(number):
            ...     return 2 * number
            >>> [double(number) for number in (1, 2, 3)]
            [2, 4, 6]
            >>> [call["result"] for call in api.collect.history(last=2)]
            [4, 6]
            >>> api.collect.history(errors=True)
            []
        """
        for name, given in (("last", last), ("first", first)):
            if given is not None:
                whole_number(name, given)
        true_false_or_none("errors", errors)
        if last is not None and first is not None:
            raise ValueError(
                f"pass either `last` or `first`, not both: last={last!r}, first={first!r}"
            )

        def wanted(rows: list[Row]) -> list[Row]:
            if errors is not None:
                rows = [row for row in rows if failed(row) == errors]
            return rows[:first] if last is None else rows[max(0, len(rows) - last) :]

        return self._selected(handler, wanted, self.recorder.store.rows())

    def slowest(self, n: int = 10, handler: str | None = None) -> list[Entry]:
        """Return the slowest calls in the history, the slowest first.

        Args:
            n: the maximum number of calls.
            handler: return only calls of this handler, given by selector or full name.

        Returns:
            One dict per call, as `history` returns them. Of calls that took equally long, the
            earlier ones come first.

        Raises:
            KeyError: ``handler`` fits no registered handler.
            TypeError: ``n`` is not an integer.
            ValueError: ``n`` is negative.

        Example:
            >>> from smartswitch import Switcher
            >>> api = Switcher("api").plug("collect")
            >>> @api
            ... def ping(): ...
            >>> ping()
            >>> [call["handler"] for call in api.collect.slowest(3)]
            ['ping']
        """
        return self._ranked(n, handler, slowest=True)

    def fastest(self, n: int = 10, handler: str | None = None) -> list[Entry]:
        """Return the fastest calls in the history, the fastest first.

        Args:
            n: the maximum number of calls.
            handler: return only calls of this handler, given by selector or full name.

        Returns:
            One dict per call, as `history` returns them. Of calls that took equally long, the
            earlier ones come first.

        Raises:
            KeyError: ``handler`` fits no registered handler.
            TypeError: ``n`` is not an integer.
            ValueError: ``n`` is negative.

        Example:
            >>> CallLog().fastest(3)
            []
        """
        return self._ranked(n, handler, slowest=False)

    def _ranked(self, n: int, handler: str | None, slowest: bool) -> list[Entry]:
        whole_number("n", n)
        # A handler's slowest calls need not be among the slowest calls of all handlers.
        some = slowest and handler is None
        rows = self.recorder.store.slowest_rows(n) if some else self.recorder.store.rows()
        return self._selected(handler, lambda rows: _extreme(rows, n, slowest), rows)

    def slower_than(self, threshold: float | str, handler: str | None = None) -> list[Entry]:
        """Return the calls in the history that took longer than a threshold, the slowest first.

        Args:
            threshold: seconds, or text such as ``"100ms"``. A call that took exactly this long is
                not returned.
            handler: return only calls of this handler, given by selector or full name.

        Returns:
            One dict per call, as `history` returns them.

        Raises:
            KeyError: ``handler`` fits no registered handler.
            TypeError: ``threshold`` is neither a number nor text.
            ValueError: ``threshold`` is not a duration, negative or infinite.

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
        """Return the calls in the history that raised, in the order in which they ended.

        ``errors(handler)`` is short for ``history(handler=handler, errors=True)``.

        Args:
            handler: return only calls of this handler, given by selector or full name.

        Returns:
            One dict per call, as `history` returns them, with ``exception`` instead of ``result``.

        Raises:
            KeyError: ``handler`` fits no registered handler.

        Example:
            >>> from contextlib import suppress
            >>> from smartswitch import Switcher
            >>> api = Switcher("api").plug("collect")
            >>> @api
            ... def divide(number, by):
            ...     return number / by
            >>> with suppress(ZeroDivisionError):
            ...     divide(84, 0)
            >>> [call["exception"]["type"] for call in api.collect.errors()]
            ['ZeroDivisionError']
        """
        return self.history(handler=handler, errors=True)

    @overload
    def stats(self) -> Stats: ...
    @overload
    def stats(self, handler: str) -> Statistics: ...
    def stats(self, handler: str | None = None) -> Stats | Statistics:
        """Return statistics of every call since the last `clear` or `drain`.

        They include calls that the history no longer holds.

        Args:
            handler: the selector or full name of a single handler.

        Returns:
            Without ``handler``, a `Stats`: a dict of the called handlers that also sorts itself
            and prints itself as a table. The keys are selectors; handlers that share a selector
            have their full names as keys. With ``handler``, the dict of that handler alone. See
            `Statistics` for the fields and their units.

        Raises:
            KeyError: ``handler`` fits no registered handler, or more than one. The error suggests
                names.

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
        """Return the registered handlers that were never called, sorted by name.

        Handlers that were called only before the last `clear` or `drain` count as uncalled.

        Returns:
            Selectors; full names of handlers that share a selector.

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
        """Return the statistics so far as a `Profile`, which later calls do not change.

        A profile can be merged with other profiles, compared, judged against budgets and saved.

        Example:
            >>> CallLog().profile() == Profile()
            True

            To save it as JSON, which `smartcollect.profiles.load` reads:

            >>> import json
            >>> text = json.dumps(CallLog().profile().to_dict())
        """
        return profile_of(self.recorder.store.summary(), self.recorder.rules)

    @property
    def recording_failures(self) -> int:
        """The number of values that could not be recorded, such as when a ``repr`` failed."""
        return self.recorder.rules.snapshot.failures

    # -- output ---------------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Return the whole log as plain data that ``json.dumps`` can write.

        Returns:
            A dict of ``schema`` (always ``"smartcollect/log"``), ``version`` (integer),
            ``settings``, ``recording_failures`` (count), ``stats`` (by handler, as `stats` returns
            them) and ``history`` (a list of calls, as `history` returns them). NaN and infinities
            become text.

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
        """Write the log to a file.

        The file is replaced as a whole. If writing fails, an existing file stays as it was.

        Args:
            path: the file. It is compressed with gzip if its name ends in ``.gz``.
            format: one of:

                - ``"json"``: everything that `to_dict` returns
                - ``"jsonl"``: one line of JSON per call in the history
                - ``"csv"``: one row per call in the history
                - ``"trace"``: a timeline of the history, in the Trace Event Format, which Perfetto
                  opens; or for speedscope, if ``path`` ends in ``.speedscope.json``

                If left out, the suffix of ``path`` decides; unknown suffixes mean JSON.

        Raises:
            ValueError: ``format`` is unknown.
            OSError: the file cannot be written.

        Example:
            ``api.collect.export("calls.jsonl")``
        """

        def calls() -> Iterator[Row]:
            return map(self.recorder.rules.named_row, self._rows(monotonic=True))

        export_calls(path, format, self._heading(), self._entries(self._rows()), calls)

    def drain(self) -> Batch:
        """Return everything recorded since the last `drain` or `clear`, and forget it.

        Both happen in one step: even while other threads make calls, the statistics of exactly one
        batch count each call. The history of that batch holds the call too, unless more than
        ``max_history`` calls came between two drains. Handlers stay registered and watched.

        Returns:
            A `Batch`, with ``history`` (a list of calls, as `history` returns them), ``profile`` (a
            `Profile` of all calls) and ``export(path, format=None)``.

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
        """Forget all calls and statistics. Handlers stay registered and watched.

        Example:
            >>> log = CallLog()
            >>> log.clear()
            >>> log.history()
            []
        """
        self.recorder.store.clear()

    def subscribe(
        self,
        sink: Sink,
        every: float | str = "10s",
        max_queue: int = 100_000,
        calls: str = "all",
        slower_than: float | str = "100ms",
    ) -> Subscription:
        """Pass every call from now on to a sink, in batches, from a background thread.

        The threads that make the calls never wait for the sink, and never see an exception that it
        raises. Waiting calls are delivered when the process ends, when the log is garbage-collected
        and at the end of a ``with collecting()`` block. At the end of the process, all sinks
        together have 10 seconds. After a fork, the child process delivers its own calls.

        Args:
            sink: an object with a method ``write(batch)``, which receives a `Delivery`, and
                optionally a method ``close()``; see `Sink`.
            every: the time between two batches: seconds, or text such as ``"10s"``.
            max_queue: the number of calls that may wait for the sink. Further calls are dropped:
                ``Subscription.dropped`` and ``Delivery.dropped`` count them, and the statistics in
                ``Delivery.profile`` still include them.
            calls: the calls that the sink receives individually: ``"all"``, ``"slow"``,
                ``"failed"``, ``"slow or failed"`` or ``"none"``. The statistics count every call.
            slower_than: the time above which a call is slow: seconds, or text such as ``"100ms"``.

        Returns:
            A `Subscription`, with ``dropped``, ``failures``, ``flush()`` and ``close()``.

        Raises:
            TypeError: ``sink`` has no ``write`` method or an async one, or a value has the wrong
                type.
            ValueError: ``every`` is not a duration above zero, ``max_queue`` is negative, or
                ``calls`` or ``slower_than`` has an unknown value.

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
        for method in ("write", "close"):
            if iscoroutinefunction(getattr(sink, method, None)):
                raise TypeError(
                    f"sink: {method}() of {sink!r} is an async method, and nothing would await it; "
                    "define it without async"
                )
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
        """Write the statistics of every call, and selected calls, to a database from now on.

        This is `subscribe` with a database as the sink. Statistics are written per handler and
        minute, calls individually. The first write creates the tables. Any number of processes can
        write to the same database; `smartcollect.history` reads it.

        A second call for the same database returns the existing subscription unless that is closed,
        also after a fork. So no call is counted twice.

        Args:
            url: ``"sqlite:///calls.db"`` for a file in the working directory, or
                ``"postgresql://user:password@host/database"``.
            every: the time between two writes: seconds, or text such as ``"10s"``.
            calls: the calls that are written individually: ``"all"``, ``"slow"``, ``"failed"``,
                ``"slow or failed"`` or ``"none"``.
            keep: the time that calls and statistics stay in the database: seconds, or text such as
                ``"30d"``; ``None`` keeps them forever.
            max_queue: the number of calls that may wait to be written; see `subscribe`.
            slower_than: the time above which a call is slow: seconds, or text such as ``"100ms"``.

        Returns:
            A `Subscription`, with ``dropped``, ``failures``, ``flush()`` and ``close()``. While the
            database is unreachable, ``failures`` counts and the write is tried again.

        Raises:
            ModuleNotFoundError: a required library is missing; install ``smartcollect[database]``.
            TypeError: a value has the wrong type.
            ValueError: a value is out of range, or the log already writes to this database with
                other values.
            FileNotFoundError: the folder of the SQLite file does not exist.

        Example:
            ``api.collect.persist("sqlite:///calls.db", calls="slow or failed", keep="7d")``
        """
        from .sinks.database import persist

        return persist(self, url, every, calls, keep, max_queue, slower_than)

    # -- watching -------------------------------------------------------------------------------

    def attach(self, target: Switcher | str) -> None:
        """Record the calls of a switcher, or of the functions that a pattern matches, from now on.

        Handlers that are registered later, and modules that are imported later, are included.
        Attaching the same target twice counts once.

        Args:
            target: a switcher, whose children are included; or a pattern of functions such as
                ``"shop.database"`` or ``"shop.*:Order.*"``. ``"!shop.api:_*"`` excludes functions
                that an earlier pattern matches.

        Raises:
            TypeError: ``target`` is neither a switcher nor text.
            ValueError: ``target`` is not a pattern, cannot match any function, or excludes
                functions although no pattern was attached before.

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
        """Stop recording the calls of a target that was passed to `attach`.

        Once no log watches a function any more, it is exactly what it was before.

        Args:
            target: the switcher or pattern, as it was passed to `attach`.

        Raises:
            TypeError: ``target`` is neither a switcher nor text.
            ValueError: ``target`` is not attached.

        Example:
            >>> log = CallLog()
            >>> log.attach("textwrap")
            >>> log.detach("textwrap")
        """
        source_of(target).detach(self.recorder, target)

    # -- helpers --------------------------------------------------------------------------------

    def _handlers(self) -> Mapping[HandlerName, HandlerStats]:
        return self.recorder.store.handlers()

    def _find(self, handler: str) -> HandlerName:
        return find(self._handlers(), handler)

    def _calls(self) -> list[Call]:
        return [self.recorder.rules.named(Call.of(row)) for row in self._rows()]

    def _rows(self, monotonic: bool = False) -> Iterator[Row]:
        """Yield the calls in the history as plain data; see `storage.ring.Rows`."""
        # Lazily: a hundred thousand at once would take longer, and much memory.
        snapshot = self.recorder.rules.new_snapshot()
        rows = self.recorder.store.rows(monotonic=monotonic)
        return (serialized(row, snapshot) for row in rows)

    def _entries(self, rows: Iterable[Row]) -> Iterator[Entry]:
        context = self.recorder.rules.settings.include_context
        return (entry_of(row, context) for row in rows)

    def _selected(self, handler: str | None, select: Select, rows: Iterable[Row]) -> list[Entry]:
        """Filter ``rows`` by ``handler``, pass them through ``select``, and return entries."""
        wanted = [row for row in rows if handler is None or row[NAME].fits(handler)]
        if handler is not None and not wanted:
            with suppress(AmbiguousHandler):  # several handlers fit, and none was called
                self._find(handler)
        return list(self._entries(select(wanted)))


def _extreme(calls: list[Row], n: int, slowest: bool) -> list[Row]:
    """Return the ``n`` slowest or fastest of ``calls``; of equal ones the earlier."""
    # The n-th of a sample bounds the n-th of all. Dropping the calls beyond that bound first takes
    # a tenth of the time of ranking all.
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
    """Record the calls made inside a ``with`` block.

    Calls of other threads and tasks are recorded too while the block runs. Afterwards, the watched
    functions are exactly what they were before.

    Args:
        watched: switchers, whose children are included, and patterns of functions, such as
            ``"shop.database"``. Without any, all switchers are watched, also those created inside
            the block.
        settings: settings of `CollectPlugin`, such as ``max_history=100``. ``name``,
            ``description``, ``flags`` and ``method_config`` are not settings of a log.

    Returns:
        A context manager that yields the `CallLog`. You can use the log after the block.

    Raises:
        TypeError: a setting is unknown or has the wrong type, or a target is neither a switcher nor
            text.
        ValueError: a setting is out of range, or a target is not a pattern.

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
    with suppress(ValueError):  # the block has already detached it
        log.detach(target)

"""``CallLog``: the questions that recorded calls answer."""

from __future__ import annotations

import gc
import heapq
import operator
import os
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, overload

from . import export
from . import switcher as switchers
from .assertions import Assertions
from .clock import SYSTEM, Clock
from .names import AmbiguousHandler, HandlerName, find, short_names
from .profile import SLOWEST, Profile
from .recorder import Probe
from .redaction import Redactor
from .ring import ELAPSED, NAME, Call, Row, call_of, failed, row_of
from .settings import DEFAULTS, Settings, changed
from .snapshot import Snapshot
from .stats import HandlerStats, Statistics, Stats
from .store import Store
from .switcher import Switcher
from .taking import Raw
from .units import seconds

Select = Callable[[list[Row]], list[Row]]
Entries = list[dict[str, Any]]
SCHEMA = "smartcollect/log"
VERSION = 1
_SOME = 1_000
_elapsed = operator.itemgetter(ELAPSED)


class _Means:
    """How a log records: its settings, and what they make of values."""

    def __init__(self) -> None:
        self.snapshot = Snapshot()

    def change(self, settings: Settings) -> None:
        self.settings = settings
        self.redactor = Redactor(settings.redact)
        failures = self.snapshot.failures
        self.snapshot = Snapshot(settings.serializers, self.redactor)
        self.snapshot.failures = failures


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

    def __init__(self, settings: Settings = DEFAULTS, clock: Clock = SYSTEM) -> None:
        self.store = Store(settings.max_history, SLOWEST, clock)
        self._probes: weakref.WeakSet[Probe] = weakref.WeakSet()
        self._means = _Means()
        self._apply(settings)

    def _apply(self, settings: Settings) -> None:
        self._means.change(settings)
        self.store.resize(settings.max_history)
        for probe in list(self._probes):
            self._configure(probe)

    def _configure(self, probe: Probe) -> None:
        settings = self._settings_of(probe)
        probe.configure(self._means.snapshot, self._means.redactor, settings)

    def _settings_of(self, probe: Probe) -> Settings:
        return self._means.settings

    def probe(self, name: HandlerName, subject: Any) -> Probe:
        """A probe that feeds this log with the calls of one handler.

        Args:
            name: what the handler is called here.
            subject: the function that was registered, for the names of its parameters.
        """
        self.store.register(name)
        probe = Probe(self.store, name, subject)
        self._configure(probe)
        self._probes.add(probe)
        return probe

    def rename(self, probe: Probe, name: HandlerName) -> None:
        """The handler of ``probe`` is called ``name`` from now on."""
        self.store.rename(probe.name, name)
        probe.name = name
        self._configure(probe)

    # -- what was called ------------------------------------------------------------------------

    def history(
        self,
        last: int | None = None,
        first: int | None = None,
        handler: str | None = None,
        errors: bool | None = None,
    ) -> Entries:
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
        _count("last", last)
        _count("first", first)
        if last is not None and first is not None:
            raise ValueError(f"last={last!r} and first={first!r} are both given; accepted: one")

        def wanted(rows: list[Row]) -> list[Row]:
            if errors is not None:
                rows = [row for row in rows if failed(row) == errors]
            return rows[:first] if last is None else rows[max(0, len(rows) - last) :]

        return self._selected(handler, wanted, self.store.rows())

    def slowest(self, n: int = 10, handler: str | None = None) -> Entries:
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

    def fastest(self, n: int = 10, handler: str | None = None) -> Entries:
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

    def _ranked(self, n: int, handler: str | None, slowest: bool) -> Entries:
        _count("n", n)
        # Of one handler, the slowest may be far from the slowest of all.
        some = slowest and handler is None
        rows = self.store.slowest_rows(n) if some else self.store.rows()
        return self._selected(handler, lambda rows: _extreme(rows, n, slowest), rows)

    def slower_than(self, threshold: float | str, handler: str | None = None) -> Entries:
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

        return self._selected(handler, slower, self.store.rows(limit))

    def errors(self, handler: str | None = None) -> Entries:
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
        called = self.store.statistics()
        keys = short_names(called)
        return Stats({keys[name]: statistics for name, statistics in called.items()})

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
        summary = self.store.summary()
        snapshot = Snapshot(self._means.settings.serializers, self._means.redactor)
        slowest = [call_of(_plain(row_of(call), snapshot)) for call in summary.slowest]
        return Profile.of(summary._replace(slowest=slowest))

    @property
    def recording_failures(self) -> int:
        """How many values could not be recorded: their ``repr`` or serializer failed."""
        return self._means.snapshot.failures

    # -- what becomes of it ---------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON-able data: schema name and version, settings, statistics and history.

        Example:
            >>> CallLog().to_dict()["schema"]
            'smartcollect/log'
        """
        plain: dict[str, Any] = export.strict(
            {**self._heading(), "history": list(self._exported())}
        )
        return plain

    def _heading(self) -> dict[str, Any]:
        return {
            "schema": SCHEMA,
            "version": VERSION,
            "settings": self._means.settings.to_dict(),
            "recording_failures": self.recording_failures,
            "stats": self.stats(),
        }

    def _exported(self) -> Iterator[dict[str, Any]]:
        context = self._means.settings.include_context
        return (_entry(row, context) for row in self._plain_rows())

    def export(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Writes the log to a file, whole or not at all.

        Args:
            path: the file.
            format: ``"json"`` (all of `to_dict`), ``"jsonl"`` (a line for each call) or ``"csv"``
                (a row for each call). Left out, the suffix of ``path`` decides, or else JSON.

        Raises:
            ValueError: there is no such format.
            OSError: the file cannot be written; one that was there is as it was.

        Example:
            ``api.collect.export("calls.jsonl")``
        """
        writer = export.FORMATS[export.format_of(Path(path), format)]
        export.write(path, writer(self._heading(), self._exported()))

    def clear(self) -> None:
        """Forgets calls and statistics. Handlers stay known, and watched."""
        self.store.clear()

    # -- what is watched ------------------------------------------------------------------------

    def attach(self, switcher: Switcher) -> None:
        """Watches ``switcher`` and its children, with the handlers that they have already.

        Attaching twice counts once.

        Raises:
            TypeError: ``switcher`` is no ``Switcher``.

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
        """
        switchers.attach(self, switcher)

    def detach(self, switcher: Switcher) -> None:
        """Undoes `attach`; the last log to leave leaves the very objects that were there.

        Raises:
            TypeError: ``switcher`` is no ``Switcher``.
            ValueError: it is not attached.
        """
        switchers.detach(self, switcher)

    # -- for the questions above ----------------------------------------------------------------

    def _handlers(self) -> Mapping[HandlerName, HandlerStats]:
        return self.store.handlers()

    def _find(self, handler: str) -> HandlerName:
        handlers = self._handlers()
        try:
            return find(handlers, handler)
        except AmbiguousHandler:
            # One of them may belong to a switcher that is gone, or is garbage by now: it counts
            # when it was called, and not for having been registered once.
            gc.collect()
            live = {probe.name for probe in list(self._probes)}
            return find(
                [name for name, stats in handlers.items() if stats.calls or name in live], handler
            )

    def _calls(self) -> list[Call]:
        return list(map(call_of, self._plain_rows()))

    def _plain_rows(self) -> Iterator[Row]:
        # One after the other: a hundred thousand at a time take longer, and much memory.
        snapshot = Snapshot(self._means.settings.serializers, self._means.redactor)
        return (_plain(row, snapshot) for row in self.store.rows())

    def _selected(self, handler: str | None, select: Select, rows: Iterable[Row]) -> Entries:
        """The entries of what ``select`` takes of ``rows``, or of those of ``handler``."""
        wanted = [row for row in rows if handler is None or row[NAME].fits(handler)]
        context = self._means.settings.include_context
        return [_entry(row, context) for row in select(wanted)]


def _plain(row: Row, snapshot: Snapshot) -> Row:
    """The call with plain data in place of the objects, where these are kept."""
    name, began, elapsed, args, kwargs, result, rest = row
    if type(kwargs) is not Raw:
        return row
    (result,) = snapshot.arguments((result,))
    args, kwargs = snapshot.arguments(args), snapshot.keywords(kwargs)
    return name, began, elapsed, args, kwargs, result, rest


def _entry(row: Row, context: bool) -> dict[str, Any]:
    name, began, elapsed, args, kwargs, result, rest = row
    entry: dict[str, Any] = {"handler": name.handler}
    if context:
        entry["switcher"] = name.switcher
        entry["timestamp"] = began
    entry["args"] = args
    entry["kwargs"] = dict(kwargs)
    entry["elapsed"] = elapsed
    if rest is None or rest.failure is None:
        entry["result"] = result
    else:
        entry["exception"] = {
            "type": rest.failure.type,
            "message": rest.failure.message,
            "traceback": rest.failure.traceback(),
        }
    return entry


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


def _count(name: str, value: object) -> None:
    if value is None and name != "n":
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name}: {value!r} is not accepted; accepted: a whole number")
    if value < 0:
        raise ValueError(f"{name}: {value!r} is not accepted; accepted: zero or more")


@contextmanager
def collecting(*watched: Switcher, **settings: Any) -> Iterator[CallLog]:
    """Records the calls made inside of a ``with`` block.

    Args:
        watched: the switchers whose handlers are recorded, with their children; each switcher
            there is when left out.
        settings: those of `CollectPlugin`.

    Returns:
        The `CallLog`, which goes on to answer after the block.

    Raises:
        TypeError, ValueError: a setting that is none, or no ``Switcher``.

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
        if not watched:
            watching.enter_context(switchers.everywhere(log))
        for one in watched:
            log.attach(one)
            watching.callback(_detach, log, one)
        yield log


def _detach(log: CallLog, switcher: Switcher) -> None:
    with suppress(ValueError):  # the block did it already
        log.detach(switcher)

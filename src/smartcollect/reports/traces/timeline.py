"""The timeline of a run: tests, phases and calls of all processes, arranged so that they nest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import inf
from typing import Any, NamedTuple

from ...names import HandlerName
from .slices import CallSlice, unpack

_ROUNDING = 1
"""Nanoseconds by which two equal ends may differ, since ends are computed from starts."""


class Window(NamedTuple):
    """A span of time in one process, with the calls that ended in it. Times are nanoseconds.

    The windows of a process follow each other without overlap. So the slices of different windows
    never cross, and each window can be drawn separately.

    Attributes:
        process: the name of the worker, or ``main``.
        to_wall: the difference of Unix time and the monotonic clock, the same in all windows of
            the process.
        since, until: the first and the last moment, on the monotonic clock.
        first: the start of the earliest call, which may be before ``since``.
        main: the identity of the thread that runs tests.
        threads: the identities and names of threads.
        test: the node id of the test that ran, or ``""``.
        phase: the phase of the test that lasted from ``since`` to ``until``, or ``""``.
        outcome: the outcome of the phase.
        number: the number of calls that ended.
        packs: the calls, packed.
    """

    process: str
    to_wall: int
    since: int
    until: int
    first: int
    main: int
    threads: Sequence[tuple[int, str]]
    test: str
    phase: str
    outcome: str
    number: int
    packs: Sequence[str]


class Slice(NamedTuple):
    """A bar of the timeline.

    Attributes:
        process: the name of the process; see `Window`.
        thread: the identity of the thread on whose track the slice is drawn; ``None`` for a
            separate track.
        kind: ``test``, ``phase`` or ``call``.
        name: the text of the slice.
        start, end: nanoseconds since the beginning of the trace.
        details: further data, which viewers show for a selected slice.
    """

    process: str
    thread: int | None
    kind: str
    name: str
    start: int
    end: int
    details: dict[str, Any]


class Timeline:
    """The windows of all processes, and the slices that are drawn for them.

    Args:
        windows: the windows, in any order.
        names: the names to show for handlers. Handlers without one have their full names.
        limit: the most calls to draw. Windows that come first in ``windows`` take precedence.

    Attributes:
        begin: the beginning of the trace, in Unix nanoseconds.
        processes: the names of the processes, in order.
        mains: the identity of the thread that runs tests, by process.
    """

    def __init__(
        self, windows: Sequence[Window], names: Mapping[HandlerName, str], limit: float = inf
    ) -> None:
        self._names = names
        self._drawn: dict[int, int] = {}
        for window in windows:
            self._drawn[id(window)] = drawn = int(min(window.number, limit))
            limit -= drawn
        self._windows = sorted(windows, key=lambda one: (_natural(one.process), one.since))
        self.begin = min((one.first + one.to_wall for one in windows), default=0)
        self.processes = list(dict.fromkeys(one.process for one in self._windows))
        self.mains = {one.process: one.main for one in self._windows}
        self._threads: dict[tuple[str, int], set[str]] = {}
        for window in windows:
            for thread, name in window.threads:
                self._threads.setdefault((window.process, thread), set()).add(name)

    @property
    def calls(self) -> int:
        """The number of calls that are drawn."""
        return sum(self._drawn.values())

    def name_of_thread(self, process: str, thread: int, number: int) -> str:
        """Return the name of a thread, or its number if the name is unknown or ambiguous."""
        # The system reuses the identities of threads that ended.
        known = self._threads.get((process, thread), ())
        return next(iter(known)) if len(known) == 1 else f"thread {number}"

    def slices(self) -> Iterator[Slice]:
        """Yield the slices. On each thread they nest.

        Outer slices come before inner ones, and earlier slices before later ones.
        """
        for (process, test), some in groupby(self._windows, lambda one: (one.process, one.test)):
            windows = list(some)
            first, last = windows[0], windows[-1]
            shift = first.to_wall - self.begin
            if test:
                start, end = first.since + shift, last.until + shift
                yield Slice(process, first.main, "test", test, start, end, {})
            for window in windows:
                yield from self._of_window(window, shift)

    def _of_window(self, window: Window, shift: int) -> Iterator[Slice]:
        process, main, test = window.process, window.main, window.test
        if window.phase:
            start, end = window.since + shift, window.until + shift
            outcome = {} if window.outcome == "passed" else {"outcome": window.outcome}
            yield Slice(process, main, "phase", window.phase, start, end, outcome)
        calls = [call for some in window.packs for call in unpack(some)]
        del calls[self._drawn[id(window)] :]
        for call, thread in lay_out(calls, window.since, window.until):
            name = self._names.get(call.name, call.name.full)
            # No slice of the test encloses calls on other tracks.
            where = {"test": test} if test and thread != main else {}
            details = {**_details(call), **where}
            start, end = call.start + shift, call.end + shift
            yield Slice(process, thread, "call", name, start, end, details)


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Return a key for sorting that puts ``gw2`` before ``gw10``."""
    parts = re.findall(r"[0-9]+|[^0-9]+", text)
    return [(not part[0].isdigit(), int(part) if part[0].isdigit() else 0, part) for part in parts]


def _details(call: CallSlice) -> dict[str, Any]:
    details: dict[str, Any] = {}
    if call.args:
        details["arguments"] = call.args
    if call.self_time != call.elapsed:
        details["self_us"] = call.self_time / 1000
    if call.elapsed != call.end - call.start and call.steps:
        details["ran_us"] = call.elapsed / 1000
    if call.error:
        details["error"] = call.error
    if call.task:
        details["task"] = call.task
    return details


def lay_out(
    calls: Sequence[CallSlice], since: int, until: int
) -> Iterator[tuple[CallSlice, int | None]]:
    """Yield each call with the thread on whose track it is drawn, or ``None`` for a separate track.

    The calls on the track of a thread nest. A call needs a separate track if other calls may cross
    it: calls of coroutines and generators, calls of greenlets that cross, and calls that began
    before ``since``, because earlier windows are drawn already.

    Args:
        calls: the calls, in the order in which they ended.
        since, until: the bounds of the window.
    """
    threads: dict[int, _Track] = {}
    for order in sorted(range(len(calls) - 1, -1, -1), key=lambda order: calls[order].start):
        call = calls[order]
        fitted = None
        if not call.steps and call.start >= since:
            track = threads.get(call.thread)
            if track is None:
                track = threads[call.thread] = _Track(since, until)
            fitted = track.fitted(call, order)
        yield (call, None) if fitted is None else (fitted, call.thread)


class _Track:
    """The track of one thread in one window."""

    def __init__(self, since: int, until: int) -> None:
        # Start, end and order of the enclosing calls, the outermost first.
        self._open: list[tuple[int, int, float]] = [(since, until, inf)]
        self._free = since

    def fitted(self, call: CallSlice, order: int) -> CallSlice | None:
        """Return the call with times that nest, or ``None`` if it crosses another call.

        Args:
            call: a call that does not begin before the calls that were passed earlier.
            order: the rank of the call by its end; calls that ended later have a larger one.
        """
        start, end = call.start, call.end
        while True:
            begun, ended, ends = self._open[-1]
            if order < ends and start <= ended:
                break
            # With a coarse clock two calls may have equal times; the one that ended first is the
            # inner one.
            if start < ended - _ROUNDING or len(self._open) == 1:
                return None
            self._free = max(self._free, ended)
            self._open.pop()
        start = max(start, begun, self._free)
        end = max(start, min(end, ended))
        self._open.append((start, end, order))
        if (start, end) == (call.start, call.end):
            return call
        return call._replace(start=start, end=end)

"""What each process did when: tests, their phases and calls, such that they always nest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from math import inf
from typing import Any, NamedTuple

from ...names import HandlerName
from .slices import CallSlice, unpack

_ROUNDING = 1
"""Nanoseconds by which two ends that are the same may differ: an end is worked out from a start."""


class Window(NamedTuple):
    """What one process did from one moment to another. Times are whole nanoseconds.

    A process has one window after the other. So what is drawn inside of one cannot cross what is
    drawn inside of another, and each can be drawn by itself.

    Attributes:
        process: the name of the process: that of the worker, or ``main``.
        to_wall: what to add to its monotonic clock for Unix time, the same in all of its windows.
        since, until: from when to when.
        first: when the earliest of its calls began, which may be before ``since``.
        main: the identity of the thread that runs tests.
        threads: identities and names of threads.
        test: the node id of the test that ran; ``""`` where none did.
        phase: the phase of the test that took from ``since`` to ``until``, or ``""``.
        outcome: how the phase ended.
        number: how many calls ended.
        packs: these, packed.
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
    """What is drawn.

    Attributes:
        process: see `Window`.
        thread: identity of the thread on whose track it is; ``None`` where it has its own.
        kind: ``test``, ``phase`` or ``call``.
        name: what it is called.
        start, end: nanoseconds since the trace begins.
        details: what else is known of it.
    """

    process: str
    thread: int | None
    kind: str
    name: str
    start: int
    end: int
    details: dict[str, Any]


class Timeline:
    """The windows of all processes, and what is drawn of them.

    Args:
        windows: in any order.
        names: what handlers are called; full names where one is missing.
        limit: how many calls are drawn, of the windows that come first.

    Attributes:
        begin: Unix nanoseconds at which the trace begins.
        processes: their names, in order.
        mains: the thread that runs tests, by process.
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
        """How many calls are drawn."""
        return sum(self._drawn.values())

    def name_of_thread(self, process: str, thread: int, number: int) -> str:
        """Return what to call a thread: its name, where one alone is known."""
        # One that ended may leave its identity to the next one.
        known = self._threads.get((process, thread), ())
        return next(iter(known)) if len(known) == 1 else f"thread {number}"

    def slices(self) -> Iterator[Slice]:
        """Yield what is drawn.

        Of each thread what is outer comes before what is inside of it, and what is earlier before
        what is later; all of them nest.
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
            # Where no test is drawn around it.
            where = {"test": test} if test and thread != main else {}
            details = {**_details(call), **where}
            start, end = call.start + shift, call.end + shift
            yield Slice(process, thread, "call", name, start, end, details)


def _natural(text: str) -> list[tuple[bool, int, str]]:
    """Return a key that sorts ``gw2`` before ``gw10``."""
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
    """Yield each call with the thread on whose track it is, or ``None`` for one of its own.

    What is on the track of a thread nests there. A call has a track of its own where others run in
    its thread meanwhile: coroutines and generators; calls of greenlets that cross; and calls that
    began before ``since``, across which earlier ones are drawn already.

    Args:
        calls: in the order in which they ended.
        since, until: between what they are drawn.
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
    """The track of one thread, from one moment to another."""

    def __init__(self, since: int, until: int) -> None:
        # From when to when calls are that may hold others, and their order; the outer first.
        self._open: list[tuple[int, int, float]] = [(since, until, inf)]
        self._free = since

    def fitted(self, call: CallSlice, order: int) -> CallSlice | None:
        """Return the call such that it nests, or ``None`` where it crosses another one.

        Args:
            call: begins no earlier than those before.
            order: a call that ended later has a larger one.
        """
        start, end = call.start, call.end
        while True:
            begun, ended, ends = self._open[-1]
            if order < ends and start <= ended:
                break
            # The clock may stand still: whichever ended first is inside of the other.
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

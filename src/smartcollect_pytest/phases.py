"""What each phase of a test did, and how it rides on reports: each phase once."""

from __future__ import annotations

import unittest
from collections.abc import Sequence

# Bound here: suites replace what others look up when they need it.
from os import getpid, urandom
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
    from smartcollect import Profile

    from .capture import Capture
    from .junit import Totals

ATTRIBUTE = "smartcollect"
"""The attribute of a report that carries what phases did."""
PHASES = ("setup", "call", "teardown")


class Part(NamedTuple):
    """What one phase of one attempt of a test did.

    Attributes:
        key: tells this part from each other one, whichever process made it.
        test: the node id of the test.
        when: the phase.
        outcome: how it ended, in pytest's words.
        duration: seconds.
        calls: what it called; packed, where it comes from another process. ``None`` for nothing.
        window: what a trace shows of it, if there is one: a `Window`, or the same as plain data.
    """

    key: str
    test: str
    when: str
    outcome: str
    duration: float
    calls: Profile | str | None
    window: Sequence[Any] | None = None


class Parts:
    """Takes from a capture what each phase did, when it ends, and puts that on reports.

    A phase can make many reports, as subtests do, or none, as a plugin does that runs a test again
    and tells of the last attempt only; and a report need not reach anybody. So a part is taken when
    its phase ends, and rides on each report of its test until one of these was logged.

    Args:
        capture: records what is called.
        worker: whether another process gathers the parts.
        totals: adds up the phases of each test, where somebody wants that.
    """

    def __init__(self, capture: Capture, worker: bool, totals: Totals | None = None) -> None:
        self._capture = capture
        self._totals = totals
        self._worker = worker
        self._process = getpid()
        self._waiting: dict[str, Part] = {}
        self._running: list[float] = []
        self._ended = ("", "")

    def begin(self) -> None:
        """A test begins: what was called before it is none of its calls."""
        self._capture.discard()
        self._ended = ("", "")
        if self._totals is not None:
            self._totals.begin()

    def enter(self, test: str, when: str) -> None:
        """A phase of a test begins."""
        # What hooks of others called since the last phase.
        self._take(test, when, "passed", 0.0)
        if self._totals is not None and when == "setup":
            self._totals.begin()
        self._running.append(self._capture.now())

    def leave(self, test: str, when: str, error: BaseException | None) -> None:
        """The phase that `enter` told of ends, perhaps with an exception."""
        duration = self._capture.now() - self._running.pop()
        self._ended = (test, when)
        self._take(test, when, _outcome(error), duration, whole=True)

    def _take(
        self, test: str, when: str, outcome: str, duration: float, whole: bool = False
    ) -> None:
        profile, tracer = self._capture.take(), self._capture.tracer
        window = None if tracer is None else tracer.window(test, when, outcome, whole)
        if profile is None and window is None:
            return
        key = urandom(8).hex()
        self._waiting[key] = Part(key, test, when, outcome, duration, profile, window)
        if self._totals is not None and profile is not None:
            self._totals.add(profile.called())

    def load(self, report: Any) -> None:
        """Puts on ``report`` the parts of its test of which nobody knows yet."""
        # A report of a part of a phase, such as a subtest, has no calls of its own: the phase has.
        if self._running:
            return
        # A plugin that runs tests in its own way may call none of pytest's hooks for the phases.
        seen = self._ended == (report.nodeid, report.when)
        duration = 0.0 if seen else report.duration
        self._take(report.nodeid, report.when, report.outcome, duration, whole=not seen)
        # In this process its key is enough. A fork, as some plugins run a test in, sends all.
        packs = self._worker or getpid() != self._process
        riding = [
            tuple(_packed(part)) if packs else part.key
            for part in self._waiting.values()
            if part.test == report.nodeid
        ]
        if riding:
            setattr(report, ATTRIBUTE, riding)
        if self._totals is not None and report.when == "teardown":
            self._totals.write(report)

    def logged(self, report: Any) -> list[Part]:
        """Returns the parts on ``report``, which is on its way to whoever gathers them.

        The last one of its own phase ended as the report says.
        """
        parts = []
        for one in getattr(report, ATTRIBUTE, None) or ():
            known = self._waiting.pop(one if type(one) is str else one[0], None)
            if known is not None:
                parts.append(known)
            elif type(one) is not str:
                parts.append(Part(*one))
        own = next((n for n, part in enumerate(parts[::-1], 1) if part.when == report.when), None)
        if own is not None:
            parts[-own] = parts[-own]._replace(outcome=report.outcome)
        return parts

    def rest(self) -> list[Part]:
        """Returns the parts that rode on no report that was logged."""
        waiting, self._waiting = self._waiting, {}
        return [_packed(part) if self._worker else part for part in waiting.values()]


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "passed"
    if isinstance(error, (pytest.skip.Exception, unittest.SkipTest)):
        return "skipped"
    # Neither is an outcome: pytest stops.
    stopped = (pytest.exit.Exception, KeyboardInterrupt)
    return "interrupted" if isinstance(error, stopped) else "failed"


def _packed(part: Part) -> Part:
    from smartcollect.profiles.packing import pack

    if part.window is not None:
        part = part._replace(window=tuple(part.window))
    if part.calls is None or isinstance(part.calls, str):
        return part
    return part._replace(calls=pack(part.calls))

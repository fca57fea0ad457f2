"""What each phase of a test did, and how it rides on reports: each phase once."""

from __future__ import annotations

import unittest
from collections.abc import Sequence

# Bound here: suites replace what others look up when they need it.
from os import urandom
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

if TYPE_CHECKING:
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
        text: what it called, packed.
    """

    key: str
    test: str
    when: str
    outcome: str
    duration: float
    text: str


class Parts:
    """Takes from a capture what each phase did, when it ends, and puts that on reports.

    A phase can make many reports, as subtests do, or none, as a plugin does that runs a test again
    and tells of the last attempt only; and a report need not reach anybody. So a part is taken when
    its phase ends, and rides on each report of its test until one of these was logged.

    Args:
        capture: records what is called.
        totals: adds up the phases of each test, where somebody wants that.
    """

    def __init__(self, capture: Capture, totals: Totals | None = None) -> None:
        self._capture = capture
        self._totals = totals
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
        self._take(test, when, _outcome(error), duration)

    def _take(self, test: str, when: str, outcome: str, duration: float) -> None:
        handlers, text = self._capture.take()
        if text:
            key = urandom(8).hex()
            self._waiting[key] = Part(key, test, when, outcome, duration, text)
        if self._totals is not None:
            self._totals.add(handlers)

    def load(self, report: Any) -> None:
        """Puts on ``report`` the parts of its test of which nobody knows yet."""
        # A report of a part of a phase, such as a subtest, has no calls of its own: the phase has.
        if self._running:
            return
        # A plugin that runs tests in its own way may call none of pytest's hooks for the phases.
        seen = self._ended == (report.nodeid, report.when)
        self._take(report.nodeid, report.when, report.outcome, 0.0 if seen else report.duration)
        riding = [tuple(part) for part in self._waiting.values() if part.test == report.nodeid]
        if riding:
            setattr(report, ATTRIBUTE, riding)
        if self._totals is not None and report.when == "teardown":
            self._totals.write(report)

    def logged(self, report: Any) -> None:
        """Notes that ``report`` is on its way to whoever gathers the parts."""
        for part in unload(report):
            self._waiting.pop(part.key, None)

    def rest(self) -> list[Part]:
        """Returns the parts that rode on no report that was logged."""
        waiting, self._waiting = self._waiting, {}
        return list(waiting.values())


def _outcome(error: BaseException | None) -> str:
    if error is None:
        return "passed"
    if isinstance(error, (pytest.skip.Exception, unittest.SkipTest)):
        return "skipped"
    # Neither is an outcome: pytest stops.
    stopped = (pytest.exit.Exception, KeyboardInterrupt)
    return "interrupted" if isinstance(error, stopped) else "failed"


def unload(report: Any) -> Sequence[Part]:
    """Returns the parts on ``report``; the last one of its own phase ended as the report says."""
    riding = getattr(report, ATTRIBUTE, None)
    if not riding:
        return ()
    parts = [Part(*one) for one in riding]
    own = next((n for n, part in enumerate(reversed(parts), 1) if part.when == report.when), None)
    if own is not None:
        parts[-own] = parts[-own]._replace(outcome=report.outcome)
    return parts
